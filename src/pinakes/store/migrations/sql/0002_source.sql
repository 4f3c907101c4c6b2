-- The triggers of one source's tables. Executed once for each source; the names in braces come from
-- the closed list pinakes.query.sources.

CREATE TRIGGER dirty_added AFTER INSERT ON {table}
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION dirty_added_items('{code}');
CREATE TRIGGER dirty_removed AFTER DELETE ON {table}
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION dirty_removed_items('{code}');
CREATE TRIGGER dirty_changed AFTER UPDATE ON {table}
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dirty_changed_items('{code}');
CREATE TRIGGER dirty_truncated AFTER TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION dirty_truncated('{code}');

CREATE TRIGGER dirty_added AFTER INSERT ON content_tags_{name}
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION dirty_added_taggings();
CREATE TRIGGER dirty_removed AFTER DELETE ON content_tags_{name}
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION dirty_removed_taggings();
CREATE TRIGGER dirty_changed AFTER UPDATE ON content_tags_{name}
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dirty_changed_taggings();
CREATE TRIGGER dirty_truncated AFTER TRUNCATE ON content_tags_{name}
    FOR EACH STATEMENT EXECUTE FUNCTION dirty_truncated('{code}');
