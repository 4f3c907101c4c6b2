-- Tags by number and name. `{tags_table}` and `{table}` are filled for one source of the closed list.

-- name: ids_of
-- purpose: the numbers of tags known by name
-- index: unique name of tags
-- bound: one row a name
SELECT id, name
FROM tags
WHERE name = ANY($1::text[])

-- name: hold
-- purpose: the same for who gives these tags to an item: nobody merges or deletes them meanwhile. In
--          the order of numbers, as a merge holds them
-- index: unique name of tags
-- bound: one row a name
SELECT id, name
FROM tags
WHERE name = ANY($1::text[])
ORDER BY id
FOR KEY SHARE

-- name: hold_aliased
-- purpose: the same for tags named by their aliases
-- index: primary keys of tag_aliases and tags
-- bound: one row a name
SELECT tag.id, alias.name
FROM tag_aliases AS alias
JOIN tags AS tag ON tag.id = alias.tag_id
WHERE alias.name = ANY($1::text[])
ORDER BY tag.id
FOR KEY SHARE OF tag

-- name: aliased
-- purpose: those of the names that are aliases, and whose; a tag's own name is none
-- index: primary keys of tag_aliases and tags
-- bound: one row a name
SELECT alias.name AS alias, tag.id, tag.name
FROM tag_aliases AS alias
JOIN tags AS tag ON tag.id = alias.tag_id
WHERE alias.name = ANY($1::text[])
    AND NOT EXISTS (SELECT FROM tags AS own WHERE own.name = alias.name)

-- name: create
-- purpose: tags that do not exist yet; the caller sorts the names, so that writers never wait in a circle
-- index: unique name of tags
-- bound: one row a name
INSERT INTO tags (name)
SELECT name
FROM unnest($1::text[]) WITH ORDINALITY AS given (name, place)
ORDER BY place
ON CONFLICT (name) DO NOTHING

-- name: carried
-- purpose: true where an item of one source that the viewer may see carries the tag; else null
-- index: ({tags_table}).tag_id, primary key of {table}
-- bound: stops at the first visible item. A scalar subquery, because EXISTS may be turned into a hash
--        of the whole junction table.
(
    SELECT true
    FROM {tags_table} AS tagging
    JOIN {table} AS item ON item.id = tagging.content_id
    WHERE tagging.tag_id = tag.id
        AND (NOT item.is_private OR item.creator_id = $1::bigint)
    LIMIT 1
)

-- name: list
-- purpose: tags some visible item carries, by name, from a prefix and after a name
-- index: unique name of tags; both conditions are ranges of it
-- bound: $4 rows, plus one to know whether there are more
SELECT tag.id, tag.name, tag.category
FROM tags AS tag
WHERE starts_with(tag.name, $2::text COLLATE "C")
    AND tag.name > $3::text
    AND coalesce({carried}, false)
ORDER BY tag.name
LIMIT $4

-- name: read
-- purpose: one tag that some visible item carries
-- index: primary key of tags
-- bound: one row
SELECT tag.id, tag.name, tag.category
FROM tags AS tag
WHERE tag.id = $2
    AND coalesce({carried}, false)

-- name: by_number
-- purpose: names and categories of tags, for whoever has asked who may see them
-- index: primary key of tags
SELECT id, name, category
FROM tags
WHERE id = ANY ($1::integer[])
