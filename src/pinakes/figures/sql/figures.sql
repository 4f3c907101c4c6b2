-- What a running installation measures about itself.

-- name: limit
-- purpose: storing figures never holds anybody up for long
-- index: none
SET LOCAL statement_timeout = 2000

-- name: put
-- purpose: the histogram of one series in one minute of one process, in place of what was there
-- index: figures, primary key
INSERT INTO figures (at, process, series, seconds, slowest, cells, counts)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (at, process, series) DO UPDATE
SET seconds = excluded.seconds,
    slowest = excluded.slowest,
    cells = excluded.cells,
    counts = excluded.counts

-- name: put_slow
-- purpose: one of the slowest queries of a minute of one process, in place of what was there
-- index: figures_slow, primary key
INSERT INTO figures_slow (at, process, place, query, engine, seconds, times)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (at, process, place) DO UPDATE
SET query = excluded.query,
    engine = excluded.engine,
    seconds = excluded.seconds,
    times = excluded.times

-- name: sample
-- purpose: the sizes of things, once a minute whoever comes first
-- index: figures_sizes, primary key; else the catalogue and the first row of the queue
INSERT INTO figures_sizes (at, items, taggings, base_bytes, view_bytes, index_bytes, changes, epoch, staleness_s)
SELECT
    date_trunc('minute', now()),
    (SELECT coalesce(sum(greatest(class.reltuples, 0)), 0)::bigint
     FROM sources
     JOIN pg_class AS class ON class.oid = to_regclass(sources.table_name)),
    (SELECT coalesce(sum(greatest(class.reltuples, 0)), 0)::bigint
     FROM pg_inherits
     JOIN pg_class AS class ON class.oid = pg_inherits.inhrelid
     WHERE pg_inherits.inhparent = 'content_tags'::regclass),
    (SELECT coalesce(sum(pg_total_relation_size(leaf.oid)), 0)::bigint
     FROM pg_class AS leaf
     WHERE leaf.oid IN (SELECT to_regclass(table_name) FROM sources)
        OR leaf.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'content_tags'::regclass)),
    coalesce(pg_total_relation_size(to_regclass('unified_content_with_tags')), 0),
    pg_total_relation_size('term_segment') + pg_total_relation_size('term_delta'),
    (SELECT coalesce(sum(stat.n_tup_ins + stat.n_tup_upd + stat.n_tup_del), 0)::bigint
     FROM sources
     JOIN pg_stat_user_tables AS stat ON stat.relid = to_regclass(sources.table_name)),
    epoch.epoch,
    CASE
        WHEN epoch.policy IS NULL THEN NULL
        WHEN EXISTS (SELECT FROM dirty) OR EXISTS (SELECT FROM dirty_marks)
            THEN greatest(extract(epoch FROM clock_timestamp() - epoch.at), 0)
        ELSE 0
    END
FROM epoch
WHERE NOT EXISTS (SELECT FROM figures_sizes WHERE at = date_trunc('minute', now()))
ON CONFLICT (at) DO NOTHING

-- name: prune
-- purpose: drop minutes older than $1 hours
-- index: figures, primary key
DELETE FROM figures
WHERE at < now() - make_interval(hours => $1)

-- name: prune_slow
-- purpose: drop slow queries older than $1 hours
-- index: figures_slow, primary key
DELETE FROM figures_slow
WHERE at < now() - make_interval(hours => $1)

-- name: prune_samples
-- purpose: drop sizes older than 30 times $1 hours: they are small, and growth shows over weeks
-- index: figures_sizes, primary key
DELETE FROM figures_sizes
WHERE at < now() - make_interval(hours => 30 * $1)

-- name: cells
-- purpose: how many fell into each cell, by series and step of $3 from $1 on
-- index: figures, primary key
SELECT
    date_bin($3, figures.at, $1) AS step,
    figures.series,
    cell.cell,
    sum(cell.number)::bigint AS number
FROM figures
CROSS JOIN LATERAL unnest(figures.cells, figures.counts) AS cell (cell, number)
WHERE figures.at >= $1
  AND figures.at < $2
GROUP BY 1, 2, 3

-- name: sums
-- purpose: time spent, and the longest, by series and step of $3 from $1 on
-- index: figures, primary key
SELECT
    date_bin($3, figures.at, $1) AS step,
    figures.series,
    sum(figures.seconds) AS seconds,
    max(figures.slowest) AS slowest
FROM figures
WHERE figures.at >= $1
  AND figures.at < $2
GROUP BY 1, 2
ORDER BY 1, 2

-- name: slowest
-- purpose: the $3 slowest queries from $1 to $2, one line a text
-- index: figures_slow, primary key
SELECT
    slow.query,
    (array_agg(slow.engine ORDER BY slow.seconds DESC))[1] AS engine,
    max(slow.seconds) AS seconds,
    sum(slow.times)::bigint AS times,
    max(slow.at) AS last
FROM figures_slow AS slow
WHERE slow.at >= $1
  AND slow.at < $2
GROUP BY slow.query
ORDER BY max(slow.seconds) DESC, slow.query
LIMIT $3

-- name: sizes
-- purpose: sizes at the end of each step of $3 from $1 to $2, and the worst staleness in it
-- index: figures_sizes, primary key
SELECT DISTINCT ON (1)
    date_bin($3, sizes.at, $1) AS step,
    sizes.at,
    sizes.items,
    sizes.taggings,
    sizes.base_bytes,
    sizes.view_bytes,
    sizes.index_bytes,
    sizes.changes,
    sizes.epoch,
    max(sizes.staleness_s) OVER (PARTITION BY date_bin($3, sizes.at, $1)) AS staleness_s
FROM figures_sizes AS sizes
WHERE sizes.at >= $1
  AND sizes.at < $2
ORDER BY 1, sizes.at DESC
