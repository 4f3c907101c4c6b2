-- Undoes migration 0012. Names that were made one stay one.

DROP INDEX users_key;
ALTER TABLE tag_aliases DROP COLUMN key;
ALTER TABLE tags DROP COLUMN key;
DROP TABLE name_merges;

CREATE OR REPLACE FUNCTION pinakes_endings(name text) RETURNS SETOF text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT left(array_to_string(cut.words[place:], ' '), 255)
    FROM (SELECT string_to_array(btrim(pinakes_words(name)), ' ') AS words) AS cut
    CROSS JOIN generate_series(1, least(cardinality(cut.words), 8)) AS place
    WHERE cut.words[place] <> '';
$$;

TRUNCATE tag_endings;
INSERT INTO tag_endings (ending, tag_id, alias)
SELECT ending, tags.id, ''
FROM tags
CROSS JOIN LATERAL pinakes_endings(tags.name) AS ending
UNION
SELECT ending, alias.tag_id, alias.name
FROM tag_aliases AS alias
CROSS JOIN LATERAL pinakes_endings(alias.name) AS ending;

DROP FUNCTION pinakes_name_key(text);
