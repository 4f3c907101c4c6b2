-- Undoes what migration 0011 did to one source.

ALTER TABLE {table}
    DROP CONSTRAINT {table}_content_type_check,
    ADD CONSTRAINT {table}_content_type_check CHECK (content_type ~ '^[a-z0-9][a-z0-9_.+/-]{{0,63}}$');
