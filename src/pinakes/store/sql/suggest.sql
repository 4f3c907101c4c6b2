-- Candidates for suggestions. `bound` is a maintained count over all items, private ones included: an
-- upper bound for what anybody can see, never shown.

-- name: begun
-- purpose: tags with a name or alias that begins, from some word on, with $1; $2 is beyond all of these
-- index: primary key of tag_endings; counts of those found by their primary key
-- bound: the names with this beginning; one letter has some ten thousand among 140,000 tags
WITH found AS MATERIALIZED (
    SELECT DISTINCT ON (tag_id) tag_id, alias
    FROM tag_endings
    WHERE ending >= $1::text
      AND ending < $2::text
    ORDER BY tag_id, alias
), counted AS (
    SELECT found.tag_id, found.alias, coalesce(sum(counts.items), 0)::bigint AS bound
    FROM found
    LEFT JOIN LATERAL (
        SELECT item_count AS items FROM tag_counts WHERE tag_id = found.tag_id
        UNION ALL
        SELECT delta FROM tag_count_deltas WHERE tag_id = found.tag_id
    ) AS counts ON true
    GROUP BY found.tag_id, found.alias
)
SELECT tags.id, tags.name, tags.category, counted.alias, counted.bound
FROM counted
JOIN tags ON tags.id = counted.tag_id
WHERE counted.bound > 0
ORDER BY counted.bound DESC, tags.id

-- name: begun_among_most
-- purpose: the same among the tags of the $3 greatest counts of a source and those whose counts have just changed.
--          No other tag is on more items than `rest`
-- index: tag_counts_most, tag_endings_tag
-- bound: $3 lookups and the counts not folded yet
WITH most AS MATERIALIZED (
    SELECT tag_id, item_count
    FROM tag_counts
    ORDER BY item_count DESC
    LIMIT $3::integer
), likely AS (
    SELECT tag_id FROM most
    UNION
    SELECT tag_id FROM tag_count_deltas
), found AS MATERIALIZED (
    SELECT DISTINCT ON (likely.tag_id) likely.tag_id, own.alias
    FROM likely
    JOIN tag_endings AS own ON own.tag_id = likely.tag_id
    WHERE own.ending >= $1::text
      AND own.ending < $2::text
    ORDER BY likely.tag_id, own.alias
), counted AS (
    SELECT found.tag_id, found.alias, coalesce(sum(counts.items), 0)::bigint AS bound
    FROM found
    LEFT JOIN LATERAL (
        SELECT item_count AS items FROM tag_counts WHERE tag_id = found.tag_id
        UNION ALL
        SELECT delta FROM tag_count_deltas WHERE tag_id = found.tag_id
    ) AS counts ON true
    GROUP BY found.tag_id, found.alias
)
SELECT
    tags.id,
    tags.name,
    tags.category,
    counted.alias,
    counted.bound,
    coalesce((SELECT min(item_count) FROM most), 0) * (SELECT count(*) FROM sources) AS rest
FROM counted
JOIN tags ON tags.id = counted.tag_id
WHERE counted.bound > 0
ORDER BY counted.bound DESC, tags.id

-- name: nearly_begun
-- purpose: the same for many beginnings, each from $1 until before its partner in $2; without the tags in $3
-- index: primary key of tag_endings
-- bound: 40 names a beginning; some 1,500 beginnings, of which nearly all have none
WITH found AS MATERIALIZED (
    SELECT DISTINCT ON (near.tag_id) near.tag_id, near.alias
    FROM unnest($1::text[], $2::text[]) AS asked (low, high)
    CROSS JOIN LATERAL (
        SELECT tag_id, alias
        FROM tag_endings
        WHERE ending >= asked.low COLLATE "C"
          AND ending < asked.high COLLATE "C"
        LIMIT 40
    ) AS near
    WHERE near.tag_id <> ALL ($3::integer[])
    ORDER BY near.tag_id, near.alias
), counted AS (
    SELECT found.tag_id, found.alias, coalesce(sum(counts.items), 0)::bigint AS bound
    FROM found
    LEFT JOIN LATERAL (
        SELECT item_count AS items FROM tag_counts WHERE tag_id = found.tag_id
        UNION ALL
        SELECT delta FROM tag_count_deltas WHERE tag_id = found.tag_id
    ) AS counts ON true
    GROUP BY found.tag_id, found.alias
)
SELECT tags.id, tags.name, tags.category, counted.alias, counted.bound
FROM counted
JOIN tags ON tags.id = counted.tag_id
WHERE counted.bound > 0
ORDER BY counted.bound DESC, tags.id
