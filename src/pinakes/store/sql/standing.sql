-- The rows that must always stand in the database.

-- name: standing
-- purpose: how many rows the epoch has, and what the table of sources says
-- index: none; one row, and one a source
SELECT
    (SELECT count(*) FROM epoch) AS epochs,
    (SELECT count(*) FROM alembic_version) AS revisions,
    coalesce(array_agg(sources.code), '{}') AS codes,
    coalesce(array_agg(sources.name), '{}') AS names,
    coalesce(array_agg(sources.table_name), '{}') AS tables
FROM sources

-- name: one_epoch
-- purpose: of several rows, which a lost primary key lets in, the newest stays
-- index: none; one row
DELETE FROM epoch
WHERE ctid <> (SELECT ctid FROM epoch ORDER BY epoch.epoch DESC, ctid LIMIT 1)

-- name: new_epoch
-- purpose: the row of the epoch where it is lost: no read model yet, and a number beyond all that are known
-- index: change_log, primary key; view_refresh and index_follower are small
WITH begun AS (
    INSERT INTO epoch (epoch)
    SELECT 1 + greatest(
        (SELECT max(epoch) FROM change_log),
        (SELECT max(epoch) FROM view_refresh),
        (SELECT max(epoch) FROM index_follower),
        0
    )
    WHERE NOT EXISTS (SELECT FROM epoch)
    RETURNING epoch
)
INSERT INTO change_log (epoch, at, items, terms, seconds)
SELECT begun.epoch, now(), 0, '{*}', 0
FROM begun

-- name: revision
-- purpose: the revision of the schema, where the row that says it is lost
-- index: one row
INSERT INTO alembic_version (version_num)
SELECT $1::text
WHERE NOT EXISTS (SELECT FROM alembic_version)

-- name: strange_sources
-- purpose: sources that no version of this program lists, and no content refers to by a key
-- index: none; one row a source
DELETE FROM sources
WHERE code <> ALL ($1::smallint[])

-- name: sources
-- purpose: the sources as they are listed
-- index: sources, primary key
INSERT INTO sources (code, name, table_name)
SELECT * FROM unnest($1::smallint[], $2::text[], $3::text[])
ON CONFLICT (code) DO UPDATE
SET name = excluded.name,
    table_name = excluded.table_name
