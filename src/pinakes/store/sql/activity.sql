-- What sessions say of their work, in their names. store/activity.py reads them again.

-- name: tell
-- purpose: that $1 is done to $2 per mille, since the first time that was said
-- index: none
-- bound: one row
SELECT set_config('application_name', format('pinakes: %s, %s/1000 since %s', $1::text, $2::integer,
    coalesce(
        substring(current_setting('application_name') FROM '^pinakes: ' || $1::text || ', [0-9]+/1000 since ([0-9]+)$'),
        floor(extract(epoch FROM clock_timestamp()))::bigint::text
    )), false)

-- name: told
-- purpose: the names of this database's sessions, as far as they are ours
-- index: none; the sessions there are
-- bound: the sessions of this database
SELECT
    application_name AS name,
    extract(epoch FROM clock_timestamp())::double precision AS now
FROM pg_stat_activity
WHERE datname = current_database()
  AND application_name LIKE 'pinakes%'
