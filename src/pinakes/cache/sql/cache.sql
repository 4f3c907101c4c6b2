-- What the cache reads in PostgreSQL. It writes nothing there.

-- name: stamp
-- purpose: the epoch of this snapshot, whether nothing waits for the next one, and how long ago everything
--          committed was known to be in the read model; NULL where nobody knows, the clock having been set back
-- index: one row of epoch; the first live row of dirty and dirty_marks
SELECT
    epoch.epoch,
    epoch.incarnation::text AS incarnation,
    epoch.policy,
    NOT EXISTS (SELECT FROM dirty) AND NOT EXISTS (SELECT FROM dirty_marks) AS settled,
    CASE
        WHEN isfinite(epoch.at) AND epoch.at <= clock_timestamp()
            THEN greatest(ceil(extract(epoch FROM clock_timestamp() - epoch.at) * 1000), 0)::bigint
    END AS behind_ms
FROM epoch

-- name: changes
-- purpose: the terms every epoch after $1 touched, in order; who is further behind than this does better to begin anew
-- index: change_log_pkey
SELECT
    epoch,
    terms
FROM change_log
WHERE epoch > $1
ORDER BY epoch
LIMIT 1000

-- name: waiting
-- purpose: how many rows wait for the next epoch, up to $1, and whether a change wider than rows does
-- index: none; stops at $1 live rows
SELECT
    (SELECT count(*) FROM (SELECT FROM dirty LIMIT $1::integer) AS front) AS rows,
    EXISTS (SELECT FROM dirty_marks WHERE kind IN ('source', 'creator')) AS wide

-- name: waiting_stored
-- purpose: whether a waiting row matches {condition} as the read model has it
-- index: unified_content_with_tags, unique (source_type, id)
SELECT EXISTS (
    SELECT
    FROM (SELECT DISTINCT source_type, id FROM dirty) AS d
    JOIN unified_content_with_tags AS c
        ON c.source_type = d.source_type
       AND c.id = d.id
    WHERE {condition}
)

-- name: waiting_fresh
-- purpose: whether a waiting row of one source matches {condition} as the base table has it
-- index: primary key of {table}
SELECT EXISTS (
    SELECT
    FROM (SELECT DISTINCT id FROM dirty WHERE source_type = {code}) AS d
    JOIN {table} AS c ON c.id = d.id
    WHERE {condition}
)
