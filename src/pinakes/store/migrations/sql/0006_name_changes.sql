-- Which tags' names changed lately, for processes that hold all names in memory. Executed once by
-- migration 0006.

-- Appended by every statement that adds or removes an ending of a name. A process that knows the state of
-- one snapshot finds what was committed since by the transactions that snapshot did not see, however late
-- they commit; a sequence would lose those. No key, so writers never wait for each other. Swept after a day.
CREATE TABLE tag_name_changes (
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    at timestamptz NOT NULL DEFAULT now(),
    tag_id integer NOT NULL
);
CREATE INDEX tag_name_changes_xid ON tag_name_changes (xid);

CREATE FUNCTION tag_name_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tag_name_changes (tag_id)
    SELECT DISTINCT tag_id FROM changed;
    RETURN NULL;
END $$;

CREATE TRIGGER name_changed_added AFTER INSERT ON tag_endings
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION tag_name_changed();
CREATE TRIGGER name_changed_removed AFTER DELETE ON tag_endings
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION tag_name_changed();
