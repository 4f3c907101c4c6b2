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

-- name: insert
-- purpose: a small item
-- index: none
INSERT INTO {table} (title, creator_id) VALUES ('an item of a measurement', $1) RETURNING id

-- name: tag
-- purpose: ten tags for it
-- index: tags, primary key
INSERT INTO {tags_table} (source_type, content_id, tag_id)
SELECT {code}, $1, id
FROM (SELECT id FROM tags ORDER BY id LIMIT 10) AS first_ones

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
