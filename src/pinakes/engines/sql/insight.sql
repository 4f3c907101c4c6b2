-- Questions about the hits of a formula besides their pages. `{condition}` is a compiled formula,
-- `{field}` a sort field, `{kind}` its type; `{table}`, `{tags_table}` and `{code}` are a source's.
-- Each costs what its hits cost; the transaction's time limit bounds it.

-- name: hits
-- purpose: the hits of one source as keys of an order
-- index: as the condition allows
SELECT c.id, {code}::smallint AS source, c.{field} AS key
FROM {table} AS c
WHERE {condition}

-- name: read_model_hits
-- purpose: the hits as keys of an order, in the read model
-- index: as the condition allows
SELECT c.id, c.source_type AS source, c.{field} AS key
FROM unified_content_with_tags AS c
WHERE {condition}

-- name: document
-- purpose: the document number of an item
-- index: unified_content_with_tags, unique (source_type, id)
SELECT doc
FROM unified_content_with_tags
WHERE source_type = $1
  AND id = $2

-- name: extent_of_documents
-- purpose: the least and the greatest value among some documents
-- index: unified_content_with_tags, doc
SELECT min(c.{field}) AS least, max(c.{field}) AS greatest
FROM unified_content_with_tags AS c
WHERE c.doc = ANY ($1::integer[])

-- name: values_of_documents
-- purpose: the values of some documents
-- index: unified_content_with_tags, doc
SELECT c.doc, c.{field} AS key
FROM unified_content_with_tags AS c
WHERE c.doc = ANY ($1::integer[])

-- name: counts_of
-- purpose: how many hits of one source carry each of the tags in {tags}
-- index: {tags_table}_tag and the primary key of {table}, or what the condition allows
SELECT t.tag_id, count(*) AS items
FROM {tags_table} AS t
JOIN {table} AS c ON c.id = t.content_id
WHERE t.tag_id = ANY ({tags})
  AND {condition}
GROUP BY t.tag_id

-- name: counts_of_all
-- purpose: how many hits of one source carry each tag that any of them carries
-- index: as the condition allows, then the primary key of {tags_table}
SELECT t.tag_id, count(*) AS items
FROM {table} AS c
JOIN {tags_table} AS t ON t.content_id = c.id
WHERE {condition}
GROUP BY t.tag_id

-- name: count
-- purpose: how many hits one source has
-- index: as the condition allows
SELECT count(*)
FROM {table} AS c
WHERE {condition}

-- name: extent
-- purpose: how many hits there are, how many have a value, and the least and greatest of it
-- index: none; {hits} is read once
SELECT count(*) AS hits, count(key) AS valued, min(key) AS least, max(key) AS greatest
FROM ({hits}) AS h

-- name: buckets
-- purpose: how many hits have a value from each of the edges on until before the next
-- index: none; {hits} is read once
SELECT width_bucket(key, {edges}::{kind}[]) AS bucket, count(*) AS items
FROM ({hits}) AS h
WHERE key IS NOT NULL
GROUP BY bucket

-- name: around
-- purpose: how many hits there are and how many before a place, and the nearest on both sides
-- index: none; {hits} is read once
WITH hits AS MATERIALIZED ({hits})
SELECT
    (SELECT count(*) FROM hits) AS total,
    (SELECT count(*) FROM hits WHERE {before}) AS before,
    EXISTS (SELECT FROM hits WHERE id = {id} AND source = {source}) AS found,
    (SELECT ARRAY[source, id] FROM hits WHERE {before} ORDER BY {backward} LIMIT 1) AS previous,
    (SELECT ARRAY[source, id] FROM hits WHERE {after} ORDER BY {forward} LIMIT 1) AS next

-- name: named
-- purpose: tags by number
-- index: primary key of tags
SELECT id, name, category
FROM tags
WHERE id = ANY ($1::integer[])
