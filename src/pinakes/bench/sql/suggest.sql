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

-- name: name_back
-- purpose: its name again
-- index: primary key of tags
UPDATE tags
SET name = $2
WHERE id = $1

-- name: missing
-- purpose: tags that no item has yet
-- index: unique name of tags
INSERT INTO tags (name, category)
SELECT given.name, given.category
FROM unnest($1::text[], $2::text[]) AS given (name, category)
ON CONFLICT (name) DO NOTHING

-- name: tags
-- purpose: how many tags there are
-- index: none; reads all tags
SELECT count(*) FROM tags

-- name: some_items
-- purpose: items that may be given a tag
-- index: {table}, primary key
SELECT id
FROM {table}
ORDER BY id
LIMIT 20000

-- name: give
-- purpose: a tag for an item; nothing where it has it
-- index: {tags_table}, primary key
INSERT INTO {tags_table} (source_type, content_id, tag_id)
VALUES ({code}, $1, $2)
ON CONFLICT DO NOTHING
RETURNING true

-- name: take
-- purpose: takes it away again
-- index: {tags_table}, primary key
DELETE FROM {tags_table}
WHERE content_id = $1
  AND tag_id = $2
