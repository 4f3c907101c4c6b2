-- Undoes migration 0010.

CREATE OR REPLACE FUNCTION pinakes_endings(name text) RETURNS SETOF text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT DISTINCT left(array_to_string(cut.words[place:], ' '), 255)
    FROM (SELECT string_to_array(btrim(pinakes_words(name)), ' ') AS words) AS cut
    CROSS JOIN generate_series(1, least(cardinality(cut.words), 8)) AS place
    WHERE cut.words[place] <> '';
$$;
