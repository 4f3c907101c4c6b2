-- The read model as a build, an answer and a check read it.

-- name: documents
-- purpose: the rows of a run of document numbers, with what terms are made of
-- index: unified_content_with_tags, doc
SELECT
    stored.doc,
    stored.source_type,
    stored.id,
    stored.content_type,
    stored.creator_id,
    stored.is_private,
    stored.quality_score,
    stored.created_at,
    stored.updated_at,
    stored.title,
    stored.prompt,
    array_send(stored.tags) AS tags
FROM unified_content_with_tags AS stored
WHERE stored.doc >= $1
  AND stored.doc < $2

-- name: sample
-- purpose: values of every order field from about $1 percent of the pages; all of them with 100
-- index: none; reads some pages
SELECT
    stored.created_at,
    stored.updated_at,
    stored.quality_score,
    left(stored.title, $2) AS title,
    stored.id,
    stored.source_type
FROM unified_content_with_tags AS stored TABLESAMPLE SYSTEM ($1)

-- name: page
-- purpose: the items of a page: a window of documents in their real order, cut; tags by number, and
--          the names of all of them in the first row
-- index: unified_content_with_tags, doc; tags, primary key
WITH page AS MATERIALIZED (
    SELECT
        stored.source_type AS source,
        {columns},
        stored.tags,
        row_number() OVER (
            ORDER BY stored.{field} {way} NULLS LAST, stored.id {way}, stored.source_type {way}
        ) AS place
    FROM unified_content_with_tags AS stored
    WHERE stored.doc = ANY ($1::integer[])
    ORDER BY place
    OFFSET $2
    LIMIT $3
), named AS (
    SELECT
        array_agg(tags.id) AS tag_ids,
        array_agg(tags.name) AS tag_names,
        array_agg(tags.category) AS tag_categories
    FROM tags
    WHERE tags.id = ANY (ARRAY(SELECT unnest(page.tags) FROM page))
)
SELECT page.*, named.tag_ids, named.tag_names, named.tag_categories
FROM page
LEFT JOIN named ON page.place = $2::bigint + 1
ORDER BY page.place

-- name: keys
-- purpose: the keys of a window in their real order
-- index: unified_content_with_tags, doc
SELECT stored.source_type AS source, stored.id, stored.{field} AS key
FROM unified_content_with_tags AS stored
WHERE stored.doc = ANY ($1::integer[])
ORDER BY stored.{field} {way} NULLS LAST, stored.id {way}, stored.source_type {way}

-- name: recheck
-- purpose: which of some documents the whole formula is true of
-- index: unified_content_with_tags, doc
SELECT c.doc
FROM unified_content_with_tags AS c
WHERE c.doc = ANY ({docs})
  AND {condition}

-- name: tags_of
-- purpose: the tags of some documents
-- index: unified_content_with_tags, doc
SELECT stored.tags
FROM unified_content_with_tags AS stored
WHERE stored.doc = ANY ($1::integer[])

-- name: tag_sizes
-- purpose: every tag with the number of its documents in the segments
-- index: term_segment, primary key
SELECT substr(segments.term, 5)::integer AS tag, sum(segments.cardinality)::bigint AS items
FROM term_segment AS segments
WHERE segments.generation = $1
  AND segments.term >= 'tag:'
  AND segments.term < 'tag;'
GROUP BY segments.term

-- name: tags_shown
-- purpose: names and categories of tags
-- index: tags, primary key
SELECT id, name, category
FROM tags
WHERE id = ANY ($1::integer[])

-- name: tags_of_category
-- purpose: the tags of one category
-- index: none; reads all tags
SELECT id
FROM tags
WHERE category = $1
