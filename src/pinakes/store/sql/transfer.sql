-- Import and export. `{table}`, `{tags_table}`, `{code}` and `{name}` are filled for one source of the closed list.

-- name: existing
-- purpose: which items of a batch are there already
-- index: unique external_id of {table}
-- bound: one row an item of the batch
SELECT external_id, id
FROM {table}
WHERE external_id = ANY($1::text[])

-- name: stage
-- purpose: a place for the batch's lines about existing items, in this transaction only; `given` has a bit for each key
-- index: none; always read whole
-- bound: the batch
CREATE TEMP TABLE stage_{table} ON COMMIT DROP AS
SELECT item.*, 0 AS given, NULL::integer[] AS tags
FROM {table} AS item
WITH NO DATA

-- name: plan_from_stage
-- purpose: a stage has no statistics; from it to the items by key is the only sensible way
-- index: none
-- bound: this transaction
SELECT
    set_config('enable_hashjoin', 'off', true),
    set_config('enable_mergejoin', 'off', true)

-- name: differing
-- purpose: staged items that are not as their line says, as far as the line says anything
-- index: primary keys of {table} and {tags_table}
-- bound: the batch; its items' taggings
SELECT stage.id
FROM stage_{table} AS stage
JOIN {table} AS item ON item.id = stage.id
WHERE item.title <> stage.title
    OR stage.given & 1 <> 0 AND item.content_type <> stage.content_type
    OR stage.given & 2 <> 0 AND item.content_data IS DISTINCT FROM stage.content_data
    OR stage.given & 4 <> 0 AND item.path_thumb IS DISTINCT FROM stage.path_thumb
    OR stage.given & 8 <> 0 AND item.path_thumbs_alt_res IS DISTINCT FROM stage.path_thumbs_alt_res
    OR stage.given & 16 <> 0 AND item.prompt IS DISTINCT FROM stage.prompt
    OR stage.given & 32 <> 0 AND item.item_metadata IS DISTINCT FROM stage.item_metadata
    OR stage.given & 64 <> 0 AND item.is_private <> stage.is_private
    OR stage.given & 128 <> 0 AND item.quality_score IS DISTINCT FROM stage.quality_score
    OR stage.given & 256 <> 0 AND item.created_at <> stage.created_at
    OR stage.given & 512 <> 0 AND item.updated_at <> stage.updated_at
    OR stage.given & 1024 <> 0 AND item.creator_id <> stage.creator_id
    OR stage.given & 2048 <> 0 AND stage.tags IS DISTINCT FROM ARRAY(
        SELECT tagging.tag_id
        FROM {tags_table} AS tagging
        WHERE tagging.content_id = stage.id
        ORDER BY tagging.tag_id
    )
ORDER BY stage.id

-- name: lock
-- purpose: holds the items to be changed; those deleted meanwhile do not come back
-- index: primary key of {table}
-- bound: the batch
SELECT id
FROM {table}
WHERE id = ANY($1::bigint[])
ORDER BY id
FOR UPDATE

-- name: change
-- purpose: staged values over the items; a line that gives no updated_at changes it now
-- index: primary key of {table}
-- bound: the batch
UPDATE {table} AS item
SET
    title = stage.title,
    content_type = CASE WHEN stage.given & 1 <> 0 THEN stage.content_type ELSE item.content_type END,
    content_data = CASE WHEN stage.given & 2 <> 0 THEN stage.content_data ELSE item.content_data END,
    path_thumb = CASE WHEN stage.given & 4 <> 0 THEN stage.path_thumb ELSE item.path_thumb END,
    path_thumbs_alt_res = CASE
        WHEN stage.given & 8 <> 0 THEN stage.path_thumbs_alt_res ELSE item.path_thumbs_alt_res
    END,
    prompt = CASE WHEN stage.given & 16 <> 0 THEN stage.prompt ELSE item.prompt END,
    item_metadata = CASE WHEN stage.given & 32 <> 0 THEN stage.item_metadata ELSE item.item_metadata END,
    is_private = CASE WHEN stage.given & 64 <> 0 THEN stage.is_private ELSE item.is_private END,
    quality_score = CASE WHEN stage.given & 128 <> 0 THEN stage.quality_score ELSE item.quality_score END,
    created_at = CASE WHEN stage.given & 256 <> 0 THEN stage.created_at ELSE item.created_at END,
    updated_at = CASE WHEN stage.given & 512 <> 0 THEN stage.updated_at ELSE now() END,
    creator_id = CASE WHEN stage.given & 1024 <> 0 THEN stage.creator_id ELSE item.creator_id END
FROM stage_{table} AS stage
WHERE item.id = stage.id
    AND stage.id = ANY($1::bigint[])

-- name: remove_tags
-- purpose: tags their line no longer has
-- index: primary key of {tags_table}
-- bound: the taggings of the batch
DELETE FROM {tags_table} AS tagging
USING stage_{table} AS stage
WHERE stage.id = ANY($1::bigint[])
    AND stage.given & 2048 <> 0
    AND tagging.content_id = stage.id
    AND tagging.tag_id <> ALL (stage.tags)

-- name: add_tags
-- purpose: tags their line has and they have not
-- index: primary key of {tags_table}
-- bound: the taggings of the batch
INSERT INTO {tags_table} (source_type, content_id, tag_id)
SELECT {code}, stage.id, tag_id
FROM stage_{table} AS stage
CROSS JOIN LATERAL unnest(stage.tags) AS tag_id
WHERE stage.id = ANY($1::bigint[])
    AND stage.given & 2048 <> 0
ON CONFLICT DO NOTHING

-- name: progress
-- purpose: how far a file came that was not finished
-- index: primary key of import_progress
-- bound: one row
SELECT lines, created, updated, unchanged, rejected
FROM import_progress
WHERE fingerprint = $1
    AND NOT finished

-- name: note_progress
-- purpose: how far a file came, in the transaction that brought it there
-- index: primary key of import_progress
-- bound: one row
INSERT INTO import_progress (fingerprint, file_name, lines, created, updated, unchanged, rejected, finished)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (fingerprint) DO UPDATE
SET
    file_name = excluded.file_name,
    lines = excluded.lines,
    created = excluded.created,
    updated = excluded.updated,
    unchanged = excluded.unchanged,
    rejected = excluded.rejected,
    finished = excluded.finished,
    updated_at = now()

-- name: export
-- purpose: every item of a source as a JSON line, in the order of ids; adding 0 makes minus zero zero
-- index: primary keys of {table} and {tags_table}
-- bound: the source; streamed
SELECT row_to_json(line)
FROM (
    SELECT
        item.external_id AS id,
        '{name}' AS source_type,
        item.title,
        item.content_type,
        item.prompt,
        creator.username AS creator,
        array_to_json(ARRAY(
            SELECT tag.name
            FROM {tags_table} AS tagging
            JOIN tags AS tag ON tag.id = tagging.tag_id
            WHERE tagging.content_id = item.id
            ORDER BY tag.name
        )) AS tags,
        item.is_private,
        item.quality_score + 0 AS quality_score,
        item.created_at,
        item.updated_at,
        item.path_thumb,
        item.path_thumbs_alt_res,
        item.content_data,
        item.item_metadata
    FROM {table} AS item
    JOIN users AS creator ON creator.id = item.creator_id
    ORDER BY item.id
) AS line
