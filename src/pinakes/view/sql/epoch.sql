-- The one row that says what state the read model is in, and the log of what each epoch touched.
--
-- Where `at` lies in the future the server's clock was set back since, and nobody knows how long ago the read
-- model was right: it reads as long ago, until the applier says anew, within a second. One second is forgiven,
-- as the clocks of a primary and of a replica that is read may differ.

-- name: at
-- purpose: when the read model was last known to be right; `{at}` stands for it in every statement that tells
-- index: none
CASE
        WHEN epoch.at <= clock_timestamp() + interval '1 second' THEN epoch.at
        ELSE timestamptz '0001-01-02 00:00:00+00'
    END

-- name: columns
-- purpose: the state of the read model; `{columns}` stands for it in statements that read an epoch
-- index: none
    epoch.incarnation,
    epoch.epoch,
    {at} AS at,
    epoch.next_doc,
    epoch.policy,
    epoch.configured,
    epoch.definition,
    epoch.built_at,
    epoch.origin,
    now() AS now

-- name: read
-- purpose: the state of the read model in this snapshot
-- index: none; one row
SELECT
    {columns}
FROM epoch

-- name: read_for_answer
-- purpose: the same, and holds the relation under the stable name until the transaction ends; `intact`
--          says whether it is the one this snapshot knows
-- index: none; one row each
SELECT
    {columns},
    epoch.relation = to_regclass('unified_content_with_tags') AS intact,
    (SELECT true FROM unified_content_with_tags LIMIT 1) AS holds
FROM epoch

-- name: advance
-- purpose: the next epoch; `at` and `seen` move only when this snapshot's whole queue was taken
-- index: none; one row
UPDATE epoch
SET epoch = epoch.epoch + 1,
    next_doc = epoch.next_doc + $1::integer,
    at = CASE
        WHEN NOT $2::boolean THEN epoch.at
        WHEN epoch.at > clock_timestamp() THEN now()
        ELSE greatest(epoch.at, now())
    END,
    seen = CASE WHEN $2::boolean THEN pg_current_snapshot() ELSE epoch.seen END
RETURNING epoch.epoch

-- name: touch
-- purpose: nothing was dirty: the read model is right as of now, in the same epoch
-- index: none; one row
UPDATE epoch
SET at = CASE WHEN epoch.at > clock_timestamp() THEN now() ELSE greatest(epoch.at, now()) END,
    seen = pg_current_snapshot()

-- name: reincarnate
-- purpose: after a rebuild or a restore: nothing known about earlier epochs holds
-- index: none; one row
UPDATE epoch
SET incarnation = gen_random_uuid(),
    epoch = epoch.epoch + 1,
    at = now(),
    seen = pg_current_snapshot(),
    next_doc = $1::integer,
    policy = $2::text,
    definition = $3::text,
    relation = 'unified_content_with_tags_next'::regclass,
    built_at = now(),
    origin = $4::text
RETURNING epoch.epoch

-- name: configure
-- purpose: remembers which policy the settings named
-- index: none; one row
UPDATE epoch
SET configured = $1::text

-- name: disown
-- purpose: the database was restored: a new incarnation, the read model itself stays
-- index: none; one row
UPDATE epoch
SET incarnation = gen_random_uuid(),
    epoch = epoch.epoch + 1,
    seen = NULL,
    relation = to_regclass('unified_content_with_tags'),
    origin = $1::text
RETURNING epoch.epoch

-- name: rename_policy
-- purpose: the other policy that keeps the same kind of relation
-- index: none; one row
UPDATE epoch
SET policy = $1::text

-- name: origin
-- purpose: which server's history this database is on: another one after a restore or a promotion. The timeline is
--          that of the log being written; the control file names it only after the next checkpoint, minutes later
-- index: none
SELECT
    concat_ws(':', system.system_identifier,
        ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer,
        (SELECT oid FROM pg_database WHERE datname = current_database()))
FROM pg_control_system() AS system

-- name: log
-- purpose: what an epoch touched
-- index: change_log, primary key
INSERT INTO change_log (epoch, at, items, terms, seconds)
VALUES ($1, now(), $2, $3, greatest(extract(epoch FROM clock_timestamp() - now()), 0))

-- name: log_refresh
-- purpose: a whole refresh or rebuild with its time and size
-- index: none
INSERT INTO view_refresh (kind, policy, epoch, started_at, seconds, items_changed, items, bytes)
VALUES ($1, $2, $3, now(), greatest(extract(epoch FROM clock_timestamp() - now()), 0), $4, $5, pg_total_relation_size($6::regclass))

-- name: log_and_announce
-- purpose: `log`, and when the transaction commits, wakes those who wait for an epoch and tells them what it has
--          seen; sent by the applier only, so no writer queues for it. A message holds 8,000 bytes, a snapshot
--          may be longer
-- index: change_log, primary key
WITH logged AS (
    INSERT INTO change_log (epoch, at, items, terms, seconds)
    VALUES ($1, now(), $2, $3, greatest(extract(epoch FROM clock_timestamp() - now()), 0))
)
SELECT pg_notify('pinakes_epoch', left(epoch.epoch || ' ' || coalesce(epoch.seen::text, ''), 7900))
FROM epoch

-- name: prune
-- purpose: forgets the beginning of the change log, up to the first epoch of the last $1 seconds; the newest epoch
--          stays. Never from the middle: where the clock was set, times are not in the order of epochs
-- index: change_log, primary key
DELETE FROM change_log
WHERE epoch < coalesce(
    (
        SELECT log.epoch
        FROM change_log AS log
        WHERE log.at BETWEEN now() - make_interval(secs => $1::double precision) AND now()
        ORDER BY log.epoch
        LIMIT 1
    ),
    (SELECT max(log.epoch) FROM change_log AS log)
)

-- name: prune_refreshes
-- purpose: keeps the last $1 refreshes
-- index: view_refresh, primary key
DELETE FROM view_refresh
WHERE id <= (SELECT max(id) FROM view_refresh) - $1::bigint

-- name: has_seen
-- purpose: the epoch, if the read model holds what transaction $1 wrote
-- index: none; one row
SELECT epoch.epoch
FROM epoch
WHERE epoch.policy IS NOT NULL
  AND pg_visible_in_snapshot($1::text::xid8, epoch.seen)
