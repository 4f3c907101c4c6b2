-- Takes back 0007 for one source: the triggers fire for everybody again.

CREATE OR REPLACE TRIGGER count_added AFTER INSERT ON content_tags_{name}
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION count_added_tags();
CREATE OR REPLACE TRIGGER dirty_added AFTER INSERT ON content_tags_{name}
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION dirty_added_taggings();
