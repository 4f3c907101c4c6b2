-- Reading the read model.

-- name: hydrate
-- purpose: the items of a page as the read model shows them, in the order asked for, tags by name
-- index: unified_content_with_tags, unique (source_type, id); tags, primary key
SELECT
    stored.source_type,
    stored.id,
    stored.external_id,
    stored.title,
    stored.content_type,
    {content_data} AS content_data,
    stored.path_thumb,
    {path_thumbs_alt_res} AS path_thumbs_alt_res,
    {prompt} AS prompt,
    stored.creator_id,
    stored.creator_username,
    {item_metadata} AS item_metadata,
    stored.is_private,
    stored.quality_score,
    stored.created_at,
    stored.updated_at,
    {omitted} AS omitted,
    named.tag_ids,
    named.tag_names,
    named.tag_categories
FROM unnest($1::smallint[], $2::bigint[]) WITH ORDINALITY AS wanted (source_type, id, place)
JOIN unified_content_with_tags AS stored
    ON stored.source_type = wanted.source_type
   AND stored.id = wanted.id
CROSS JOIN LATERAL (
    SELECT
        array_agg(tags.id ORDER BY tags.name) AS tag_ids,
        array_agg(tags.name ORDER BY tags.name) AS tag_names,
        array_agg(tags.category ORDER BY tags.name) AS tag_categories
    FROM tags
    WHERE tags.id = ANY (stored.tags)
) AS named
ORDER BY wanted.place

-- name: expect_words
-- purpose: the planner's estimate of how many items have these words; nothing is executed
-- index: words index of unified_content_with_tags (its statistics)
EXPLAIN (FORMAT JSON)
SELECT 1
FROM unified_content_with_tags
WHERE pinakes_lexemes(title, prompt) @@ $1::text::tsquery
