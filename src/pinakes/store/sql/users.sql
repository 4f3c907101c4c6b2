-- Users.

-- name: by_id
-- purpose: one user by number
-- index: primary key
-- bound: one row
SELECT id, username
FROM users
WHERE id = $1

-- name: by_name
-- purpose: one user by name
-- index: unique username
-- bound: one row
SELECT id, username
FROM users
WHERE username = $1

-- name: create
-- purpose: a user of a new name; no row where the name exists
-- index: unique username
-- bound: one row
INSERT INTO users (username)
VALUES ($1)
ON CONFLICT (username) DO NOTHING
RETURNING id, username
