-- Making a gallery ready to be measured.

-- name: count
-- purpose: how many items one source has
-- index: primary key, one scan
SELECT count(*)
FROM {table}

-- name: keys
-- purpose: the key of every item
-- index: unified_content_with_tags, unique (source_type, id)
SELECT source_type, id
FROM unified_content_with_tags
ORDER BY source_type, id

-- name: fold_counts
-- purpose: what a worker does now and then: the deltas of tag counts become counts
-- index: tag_counts_pkey
SELECT fold_tag_counts()

-- name: vacuum
-- purpose: what autovacuum would do soon: statistics and visibility of everything
-- index: none
VACUUM (ANALYZE)

-- name: vacuum_read_model
-- purpose: visibility of the read model, so that counts may use indexes alone
-- index: none
VACUUM (ANALYZE) unified_content_with_tags

-- name: no_idle_limit
-- purpose: this session may wait while the index is built
-- index: none
SET idle_session_timeout = 0
