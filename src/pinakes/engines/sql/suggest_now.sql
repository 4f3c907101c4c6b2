-- What a suggestion out of memory asks.

-- name: now
-- purpose: the state of this moment; what the epochs after $1 did to the index, a row each; and whether any name
--          changed that the snapshot $3 did not see. All of one statement, so of one snapshot. No more than $2 epochs
-- index: one row of epoch and of the generations; change_log and term_delta, primary keys; tag_name_changes_xid, by
--        ORDER BY: nearly always nothing is found, while a kept plan expects a third of the rows and would read them
SELECT
    epoch.epoch,
    epoch.incarnation::text AS incarnation,
    {at} AS at,
    now() AS now,
    epoch.relation = (SELECT to_regclass('unified_content_with_tags')) AS intact,
    generations.generation,
    generations.folded_epoch,
    generations.kept_epoch,
    generations.docs,
    (
        SELECT true
        FROM tag_name_changes
        WHERE xid >= pg_snapshot_xmin($3::text::pg_snapshot)
          AND NOT pg_visible_in_snapshot(xid, $3::text::pg_snapshot)
        ORDER BY xid
        LIMIT 1
    ) AS renamed,
    told.*
FROM epoch
JOIN index_generation AS generations
    ON generations.status = 'live'
   AND generations.incarnation = epoch.incarnation
JOIN index_follower AS followers
    ON followers.generation = generations.generation
   AND followers.epoch = epoch.epoch
LEFT JOIN LATERAL (
    SELECT
        log.epoch AS told,
        ARRAY(
            SELECT touched.term
            FROM unnest(log.terms) AS touched (term)
            WHERE touched.term LIKE 'tag:%'
               OR touched.term LIKE 'creator:%'
               OR touched.term LIKE 'owner:%'
               OR touched.term IN ('names', 'vocabulary', '*')
        ) AS touched,
        delta.terms,
        delta.added,
        delta.removed
    FROM change_log AS log
    LEFT JOIN term_delta AS delta
        ON delta.generation = generations.generation
       AND delta.epoch = log.epoch
    WHERE log.epoch > $1
    ORDER BY log.epoch
    LIMIT $2
) AS told ON true
WHERE epoch.policy = 'incremental'
ORDER BY told.told

-- name: tags_of
-- purpose: the tags of these documents, as array_send sends them one after the other, how many each has, and the
--          epoch they are the state of
-- index: unified_content_with_tags, doc; one row of epoch
SELECT
    epoch.epoch,
    epoch.incarnation::text AS incarnation,
    epoch.relation = (SELECT to_regclass('unified_content_with_tags')) AS intact,
    hits.counts,
    hits.tags
FROM epoch
CROSS JOIN (
    SELECT
        string_agg(int4send(cardinality(stored.tags)), ''::bytea) AS counts,
        string_agg(array_send(stored.tags), ''::bytea) AS tags
    FROM unified_content_with_tags AS stored
    WHERE stored.doc = ANY ($1::integer[])
) AS hits
