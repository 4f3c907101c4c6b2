-- Takes back 0001: everything Pinakes keeps is gone afterwards.

DROP TABLE content_tags;
DROP TABLE {tables};
DROP TABLE load_state;
DROP TABLE import_progress;
DROP TABLE tag_count_deltas;
DROP TABLE tag_counts;
DROP TABLE sources;
DROP TABLE tags;
DROP TABLE users;
DROP FUNCTION pinakes_lexemes(text, text);
DROP FUNCTION pinakes_words(text);
DROP FUNCTION pinakes_cut(text);
DROP FUNCTION fold_tag_counts();
DROP FUNCTION cascade_removed_content();
DROP FUNCTION count_truncated_tags();
DROP FUNCTION count_changed_tags();
DROP FUNCTION count_removed_tags();
DROP FUNCTION count_added_tags();
