-- What names of tags mean besides themselves: aliases, the hierarchy, and the endings of names that
-- suggestions begin with. Executed once by migration 0004.

-- Another name of a tag. It leads to the tag itself, never to another alias: a chain is followed when
-- an alias is made, so reading is one step and nothing can go round in circles.
CREATE TABLE tag_aliases (
    name text COLLATE "C" PRIMARY KEY CHECK (char_length(name) BETWEEN 1 AND 255),
    tag_id integer NOT NULL REFERENCES tags (id) ON DELETE CASCADE
);
CREATE INDEX tag_aliases_tag ON tag_aliases (tag_id);

-- Which tags stand directly below which. No tag is above itself, over any number of steps.
CREATE TABLE tag_parents (
    child_id integer NOT NULL REFERENCES tags (id) ON DELETE CASCADE,
    parent_id integer NOT NULL REFERENCES tags (id) ON DELETE CASCADE,
    PRIMARY KEY (child_id, parent_id)
);
CREATE INDEX tag_parents_parent ON tag_parents (parent_id, child_id);

-- Every name of a tag from each of its words on: what somebody may begin to type. `alias` is empty for
-- the tag's own name. Kept by triggers.
CREATE TABLE tag_endings (
    ending text COLLATE "C" NOT NULL,
    tag_id integer NOT NULL REFERENCES tags (id) ON DELETE CASCADE,
    alias text COLLATE "C" NOT NULL,
    PRIMARY KEY (ending, tag_id, alias)
);
CREATE INDEX tag_endings_tag ON tag_endings (tag_id);

-- The most used tags first: what one or two letters are looked for among.
CREATE INDEX tag_counts_most ON tag_counts (item_count DESC);

-- Words of usernames, for `by:`.
CREATE INDEX users_words ON users USING gin (pinakes_lexemes(username, NULL));

-- A name of more than eight words is found by its first eight beginnings.
CREATE FUNCTION pinakes_endings(name text) RETURNS SETOF text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT DISTINCT left(array_to_string(cut.words[place:], ' '), 255)
    FROM (SELECT string_to_array(btrim(pinakes_words(name)), ' ') AS words) AS cut
    CROSS JOIN generate_series(1, least(cardinality(cut.words), 8)) AS place
    WHERE cut.words[place] <> '';
$$;

CREATE FUNCTION endings_of_added_tags() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tag_endings (ending, tag_id, alias)
    SELECT ending, new_rows.id, ''
    FROM new_rows
    CROSS JOIN LATERAL pinakes_endings(new_rows.name) AS ending
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

-- Rows that were renamed or renumbered; endings of deleted ones go with the foreign key.
CREATE FUNCTION endings_of_changed_tags() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT id, name FROM old_rows EXCEPT SELECT id, name FROM new_rows) THEN
        RETURN NULL;
    END IF;
    DELETE FROM tag_endings
    WHERE alias = ''
      AND tag_id IN (SELECT id FROM old_rows UNION SELECT id FROM new_rows);
    INSERT INTO tag_endings (ending, tag_id, alias)
    SELECT ending, new_rows.id, ''
    FROM new_rows
    CROSS JOIN LATERAL pinakes_endings(new_rows.name) AS ending
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE FUNCTION endings_of_changed_aliases() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM tag_endings AS target
        USING old_rows
        WHERE target.tag_id = old_rows.tag_id
          AND target.alias = old_rows.name;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO tag_endings (ending, tag_id, alias)
        SELECT ending, new_rows.tag_id, new_rows.name
        FROM new_rows
        CROSS JOIN LATERAL pinakes_endings(new_rows.name) AS ending
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION endings_truncated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM tag_endings WHERE TG_TABLE_NAME = 'tags' OR alias <> '';
    RETURN NULL;
END $$;

CREATE TRIGGER endings_added AFTER INSERT ON tags
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION endings_of_added_tags();
CREATE TRIGGER endings_changed AFTER UPDATE ON tags
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION endings_of_changed_tags();
CREATE TRIGGER endings_added AFTER INSERT ON tag_aliases
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION endings_of_changed_aliases();
CREATE TRIGGER endings_removed AFTER DELETE ON tag_aliases
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION endings_of_changed_aliases();
CREATE TRIGGER endings_changed AFTER UPDATE ON tag_aliases
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION endings_of_changed_aliases();
CREATE TRIGGER endings_truncated AFTER TRUNCATE ON tag_aliases
    FOR EACH STATEMENT EXECUTE FUNCTION endings_truncated();

-- One mark a statement: what a name means may have changed. The applier takes it into the next epoch,
-- and everything understood by names is understood anew.
CREATE FUNCTION dirty_vocabulary() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO dirty_marks (kind, id) VALUES ('vocabulary', 0);
    RETURN NULL;
END $$;

CREATE TRIGGER dirty_vocabulary AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON tag_aliases
    FOR EACH STATEMENT EXECUTE FUNCTION dirty_vocabulary();
CREATE TRIGGER dirty_vocabulary AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON tag_parents
    FOR EACH STATEMENT EXECUTE FUNCTION dirty_vocabulary();

-- Changes of the hierarchy happen one after the other, so that two of them cannot close a circle that
-- neither sees. The number is arbitrary and means "the hierarchy of tags".
CREATE FUNCTION hierarchy_in_turn() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7046029254386353131);
    RETURN NULL;
END $$;

-- Whether a circle is there is asked of every tag above the new ones once; its path, which could be
-- found in very many ways, only where there is one, and the walk ends with the first.
CREATE FUNCTION hierarchy_has_no_circle() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    first integer;
    circle text;
BEGIN
    WITH RECURSIVE above (start_id, at_id) AS (
        SELECT new_rows.parent_id, step.parent_id
        FROM new_rows
        JOIN tag_parents AS step ON step.child_id = new_rows.parent_id
        UNION
        SELECT above.start_id, step.parent_id
        FROM above
        JOIN tag_parents AS step ON step.child_id = above.at_id
    )
    SELECT start_id INTO first FROM above WHERE at_id = start_id LIMIT 1;
    IF first IS NULL THEN
        RETURN NULL;
    END IF;
    WITH RECURSIVE walk (at_id, path) AS (
        SELECT first, ARRAY[first]
        UNION ALL
        SELECT step.parent_id, walk.path || step.parent_id
        FROM walk
        JOIN tag_parents AS step ON step.child_id = walk.at_id
        WHERE step.parent_id = first OR step.parent_id <> ALL (walk.path)
    )
    SELECT string_agg(tags.name, ' → ' ORDER BY step.place)
    INTO circle
    FROM (SELECT path FROM walk WHERE at_id = first AND cardinality(path) > 1 LIMIT 1) AS found
    CROSS JOIN LATERAL unnest(found.path) WITH ORDINALITY AS step (id, place)
    JOIN tags ON tags.id = step.id;
    RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'tag_parents_no_circle', MESSAGE = circle;
END $$;

CREATE TRIGGER hierarchy_in_turn BEFORE INSERT OR UPDATE ON tag_parents
    FOR EACH STATEMENT EXECUTE FUNCTION hierarchy_in_turn();
CREATE TRIGGER hierarchy_added AFTER INSERT ON tag_parents
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION hierarchy_has_no_circle();
CREATE TRIGGER hierarchy_changed AFTER UPDATE ON tag_parents
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION hierarchy_has_no_circle();

-- Tags that were there before.
INSERT INTO tag_endings (ending, tag_id, alias)
SELECT ending, tags.id, ''
FROM tags
CROSS JOIN LATERAL pinakes_endings(tags.name) AS ending;
