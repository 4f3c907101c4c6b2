-- What the demo wants to know about the gallery it serves.

-- name: has_content
-- purpose: whether any item of one source exists
-- index: primary key
-- bound: one row
SELECT EXISTS (SELECT FROM {table})

-- name: example_tags
-- purpose: two tags that meet, for an example: those of a new public item which most items carry
-- index: created_at of {table}, primary keys
-- bound: the tags of 100 items
SELECT tag.name
FROM (
    SELECT item.id
    FROM (
        SELECT id
        FROM {table}
        WHERE NOT is_private
        ORDER BY created_at DESC, id DESC
        LIMIT 100
    ) AS item
    JOIN {tags_table} AS tagging ON tagging.content_id = item.id
    GROUP BY item.id
    HAVING count(*) >= 2
    ORDER BY count(*) DESC, item.id
    LIMIT 1
) AS item
JOIN {tags_table} AS tagging ON tagging.content_id = item.id
JOIN tags AS tag ON tag.id = tagging.tag_id
LEFT JOIN tag_counts AS counts ON counts.tag_id = tag.id AND counts.source_type = {code}
ORDER BY coalesce(counts.item_count, 0) DESC, tag.name
LIMIT 2

-- name: size
-- purpose: bytes the database has on disk, to know how many more a gallery needs
-- index: none; adds up the sizes of files
-- bound: one row
SELECT pg_database_size(current_database())
