-- Undoes what migration 0011 did to one source.

ALTER TABLE {table}
    DROP CONSTRAINT {table}_content_type_check,
    ADD CONSTRAINT {table}_content_type_check CHECK (content_type ~ '^[a-z0-9][a-z0-9_.+/-]{{0,63}}$');

ALTER INDEX {table}_created_at RESET (deduplicate_items);
ALTER INDEX {table}_updated_at RESET (deduplicate_items);
ALTER INDEX {table}_quality_score RESET (deduplicate_items);
ALTER INDEX {table}_title RESET (deduplicate_items);
ALTER INDEX {table}_creator RESET (deduplicate_items);
ALTER INDEX content_tags_{name}_tag RESET (deduplicate_items);
