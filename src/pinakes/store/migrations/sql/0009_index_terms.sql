-- The first line of each code beside it, since readers need those of all fields at once and the cuts, half
-- a megabyte each, rarely. And terms for the number of tags: every index there is lacks them, so it is
-- retired. The worker builds a new one; until then engine `auto` reads the read model. Executed once by
-- migration 0009.

ALTER TABLE index_code ADD COLUMN head bytea NOT NULL DEFAULT '';
ALTER TABLE index_code ALTER COLUMN head DROP DEFAULT;

UPDATE index_generation
SET status = 'retired'
WHERE status <> 'retired';
