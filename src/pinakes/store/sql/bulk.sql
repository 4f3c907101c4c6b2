-- Bulk loads: what comes off a table, what goes back on. `{table}` and `{tags_table}` are filled for
-- one source of the closed list.

-- name: rows
-- purpose: about how many items a source has; exact while there are few
-- index: none; statistics, or one scan that stops early
-- bound: 100,000 rows
SELECT greatest(
    (SELECT count(*) FROM (SELECT FROM {table} LIMIT 100000) AS some_rows),
    (SELECT reltuples::bigint FROM pg_class WHERE oid = '{table}'::regclass)
)

-- name: secondary
-- purpose: a source's indexes that only make it faster, and its taggings' own foreign keys, with what makes them again
-- index: pg_index_indrelid_index, pg_constraint_conrelid_contypid_conname_index
-- bound: a dozen rows
SELECT
    relation.relname AS table_name,
    index_relation.relname AS object_name,
    'index' AS kind,
    pg_get_indexdef(index_row.indexrelid) AS definition
FROM pg_index AS index_row
JOIN pg_class AS relation ON relation.oid = index_row.indrelid
JOIN pg_class AS index_relation ON index_relation.oid = index_row.indexrelid
WHERE index_row.indrelid IN ('{table}'::regclass, '{tags_table}'::regclass)
    AND NOT index_row.indisunique
    AND index_row.indisvalid
    -- One attached to an index of the parent cannot go alone.
    AND NOT index_relation.relispartition
UNION ALL
SELECT
    relation.relname,
    key.conname,
    'foreign key',
    -- A key whose check was interrupted says so in its definition.
    regexp_replace(pg_get_constraintdef(key.oid), ' NOT VALID$', '')
FROM pg_constraint AS key
JOIN pg_class AS relation ON relation.oid = key.conrelid
WHERE key.conrelid = '{tags_table}'::regclass
    AND key.contype = 'f'
    AND key.conparentid = 0
ORDER BY kind, table_name, object_name

-- name: loading
-- purpose: whether a session of this database holds the lock $1 of bulk loads
-- index: none; the locks that are held
-- bound: one row
SELECT EXISTS (
    SELECT FROM pg_locks AS held
    WHERE held.locktype = 'advisory'
      AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND held.classid = ($1::bigint >> 32)::oid
      AND held.objid = ($1::bigint & 4294967295)::oid
      AND held.objsubid = 1
      AND held.granted
)

-- name: owe
-- purpose: notes that an object is off its table, in the transaction that takes it off
-- index: primary key of load_state
-- bound: one row
INSERT INTO load_state (table_name, object_name, kind, definition)
VALUES ($1, $2, $3, $4)
ON CONFLICT (table_name, object_name) DO UPDATE
SET definition = excluded.definition

-- name: owed
-- purpose: everything that is off its table; the slowest index first, foreign keys last
-- index: none; a dozen rows at most
-- bound: a dozen rows
SELECT table_name, object_name, kind, definition
FROM load_state
ORDER BY kind DESC, definition LIKE '% USING gin %' DESC, table_name DESC, object_name

-- name: building
-- purpose: for this transaction, which builds one index while others are built beside it: memory to sort in (four times the
--   server's default halves the time of the words' index), and no more parallel workers than are there for each
--   builder ($1 of them): builds side by side need nothing brought together afterwards
-- index: none; the server's settings
-- bound: one row
SELECT
    set_config('maintenance_work_mem', greatest(memory.setting::bigint, 262144)::text || 'kB', true),
    set_config('max_parallel_maintenance_workers', least(parallel.most, greatest(parallel.workers / $1 - 1, 0))::text, true)
FROM pg_settings AS memory
CROSS JOIN (
    SELECT
        current_setting('max_parallel_maintenance_workers')::integer AS most,
        current_setting('max_parallel_workers')::integer AS workers
) AS parallel
WHERE memory.name = 'maintenance_work_mem'

-- name: paid
-- purpose: forgets that an object was off, in the transaction that puts it back
-- index: primary key of load_state
-- bound: one row
DELETE FROM load_state
WHERE table_name = $1
    AND object_name = $2

-- name: has_constraint
-- purpose: whether a table has a constraint of a name
-- index: pg_constraint_conrelid_contypid_conname_index
-- bound: one row
SELECT EXISTS (
    SELECT FROM pg_constraint WHERE conrelid = to_regclass($1) AND conname = $2
)

-- name: remove_orphans
-- purpose: taggings whose item or tag went while the foreign keys were off
-- index: none; both tables whole, once after such a deletion
-- bound: the partition
DELETE FROM {tags_table} AS tagging
WHERE NOT EXISTS (SELECT FROM {table} AS item WHERE item.id = tagging.content_id)
    OR NOT EXISTS (SELECT FROM tags AS tag WHERE tag.id = tagging.tag_id)

-- name: statistics_target
-- purpose: for the ANALYZE after it in this transaction: a fifth of the table looked at (300 rows for each unit of the
--   target), never more than the server would; 150,000 rows or more are looked at as finely as ever
-- index: primary key of pg_class
-- bound: one row
SELECT set_config('default_statistics_target', least(current.target, greatest(10, class.reltuples / 1500))::integer::text, true)
FROM (SELECT current_setting('default_statistics_target')::integer AS target) AS current
CROSS JOIN pg_class AS class
WHERE class.oid = '{table}'::regclass

-- name: reserve
-- purpose: ids for new items, ascending
-- index: none; the sequence of the identity column
-- bound: one number an item, in one row: a row each takes the driver ten times as long
SELECT array_agg(nextval(ids.sequence))
FROM (SELECT pg_get_serial_sequence('{table}', 'id')::regclass AS sequence OFFSET 0) AS ids
CROSS JOIN generate_series(1, $1::integer)

-- name: missing_users
-- purpose: makes the users that do not exist yet; the caller sorts the names, so that writers never wait in a circle
-- index: unique username
-- bound: one row a name
INSERT INTO users (username)
SELECT given.name
FROM unnest($1::text[]) WITH ORDINALITY AS given (name, place)
WHERE NOT EXISTS (SELECT FROM users WHERE username = given.name)
ORDER BY given.place
ON CONFLICT (username) DO NOTHING

-- name: users
-- purpose: the numbers of users known by name
-- index: unique username
-- bound: one row a name
SELECT id, username AS name
FROM users
WHERE username = ANY($1::text[])

-- name: missing_tags
-- purpose: makes the tags that do not exist yet, by the first of their spellings; in the order of keys, as for users
-- index: tags_key, tag_aliases_key
-- bound: one row a name
WITH given AS MATERIALIZED (
    SELECT name, category, place, pinakes_name_key(name) COLLATE "C" AS key
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS each (name, category, place)
)
INSERT INTO tags (name, category)
SELECT given.name, given.category
FROM given
WHERE NOT EXISTS (SELECT FROM tags WHERE tags.key = given.key)
  AND NOT EXISTS (SELECT FROM tag_aliases AS alias WHERE alias.key = given.key)
ORDER BY given.key, given.place
ON CONFLICT DO NOTHING

-- name: tags
-- purpose: the numbers of tags known by name or alias, in any spelling; a name that is both is the tag's
-- index: tags_key, tag_aliases_key
-- bound: one row a name
WITH asked AS MATERIALIZED (
    SELECT name, pinakes_name_key(name) COLLATE "C" AS key
    FROM unnest($1::text[]) AS each (name)
)
SELECT coalesce(own.id, alias.tag_id) AS id, asked.name
FROM asked
LEFT JOIN tags AS own ON own.key = asked.key
LEFT JOIN tag_aliases AS alias ON alias.key = asked.key
