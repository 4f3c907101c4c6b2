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

-- name: view_shape
-- purpose: what the read model is kept in: kind, columns, valid indexes
-- index: none; the catalogue
SELECT
    classes.relkind::text AS relkind,
    ARRAY(
        SELECT attname::text
        FROM pg_attribute
        WHERE attrelid = classes.oid AND attnum > 0 AND NOT attisdropped
    ) AS columns,
    ARRAY(
        SELECT indexes.indexrelid::regclass::text
        FROM pg_index AS indexes
        WHERE indexes.indrelid = classes.oid AND indexes.indisvalid AND indexes.indisready
    ) AS indexes
FROM pg_class AS classes
WHERE classes.oid = to_regclass('unified_content_with_tags')

-- name: endings
-- purpose: what the endings of tags from above $1 up to $2 must be; `{expected}` stands for it
-- index: tags, primary key; tag_aliases_tag
SELECT endings.ending, tags.id AS tag_id, '' AS alias
FROM tags
CROSS JOIN LATERAL pinakes_endings(tags.name) AS endings (ending)
WHERE tags.id > $1
  AND tags.id <= $2
UNION
SELECT endings.ending, aliases.tag_id, aliases.name
FROM tag_aliases AS aliases
CROSS JOIN LATERAL pinakes_endings(aliases.name) AS endings (ending)
WHERE aliases.tag_id > $1
  AND aliases.tag_id <= $2

-- name: wrong_endings
-- purpose: tags from above $1 up to $2 whose endings are not what they must be
-- index: as endings; tag_endings_tag
SELECT
    coalesce(expected.tag_id, stored.tag_id) AS tag_id,
    count(*) FILTER (WHERE stored.tag_id IS NULL) AS missing,
    count(*) FILTER (WHERE expected.tag_id IS NULL) AS extra
FROM (
    {expected}
) AS expected
FULL JOIN (
    SELECT ending, tag_id, alias
    FROM tag_endings
    WHERE tag_id > $1
      AND tag_id <= $2
) AS stored
    ON stored.tag_id = expected.tag_id
   AND stored.ending = expected.ending
   AND stored.alias = expected.alias
WHERE expected.tag_id IS NULL
   OR stored.tag_id IS NULL
GROUP BY 1
ORDER BY 1

-- name: holes
-- purpose: epochs that the log lacks, from its first one to the last one there was
-- index: change_log, primary key
SELECT
    count(*) FILTER (WHERE log.epoch IS NULL) AS missing,
    min(numbers.epoch) FILTER (WHERE log.epoch IS NULL) AS first,
    count(log.epoch) AS logged
FROM epoch
CROSS JOIN LATERAL generate_series(
    coalesce((SELECT min(change_log.epoch) FROM change_log), epoch.epoch), epoch.epoch
) AS numbers (epoch)
LEFT JOIN change_log AS log ON log.epoch = numbers.epoch

-- name: index_shape
-- purpose: of the live index of this read model: whether it is followed, and how many orders it has codes of
-- index: one row each
SELECT
    generations.generation,
    EXISTS (SELECT FROM index_follower AS followers WHERE followers.generation = generations.generation) AS followed,
    (SELECT count(*) FROM index_code AS codes WHERE codes.generation = generations.generation) AS codes
FROM index_generation AS generations
JOIN epoch ON epoch.incarnation = generations.incarnation
WHERE generations.status = 'live'

-- Repairs.

-- name: hold_tags
-- purpose: nobody renames these tags meanwhile
-- index: tags, primary key
SELECT
FROM tags
WHERE id = ANY ($1::integer[])
ORDER BY id
FOR SHARE

-- name: drop_endings
-- purpose: the endings of tags, before they are made anew
-- index: tag_endings_tag
DELETE FROM tag_endings
WHERE tag_id = ANY ($1::integer[])

-- name: add_endings
-- purpose: the endings of tags $3 among those from above $1 up to $2
-- index: as endings
INSERT INTO tag_endings (ending, tag_id, alias)
SELECT expected.ending, expected.tag_id, expected.alias
FROM (
    {expected}
) AS expected
WHERE expected.tag_id = ANY ($3::integer[])

-- name: fill_holes
-- purpose: an epoch nobody knows anything of touched everything
-- index: change_log, primary key
INSERT INTO change_log (epoch, at, items, terms, seconds)
SELECT numbers.epoch, now(), 0, '{*}', 0
FROM epoch
CROSS JOIN LATERAL generate_series(
    coalesce((SELECT min(change_log.epoch) FROM change_log), epoch.epoch), epoch.epoch
) AS numbers (epoch)
ON CONFLICT DO NOTHING

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
