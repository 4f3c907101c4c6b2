-- Which request made which item: a POST that is sent again gets the item it made the first time. Executed
-- once by migration 0008.
CREATE TABLE idempotency_key (
    user_id bigint NOT NULL,
    key text COLLATE "C" NOT NULL CHECK (char_length(key) BETWEEN 1 AND 200),
    -- A digest of what was sent: the same key with something else is a mistake.
    fingerprint bytea NOT NULL,
    source_type smallint,
    content_id bigint,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, key)
);
CREATE INDEX idempotency_key_at ON idempotency_key (at);
