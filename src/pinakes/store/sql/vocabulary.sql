-- name: resolve_tags
-- purpose: the tags named or numbered in a query; an alias-free exact match
-- index: tags_name_key, tags_pkey
SELECT id, name
FROM tags
WHERE name = ANY ($1::text[])
   OR id = ANY ($2::integer[])

-- name: tag_counts
-- purpose: items per tag and source, the folded total plus what is not folded yet
-- index: tag_counts_pkey, tag_count_deltas_tag
SELECT source_type, tag_id, sum(items)::bigint AS items
FROM (
    SELECT source_type, tag_id, item_count AS items
    FROM tag_counts
    WHERE tag_id = ANY ($1::integer[])
    UNION ALL
    SELECT source_type, tag_id, delta
    FROM tag_count_deltas
    WHERE tag_id = ANY ($1::integer[])
) AS counted
GROUP BY source_type, tag_id

-- name: tag_is_visible
-- purpose: which of these tags are carried by an item of this source that the viewer may see; stops at the first
-- index: {tags_table}_tag, then the primary key of {table}
SELECT asked.tag_id
FROM unnest($1::integer[]) AS asked (tag_id)
WHERE EXISTS (
    SELECT 1
    FROM {tags_table} AS t
    JOIN {table} AS c ON c.id = t.content_id
    WHERE t.tag_id = asked.tag_id
      AND (NOT c.is_private OR c.creator_id = $2::bigint)
)

-- name: table_rows
-- purpose: about how many items each source holds, from the planner's statistics
-- index: pg_class by oid
SELECT s.code, greatest(c.reltuples, 0)::bigint AS items
FROM sources AS s
JOIN pg_class AS c ON c.oid = to_regclass(s.table_name)
