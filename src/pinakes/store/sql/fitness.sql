-- Whether the role of this session can do with the tables what it is meant to.

-- name: look
-- purpose: settings that make answers wrong, where the tables are, and what this role may not do with them
-- index: none; the catalogue
WITH home AS (
    SELECT relnamespace AS id
    FROM pg_class
    WHERE oid = to_regclass('alembic_version')
), ours AS (
    SELECT
        classes.relname AS name,
        classes.oid,
        classes.relowner AS owner,
        classes.relkind IN ('r', 'p')
            AND classes.relname <> 'alembic_version'
            AND classes.relname NOT LIKE 'unified\_content\_with\_tags%' AS written
    FROM pg_class AS classes
    JOIN home ON home.id = classes.relnamespace
    WHERE classes.relkind IN ('r', 'p', 'm')
)
SELECT
    current_user AS role,
    current_setting('session_replication_role') AS replication_role,
    current_setting('gin_fuzzy_search_limit') AS gin_limit,
    current_setting('default_transaction_read_only') AS read_only,
    pg_is_in_recovery() AS standby,
    current_schema()::text AS here,
    (SELECT nspname::text FROM pg_namespace WHERE oid = (SELECT id FROM home)) AS home,
    (
        SELECT min(spaces.nspname::text)
        FROM pg_class AS classes
        JOIN pg_namespace AS spaces ON spaces.oid = classes.relnamespace
        WHERE classes.relname = 'content_tags'
          AND classes.relkind = 'p'
    ) AS elsewhere,
    coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS may_create,
    (SELECT array_agg(name::text ORDER BY name) FROM ours WHERE NOT has_table_privilege(oid, 'SELECT')) AS unreadable,
    (
        SELECT array_agg(name::text ORDER BY name)
        FROM ours
        WHERE written
          AND NOT (
              has_table_privilege(oid, 'INSERT')
              AND has_table_privilege(oid, 'UPDATE')
              AND has_table_privilege(oid, 'DELETE')
          )
    ) AS unwritable,
    (SELECT array_agg(name::text ORDER BY name) FROM ours WHERE NOT pg_has_role(owner, 'USAGE')) AS foreign,
    (
        SELECT array_agg(functions.proname::text ORDER BY functions.proname)
        FROM pg_proc AS functions
        JOIN home ON home.id = functions.pronamespace
        WHERE NOT has_function_privilege(functions.oid, 'EXECUTE')
          AND functions.prorettype <> 'trigger'::regtype
    ) AS uncallable
