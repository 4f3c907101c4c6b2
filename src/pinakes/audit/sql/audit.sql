-- Comparing what is derived with what it is derived from, a range at a time. Nothing here writes but
-- what stands under "repairs".

-- name: next_ids
-- purpose: the next ids of a source after $1, $2 of them, of items there are or the read model shows
-- index: primary key of the source's table; unified_content_with_tags, unique (source_type, id)
SELECT keys.id
FROM (
    (SELECT content.id FROM {table} AS content WHERE content.id > $1 ORDER BY content.id LIMIT $2)
    UNION
    (SELECT stored.id
    FROM unified_content_with_tags AS stored
    WHERE stored.source_type = {code}
      AND stored.id > $1
    ORDER BY stored.id
    LIMIT $2)
) AS keys
ORDER BY keys.id
LIMIT $2

-- name: next_content_ids
-- purpose: the same where there is no read model
-- index: primary key of the source's table
SELECT content.id
FROM {table} AS content
WHERE content.id > $1
ORDER BY content.id
LIMIT $2

-- name: last_id
-- purpose: how far the ids of a source go
-- index: primary key of the source's table
SELECT coalesce(max(content.id), 0)
FROM {table} AS content

-- name: differing
-- purpose: rows that are not what their definition says, and for which no change waits
-- index: primary keys of content, taggings and unified_content_with_tags
-- `*=` compares images, so values that are equal but not the same (-0.0 and 0.0) count as different.
WITH fresh AS MATERIALIZED (
    {fresh}
), stored AS MATERIALIZED (
    {stored}
), differing AS (
    SELECT
        coalesce(fresh.source_type, stored.source_type) AS source_type,
        coalesce(fresh.id, stored.id) AS id,
        coalesce(fresh.creator_id, stored.creator_id) AS creator_id,
        CASE WHEN fresh.id IS NULL THEN 'extra' WHEN stored.id IS NULL THEN 'missing' ELSE 'different' END AS kind
    FROM fresh
    FULL JOIN stored ON stored.source_type = fresh.source_type AND stored.id = fresh.id
    WHERE fresh.id IS NULL
       OR stored.id IS NULL
       OR NOT (ROW({fresh_columns})::record *= ROW({stored_columns})::record)
)
SELECT differing.source_type, differing.id, differing.kind
FROM differing
WHERE NOT EXISTS (
        SELECT FROM dirty WHERE dirty.source_type = differing.source_type AND dirty.id = differing.id
    )
  AND NOT EXISTS (
        SELECT
        FROM dirty_marks AS marks
        WHERE (marks.kind = 'source' AND marks.id = differing.source_type)
           OR (marks.kind = 'creator' AND marks.id = differing.creator_id)
    )

-- name: dangling
-- purpose: taggings of a source whose item, tag is not there, ids of items from above $1 up to $2
-- index: primary keys of the taggings, of the source's table and of tags
SELECT taggings.content_id, taggings.tag_id
FROM content_tags AS taggings
LEFT JOIN {table} AS content ON content.id = taggings.content_id
LEFT JOIN tags ON tags.id = taggings.tag_id
WHERE taggings.source_type = {code}
  AND taggings.content_id > $1
  AND taggings.content_id <= $2
  AND (content.id IS NULL OR tags.id IS NULL)
LIMIT 100

-- name: ownerless
-- purpose: items of a source whose creator is not there, ids from above $1 up to $2
-- index: primary keys of the source's table and of users
SELECT content.id
FROM {table} AS content
LEFT JOIN users ON users.id = content.creator_id
WHERE content.id > $1
  AND content.id <= $2
  AND users.id IS NULL
LIMIT 100

-- name: owed
-- purpose: what a bulk load has dropped and not made again
-- index: none; normally empty
SELECT count(*)
FROM load_state

-- name: next_tags
-- purpose: the next numbers of tags after $1, $2 of them
-- index: tags, primary key
SELECT tags.id
FROM tags
WHERE tags.id > $1
ORDER BY tags.id
LIMIT $2

-- name: tags_there
-- purpose: how many tags there are
-- index: tags, primary key
SELECT count(*)
FROM tags

-- name: miscounted
-- purpose: tags of a source whose count is not the number of their taggings, from above $1 up to $2
-- index: taggings, (tag_id, content_id); tag_counts, primary key; tag_count_deltas, tag_id
WITH counted AS (
    SELECT taggings.tag_id, count(*) AS n
    FROM content_tags AS taggings
    WHERE taggings.source_type = {code}
      AND taggings.tag_id > $1
      AND taggings.tag_id <= $2
    GROUP BY taggings.tag_id
), told AS (
    SELECT both_tables.tag_id, sum(both_tables.n) AS n
    FROM (
        SELECT tag_id, item_count AS n
        FROM tag_counts
        WHERE source_type = {code}
          AND tag_id > $1
          AND tag_id <= $2
        UNION ALL
        SELECT tag_id, delta
        FROM tag_count_deltas
        WHERE source_type = {code}
          AND tag_id > $1
          AND tag_id <= $2
    ) AS both_tables
    GROUP BY both_tables.tag_id
)
SELECT
    coalesce(counted.tag_id, told.tag_id) AS tag_id,
    coalesce(counted.n, 0)::bigint AS counted,
    coalesce(told.n, 0)::bigint AS told
FROM counted
FULL JOIN told ON told.tag_id = counted.tag_id
WHERE coalesce(counted.n, 0) <> coalesce(told.n, 0)

-- name: popular
-- purpose: the tags with the most items
-- index: none; reads all counts
SELECT counts.tag_id
FROM tag_counts AS counts
GROUP BY counts.tag_id
ORDER BY sum(counts.item_count) DESC, counts.tag_id
LIMIT $1

-- name: some_creators
-- purpose: creators of some items, the private ones too
-- index: reads some pages
SELECT DISTINCT content.creator_id
FROM {table} AS content TABLESAMPLE SYSTEM (5)
LIMIT $1

-- name: logged
-- purpose: what epochs after $1 touched: $2 epochs at most, and no further one once they touched $3 terms
-- index: change_log, primary key
SELECT summed.epoch, summed.terms
FROM (
    SELECT log.epoch, log.terms, sum(cardinality(log.terms)) OVER (ORDER BY log.epoch) AS so_far
    FROM (SELECT epoch, terms FROM change_log WHERE epoch > $1 ORDER BY epoch LIMIT $2) AS log
) AS summed
WHERE summed.so_far - cardinality(summed.terms) < $3
ORDER BY summed.epoch

-- Repairs.

-- name: mark_dirty
-- purpose: has the applier compute items anew
-- index: none
INSERT INTO dirty (source_type, id)
SELECT *
FROM unnest($1::smallint[], $2::bigint[])

-- name: correct_counts
-- purpose: adds what the counts of some tags of a source lack; one statement, so whoever writes meanwhile
--          brings a delta of their own that is in both sides or in none
-- index: as miscounted
INSERT INTO tag_count_deltas (source_type, tag_id, delta)
SELECT {code}, wrong.tag_id, wrong.counted - wrong.told
FROM (
    {miscounted}
) AS wrong
