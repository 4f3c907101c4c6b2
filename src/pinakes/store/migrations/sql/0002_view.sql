-- What the read model needs: what changed, what epoch it is, what each epoch touched. Executed once
-- by migration 0002. The read model itself is built by the worker, beside whatever is there.

-- Items whose row in the read model may be wrong. Appended by triggers, so a change made by any
-- program counts; taken by the applier with DELETE … RETURNING. No key: writers must not wait for
-- each other, and the same item may stand here many times.
CREATE TABLE dirty (
    id bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    source_type smallint NOT NULL
);
-- A queue is nearly empty and always full of dead rows. Its pages are kept, because giving them back
-- needs a lock that stops writers.
ALTER TABLE dirty SET (
    vacuum_truncate = off,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 10000,
    autovacuum_vacuum_cost_delay = 0
);

-- Changes too wide to list item by item in the writer's transaction; the applier spreads them out.
--   source      every item of source `id`: one of its tables was truncated
--   creator     every item of creator `id`: the username changed
--   names       a tag's name or category changed, which is shown but stands in no row of the read model
--   vocabulary  a tag came or went, so that a name asked for may mean something else
CREATE TABLE dirty_marks (
    kind text NOT NULL CHECK (kind IN ('source', 'creator', 'names', 'vocabulary')),
    id bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT statement_timestamp()
);
ALTER TABLE dirty_marks SET (vacuum_truncate = off);

-- One row: the state the read model is in. Read in the snapshot of an answer, it dates that answer.
CREATE TABLE epoch (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    -- New after every rebuild and every restore: epochs compare within one incarnation only.
    incarnation uuid NOT NULL DEFAULT gen_random_uuid(),
    epoch bigint NOT NULL DEFAULT 0,
    -- Everything committed before this moment is in the read model.
    at timestamptz NOT NULL DEFAULT '-infinity',
    -- Every transaction visible here is in the read model: what a writer who waits compares with.
    seen pg_snapshot,
    -- The next document number; numbers are never given twice in one incarnation.
    next_doc integer NOT NULL DEFAULT 0 CHECK (next_doc >= 0),
    -- How the read model is kept; NULL while there is none.
    policy text CHECK (policy IN ('periodic', 'event', 'incremental')),
    -- The policy the settings named when it was last taken over, so that a change of settings is noticed.
    configured text,
    -- The relation readers must find under the stable name: a snapshot older than an exchange sees the
    -- new relation without its rows, and knows it by this.
    relation oid,
    -- The defining query it was built from, as a fingerprint.
    definition text,
    built_at timestamptz,
    -- Which server's history it belongs to; another one means a restore.
    origin text
) WITH (fillfactor = 50);

INSERT INTO epoch DEFAULT VALUES;

-- The terms of the old and the new version of every row an epoch changed, and `names` or
-- `vocabulary`; `field:*` stands for all terms of a field, `*` for everything.
CREATE TABLE change_log (
    epoch bigint PRIMARY KEY,
    at timestamptz NOT NULL,
    items integer NOT NULL,
    terms text[] NOT NULL,
    seconds double precision NOT NULL
);

-- Whole refreshes and rebuilds: how long they took at which size.
CREATE TABLE view_refresh (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('build', 'refresh')),
    policy text NOT NULL,
    epoch bigint NOT NULL,
    started_at timestamptz NOT NULL,
    seconds double precision NOT NULL,
    items_changed bigint NOT NULL,
    items bigint NOT NULL,
    bytes bigint NOT NULL
);

CREATE FUNCTION dirty_added_items() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO dirty (source_type, id)
    SELECT TG_ARGV[0]::smallint, id FROM new_rows;
    RETURN NULL;
END $$;

CREATE FUNCTION dirty_removed_items() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO dirty (source_type, id)
    SELECT TG_ARGV[0]::smallint, id FROM old_rows;
    RETURN NULL;
END $$;

-- Old and new, because an id may change too.
CREATE FUNCTION dirty_changed_items() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO dirty (source_type, id)
    SELECT TG_ARGV[0]::smallint, id
    FROM (SELECT id FROM old_rows UNION SELECT id FROM new_rows) AS touched;
    RETURN NULL;
END $$;

CREATE FUNCTION dirty_added_taggings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO dirty (source_type, id)
    SELECT DISTINCT source_type, content_id FROM new_rows;
    RETURN NULL;
END $$;

CREATE FUNCTION dirty_removed_taggings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO dirty (source_type, id)
    SELECT DISTINCT source_type, content_id FROM old_rows;
    RETURN NULL;
END $$;

CREATE FUNCTION dirty_changed_taggings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO dirty (source_type, id)
    SELECT source_type, content_id FROM old_rows
    UNION
    SELECT source_type, content_id FROM new_rows;
    RETURN NULL;
END $$;

-- TRUNCATE has no transition table. The trigger of one source's table knows its source by argument;
-- the parent of the taggings means every source.
CREATE FUNCTION dirty_truncated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO dirty_marks (kind, id)
    SELECT 'source', code FROM sources WHERE TG_NARGS = 0 OR code = TG_ARGV[0]::smallint;
    RETURN NULL;
END $$;

-- A user may have a million items, so a new name is one mark. Usernames are matched by id, and
-- every id that is gone counts: one statement may delete a user and put another in its place.
CREATE FUNCTION dirty_changed_users() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO dirty_marks (kind, id)
    SELECT 'creator', old_rows.id
    FROM old_rows
    LEFT JOIN new_rows ON new_rows.id = old_rows.id
    WHERE new_rows.username IS DISTINCT FROM old_rows.username
    UNION
    SELECT 'creator', new_rows.id
    FROM new_rows
    LEFT JOIN old_rows ON old_rows.id = new_rows.id
    WHERE old_rows.id IS NULL;
    RETURN NULL;
END $$;

CREATE FUNCTION dirty_removed_users() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO dirty_marks (kind, id)
    SELECT 'creator', id FROM old_rows;
    RETURN NULL;
END $$;

CREATE FUNCTION dirty_changed_tags() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        (SELECT id, name, category FROM old_rows EXCEPT SELECT id, name, category FROM new_rows)
    ) THEN
        INSERT INTO dirty_marks (kind, id) VALUES ('names', 0), ('vocabulary', 0);
    END IF;
    RETURN NULL;
END $$;

-- No row, no mark: adding a tag that is there already is the usual case.
CREATE FUNCTION dirty_added_tags() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO dirty_marks (kind, id)
    SELECT 'vocabulary', 0 WHERE EXISTS (SELECT FROM new_rows);
    RETURN NULL;
END $$;

CREATE FUNCTION dirty_removed_tags() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO dirty_marks (kind, id)
    SELECT 'vocabulary', 0 WHERE EXISTS (SELECT FROM old_rows);
    RETURN NULL;
END $$;

CREATE FUNCTION dirty_truncated_tags() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO dirty_marks (kind, id) VALUES ('vocabulary', 0);
    RETURN NULL;
END $$;

-- A statement on the parent fires the parent's triggers only; one on a partition, and the cascade of
-- a foreign key, fires the partition's (file 0002_source.sql).
CREATE TRIGGER dirty_added AFTER INSERT ON content_tags
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION dirty_added_taggings();
CREATE TRIGGER dirty_removed AFTER DELETE ON content_tags
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION dirty_removed_taggings();
CREATE TRIGGER dirty_changed AFTER UPDATE ON content_tags
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dirty_changed_taggings();
CREATE TRIGGER dirty_truncated AFTER TRUNCATE ON content_tags
    FOR EACH STATEMENT EXECUTE FUNCTION dirty_truncated();

CREATE TRIGGER dirty_changed AFTER UPDATE ON users
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dirty_changed_users();
CREATE TRIGGER dirty_removed AFTER DELETE ON users
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION dirty_removed_users();

CREATE TRIGGER dirty_added AFTER INSERT ON tags
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION dirty_added_tags();
CREATE TRIGGER dirty_removed AFTER DELETE ON tags
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION dirty_removed_tags();
CREATE TRIGGER dirty_changed AFTER UPDATE ON tags
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dirty_changed_tags();
CREATE TRIGGER dirty_truncated AFTER TRUNCATE ON tags
    FOR EACH STATEMENT EXECUTE FUNCTION dirty_truncated_tags();
