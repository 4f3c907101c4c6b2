-- name: last_item
-- purpose: the number of the last generated item of one seed in one source; null where there is none
-- index: external_id, the range that begins with `gen:<seed>:`
SELECT max(split_part(external_id, ':', 3)::bigint)
FROM {table}
WHERE external_id >= $1
  AND external_id < $2
  AND external_id ~ '^gen:-?[0-9]+:[0-9]{1,15}$';

-- name: missing_users
-- purpose: makes those of the named users that do not exist, in this order
-- index: users.username
INSERT INTO users (username)
SELECT wanted.name
FROM unnest($1::text[]) WITH ORDINALITY AS wanted (name, place)
WHERE NOT EXISTS (SELECT FROM users WHERE users.username = wanted.name)
ORDER BY wanted.place
ON CONFLICT DO NOTHING;
