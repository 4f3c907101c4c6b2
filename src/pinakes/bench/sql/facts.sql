-- What the drawing of questions needs to know of a gallery. All of it is in a fixed order, so that one
-- seed draws the same questions from equal galleries.

-- name: ranked_tags
-- purpose: every tag that some item carries, by falling frequency
-- index: none; reads all counts
SELECT tag_id, sum(items)::bigint AS items
FROM (
    SELECT tag_id, item_count AS items FROM tag_counts
    UNION ALL
    SELECT tag_id, delta FROM tag_count_deltas
) AS counted
GROUP BY tag_id
HAVING sum(items) > 0
ORDER BY items DESC, tag_id

-- name: some_items
-- purpose: $2 items of source $1, evenly over its ids: their tags, creator, privacy and words
-- index: unified_content_with_tags, unique (source_type, id)
SELECT stored.tags, stored.creator_id, stored.is_private, stored.title, stored.prompt
FROM (
    SELECT min(id) AS low, max(id) AS high
    FROM unified_content_with_tags
    WHERE source_type = $1
) AS span
CROSS JOIN generate_series(0, $2::bigint - 1) AS n
CROSS JOIN LATERAL (
    SELECT tags, creator_id, is_private, title, prompt
    FROM unified_content_with_tags
    WHERE source_type = $1
      AND id >= span.low + n * (span.high - span.low) / $2
    ORDER BY id
    LIMIT 1
) AS stored
ORDER BY n

-- name: meet
-- purpose: whether some item has both tags
-- index: the read model's GIN on tags
SELECT EXISTS (SELECT FROM unified_content_with_tags WHERE tags @> ARRAY[$1::integer, $2::integer])

-- name: sizes
-- purpose: how large the gallery is, and what it takes on disk
-- index: none; reads the read model once
SELECT
    count(*) AS items,
    coalesce(sum(cardinality(tags)), 0)::bigint AS taggings,
    count(*) FILTER (WHERE is_private) AS private_items,
    count(DISTINCT creator_id) AS creators
FROM unified_content_with_tags

-- name: bytes
-- purpose: bytes on disk of each part
-- index: none
SELECT
    part.name,
    sum(pg_total_relation_size(class.oid))::bigint AS bytes
FROM (
    VALUES
        ('items', 'content_items'), ('items', 'content_items_auto'),
        ('taggings', 'content_tags_regular'), ('taggings', 'content_tags_auto'),
        ('read model', 'unified_content_with_tags'),
        ('bitmap index', 'term_segment'), ('bitmap index', 'term_delta')
) AS part (name, relation)
JOIN pg_class AS class ON class.oid = to_regclass(part.relation)
GROUP BY part.name
ORDER BY part.name

-- name: has_rows
-- purpose: whether the tables of content hold anything: a gallery made for scale may have a read model only
-- index: none; stops at the first row
SELECT EXISTS (SELECT FROM {table})

-- name: server
-- purpose: the server's version and the settings that matter for what is measured
-- index: none
SELECT name, setting || coalesce(unit, '') AS setting
FROM pg_settings
WHERE name IN (
    'server_version', 'shared_buffers', 'work_mem', 'maintenance_work_mem', 'effective_cache_size', 'random_page_cost',
    'jit', 'fsync', 'synchronous_commit', 'full_page_writes', 'max_wal_size', 'wal_compression',
    'max_parallel_workers_per_gather'
)
ORDER BY name
