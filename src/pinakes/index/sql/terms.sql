-- Segments and deltas.

-- name: load
-- purpose: whole terms, their segments in order
-- index: term_segment, primary key
SELECT segments.term, segments.bits
FROM unnest($2::text[]) AS wanted (term)
JOIN term_segment AS segments
    ON segments.generation = $1
   AND segments.term = wanted.term
ORDER BY segments.segment

-- name: deltas_after
-- purpose: what later epochs changed
-- index: term_delta, primary key
SELECT epoch, terms, added, removed
FROM term_delta
WHERE generation = $1
  AND epoch > $2
ORDER BY epoch

-- name: told_after
-- purpose: what epochs after $1 touched that names in a query may stand for; no more than $2 epochs
-- index: change_log, primary key
SELECT
    log.epoch,
    ARRAY(
        SELECT touched.term
        FROM unnest(log.terms) AS touched (term)
        WHERE touched.term LIKE 'tag:%'
           OR touched.term LIKE 'creator:%'
           OR touched.term LIKE 'owner:%'
           OR touched.term IN ('names', 'vocabulary', '*')
    ) AS terms
FROM change_log AS log
WHERE log.epoch > $1
ORDER BY log.epoch
LIMIT $2

-- name: put_delta
-- purpose: what one epoch changed; in that epoch's transaction
-- index: none
INSERT INTO term_delta (generation, epoch, items, terms, added, removed)
VALUES ($1, $2, $3, $4, $5, $6)

-- name: pending
-- purpose: how much waits to be folded
-- index: term_delta, primary key
SELECT
    generations.generation,
    generations.folded_epoch,
    count(deltas.epoch) AS epochs,
    coalesce(sum(deltas.items), 0)::bigint AS items,
    coalesce(extract(epoch FROM now() - min(deltas.at)), 0)::double precision AS age_s,
    (SELECT next_doc FROM epoch) AS docs
FROM index_generation AS generations
LEFT JOIN term_delta AS deltas
    ON deltas.generation = generations.generation
   AND deltas.epoch > generations.folded_epoch
WHERE generations.status = 'live'
GROUP BY generations.generation

-- name: newest_delta
-- purpose: the last epoch that changed a term
-- index: term_delta, primary key
SELECT max(deltas.epoch)
FROM term_delta AS deltas
JOIN index_generation AS generations ON generations.generation = deltas.generation
WHERE deltas.generation = $1
  AND deltas.epoch > generations.folded_epoch

-- name: range
-- purpose: the oldest epochs to be folded, up to $1 bytes as stored and at least one
-- index: term_delta, primary key; sizes are read without the values
SELECT
    sized.generation,
    sized.folded_epoch,
    array_agg(sized.epoch ORDER BY sized.epoch) AS epochs
FROM (
    SELECT
        deltas.generation,
        generations.folded_epoch,
        deltas.epoch,
        sum(pg_column_size(deltas.terms)::bigint + pg_column_size(deltas.added) + pg_column_size(deltas.removed)) OVER oldest AS bytes,
        row_number() OVER oldest AS place
    FROM index_generation AS generations
    JOIN term_delta AS deltas
        ON deltas.generation = generations.generation
       AND deltas.epoch > generations.folded_epoch
    WHERE generations.status = 'live'
    WINDOW oldest AS (ORDER BY deltas.epoch)
) AS sized
WHERE sized.bytes <= $1
   OR sized.place = 1
GROUP BY sized.generation, sized.folded_epoch

-- name: delta
-- purpose: what one epoch changed
-- index: term_delta, primary key
SELECT terms, added, removed
FROM term_delta
WHERE generation = $1
  AND epoch = $2

-- name: hold_generation
-- purpose: that generation $1 is in use and folded up to $2; it stays so until the transaction ends
-- index: index_generation, primary key
SELECT generation
FROM index_generation
WHERE generation = $1
  AND folded_epoch = $2
  AND status = 'live'
FOR SHARE

-- name: take_segments
-- purpose: the segments a fold changes
-- index: term_segment, primary key
SELECT segments.term, segments.segment, segments.bits
FROM unnest($2::text[], $3::integer[]) AS wanted (term, segment)
JOIN term_segment AS segments
    ON segments.generation = $1
   AND segments.term = wanted.term
   AND segments.segment = wanted.segment

-- name: put_segments
-- purpose: new contents of segments
-- index: term_segment, primary key
INSERT INTO term_segment AS segments (generation, term, segment, cardinality, bits)
SELECT $1, given.term, given.segment, given.cardinality, given.bits
FROM unnest($2::text[], $3::integer[], $4::integer[], $5::bytea[]) AS given (term, segment, cardinality, bits)
ON CONFLICT (generation, term, segment) DO UPDATE
SET cardinality = excluded.cardinality,
    bits = excluded.bits

-- name: drop_segments
-- purpose: segments that have become empty
-- index: term_segment, primary key
DELETE FROM term_segment AS segments
USING unnest($2::text[], $3::integer[]) AS given (term, segment)
WHERE segments.generation = $1
  AND segments.term = given.term
  AND segments.segment = given.segment

-- name: folded
-- purpose: the segments hold everything up to epoch $2 now; the deltas of earlier folds may go
-- index: index_generation, primary key
UPDATE index_generation
SET folded_epoch = $2,
    folded_at = now(),
    kept_epoch = greatest(kept_epoch, coalesce((
        SELECT max(deltas.epoch)
        FROM term_delta AS deltas
        WHERE deltas.generation = $1
          AND deltas.epoch <= $2
          AND deltas.at < now() - make_interval(secs => $3)
    ), 0))
WHERE generation = $1
  AND folded_epoch = $4
  AND status = 'live'
RETURNING kept_epoch

-- name: drop_deltas
-- purpose: deltas that nobody needs to catch up with
-- index: term_delta, primary key
DELETE FROM term_delta
WHERE generation = $1
  AND epoch <= $2

-- name: try_fold_lock
-- purpose: one folder at a time; ends with the session, and the session ends after $3 of silence. NULL: another has it
-- index: none
SELECT CASE WHEN pg_try_advisory_lock($1, $2) THEN set_config('idle_session_timeout', $3, false) END

-- name: fold_unlock
-- purpose: lets go of the lock and of the limit
-- index: none
SELECT
    set_config('idle_session_timeout', '0', false) AS unlimited,
    pg_advisory_unlock($1, $2) AS unlocked

-- name: all_segments
-- purpose: one segment of every term, to be checked
-- index: none; reads the generation
SELECT term, cardinality, bits
FROM term_segment
WHERE generation = $1
  AND segment = $2

-- name: segments_held
-- purpose: which segments have any term
-- index: none; reads the generation's index
SELECT DISTINCT segment FROM term_segment WHERE generation = $1 ORDER BY segment
