-- name: claim
-- purpose: takes a key for this transaction; nothing where it is taken. Waits for another transaction that
--          is just taking it
-- index: idempotency_key, primary key
INSERT INTO idempotency_key (user_id, key, fingerprint)
VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING
RETURNING true

-- name: claimed
-- purpose: what a taken key stands for
-- index: idempotency_key, primary key
SELECT fingerprint, source_type, content_id
FROM idempotency_key
WHERE user_id = $1
  AND key = $2

-- name: made
-- purpose: notes what the request with this key made
-- index: idempotency_key, primary key
UPDATE idempotency_key
SET source_type = $3, content_id = $4
WHERE user_id = $1
  AND key = $2

-- name: forget
-- purpose: drops up to 20 keys older than $1 hours: more than one a request, so the table stays bounded
-- index: idempotency_key_at
DELETE FROM idempotency_key
WHERE ctid = ANY (ARRAY(
    SELECT old.ctid
    FROM idempotency_key AS old
    WHERE old.at < now() - make_interval(hours => $1::integer)
    ORDER BY old.at
    LIMIT 20
    FOR UPDATE SKIP LOCKED
))
