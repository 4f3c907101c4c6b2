-- The indexes of the read model, in the order they are built. Every sort field has one covering
-- order, read backwards for the other direction; what it includes lets the unfiltered feeds find
-- their page without touching a row.

-- name: key
-- purpose: names an item; REFRESH … CONCURRENTLY and the applier need it
-- index: itself
CREATE UNIQUE INDEX unified_{build}_key ON unified_content_with_tags_next (source_type, id)

-- name: created_at
-- purpose: the default order
-- index: itself
CREATE INDEX unified_{build}_created_at ON unified_content_with_tags_next (created_at, id, source_type)
INCLUDE (creator_id, is_private, content_type)

-- name: updated_at
-- purpose: order by last change
-- index: itself
CREATE INDEX unified_{build}_updated_at ON unified_content_with_tags_next (updated_at, id, source_type)
INCLUDE (creator_id, is_private, content_type)

-- name: quality_score
-- purpose: order by score
-- index: itself
CREATE INDEX unified_{build}_quality_score ON unified_content_with_tags_next (quality_score, id, source_type)
INCLUDE (creator_id, is_private, content_type)

-- name: title
-- purpose: order by title
-- index: itself
CREATE INDEX unified_{build}_title ON unified_content_with_tags_next (title, id, source_type)
INCLUDE (creator_id, is_private, content_type)

-- name: creator
-- purpose: one creator's items, newest first
-- index: itself
CREATE INDEX unified_{build}_creator
ON unified_content_with_tags_next (creator_id, created_at DESC, id DESC, source_type DESC)

-- name: tags
-- purpose: items by tags, any or all
-- index: itself
CREATE INDEX unified_{build}_tags ON unified_content_with_tags_next USING gin (tags)

-- name: words
-- purpose: items by words of title and prompt
-- index: itself
CREATE INDEX unified_{build}_words ON unified_content_with_tags_next USING gin (pinakes_lexemes(title, prompt))

-- name: doc
-- purpose: items by document number; plain table only
-- index: itself
CREATE UNIQUE INDEX unified_{build}_doc ON unified_content_with_tags_next (doc)
