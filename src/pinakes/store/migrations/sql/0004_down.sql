-- Takes back 0004: aliases and the hierarchy are lost, tags and taggings stay.

DROP TRIGGER endings_added ON tags;
DROP TRIGGER endings_changed ON tags;
DROP INDEX users_words;
DROP INDEX tag_counts_most;
DROP TABLE tag_endings;
DROP TABLE tag_parents;
DROP TABLE tag_aliases;
DROP FUNCTION hierarchy_has_no_circle();
DROP FUNCTION hierarchy_in_turn();
DROP FUNCTION dirty_vocabulary();
DROP FUNCTION endings_truncated();
DROP FUNCTION endings_of_changed_aliases();
DROP FUNCTION endings_of_changed_tags();
DROP FUNCTION endings_of_added_tags();
DROP FUNCTION pinakes_endings(text);
