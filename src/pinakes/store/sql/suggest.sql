-- What a process holds of the names of tags, and how it is brought up to date.

-- name: endings
-- purpose: every ending in order, whose it is, and the snapshot this is true of; as three long values
-- index: primary key of tag_endings, read whole
-- bound: some 350,000 endings for 140,000 tags: 0.3 s
SELECT
    pg_current_snapshot()::text AS snapshot,
    coalesce(string_agg(sorted.ending, E'\n'), '') AS endings,
    coalesce(string_agg(replace(sorted.alias, E'\n', ' '), E'\n'), '') AS aliases,
    array_send(array_agg(sorted.tag_id)) AS tags
FROM (
    SELECT ending, alias, tag_id
    FROM tag_endings
    ORDER BY ending, tag_id, alias
) AS sorted

-- name: begun
-- purpose: the endings from one of $1 until before its partner in $2, of the $3 tags of these on most items; and on
--          how many, private ones included
-- index: primary key of tag_endings; counts of those found by their primary key
-- bound: the names with these beginnings; one letter has some ten thousand among 140,000 tags, 20 ms. Of 1,500
--        beginnings with a typing error nearly all have none, 30 ms
WITH found AS MATERIALIZED (
    SELECT DISTINCT own.ending, own.tag_id, own.alias
    FROM unnest($1::text[], $2::text[]) AS asked (low, high)
    JOIN tag_endings AS own ON own.ending >= asked.low AND own.ending < asked.high
), counted AS (
    SELECT tags.tag_id, coalesce(sum(counts.items), 0)::bigint AS items
    FROM (SELECT DISTINCT tag_id FROM found) AS tags
    LEFT JOIN LATERAL (
        SELECT item_count AS items FROM tag_counts WHERE tag_id = tags.tag_id
        UNION ALL
        SELECT delta FROM tag_count_deltas WHERE tag_id = tags.tag_id
    ) AS counts ON true
    GROUP BY tags.tag_id
    ORDER BY items DESC, tags.tag_id
    LIMIT $3::integer
)
SELECT found.ending, found.tag_id, found.alias, counted.items
FROM counted
JOIN found ON found.tag_id = counted.tag_id
ORDER BY found.ending, found.tag_id, found.alias

-- name: most
-- purpose: the same of the tags with the $1 greatest counts of a source and of those whose counts have just changed
-- index: tag_counts_most, tag_endings_tag
-- bound: $1 lookups and the counts not folded yet. OFFSET 0: without statistics, as after a first import, all endings
--        would be read for each tag, 500 million comparisons among 140,000 tags
WITH likely AS MATERIALIZED (
    (
        SELECT tag_id
        FROM tag_counts
        ORDER BY item_count DESC
        LIMIT $1::integer
    )
    UNION
    SELECT tag_id FROM tag_count_deltas
), counted AS (
    SELECT likely.tag_id, coalesce(sum(counts.items), 0)::bigint AS items
    FROM likely
    LEFT JOIN LATERAL (
        SELECT item_count AS items FROM tag_counts WHERE tag_id = likely.tag_id
        UNION ALL
        SELECT delta FROM tag_count_deltas WHERE tag_id = likely.tag_id
    ) AS counts ON true
    GROUP BY likely.tag_id
    ORDER BY items DESC, likely.tag_id
    LIMIT $1::integer
)
SELECT own.ending, own.tag_id, own.alias, counted.items
FROM counted
CROSS JOIN LATERAL (
    SELECT ending, tag_id, alias
    FROM tag_endings
    WHERE tag_id = counted.tag_id
    OFFSET 0
) AS own
ORDER BY own.ending, own.tag_id, own.alias

-- name: changed
-- purpose: the endings of tags whose names changed in transactions that the snapshot $1 did not see; a lone
--          null for a tag without any. No more than $2 tags
-- index: tag_name_changes_xid; tag_endings_tag
WITH changed AS MATERIALIZED (
    SELECT DISTINCT tag_id
    FROM tag_name_changes
    WHERE xid >= pg_snapshot_xmin($1::text::pg_snapshot)
      AND NOT pg_visible_in_snapshot(xid, $1::text::pg_snapshot)
    LIMIT $2::integer
)
SELECT changed.tag_id, own.ending, own.alias
FROM changed
LEFT JOIN tag_endings AS own ON own.tag_id = changed.tag_id

-- name: snapshot
-- purpose: the snapshot everything here is read in
-- index: none
SELECT pg_current_snapshot()::text

-- name: counts
-- purpose: on how many items each tag is, private ones included; as two long values by tag
-- index: none; reads all counts
-- bound: 140,000 tags: 0.1 s
SELECT
    array_send(array_agg(counted.tag_id)) AS tags,
    array_send(array_agg(counted.items)) AS items
FROM (
    SELECT counts.tag_id, sum(counts.items)::bigint AS items
    FROM (
        SELECT tag_id, item_count AS items FROM tag_counts
        UNION ALL
        SELECT tag_id, delta FROM tag_count_deltas
    ) AS counts
    GROUP BY counts.tag_id
    HAVING sum(counts.items) > 0
    ORDER BY counts.tag_id
) AS counted
