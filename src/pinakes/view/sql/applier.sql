-- The applier's statements. Each runs in a REPEATABLE READ transaction of the one session that
-- holds the applier's lock.

-- name: is_dirty
-- purpose: whether anything changed since the last epoch
-- index: none; stops at the first live row
SELECT
    EXISTS (SELECT FROM dirty) OR EXISTS (SELECT FROM dirty_marks)

-- name: spread_creators
-- purpose: marks every item of the creators whose names changed
-- index: creator index of the source's table
INSERT INTO dirty (source_type, id)
SELECT {code}, content.id
FROM {table} AS content
WHERE content.creator_id = ANY ($1::bigint[])

-- name: spread_source
-- purpose: marks every item of one source, those that are there and those the read model still shows
-- index: primary key of the source's table; unified_content_with_tags, unique (source_type, id)
INSERT INTO dirty (source_type, id)
SELECT {code}, keys.id
FROM (
    SELECT content.id FROM {table} AS content
    UNION
    SELECT stored.id FROM unified_content_with_tags AS stored WHERE stored.source_type = {code}
) AS keys

-- name: take
-- purpose: takes the marks this snapshot sees, and of its dirty rows up to $1; never more, never one twice
-- index: none; the marks are few, and the queue is read from its front
WITH marked AS (
    DELETE FROM dirty_marks
    RETURNING kind, id
), taken AS (
    DELETE FROM dirty
    WHERE ctid = ANY (ARRAY(SELECT front.ctid FROM dirty AS front LIMIT $1::bigint))
    RETURNING source_type, id
)
SELECT
    marked.kind AS mark,
    NULL::smallint AS source_type,
    0 AS rows,
    array_agg(DISTINCT marked.id) AS ids
FROM marked
GROUP BY marked.kind
UNION ALL
SELECT
    NULL,
    taken.source_type,
    count(*),
    array_agg(DISTINCT taken.id)
FROM taken
GROUP BY taken.source_type

-- name: no_seqscan
-- purpose: keys are few and the tables large; only an index is right, whatever the statistics say
-- index: none
SET LOCAL enable_seqscan = off

-- name: apply
-- purpose: makes the rows of the given keys equal to their definition; returns the rows that differed
-- index: primary keys of content, taggings and unified_content_with_tags
-- `*=` compares images, so values that are equal but not the same (-0.0 and 0.0) count as changed.
WITH fresh AS MATERIALIZED (
    {fresh}
), stored AS MATERIALIZED (
    {stored}
), removed AS (
    DELETE FROM unified_content_with_tags AS target
    USING stored
    WHERE target.source_type = stored.source_type
      AND target.id = stored.id
      AND NOT EXISTS (SELECT FROM fresh WHERE fresh.source_type = stored.source_type AND fresh.id = stored.id)
), changed AS (
    UPDATE unified_content_with_tags AS target
    SET ({columns}) = ROW({fresh_columns})
    FROM fresh
    JOIN stored ON stored.source_type = fresh.source_type AND stored.id = fresh.id
    WHERE target.source_type = stored.source_type
      AND target.id = stored.id
      AND NOT (ROW({fresh_columns})::record *= ROW({stored_columns})::record)
), added AS (
    INSERT INTO unified_content_with_tags ({columns}, doc)
    SELECT {fresh_columns}, epoch.next_doc + (row_number() OVER (ORDER BY fresh.source_type, fresh.id))::integer - 1
    FROM fresh
    CROSS JOIN epoch
    WHERE NOT EXISTS (SELECT FROM stored WHERE fresh.source_type = stored.source_type AND fresh.id = stored.id)
    RETURNING source_type, id, doc
)
SELECT
    coalesce(fresh.source_type, stored.source_type) AS source_type,
    coalesce(fresh.id, stored.id) AS id,
    coalesce(added.doc, stored.doc) AS doc,
    {facts}
FROM fresh
FULL JOIN stored ON stored.source_type = fresh.source_type AND stored.id = fresh.id
LEFT JOIN added ON added.source_type = fresh.source_type AND added.id = fresh.id
WHERE fresh.id IS NULL
   OR stored.id IS NULL
   OR NOT (ROW({fresh_columns})::record *= ROW({stored_columns})::record)
