-- A bulk load's taggings belong to items it has just made in the same transaction: the items are dirty
-- already, and it knows how many of each tag it adds. So while it says `pinakes.loading`, for its
-- transaction only, these two triggers are still: 5 µs an item of a dozen tags. Every other writer, at the
-- same time too, fires them as ever. Executed once for each source.

CREATE OR REPLACE TRIGGER count_added AFTER INSERT ON content_tags_{name}
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
    WHEN (current_setting('pinakes.loading', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION count_added_tags();
CREATE OR REPLACE TRIGGER dirty_added AFTER INSERT ON content_tags_{name}
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
    WHEN (current_setting('pinakes.loading', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION dirty_added_taggings();
