-- Content rows. `{table}`, `{tags_table}` and `{code}` are filled for one source of the closed list.

-- name: hydrate
-- purpose: the whole items behind keys, in the order of the keys; one branch a source, joined by UNION ALL
-- index: primary keys of {table}, users, tags and {tags_table}
-- bound: one row a key; a page is 1,000 keys at most
SELECT
    key.place,
    key.source,
    item.id,
    item.external_id,
    item.title,
    item.content_type,
    {content_data} AS content_data,
    item.path_thumb,
    {path_thumbs_alt_res} AS path_thumbs_alt_res,
    {prompt} AS prompt,
    item.creator_id,
    creator.username AS creator_username,
    {item_metadata} AS item_metadata,
    item.is_private,
    item.quality_score,
    item.created_at,
    item.updated_at,
    {omitted} AS omitted,
    tagged.ids AS tag_ids,
    tagged.names AS tag_names,
    tagged.categories AS tag_categories
FROM unnest($1::smallint[], $2::bigint[]) WITH ORDINALITY AS key (source, id, place)
JOIN {table} AS item ON item.id = key.id
JOIN users AS creator ON creator.id = item.creator_id
CROSS JOIN LATERAL (
    SELECT
        array_agg(tag.id ORDER BY tag.name) AS ids,
        array_agg(tag.name ORDER BY tag.name) AS names,
        array_agg(tag.category ORDER BY tag.name) AS categories
    FROM {tags_table} AS tagging
    JOIN tags AS tag ON tag.id = tagging.tag_id
    WHERE tagging.content_id = item.id
) AS tagged
WHERE key.source = {code}

-- name: lock
-- purpose: holds one item against other writers until the transaction ends
-- index: primary key of {table}
-- bound: one row
SELECT item.id
FROM {table} AS item
WHERE item.id = $1
FOR UPDATE

-- name: create
-- purpose: a new item; $1 holds the fields given, by column name, what is absent takes its default
-- index: unique external_id of {table}
-- bound: one row
INSERT INTO {table} (
    external_id, title, content_type, content_data, path_thumb, path_thumbs_alt_res, prompt, creator_id,
    item_metadata, is_private, quality_score, created_at, updated_at
)
SELECT
    coalesce(given.external_id, gen_random_uuid()::text),
    given.title,
    coalesce(given.content_type, 'image'),
    given.content_data,
    given.path_thumb,
    given.path_thumbs_alt_res,
    given.prompt,
    given.creator_id,
    given.item_metadata,
    coalesce(given.is_private, false),
    given.quality_score,
    coalesce(given.created_at, now()),
    now()
FROM jsonb_populate_record(NULL::{table}, $1::jsonb) AS given
RETURNING id

-- name: update
-- purpose: the fields in $2, by column name, over an item; the others stay as they are, to the last digit
-- index: primary key of {table}
-- bound: one row
UPDATE {table} AS item
SET
    (
        external_id, title, content_type, content_data, path_thumb, path_thumbs_alt_res, prompt, creator_id,
        item_metadata, is_private, quality_score, created_at
    ) = (
        SELECT
            given.external_id, given.title, given.content_type, given.content_data, given.path_thumb,
            given.path_thumbs_alt_res, given.prompt, given.creator_id, given.item_metadata, given.is_private,
            given.quality_score, given.created_at
        FROM jsonb_populate_record(item, $2::jsonb) AS given
    ),
    updated_at = greatest(clock_timestamp(), item.updated_at + interval '1 microsecond')
WHERE item.id = $1

-- name: remove_all_taggings
-- purpose: an item's taggings, before the item itself goes
-- index: primary key of {tags_table}
-- bound: 1,000 rows, the most an item may carry
DELETE FROM {tags_table}
WHERE content_id = $1

-- name: remove_taggings
-- purpose: takes the given tags from an item
-- index: primary key of {tags_table}
-- bound: 1,000 rows
DELETE FROM {tags_table}
WHERE content_id = $1
    AND tag_id = ANY($2::integer[])

-- name: add_taggings
-- purpose: gives an item tags it does not carry yet
-- index: primary key of {tags_table}
-- bound: 1,000 rows
INSERT INTO {tags_table} (source_type, content_id, tag_id)
SELECT {code}, $1, tag_id
FROM unnest($2::integer[]) AS tag_id
ON CONFLICT DO NOTHING

-- name: delete
-- purpose: removes an item that has no taggings left
-- index: primary key of {table}
-- bound: one row
DELETE FROM {table}
WHERE id = $1
