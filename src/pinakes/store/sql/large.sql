-- Columns whose values may be large, as expressions of a SELECT list. `{column}` is a column of the closed list
-- `pinakes.query.fieldset.LARGE`, `{most}` its limit in bytes.

-- name: text_fits
-- purpose: whether a text is within the limit; its length is known without reading it
-- index: none; one value
octet_length({column}) <= {most}

-- name: jsonb_fits
-- purpose: whether a JSON value is within the limit. The size as stored is known without reading it; only a
--          compressed value that is small in that form has to be read
-- index: none; one value
CASE
    WHEN pg_column_size({column}) > {most} THEN false
    WHEN pg_column_compression({column}) IS NULL THEN true
    ELSE octet_length({column}::text) <= {most}
END

-- name: value
-- purpose: the value, where it is within the limit
-- index: none; one value
CASE WHEN {fits} THEN {column} END

-- name: omitted
-- purpose: the names of the columns whose values exceed their limits; null where there is none
-- index: none; some values of one row
CASE WHEN NOT ({all_fit}) THEN array_remove(ARRAY[{names}]::text[], NULL) END

-- name: name_if_omitted
-- purpose: the name of a column whose value exceeds its limit
-- index: none; one value
CASE WHEN NOT {fits} THEN '{name}' END
