-- Looking at the read model.

-- name: sizes
-- purpose: bytes and rows of the read model and of the tables it is made from
-- index: none; catalogue only
SELECT
    coalesce(pg_total_relation_size(to_regclass('unified_content_with_tags')), 0) AS view_bytes,
    coalesce((SELECT greatest(reltuples, 0)::bigint FROM pg_class
              WHERE oid = to_regclass('unified_content_with_tags')), 0) AS view_items,
    (SELECT relkind::text FROM pg_class WHERE oid = to_regclass('unified_content_with_tags')) AS relkind,
    (SELECT coalesce(sum(pg_total_relation_size(leaf.oid)), 0)::bigint
     FROM pg_class AS leaf
     WHERE leaf.oid IN (SELECT to_regclass(table_name) FROM sources)
        OR leaf.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'content_tags'::regclass)) AS base_bytes

-- name: waiting
-- purpose: how many changes wait (counted up to $1) and since when the oldest does
-- index: none; reads at most $1 rows of the queue
SELECT
    count(*) AS rows,
    greatest(extract(epoch FROM clock_timestamp() - min(waiting.at)), 0)::double precision AS oldest_s
FROM (
    SELECT queue.at
    FROM (SELECT at FROM dirty UNION ALL SELECT at FROM dirty_marks) AS queue
    LIMIT $1
) AS waiting

-- name: refreshes
-- purpose: the last $1 whole refreshes and builds, newest first
-- index: view_refresh, primary key
SELECT kind, policy, epoch, started_at, seconds, items_changed, items, bytes
FROM view_refresh
ORDER BY id DESC
LIMIT $1

-- name: epochs
-- purpose: how epochs went lately: their number, the items they changed, their longest time
-- index: change_log, primary key
SELECT
    count(*) AS epochs,
    coalesce(sum(recent.items), 0)::bigint AS items_changed,
    coalesce(max(recent.seconds), 0) AS slowest_s,
    coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY recent.seconds), 0) AS median_s
FROM (
    SELECT items, seconds
    FROM change_log
    WHERE terms <> ARRAY['*']
    ORDER BY epoch DESC
    LIMIT 1000
) AS recent
