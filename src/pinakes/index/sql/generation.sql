-- Generations of the index: which there are, and their steps from building to retired.

-- name: live
-- purpose: the index readers may use with the read model of this snapshot
-- index: index_generation, status
SELECT generations.generation, generations.folded_epoch, generations.kept_epoch
FROM index_generation AS generations
JOIN index_follower AS followers ON followers.generation = generations.generation
JOIN epoch
    ON epoch.incarnation = generations.incarnation
   AND epoch.epoch = followers.epoch
   AND epoch.policy = 'incremental'
WHERE generations.status = 'live'

-- name: read_model
-- purpose: whether there is a relation that `state` can hold
-- index: none
SELECT to_regclass('unified_content_with_tags') IS NOT NULL

-- name: state
-- purpose: what an answer needs to know first; holds the read model until the transaction ends
-- index: one row each
SELECT
    epoch.epoch,
    epoch.incarnation::text AS incarnation,
    {at} AS at,
    now() AS now,
    epoch.policy,
    epoch.relation = to_regclass('unified_content_with_tags') AS intact,
    (SELECT true FROM unified_content_with_tags LIMIT 1) AS holds,
    generations.generation,
    generations.folded_epoch,
    generations.kept_epoch,
    generations.docs
FROM epoch
LEFT JOIN (
    index_generation AS generations
    JOIN index_follower AS followers ON followers.generation = generations.generation
)
    ON generations.status = 'live'
   AND generations.incarnation = epoch.incarnation
   AND followers.epoch = epoch.epoch
   AND epoch.policy = 'incremental'

-- name: followed
-- purpose: generations that need the deltas of epoch $1, marked as having them
-- index: index_follower, primary key
UPDATE index_follower AS followers
SET epoch = $1
FROM epoch
JOIN index_generation AS generations ON generations.incarnation = epoch.incarnation
WHERE epoch.policy = 'incremental'
  AND generations.status <> 'retired'
  AND followers.generation = generations.generation
  AND followers.epoch = $1 - 1
RETURNING followers.generation

-- name: unfinished
-- purpose: a build of this incarnation that was begun and not finished
-- index: index_generation, status
SELECT generations.generation, generations.folded_epoch, generations.docs
FROM index_generation AS generations
JOIN index_follower AS followers ON followers.generation = generations.generation
JOIN epoch
    ON epoch.incarnation = generations.incarnation
   AND epoch.epoch = followers.epoch
   AND epoch.policy = 'incremental'
WHERE generations.status = 'building'

-- name: discard_unfinished
-- purpose: a build that nobody will finish
-- index: index_generation, status
UPDATE index_generation
SET status = 'retired'
WHERE status = 'building'

-- name: begin
-- purpose: a new build; the caller holds the applier's lock, so every later epoch sees it
-- index: none
WITH begun AS (
    INSERT INTO index_generation (incarnation, status, folded_epoch, kept_epoch, docs)
    SELECT epoch.incarnation, 'building', epoch.epoch, epoch.epoch, epoch.next_doc
    FROM epoch
    WHERE epoch.policy = 'incremental'
    RETURNING generation, folded_epoch, docs
), followed AS (
    INSERT INTO index_follower (generation, epoch)
    SELECT begun.generation, begun.folded_epoch FROM begun
)
SELECT begun.generation, begun.docs FROM begun

-- name: one_builder
-- purpose: builds wait for each other; ends with the session
-- index: none
SELECT pg_advisory_lock($1, $2)

-- name: documents
-- purpose: how many document numbers were given, if documents have numbers
-- index: none; one row
SELECT epoch.next_doc FROM epoch WHERE epoch.policy = 'incremental'

-- name: put_code
-- purpose: one order field's code
-- index: none
INSERT INTO index_code (generation, field, head, code)
VALUES ($1, $2, $3, $4)

-- name: codes
-- purpose: the codes of a generation
-- index: index_code, primary key
SELECT field, head, code
FROM index_code
WHERE generation = $1
  AND field = ANY ($2::text[])

-- name: heads
-- purpose: the first line of each code, without its cuts
-- index: index_code, primary key
SELECT field, head
FROM index_code
WHERE generation = $1

-- name: belongs
-- purpose: whether a generation still belongs to the read model, and the epoch of this snapshot
-- index: index_generation, primary key
SELECT epoch.epoch
FROM epoch
JOIN index_generation AS generations ON generations.incarnation = epoch.incarnation
JOIN index_follower AS followers
    ON followers.generation = generations.generation
   AND followers.epoch = epoch.epoch
WHERE generations.generation = $1
  AND generations.status = 'building'

-- name: finished_parts
-- purpose: what a resumed build need not do again
-- index: index_part, primary key
SELECT segment
FROM index_part
WHERE generation = $1

-- name: claim_part
-- purpose: one process at a time builds a segment; ends with the transaction
-- index: none
SELECT pg_advisory_xact_lock($1, $2)

-- name: part
-- purpose: a segment that is done
-- index: index_part, primary key
SELECT docs, terms, seconds
FROM index_part
WHERE generation = $1
  AND segment = $2

-- name: put_part
-- purpose: one more segment is done
-- index: none
INSERT INTO index_part (generation, segment, epoch, docs, terms, seconds)
VALUES ($1, $2, $3, $4, $5, $6)

-- name: retire_live
-- purpose: readers leave the generation in use; same transaction as go_live
-- index: index_generation, status
UPDATE index_generation
SET status = 'retired'
WHERE status = 'live'

-- name: go_live
-- purpose: readers use this generation from the commit on
-- index: index_generation, primary key
UPDATE index_generation
SET status = 'live',
    built_at = now(),
    folded_at = now()
WHERE generation = $1
  AND status = 'building'
  AND EXISTS (
      SELECT FROM epoch
      JOIN index_follower AS followers ON followers.epoch = epoch.epoch
      WHERE followers.generation = index_generation.generation
        AND epoch.incarnation = index_generation.incarnation
  )

-- name: retired
-- purpose: generations to sweep away
-- index: none; a handful of rows
SELECT generation FROM index_generation WHERE status = 'retired'

-- name: sweep_segments
-- purpose: some of a retired generation's segments
-- index: term_segment, primary key
DELETE FROM term_segment
WHERE ctid = ANY (ARRAY(SELECT old.ctid FROM term_segment AS old WHERE old.generation = $1 LIMIT 20000))

-- name: sweep_deltas
-- purpose: deltas of a generation that is gone
-- index: term_delta, primary key
DELETE FROM term_delta WHERE generation = $1

-- name: sweep_generation
-- purpose: the last of a retired generation; its codes and parts go with it
-- index: index_generation, primary key
DELETE FROM index_generation WHERE generation = $1 AND status = 'retired'

-- name: status
-- purpose: everything `pinakes index status` shows of a generation
-- index: none; sums up the segments
SELECT
    generations.generation,
    generations.status,
    generations.folded_epoch,
    generations.docs,
    generations.began_at,
    generations.built_at,
    generations.folded_at,
    generations.incarnation = epoch.incarnation AND followers.epoch = epoch.epoch AS current,
    epoch.epoch,
    epoch.next_doc,
    (SELECT count(*) FROM index_part AS parts WHERE parts.generation = generations.generation) AS parts,
    (SELECT coalesce(sum(parts.docs), 0)::bigint FROM index_part AS parts
     WHERE parts.generation = generations.generation) AS parts_docs,
    (SELECT count(*) FROM term_delta AS deltas WHERE deltas.generation = generations.generation
     AND deltas.epoch > generations.folded_epoch) AS unfolded
FROM index_generation AS generations
JOIN index_follower AS followers ON followers.generation = generations.generation
CROSS JOIN epoch
ORDER BY generations.generation

-- name: growth
-- purpose: how many documents the live generation was built with, and how many there are numbers for now
-- index: index_generation, status
SELECT
    generations.generation,
    generations.docs AS built,
    epoch.next_doc AS docs
FROM index_generation AS generations
JOIN epoch ON epoch.incarnation = generations.incarnation
WHERE generations.status = 'live'

-- name: bands
-- purpose: how many documents each band of one order holds in the segments: terms from $2 to $3
-- index: term_segment, primary key
SELECT
    split_part(segments.term, '@', 2)::integer AS number,
    sum(segments.cardinality)::bigint AS items
FROM term_segment AS segments
WHERE segments.generation = $1
  AND segments.term >= $2
  AND segments.term < $3
GROUP BY segments.term

-- name: size
-- purpose: what a generation's segments hold, by field
-- index: term_segment, primary key; reads the whole generation
SELECT
    regexp_replace(segments.term, '[:@#<~=].*$', '') AS field,
    count(*) AS rows,
    count(DISTINCT segments.term) AS terms,
    sum(segments.cardinality)::bigint AS members,
    sum(octet_length(segments.bits))::bigint AS bits,
    sum(pg_column_size(segments.*))::bigint AS bytes
FROM term_segment AS segments
WHERE segments.generation = $1
GROUP BY 1
ORDER BY 1

-- name: relation_size
-- purpose: bytes on disk of segments and deltas, with their indexes
-- index: none
SELECT
    pg_total_relation_size('term_segment') AS segments,
    pg_total_relation_size('term_delta') AS deltas
