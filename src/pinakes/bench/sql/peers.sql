-- What peers outside PostgreSQL are loaded with. All of it comes from the read model, in one snapshot.

-- name: state
-- purpose: which state of the read model it is, so that a peer loaded before is known to fit
-- index: one row
SELECT incarnation::text || ' ' || epoch::text
FROM epoch

-- name: ranked_rows
-- purpose: every item with its place in each order, missing scores last both ways
-- index: none; sorts the read model six times
SELECT
    stored.source_type,
    stored.id,
    stored.creator_id,
    stored.is_private,
    stored.tags,
    pinakes_words(stored.title || ' ' || coalesce(stored.prompt, '')) AS words,
    row_number() OVER (ORDER BY stored.created_at, stored.id, stored.source_type) AS created_at,
    row_number() OVER (ORDER BY stored.updated_at, stored.id, stored.source_type) AS updated_at,
    row_number() OVER (ORDER BY stored.title, stored.id, stored.source_type) AS title,
    row_number() OVER (
        ORDER BY stored.quality_score NULLS LAST, stored.id, stored.source_type
    ) AS quality_score_asc,
    row_number() OVER (
        ORDER BY stored.quality_score DESC NULLS LAST, stored.id DESC, stored.source_type DESC
    ) AS quality_score_desc
FROM unified_content_with_tags AS stored

-- name: items
-- purpose: every item with what is filtered and sorted by
-- index: none; one scan
SELECT
    row_number() OVER () AS doc,
    stored.source_type,
    stored.id,
    stored.creator_id,
    stored.is_private,
    stored.content_type,
    stored.quality_score,
    extract(epoch FROM stored.created_at)::numeric * 1000000 AS created_at,
    extract(epoch FROM stored.updated_at)::numeric * 1000000 AS updated_at,
    stored.title,
    stored.tags,
    pinakes_words(stored.title || ' ' || coalesce(stored.prompt, '')) AS words
FROM unified_content_with_tags AS stored
