-- Facets of a formula, counted in the tables or in the read model. `{condition}` is a compiled formula;
-- `{table}`, `{tags_table}` and `{code}` are a source's. Each costs what its hits cost; the count
-- budget bounds it.

-- name: hits_of_source
-- purpose: the hits of one source; `{sample}` may restrict them to some pages of the table
-- index: as the condition allows
SELECT {code}::smallint AS source, c.id
FROM {table} AS c {sample}
WHERE {condition}

-- name: taggings_of_source
-- purpose: the tags of these hits
-- index: primary key of {tags_table}
SELECT t.tag_id AS tag
FROM hits
JOIN {tags_table} AS t ON t.content_id = hits.id
WHERE hits.source = {code}

-- name: hits_of_read_model
-- purpose: the tags of each hit; `{sample}` may restrict them to some pages of the relation
-- index: as the condition allows
SELECT c.tags
FROM unified_content_with_tags AS c {sample}
WHERE {condition}

-- name: taggings_of_read_model
-- purpose: the tags of these hits
-- index: none; they are at hand
SELECT unnest(hits.tags) AS tag
FROM hits

-- name: sample
-- purpose: some pages of a table, always the same ones
-- index: none; {percent} percent of the pages are read
TABLESAMPLE SYSTEM ({percent}) REPEATABLE (7)

-- name: facets
-- purpose: how many hits there are, and the tags on most of them; one row with no tag where there is none
-- index: hits are read once; tags by their primary key
WITH hits AS MATERIALIZED (
{hits}
), counted AS (
    SELECT tag, count(*) AS items
    FROM ({taggings}) AS t
    GROUP BY tag
)
SELECT found.total, top.id, top.name, top.category, top.items
FROM (SELECT count(*) AS total FROM hits) AS found
LEFT JOIN (
    SELECT tags.id, tags.name, tags.category, counted.items
    FROM counted
    JOIN tags ON tags.id = counted.tag
    WHERE {category} IS NULL OR tags.category = {category}
    ORDER BY counted.items DESC, tags.id
    LIMIT {limit}
) AS top ON true
ORDER BY top.items DESC, top.id
