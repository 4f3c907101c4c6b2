-- Administration of tags: aliases, the hierarchy, names and categories. `{tags_table}` and `{code}` are
-- filled for one source of the closed list.

-- name: lock_number
-- purpose: a tag by number, held against everybody who would give it to an item or take its name
-- index: primary key of tags
SELECT id, name, category
FROM tags
WHERE id = $1
FOR UPDATE

-- name: rename
-- purpose: another name for a tag
-- index: primary key of tags
UPDATE tags
SET name = $2
WHERE id = $1

-- name: categorize
-- purpose: another category for tags, where it differs; of two spellings of one name the later says which
-- index: tags_key
UPDATE tags
SET category = given.category
FROM (
    SELECT DISTINCT ON (key) pinakes_name_key(name) AS key, category
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS each (name, category, place)
    ORDER BY key, place DESC
) AS given
WHERE tags.key = given.key COLLATE "C"
  AND tags.category <> given.category

-- name: add_tags
-- purpose: tags that do not exist yet
-- index: tags_key
INSERT INTO tags (name, category)
SELECT given.name, given.category
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS given (name, category, place)
ORDER BY pinakes_name_key(given.name) COLLATE "C", given.place
ON CONFLICT DO NOTHING

-- name: delete_tag
-- purpose: a tag that no item carries; its aliases and places in the hierarchy go with it
-- index: primary key of tags
DELETE FROM tags
WHERE id = $1

-- name: put_aliases
-- purpose: aliases; one that is there, in any spelling, leads to its new tag
-- index: tag_aliases_key
INSERT INTO tag_aliases (name, tag_id)
SELECT given.name, given.tag_id
FROM unnest($1::text[], $2::integer[]) AS given (name, tag_id)
ON CONFLICT (key) DO UPDATE
SET tag_id = excluded.tag_id
WHERE tag_aliases.tag_id <> excluded.tag_id

-- name: remove_aliases
-- purpose: takes aliases away
-- index: tag_aliases_key
DELETE FROM tag_aliases AS alias
USING (SELECT DISTINCT pinakes_name_key(name) AS key FROM unnest($1::text[]) AS given (name)) AS asked
WHERE alias.key = asked.key

-- name: move_aliases
-- purpose: all aliases of one tag become another's
-- index: tag_aliases_tag
UPDATE tag_aliases
SET tag_id = $2
WHERE tag_id = $1

-- name: aliases
-- purpose: aliases by name, after a name
-- index: primary key of tag_aliases
SELECT alias.name AS alias, tag.name AS tag, tag.id
FROM tag_aliases AS alias
JOIN tags AS tag ON tag.id = alias.tag_id
WHERE alias.name > $1::text
ORDER BY alias.name
LIMIT $2

-- name: put_parents
-- purpose: tags below tags
-- index: primary key of tag_parents
INSERT INTO tag_parents (child_id, parent_id)
SELECT given.child_id, given.parent_id
FROM unnest($1::integer[], $2::integer[]) AS given (child_id, parent_id)
ON CONFLICT DO NOTHING

-- name: remove_parent
-- purpose: takes one tag from below another
-- index: primary key of tag_parents
DELETE FROM tag_parents
WHERE child_id = $1
  AND parent_id = $2

-- name: parents
-- purpose: the hierarchy by names of child and parent, after a pair
-- index: primary keys; sorted as a whole, which holds some ten thousand rows
SELECT child.name AS child, parent.name AS parent, step.child_id, step.parent_id
FROM tag_parents AS step
JOIN tags AS child ON child.id = step.child_id
JOIN tags AS parent ON parent.id = step.parent_id
WHERE (child.name, parent.name) > ($1::text, $2::text)
ORDER BY child.name, parent.name
LIMIT $3

-- name: around_tag
-- purpose: the steps of the hierarchy a tag is part of
-- index: primary key of tag_parents, tag_parents_parent
SELECT child_id, parent_id
FROM tag_parents
WHERE child_id = $1
   OR parent_id = $1
ORDER BY child_id, parent_id

-- name: tags
-- purpose: tags with their categories by name, after a name
-- index: unique name of tags
SELECT name, category
FROM tags
WHERE name > $1::text
ORDER BY name
LIMIT $2

-- name: is_carried
-- purpose: whether any item of one source carries the tag
-- index: {tags_table}_tag
SELECT EXISTS (SELECT FROM {tags_table} WHERE tag_id = $1)

-- name: move_taggings
-- purpose: the next $3 items after $4 of one source that carry tag $1 carry tag $2 instead
-- index: {tags_table}_tag, primary keys of {table} and {tags_table}
-- bound: $3 rows; $4 keeps each batch from reading what the ones before it left behind. Items are
--        held first, as by every writer of an item, so that nobody waits in a circle. Changing a row
--        checks one foreign key and marks its item once; removing it and adding another does both twice.
--        Counted are items that user $5 may see, or all.
WITH held AS MATERIALIZED (
    SELECT id, ($5::bigint IS NULL OR NOT is_private OR creator_id = $5) AS seen
    FROM {table}
    WHERE id = ANY (ARRAY(
        SELECT content_id
        FROM {tags_table}
        WHERE tag_id = $1 AND content_id > $4::bigint
        ORDER BY content_id
        LIMIT $3::bigint
    ))
    ORDER BY id
    FOR KEY SHARE
), having_both AS MATERIALIZED (
    SELECT content_id
    FROM {tags_table}
    WHERE tag_id = $2
      AND content_id = ANY (ARRAY(SELECT id FROM held))
), removed AS (
    DELETE FROM {tags_table}
    WHERE tag_id = $1
      AND content_id = ANY (ARRAY(SELECT content_id FROM having_both))
    RETURNING content_id
), moved AS (
    UPDATE {tags_table}
    SET tag_id = $2
    WHERE tag_id = $1
      AND content_id = ANY (ARRAY(SELECT id FROM held EXCEPT ALL SELECT content_id FROM having_both))
    RETURNING content_id
)
SELECT
    (
        SELECT count(*)
        FROM (TABLE moved UNION ALL TABLE removed) AS changed
        JOIN held ON held.id = changed.content_id
        WHERE held.seen
    ) AS done,
    (SELECT max(id) FROM held) AS last

-- name: remove_taggings
-- purpose: the next $2 items after $3 of one source that carry the tag carry it no more
-- index: {tags_table}_tag, primary keys of {table} and {tags_table}
-- bound: $2 rows
WITH held AS MATERIALIZED (
    SELECT id
    FROM {table}
    WHERE id = ANY (ARRAY(
        SELECT content_id
        FROM {tags_table}
        WHERE tag_id = $1 AND content_id > $3::bigint
        ORDER BY content_id
        LIMIT $2::bigint
    ))
    ORDER BY id
    FOR KEY SHARE
), removed AS (
    DELETE FROM {tags_table}
    WHERE tag_id = $1
      AND content_id = ANY (ARRAY(SELECT id FROM held))
    RETURNING content_id
)
SELECT (SELECT count(*) FROM removed) AS done, (SELECT max(id) FROM held) AS last

-- name: name_merges
-- purpose: what migration 0012 made of names, in the order in which it did
-- index: none; read whole, once
SELECT kind, before, after, coalesce(items, 0) AS items
FROM name_merges
ORDER BY at, kind, before
