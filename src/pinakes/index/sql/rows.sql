-- The read model as a build, an answer and a check read it.

-- name: documents
-- purpose: a run of document numbers as columns, each one value: numbers big-endian one after the other,
--          texts with the byte 0xff between them, which is in no UTF-8; all in the order of documents
-- index: unified_content_with_tags, doc
SELECT
    count(*) AS rows,
    string_agg(int4send(stored.doc), ''::bytea) AS docs,
    string_agg(int2send(stored.source_type), ''::bytea) AS sources,
    string_agg(int8send(stored.id), ''::bytea) AS ids,
    string_agg(textsend(stored.content_type), '\xff'::bytea) AS types,
    string_agg(int8send(stored.creator_id), ''::bytea) AS creators,
    string_agg(boolsend(stored.is_private), ''::bytea) AS private,
    string_agg(float8send(coalesce(stored.quality_score, 'NaN')), ''::bytea) AS scores,
    string_agg(timestamptz_send(stored.created_at), ''::bytea) AS created,
    string_agg(timestamptz_send(stored.updated_at), ''::bytea) AS updated,
    string_agg(textsend(stored.title), '\xff'::bytea) AS titles,
    string_agg(textsend(stored.title || ' ' || coalesce(stored.prompt, '')), '\xff'::bytea) AS texts,
    string_agg(int4send(cardinality(stored.tags)), ''::bytea) AS tag_counts,
    string_agg(array_send(stored.tags), ''::bytea) AS tags
FROM (
    SELECT *
    FROM unified_content_with_tags
    WHERE doc >= $1
      AND doc < $2
    ORDER BY doc
) AS stored

-- name: sample
-- purpose: values of every order field from about $1 percent of the pages, as columns like `documents`;
--          all of them with 100
-- index: none; reads some pages
SELECT
    count(*) AS rows,
    string_agg(timestamptz_send(stored.created_at), ''::bytea) AS created,
    string_agg(timestamptz_send(stored.updated_at), ''::bytea) AS updated,
    string_agg(float8send(coalesce(stored.quality_score, 'NaN')), ''::bytea) AS scores,
    string_agg(textsend(left(stored.title, $2)), '\xff'::bytea) AS titles,
    string_agg(int8send(stored.id), ''::bytea) AS ids,
    string_agg(int2send(stored.source_type), ''::bytea) AS sources
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

-- name: page_now
-- purpose: as `page`, tags by number only, after a row that has no item but the epoch they are the state of: one
--          statement, so one snapshot. The epoch beside every item cost a sixth of the statement
-- index: unified_content_with_tags, doc; one row of epoch; the first live row of dirty and dirty_marks
SELECT
    NULL AS source,
    {nothing},
    NULL AS tags,
    0 AS part,
    epoch.epoch,
    epoch.incarnation::text AS incarnation,
    epoch.policy,
    {at} AS at,
    now() AS now,
    epoch.relation = (SELECT to_regclass('unified_content_with_tags')) AS intact,
    NOT EXISTS (SELECT FROM dirty) AND NOT EXISTS (SELECT FROM dirty_marks) AS settled,
    CASE
        WHEN isfinite(epoch.at) AND epoch.at <= clock_timestamp()
            THEN greatest(ceil(extract(epoch FROM clock_timestamp() - epoch.at) * 1000), 0)::bigint
    END AS behind_ms
FROM epoch
UNION ALL
SELECT page.*, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM (
    SELECT
        stored.source_type AS source,
        {columns},
        stored.tags
    FROM unified_content_with_tags AS stored
    WHERE stored.doc = ANY ($1::integer[])
    ORDER BY stored.{field} {way} NULLS LAST, stored.id {way}, stored.source_type {way}
    OFFSET $2
    LIMIT $3
) AS page
ORDER BY part, {field} {way} NULLS LAST, id {way}, source {way}

-- name: keys_now
-- purpose: the documents and keys of a window in their real order, with the epoch they are the state of
-- index: unified_content_with_tags, doc; one row of epoch
SELECT
    epoch.epoch,
    epoch.incarnation::text AS incarnation,
    epoch.relation = (SELECT to_regclass('unified_content_with_tags')) AS intact,
    stored.doc,
    stored.source_type AS source,
    stored.id,
    stored.{field} AS key
FROM epoch
LEFT JOIN unified_content_with_tags AS stored ON stored.doc = ANY ($1::integer[])
ORDER BY stored.{field} {way} NULLS LAST, stored.id {way}, stored.source_type {way}

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
-- purpose: the tags of some documents, as array_send sends them one after the other, and how many each has
-- index: unified_content_with_tags, doc
SELECT
    string_agg(int4send(cardinality(stored.tags)), ''::bytea) AS counts,
    string_agg(array_send(stored.tags), ''::bytea) AS tags
FROM unified_content_with_tags AS stored
WHERE stored.doc = ANY ($1::integer[])

-- name: tag_sizes
-- purpose: every tag with the number of its documents in the segments; as two long values by tag
-- index: term_segment, primary key
SELECT array_send(array_agg(sizes.tag)) AS tags, array_send(array_agg(sizes.items)) AS items
FROM (
    SELECT substr(segments.term, 5)::bigint AS tag, sum(segments.cardinality)::bigint AS items
    FROM term_segment AS segments
    WHERE segments.generation = $1
      AND segments.term >= 'tag:'
      AND segments.term < 'tag;'
    GROUP BY segments.term
    ORDER BY tag
) AS sizes

-- name: tags_of_category
-- purpose: the tags of one category, no more than $2
-- index: none; reads all tags
SELECT id
FROM tags
WHERE category = $1
LIMIT $2

-- name: tags_in_category
-- purpose: which of some tags are of one category
-- index: tags, primary key
SELECT id
FROM tags
WHERE id = ANY ($1::integer[])
  AND category = $2
