-- What the keeper asks to know what is due, and its housekeeping.

-- name: look
-- purpose: the state of the read model, and whether anything changed since: what each step begins with
-- index: none; one row, and the first of each queue
SELECT
    {columns},
    EXISTS (SELECT FROM dirty) OR EXISTS (SELECT FROM dirty_marks) AS dirty
FROM epoch

-- name: pending
-- purpose: the oldest and the newest change that is not in the read model yet
-- index: none; scans the queue, so it is asked only when a refresh may be due
SELECT min(waiting.at) AS first, max(waiting.at) AS last, count(*) AS rows, clock_timestamp() AS now
FROM (
    SELECT dirty.at FROM dirty
    UNION ALL
    SELECT dirty_marks.at FROM dirty_marks
) AS waiting

-- name: since_refresh
-- purpose: seconds since the last refresh or build began; NULL if there was none, or the clock was set back since
-- index: view_refresh, primary key
SELECT CASE
    WHEN started_at <= clock_timestamp() THEN extract(epoch FROM clock_timestamp() - started_at)::double precision
END
FROM view_refresh
ORDER BY id DESC
LIMIT 1

-- name: backlog
-- purpose: how many dirty rows wait, and how many items there are by statistics
-- index: none; scans the queue
SELECT
    (SELECT count(*) FROM dirty) AS waiting,
    (SELECT coalesce(sum(greatest(reltuples, 0)), 0)::bigint FROM pg_class
     WHERE oid IN (SELECT to_regclass(table_name) FROM sources)) AS items

-- name: vacuum
-- purpose: a queue that is taken ten times a second is swept by its owner, not by chance
-- index: none
VACUUM (TRUNCATE OFF, SKIP_LOCKED) dirty

-- name: queue_bytes
-- purpose: how much of the queue every reader of its first row may have to read through
-- index: none
SELECT pg_relation_size('dirty') + pg_relation_size('dirty_marks')

-- name: fold_tag_counts
-- purpose: moves the deltas writers left into the totals of tags
-- index: tag_counts, primary key
SELECT fold_tag_counts()

-- name: sweep_name_changes
-- purpose: forgets changes of names that every process has taken in or will load anew
-- index: none; the table is small
DELETE FROM tag_name_changes
WHERE at < now() - interval '1 day'
