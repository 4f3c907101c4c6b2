-- Undoes migration 0011.

CREATE OR REPLACE FUNCTION pinakes_cut(body text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS $$
DECLARE
    cut text := {separated};
BEGIN
    IF octet_length(body) <> char_length(body) THEN
{fold}
    END IF;
    IF cut ~ '[^ {word_class}]' THEN
        cut := regexp_replace(cut, '[^ {word_class}]+', ' ', 'g');
    END IF;
    IF char_length(cut) > 255 AND cut ~ '[^ ]{255}[^ ]' THEN
        cut := regexp_replace(cut, '([^ ]{255})(?=[^ ])', '\1 ', 'g');
    END IF;
    RETURN cut;
END $$;

CREATE OR REPLACE FUNCTION endings_of_added_tags() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tag_endings (ending, tag_id, alias)
    SELECT ending, new_rows.id, ''
    FROM new_rows
    CROSS JOIN LATERAL pinakes_endings(new_rows.name) AS ending
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

DROP TRIGGER endings_truncated ON tags;
DROP TRIGGER endings_removed ON tags;
DROP FUNCTION endings_of_removed_tags();

ALTER TABLE tag_endings ADD CONSTRAINT tag_endings_tag_id_fkey
    FOREIGN KEY (tag_id) REFERENCES tags (id) ON DELETE CASCADE;
