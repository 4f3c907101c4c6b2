-- Filling the read model directly, for measurements at sizes the base tables would take hours to reach.

-- name: insert_users
-- purpose: users numbered from 1 in the order of the gallery
-- index: none
INSERT INTO users (id, username)
SELECT named.number, named.name
FROM unnest($1::text[]) WITH ORDINALITY AS named (name, number)
ON CONFLICT DO NOTHING

-- name: insert_tags
-- purpose: tags numbered from 1 in the order of the vocabulary
-- index: none
INSERT INTO tags (id, name, category)
SELECT named.number, named.name, named.category
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS named (name, category, number)
ON CONFLICT DO NOTHING

-- name: insert_counts
-- purpose: how many items carry each tag
-- index: none
INSERT INTO tag_counts (source_type, tag_id, item_count)
SELECT $1, counted.number, counted.items
FROM unnest($2::bigint[]) WITH ORDINALITY AS counted (items, number)
WHERE counted.items > 0
ON CONFLICT (source_type, tag_id) DO UPDATE SET item_count = excluded.item_count

-- name: copied
-- purpose: rows that are on their way into the read model
-- index: none
SELECT coalesce(sum(tuples_processed), 0)::bigint
FROM pg_stat_progress_copy
WHERE relid = to_regclass('unified_content_with_tags')

-- name: slim_bytes
-- purpose: bytes on disk: the read model's rows, its indexes, the segments of the bitmap index with their own
-- index: none
SELECT
    pg_table_size('unified_content_with_tags') AS rows,
    pg_indexes_size('unified_content_with_tags') AS keys,
    pg_total_relation_size('term_segment') AS segments

-- name: indexes
-- purpose: the indexes of the empty read model, by name, and the statement that drops each
-- index: none
SELECT
    indexname AS name,
    indexdef AS definition,
    format('DROP INDEX %I', indexname) AS dropping
FROM pg_indexes
WHERE tablename = 'unified_content_with_tags'
ORDER BY indexname

-- name: filled
-- purpose: so many document numbers are given now
-- index: none; one row
UPDATE epoch
SET next_doc = $1,
    at = now()
