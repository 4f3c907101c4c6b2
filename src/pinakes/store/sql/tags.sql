-- Tags by number and name. `{tags_table}` and `{table}` are filled for one source of the closed list.

-- name: ids_of
-- purpose: the tags that are called so, in any spelling; `asked` is the spelling
-- index: tags_key
-- bound: one row a name
SELECT tag.id, tag.name, asked.name AS asked
FROM unnest($1::text[]) AS asked (name)
JOIN tags AS tag ON tag.key = pinakes_name_key(asked.name)

-- name: hold
-- purpose: the same for who gives these tags to an item: nobody merges or deletes them meanwhile. In
--          the order of numbers, as a merge holds them
-- index: tags_key
-- bound: one row a name
SELECT tag.id, asked.name AS asked
FROM unnest($1::text[]) AS asked (name)
JOIN tags AS tag ON tag.key = pinakes_name_key(asked.name)
ORDER BY tag.id
FOR KEY SHARE OF tag

-- name: hold_aliased
-- purpose: the same for tags named by their aliases
-- index: tag_aliases_key, primary key of tags
-- bound: one row a name
SELECT tag.id, asked.name AS asked
FROM unnest($1::text[]) AS asked (name)
JOIN tag_aliases AS alias ON alias.key = pinakes_name_key(asked.name)
JOIN tags AS tag ON tag.id = alias.tag_id
ORDER BY tag.id
FOR KEY SHARE OF tag

-- name: aliased
-- purpose: those of the names that are aliases, and whose; a tag's own name is none
-- index: tag_aliases_key, tags_key, primary key of tags
-- bound: one row a name
SELECT alias.name AS alias, tag.id, tag.name, asked.name AS asked
FROM unnest($1::text[]) AS asked (name)
JOIN tag_aliases AS alias ON alias.key = pinakes_name_key(asked.name)
JOIN tags AS tag ON tag.id = alias.tag_id
WHERE NOT EXISTS (SELECT FROM tags AS own WHERE own.key = alias.key)

-- name: keys_of
-- purpose: what names are compared by
-- index: none
-- bound: one row a name
SELECT asked.name, pinakes_name_key(asked.name) AS key
FROM unnest($1::text[]) AS asked (name)

-- name: create
-- purpose: tags that do not exist yet, by the first of their spellings; in the order of keys, so that writers never wait
--          in a circle
-- index: tags_key
-- bound: one row a name
INSERT INTO tags (name)
SELECT given.name
FROM unnest($1::text[]) WITH ORDINALITY AS given (name, place)
ORDER BY pinakes_name_key(given.name) COLLATE "C", given.place
ON CONFLICT DO NOTHING

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
-- purpose: tags some visible item carries, by key, from a prefix and after a name, both in any spelling
-- index: tags_key; both conditions are ranges of it
-- bound: $4 rows, plus one to know whether there are more
SELECT tag.id, tag.name, tag.category
FROM tags AS tag
WHERE starts_with(tag.key, pinakes_name_key($2::text) COLLATE "C")
    AND tag.key > pinakes_name_key($3::text) COLLATE "C"
    AND coalesce({carried}, false)
ORDER BY tag.key
LIMIT $4

-- name: read
-- purpose: one tag that some visible item carries
-- index: primary key of tags
-- bound: one row
SELECT tag.id, tag.name, tag.category
FROM tags AS tag
WHERE tag.id = $2
    AND coalesce({carried}, false)

-- name: carried_at_all
-- purpose: true where any item of one source carries the tag; else null
-- index: ({tags_table}).tag_id
-- bound: one row
(
    SELECT true
    FROM {tags_table} AS tagging
    WHERE tagging.tag_id = tag.id
    LIMIT 1
)

-- name: hidden
-- purpose: those of the tags that items carry, but none that the viewer may see
-- index: primary key of tags
-- bound: one row a tag
SELECT tag.id
FROM tags AS tag
WHERE tag.id = ANY ($2::integer[])
    AND NOT coalesce({carried}, false)
    AND coalesce({carried_at_all}, false)

-- name: by_number
-- purpose: names and categories of tags, for whoever has asked who may see them
-- index: primary key of tags
SELECT id, name, category
FROM tags
WHERE id = ANY ($1::integer[])
