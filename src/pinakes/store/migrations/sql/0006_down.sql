-- Takes back 0006.

DROP TRIGGER name_changed_added ON tag_endings;
DROP TRIGGER name_changed_removed ON tag_endings;
DROP FUNCTION tag_name_changed();
DROP TABLE tag_name_changes;
