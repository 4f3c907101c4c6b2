-- The bitmap index: terms of the read model's rows as roaring bitmaps, in ordinary tables. Executed
-- once by migration 0003. Nothing here is truth: all of it can be built again from the read model.

-- One row a build. At most one is live and one is building; readers use the live one whose
-- incarnation is the read model's, and without such a one there is no index.
CREATE TABLE index_generation (
    generation integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Document numbers mean something within one incarnation of the read model only.
    incarnation uuid NOT NULL,
    status text NOT NULL CHECK (status IN ('building', 'live', 'retired')),
    -- The segments hold at least every epoch up to here; later ones stand in term_delta.
    folded_epoch bigint NOT NULL,
    -- Deltas after this epoch are kept, so that a reader that knows it can catch up.
    kept_epoch bigint NOT NULL,
    -- How many document numbers were given when the build began.
    docs integer NOT NULL,
    began_at timestamptz NOT NULL DEFAULT now(),
    built_at timestamptz,
    folded_at timestamptz
);
CREATE UNIQUE INDEX index_generation_live ON index_generation (status) WHERE status <> 'retired';

-- The last epoch whose deltas were written, changes or none. Readers compare it with the epoch they
-- see: an applier that does not write deltas is noticed, and the index is not used. A table of its
-- own, because the applier writes it ten times a second and must not meet a folder there.
CREATE TABLE index_follower (
    generation integer PRIMARY KEY REFERENCES index_generation (generation) ON DELETE CASCADE,
    epoch bigint NOT NULL
) WITH (fillfactor = 50);

-- How each order field's values become codes; fixed for the life of a generation.
CREATE TABLE index_code (
    generation integer NOT NULL REFERENCES index_generation (generation) ON DELETE CASCADE,
    field text NOT NULL,
    code bytea NOT NULL,
    PRIMARY KEY (generation, field)
);

-- The segments a build has finished: what it need not do again after a kill.
CREATE TABLE index_part (
    generation integer NOT NULL REFERENCES index_generation (generation) ON DELETE CASCADE,
    segment integer NOT NULL,
    epoch bigint NOT NULL,
    docs integer NOT NULL,
    terms integer NOT NULL,
    seconds double precision NOT NULL,
    PRIMARY KEY (generation, segment)
);

-- The documents of one term among 2^20 document numbers, as a serialized roaring bitmap.
CREATE TABLE term_segment (
    generation integer NOT NULL,
    segment integer NOT NULL,
    cardinality integer NOT NULL CHECK (cardinality > 0),
    term text COLLATE "C" NOT NULL,
    bits bytea NOT NULL,
    PRIMARY KEY (generation, term, segment)
);
-- Roaring bitmaps do not compress, and most fit into the row.
ALTER TABLE term_segment ALTER COLUMN bits SET STORAGE EXTERNAL;

-- What one epoch changed: for each term the documents that gained and that lost it.
CREATE TABLE term_delta (
    generation integer NOT NULL,
    epoch bigint NOT NULL,
    items integer NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    terms text[] NOT NULL,
    added bytea[] NOT NULL,
    removed bytea[] NOT NULL,
    PRIMARY KEY (generation, epoch)
);
