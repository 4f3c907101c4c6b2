-- Building the read model beside the one in use, and putting it in its place. All of it is one
-- REPEATABLE READ transaction, so a crash at any step leaves the old state. `{rows}` is the
-- defining query, `{build}` the number of the build, which keeps index names apart.

-- name: forget_dirty
-- purpose: everything this snapshot sees is in the build, so its dirty rows are done with
-- index: none
DELETE FROM dirty

-- name: forget_marks
-- purpose: as above, for the marks
-- index: none
DELETE FROM dirty_marks

-- name: next_build
-- purpose: a number for this build
-- index: view_refresh, primary key
SELECT nextval(pg_get_serial_sequence('view_refresh', 'id'))

-- name: create_table
-- purpose: the plain table of policy incremental, each row with its document number: by time of creation,
--          so that items made together are neighbours in bitmaps and on the disk
-- index: none; reads and sorts every source once
CREATE TABLE unified_content_with_tags_next WITH (fillfactor = 90) AS
SELECT
    rows.*,
    (row_number() OVER (ORDER BY rows.created_at, rows.id, rows.source_type))::integer - 1 AS doc
FROM ({rows}) AS rows

-- name: create_matview
-- purpose: the materialized view of policies periodic and event
-- index: none; reads every source once
CREATE MATERIALIZED VIEW unified_content_with_tags_next AS
{rows}

-- name: require_doc
-- purpose: a document number is never missing
-- index: none
ALTER TABLE unified_content_with_tags_next ALTER COLUMN doc SET NOT NULL

-- name: count
-- purpose: how many items were built
-- index: none; one scan
SELECT count(*) FROM unified_content_with_tags_next

-- name: analyze
-- purpose: plans from the first moment on
-- index: none
ANALYZE unified_content_with_tags_next

-- name: relkind
-- purpose: what kind of relation readers use now: r, m, or nothing
-- index: none
SELECT relkind::text FROM pg_class WHERE oid = to_regclass('unified_content_with_tags')

-- name: dependents
-- purpose: views made by others on the read model, which keep it from being replaced
-- index: none
SELECT DISTINCT rewrite.ev_class::regclass::text AS name
FROM pg_depend AS depend
JOIN pg_rewrite AS rewrite ON rewrite.oid = depend.objid
WHERE depend.classid = 'pg_rewrite'::regclass
  AND depend.refclassid = 'pg_class'::regclass
  AND depend.refobjid = to_regclass('unified_content_with_tags')
  AND rewrite.ev_class <> to_regclass('unified_content_with_tags')

-- name: grants
-- purpose: statements that give the new relation the privileges of the old one
-- index: none
SELECT
    format(
        'GRANT %s ON unified_content_with_tags_next TO %s%s',
        granted.privilege_type,
        CASE WHEN granted.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(granted.grantee)) END,
        CASE WHEN granted.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
    ) AS statement
FROM pg_class AS class, aclexplode(class.relacl) AS granted
WHERE class.oid = to_regclass('unified_content_with_tags')
  AND granted.grantee <> class.relowner

-- name: drop_table
-- purpose: away with the plain table
-- index: none
DROP TABLE unified_content_with_tags

-- name: drop_matview
-- purpose: away with the materialized view
-- index: none
DROP MATERIALIZED VIEW unified_content_with_tags

-- name: rename_table
-- purpose: the new relation takes the name readers use
-- index: none
ALTER TABLE unified_content_with_tags_next RENAME TO unified_content_with_tags

-- name: rename_matview
-- purpose: the new relation takes the name readers use
-- index: none
ALTER MATERIALIZED VIEW unified_content_with_tags_next RENAME TO unified_content_with_tags

-- name: vacuum
-- purpose: marks all pages visible, so that covering indexes answer alone
-- index: none
VACUUM (ANALYZE, SKIP_LOCKED) unified_content_with_tags

-- name: shrink_queue
-- purpose: gives back the pages of a queue that was long: whoever asks for its first row reads through all
--          of them, 50 MB after an import of a million items. The lock it takes for that is never waited for,
--          and given up within 20 ms when a writer comes
-- index: none
VACUUM (TRUNCATE ON, SKIP_LOCKED) dirty, dirty_marks

-- name: refresh
-- purpose: recomputes the materialized view at this transaction's snapshot; readers go on reading
-- index: unique (source_type, id)
REFRESH MATERIALIZED VIEW CONCURRENTLY unified_content_with_tags

-- name: size
-- purpose: how many items the read model holds, by its statistics
-- index: none
SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = to_regclass('unified_content_with_tags')
