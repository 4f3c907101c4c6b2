-- Takes back 0002: the read model and everything that keeps it. No content is lost.

DO $$
BEGIN
    IF (SELECT relkind FROM pg_class WHERE oid = to_regclass('unified_content_with_tags')) = 'm' THEN
        DROP MATERIALIZED VIEW unified_content_with_tags;
    END IF;
END $$;

DROP TABLE IF EXISTS unified_content_with_tags;
-- With CASCADE: each function's triggers, on the tables of every source.
DROP FUNCTION dirty_added_items() CASCADE;
DROP FUNCTION dirty_removed_items() CASCADE;
DROP FUNCTION dirty_changed_items() CASCADE;
DROP FUNCTION dirty_added_taggings() CASCADE;
DROP FUNCTION dirty_removed_taggings() CASCADE;
DROP FUNCTION dirty_changed_taggings() CASCADE;
DROP FUNCTION dirty_truncated() CASCADE;
DROP FUNCTION dirty_changed_users() CASCADE;
DROP FUNCTION dirty_removed_users() CASCADE;
DROP FUNCTION dirty_added_tags() CASCADE;
DROP FUNCTION dirty_removed_tags() CASCADE;
DROP FUNCTION dirty_changed_tags() CASCADE;
DROP FUNCTION dirty_truncated_tags() CASCADE;
DROP TABLE view_refresh;
DROP TABLE change_log;
DROP TABLE epoch;
DROP TABLE dirty_marks;
DROP TABLE dirty;
