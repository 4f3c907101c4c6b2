-- name: expect_words
-- purpose: the planner's estimate of how many items of a source have these words; nothing is executed
-- index: {table}_words (its statistics)
EXPLAIN (FORMAT JSON)
SELECT 1
FROM {table}
WHERE pinakes_lexemes(title, prompt) @@ $1::text::tsquery
