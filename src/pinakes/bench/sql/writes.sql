-- Measuring what writes cost.

-- name: some_user
-- purpose: somebody to write as
-- index: users, primary key
SELECT min(id) FROM users

-- name: log_position
-- purpose: how far the write-ahead log is
-- index: none
SELECT pg_current_wal_insert_lsn()::text

-- name: log_since
-- purpose: bytes of write-ahead log since then
-- index: none
SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), $1::text::pg_lsn)::bigint

-- name: disable_notes
-- purpose: changes of one source are not noted any more
-- index: none
ALTER TABLE {table}
    DISABLE TRIGGER dirty_added, DISABLE TRIGGER dirty_changed, DISABLE TRIGGER dirty_removed;
ALTER TABLE {tags_table}
    DISABLE TRIGGER dirty_added, DISABLE TRIGGER dirty_changed, DISABLE TRIGGER dirty_removed

-- name: enable_notes
-- purpose: they are again
-- index: none
ALTER TABLE {table}
    ENABLE TRIGGER dirty_added, ENABLE TRIGGER dirty_changed, ENABLE TRIGGER dirty_removed;
ALTER TABLE {tags_table}
    ENABLE TRIGGER dirty_added, ENABLE TRIGGER dirty_changed, ENABLE TRIGGER dirty_removed

-- name: tags_by_number
-- purpose: the tags there are
-- index: tags, primary key
SELECT id FROM tags ORDER BY id

-- name: make
-- purpose: an item with its tags, and the number of its transaction
-- index: none
WITH made AS (
    INSERT INTO {table} (title, prompt, creator_id)
    VALUES ($2::text, $3::text, $1)
    RETURNING id
), tagged AS (
    INSERT INTO {tags_table} (source_type, content_id, tag_id)
    SELECT {code}, made.id, given.tag_id
    FROM made
    CROSS JOIN unnest($4::integer[]) AS given (tag_id)
)
SELECT made.id, pg_current_xact_id()::text AS transaction
FROM made

-- name: burst_tag
-- purpose: a tag for a burst; one that an interrupted measurement left is used again
-- index: tags, name
INSERT INTO tags (name) VALUES ('a burst of a measurement')
ON CONFLICT (name) DO UPDATE SET name = excluded.name
RETURNING id

-- name: burst_tag_away
-- purpose: the tag of a burst, when no item has it any more
-- index: primary key
DELETE FROM tags WHERE id = $1

-- name: burst_on
-- purpose: the tag $2 for about $1 items, all over the table
-- index: primary key
INSERT INTO {tags_table} (source_type, content_id, tag_id)
SELECT {code}, content.id, $2
FROM {table} AS content
WHERE content.id IN (
    SELECT span.low + n * (span.high - span.low) / $1::bigint
    FROM (SELECT min(id) AS low, max(id) AS high FROM {table}) AS span
    CROSS JOIN generate_series(0, $1::bigint - 1) AS n
)

-- name: burst_off
-- purpose: takes it away again
-- index: content_tags, (tag_id, content_id)
DELETE FROM {tags_table}
WHERE tag_id = $1

-- name: remove
-- purpose: the items of the measurement
-- index: primary key
DELETE FROM {table}
WHERE id = ANY ($1::bigint[])

-- name: scatter
-- purpose: about $1 items changed, all over the table
-- index: primary key
UPDATE {table}
SET updated_at = updated_at + interval '1 microsecond'
WHERE id IN (
    SELECT span.low + n * (span.high - span.low) / $1::bigint
    FROM (SELECT min(id) AS low, max(id) AS high FROM {table}) AS span
    CROSS JOIN generate_series(0, $1::bigint - 1) AS n
)
