-- The read model is the UNION ALL of `item` over all sources; nothing else defines it.
-- `{table}`, `{tags_table}` and `{code}` come from the closed list of sources.

-- name: item
-- purpose: every item of one source as the read model shows it, tags in ascending order
-- index: none needed for all items; by `keys`, the primary keys of the item and of its taggings
SELECT
    {code}::smallint AS source_type,
    content.id,
    content.external_id,
    content.title,
    content.content_type,
    content.content_data,
    content.path_thumb,
    content.path_thumbs_alt_res,
    content.prompt,
    content.creator_id,
    users.username AS creator_username,
    content.item_metadata,
    content.is_private,
    content.quality_score,
    content.created_at,
    content.updated_at,
    ARRAY(
        SELECT taggings.tag_id
        FROM {tags_table} AS taggings
        WHERE taggings.content_id = content.id
        ORDER BY taggings.tag_id
    ) AS tags
FROM {table} AS content
JOIN users ON users.id = content.creator_id

-- name: keys
-- purpose: narrows `item` to the keys in parameter {parameter}
-- index: primary key of the source's table
WHERE content.id = ANY (${parameter}::bigint[])

-- name: stored
-- purpose: the rows of one source that the read model holds for the keys in parameter {parameter}
-- index: unified_content_with_tags, unique (source_type, id)
SELECT {columns}
FROM unified_content_with_tags AS stored
WHERE stored.source_type = {code}
  AND stored.id = ANY (${parameter}::bigint[])
