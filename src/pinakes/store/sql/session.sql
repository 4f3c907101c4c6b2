-- What a session is asked while it is opened.

-- name: arrays
-- purpose: has the driver learn the types of arrays
-- index: none
SELECT $1::smallint[], $2::integer[], $3::bigint[], $4::bytea[], $5::float8[]
