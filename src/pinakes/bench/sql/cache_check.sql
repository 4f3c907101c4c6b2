-- The writer of the cache's check. Its gallery is small and its own.

-- name: clear
-- purpose: no taggings, tags or users
-- index: none
TRUNCATE content_tags, tags, users CASCADE

-- name: clear_source
-- purpose: no items of one source
-- index: none
TRUNCATE {table} CASCADE

-- name: add_user
-- purpose: one user
-- index: none
INSERT INTO users (id, username) VALUES ($1, $2)

-- name: add_tag
-- purpose: one tag
-- index: none
INSERT INTO tags (id, name) VALUES ($1, $2)

-- name: add
-- purpose: one item
-- index: none
INSERT INTO {table} (id, external_id, title, creator_id, is_private, quality_score, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: add_page_item
-- purpose: an item with a prompt as long as people write them
-- index: none
INSERT INTO {table} (id, title, prompt, creator_id) VALUES ($1, $2, $3, 1)

-- name: change
-- purpose: one item's columns
-- index: primary key
UPDATE {table}
SET title = $2, is_private = $3, quality_score = $4, updated_at = $5
WHERE id = $1

-- name: remove
-- purpose: one item with its taggings
-- index: primary key
DELETE FROM {table}
WHERE id = $1

-- name: tag
-- purpose: one tagging
-- index: none
INSERT INTO {tags_table} (source_type, content_id, tag_id) VALUES ($1, $2, $3)

-- name: untag
-- purpose: no such tagging
-- index: primary key
DELETE FROM {tags_table}
WHERE source_type = $1
  AND content_id = $2
  AND tag_id = $3

-- name: rename
-- purpose: a tag's name
-- index: primary key
UPDATE tags
SET name = $2
WHERE id = $1
