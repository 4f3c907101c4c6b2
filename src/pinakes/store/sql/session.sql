-- What a session is asked while it is opened.

-- name: arrays
-- purpose: has the driver learn the types of arrays
-- index: none
SELECT $1::smallint[], $2::integer[], $3::bigint[], $4::bytea[], $5::float8[]


-- name: set
-- purpose: gives a session its settings; a pooler lets no others through when a connection is opened
-- index: none
SELECT set_config(setting.name, setting.value, false)
FROM unnest($1::text[], $2::text[]) AS setting (name, value)

-- name: process
-- purpose: the server process that answers
-- index: none
SELECT pg_backend_pid()
