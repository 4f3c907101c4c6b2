-- What the doctor asks. Nothing here changes anything, and nothing reads a whole table of content.

-- name: server
-- purpose: version, size, whether it is a standby, the age of its oldest transaction number
-- index: none; the catalogue
SELECT
    current_setting('server_version_num')::integer AS version,
    pg_database_size(current_database()) AS database_bytes,
    pg_is_in_recovery() AS standby,
    (SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database()) AS transactions

-- name: settings
-- purpose: the settings $1 with their units
-- index: none
SELECT name, setting, unit
FROM pg_settings
WHERE name = ANY ($1::text[])

-- name: longest
-- purpose: the oldest open transaction of others, whose age in seconds holds back vacuum
-- index: none; one row a session
SELECT
    activity.pid,
    activity.application_name,
    activity.state,
    extract(epoch FROM clock_timestamp() - activity.xact_start)::double precision AS seconds
FROM pg_stat_activity AS activity
WHERE activity.datname = current_database()
  AND activity.backend_type = 'client backend'
  AND activity.pid <> pg_backend_pid()
  AND activity.xact_start < clock_timestamp() - make_interval(secs => $1)
ORDER BY activity.xact_start
LIMIT 1

-- name: forgotten
-- purpose: prepared transactions and replication slots nobody uses: both hold back vacuum
-- index: none
SELECT 'prepared transaction' AS kind, gid AS name FROM pg_prepared_xacts WHERE database = current_database()
UNION ALL
SELECT 'replication slot', slot_name::text FROM pg_replication_slots WHERE NOT active

-- name: indexes
-- purpose: every index of this schema: valid or not, how large, how often used, since when that is counted
-- index: none; the catalogue
SELECT
    tables.relname AS table_name,
    classes.relname AS name,
    indexes.indisvalid AS valid,
    indexes.indisunique AS is_unique,
    pg_relation_size(classes.oid) AS bytes,
    coalesce(stat.idx_scan, 0) AS scans,
    greatest(classes.reltuples, 0)::double precision AS entries,
    methods.amname AS method,
    coalesce(classes.reloptions @> ARRAY['fastupdate=off'], false) AS no_fastupdate,
    coalesce((
        SELECT sum(greatest(widths.avg_width, 1))
        FROM pg_attribute AS columns
        JOIN pg_stats AS widths
            ON widths.schemaname = 'public'
           AND widths.tablename = tables.relname
           AND widths.attname = columns.attname
        WHERE columns.attrelid = classes.oid
    ), 0)::double precision AS width,
    extract(epoch FROM now() - coalesce(
        (SELECT stats_reset FROM pg_stat_database WHERE datname = current_database()), pg_postmaster_start_time()
    ))::double precision AS counted_s
FROM pg_index AS indexes
JOIN pg_class AS classes ON classes.oid = indexes.indexrelid
JOIN pg_class AS tables ON tables.oid = indexes.indrelid
JOIN pg_am AS methods ON methods.oid = classes.relam
LEFT JOIN pg_stat_user_indexes AS stat ON stat.indexrelid = classes.oid
WHERE tables.relnamespace = 'public'::regnamespace
  AND classes.relkind = 'i'

-- name: tables
-- purpose: dead rows, statistics and size of each table
-- index: none; the catalogue
SELECT
    stat.relname AS name,
    stat.n_live_tup AS live,
    stat.n_dead_tup AS dead,
    pg_table_size(stat.relid) AS bytes,
    classes.reltuples AS known_rows,
    stat.n_ins_since_vacuum AS inserted,
    coalesce(classes.reloptions @> ARRAY['autovacuum_enabled=false'], false)
        OR coalesce(classes.reloptions @> ARRAY['autovacuum_enabled=off'], false) AS no_autovacuum
FROM pg_stat_user_tables AS stat
JOIN pg_class AS classes ON classes.oid = stat.relid
WHERE stat.schemaname = 'public'

-- name: owed
-- purpose: what an interrupted bulk load still owes
-- index: none; normally empty
SELECT count(*) FROM load_state

-- name: queue
-- purpose: bytes of the queue of dirty rows, and whether it holds anything
-- index: none; the first row
SELECT
    pg_relation_size('dirty') AS bytes,
    EXISTS (SELECT FROM dirty) OR EXISTS (SELECT FROM dirty_marks) AS waiting

-- name: index_followers
-- purpose: whether the live index belongs to the read model and has every epoch's deltas
-- index: one row each
SELECT
    generations.incarnation = epoch.incarnation AS current,
    epoch.epoch - followers.epoch AS behind,
    epoch.epoch - generations.folded_epoch AS unfolded
FROM index_generation AS generations
JOIN index_follower AS followers ON followers.generation = generations.generation
CROSS JOIN epoch
WHERE generations.status = 'live'

-- name: some_items
-- purpose: ids of one source at $1 random places, a few at each
-- index: primary key of the source's table
WITH places AS MATERIALIZED (
    SELECT ends.low + (random() * (ends.high - ends.low))::bigint AS start
    FROM (SELECT min(id) AS low, max(id) AS high FROM {table}) AS ends
    CROSS JOIN generate_series(1, $1)
)
SELECT DISTINCT near.id
FROM places
CROSS JOIN LATERAL (
    SELECT content.id
    FROM {table} AS content
    WHERE content.id >= places.start
    ORDER BY content.id
    LIMIT 5
) AS near

-- name: dirty_items
-- purpose: which of the items $2 of source $1 wait for the next epoch
-- index: none; the queue
SELECT DISTINCT id
FROM dirty
WHERE source_type = $1
  AND id = ANY ($2::bigint[])

-- name: wrong_tag_counts
-- purpose: among $1 rare tags, those whose stored count is not the number of their taggings
-- index: tag_counts; content_tags, (tag_id, content_id)
WITH chosen AS (
    SELECT tag_id
    FROM tag_counts
    GROUP BY tag_id
    HAVING sum(item_count) <= 1000
    ORDER BY random()
    LIMIT $1
)
SELECT tags.name
FROM chosen
JOIN tags ON tags.id = chosen.tag_id
WHERE (SELECT count(*) FROM content_tags WHERE content_tags.tag_id = chosen.tag_id)
    <> (SELECT coalesce(sum(item_count), 0) FROM tag_counts WHERE tag_counts.tag_id = chosen.tag_id)
     + (SELECT coalesce(sum(delta), 0) FROM tag_count_deltas WHERE tag_count_deltas.tag_id = chosen.tag_id)
