-- Takes back 0009. Indexes built since hold terms that are not known before it, so they are retired.

ALTER TABLE index_code DROP COLUMN head;

UPDATE index_generation
SET status = 'retired'
WHERE status <> 'retired';
