-- The size of an installation at this moment.

-- name: sizes
-- purpose: items, taggings and bytes; whether the index is usable; web server processes that stored figures lately
-- index: figures, primary key; else the catalogue and one row each
SELECT
    (SELECT coalesce(sum(greatest(class.reltuples, 0)), 0)::bigint
     FROM sources
     JOIN pg_class AS class ON class.oid = to_regclass(sources.table_name)) AS items,
    (SELECT coalesce(sum(greatest(class.reltuples, 0)), 0)::bigint
     FROM pg_inherits
     JOIN pg_class AS class ON class.oid = pg_inherits.inhrelid
     WHERE pg_inherits.inhparent = 'content_tags'::regclass) AS taggings,
    pg_total_relation_size('term_segment') + pg_total_relation_size('term_delta') AS index_bytes,
    EXISTS (
        SELECT
        FROM index_generation AS generations
        JOIN epoch ON epoch.incarnation = generations.incarnation
        WHERE generations.status = 'live'
    ) AS index_live,
    (SELECT count(DISTINCT figures.process) FROM figures WHERE figures.at > now() - interval '2 minutes') AS processes

-- name: busiest_tags
-- purpose: the $1 tags most items carry
-- index: tag_counts, by item_count
SELECT tags.name
FROM tag_counts AS counts
JOIN tags ON tags.id = counts.tag_id
GROUP BY tags.name
ORDER BY sum(counts.item_count) DESC
LIMIT $1
