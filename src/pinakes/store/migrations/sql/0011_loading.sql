-- Words are cut sooner, and new tags made in half the time. Executed once by migration 0011.

-- As in 0001, and every text is cut into the same words, so the indexes on them stay as they are. But a text
-- beyond ASCII is first asked whether it has any capital to fold: nearly all have none, and asking for each block
-- took 23 µs, a third of what all texts of a collection took. Bytes are known where characters must be counted.
CREATE OR REPLACE FUNCTION pinakes_cut(body text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS $$
DECLARE
    cut text := {separated};
BEGIN
    IF octet_length(body) <> char_length(body) AND cut ~ '[{capitals}]' THEN
{fold}
    END IF;
    IF cut ~ '[^ {word_class}]' THEN
        cut := regexp_replace(cut, '[^ {word_class}]+', ' ', 'g');
    END IF;
    IF octet_length(cut) > 255 AND char_length(cut) > 255 AND cut ~ '[^ ]{255}[^ ]' THEN
        cut := regexp_replace(cut, '([^ ]{255})(?=[^ ])', '\1 ', 'g');
    END IF;
    RETURN cut;
END $$;

-- The foreign key of tag_endings was checked for every ending, 4 µs each, for rows that triggers write in the
-- transaction that makes or changes their tag, or has the tag's row locked through its alias. So what the key
-- did when a tag went is a trigger's as well, like all else about endings.
ALTER TABLE tag_endings DROP CONSTRAINT tag_endings_tag_id_fkey;

CREATE FUNCTION endings_of_removed_tags() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM tag_endings WHERE tag_id IN (SELECT id FROM old_rows);
    RETURN NULL;
END $$;

CREATE TRIGGER endings_removed AFTER DELETE ON tags
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION endings_of_removed_tags();
CREATE TRIGGER endings_truncated AFTER TRUNCATE ON tags
    FOR EACH STATEMENT EXECUTE FUNCTION endings_truncated();

-- As in 0010, and the words of a name are cut once. OFFSET 0 keeps PostgreSQL from writing the cutting out wherever
-- the words are used, which did it anew for every ending and for the check of each: 4.5 µs a tag, not 20.
CREATE OR REPLACE FUNCTION pinakes_endings(name text) RETURNS SETOF text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT left(array_to_string(cut.words[place:], ' '), 255)
    FROM (SELECT string_to_array(btrim(pinakes_words(name)), ' ') AS words OFFSET 0) AS cut
    CROSS JOIN generate_series(1, least(cardinality(cut.words), 8)) AS place
    WHERE cut.words[place] <> '';
$$;

-- No two endings of one name are equal, for they differ in their number of words and a name has no more
-- characters than an ending: nothing to be looked for before each is stored.
CREATE OR REPLACE FUNCTION endings_of_added_tags() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tag_endings (ending, tag_id, alias)
    SELECT ending, new_rows.id, ''
    FROM new_rows
    CROSS JOIN LATERAL pinakes_endings(new_rows.name) AS ending;
    RETURN NULL;
END $$;
