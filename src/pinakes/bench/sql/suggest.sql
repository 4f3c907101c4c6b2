-- What the measurement of suggestions asks.

-- name: used
-- purpose: every tag that is used, and on how many items
-- index: none; reads all counts
SELECT tags.id, tags.name, sum(counts.items)::bigint AS items
FROM tags
JOIN (
    SELECT tag_id, item_count AS items FROM tag_counts
    UNION ALL
    SELECT tag_id, delta FROM tag_count_deltas
) AS counts ON counts.tag_id = tags.id
GROUP BY tags.id, tags.name
HAVING sum(counts.items) > 0
ORDER BY tags.id

-- name: busy_user
-- purpose: somebody with private items
-- index: none; reads a table until it finds one
SELECT creator_id
FROM content_items
WHERE is_private
LIMIT 1

-- name: rename
-- purpose: another name for a tag, which begins alike
-- index: primary key of tags
UPDATE tags
SET name = left(name, 200) || ' ' || id
WHERE id = $1
