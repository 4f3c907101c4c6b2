-- name: resolve_tags
-- purpose: the tags named or numbered in a query, names in any spelling; an alias leads to its tag and says so
-- index: tags_key, tags_pkey, tag_aliases_key
SELECT tags.id, tags.name, asked.name AS asked, false AS by_alias
FROM unnest($1::text[]) AS asked (name)
JOIN tags ON tags.key = pinakes_name_key(asked.name)
UNION ALL
SELECT tags.id, tags.name, asked.name, true
FROM unnest($1::text[]) AS asked (name)
JOIN tag_aliases AS alias ON alias.key = pinakes_name_key(asked.name)
JOIN tags ON tags.id = alias.tag_id
UNION ALL
SELECT id, name, NULL, false
FROM tags
WHERE id = ANY ($2::integer[])

-- name: families
-- purpose: these tags, each with every tag below it; no more than $2 rows
-- index: tag_parents_parent
WITH RECURSIVE below (root, id) AS (
    SELECT asked.id, asked.id
    FROM unnest($1::integer[]) AS asked (id)
    UNION
    SELECT below.root, step.child_id
    FROM below
    JOIN tag_parents AS step ON step.parent_id = below.id
)
SELECT root, id
FROM below
LIMIT $2::integer

-- name: match_pattern
-- purpose: the tags whose name or alias is like $1, by name; no more than $2
-- index: tags_key and tag_aliases_key where the pattern begins with letters; else a scan of both
SELECT id, name
FROM tags
WHERE key LIKE $1::text
   OR id IN (SELECT tag_id FROM tag_aliases AS alias WHERE alias.key LIKE $1::text)
ORDER BY name
LIMIT $2::integer

-- name: visible_up_to
-- purpose: how many items the viewer may see of one source carry each of these tags, counted no further than $3
-- index: {tags_table}_tag, then the primary key of {table}
SELECT asked.tag_id, counted.items
FROM unnest($1::integer[]) AS asked (tag_id)
CROSS JOIN LATERAL (
    SELECT count(*) AS items
    FROM (
        SELECT 1
        FROM {tags_table} AS t
        JOIN {table} AS c ON c.id = t.content_id
        WHERE t.tag_id = asked.tag_id
          AND (NOT c.is_private OR c.creator_id = $2::bigint)
        LIMIT $3::bigint
    ) AS first_ones
) AS counted

-- name: users_named
-- purpose: the users called so, in any spelling, by name; no more than $2
-- index: users_key
SELECT id, username
FROM users
WHERE pinakes_name_key(username) COLLATE "C" = pinakes_name_key($1::text) COLLATE "C"
ORDER BY username
LIMIT $2::integer

-- name: users_with_words
-- purpose: users in whose names these words stand, by name; no more than $2
-- index: users_words
SELECT id, username
FROM users
WHERE pinakes_lexemes(username, NULL) @@ $1::text::tsquery
ORDER BY username
LIMIT $2::integer

-- name: creator_is_visible
-- purpose: which of these users have an item of this source that the viewer may see; stops at the first
-- index: {table}_creator
SELECT asked.creator_id
FROM unnest($1::bigint[]) AS asked (creator_id)
WHERE EXISTS (
    SELECT 1
    FROM {table} AS c
    WHERE c.creator_id = asked.creator_id
      AND (NOT c.is_private OR c.creator_id = $2::bigint)
)

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
