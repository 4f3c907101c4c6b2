-- What a running installation measures about itself. Executed once by migration 0005. All of it may
-- be deleted at any time.

-- How long things took: one histogram a series, minute and process (figures/histogram.py has the cells).
-- Each process writes its own rows again until the minute is over.
CREATE TABLE figures (
    at timestamptz NOT NULL,
    process bigint NOT NULL,
    series text COLLATE "C" NOT NULL,
    seconds double precision NOT NULL,
    slowest double precision NOT NULL,
    cells smallint[] NOT NULL,
    counts integer[] NOT NULL CHECK (cardinality(counts) = cardinality(cells)),
    PRIMARY KEY (at, process, series)
) WITH (fillfactor = 50);

-- The slowest queries of each minute: what was asked, never who asked.
CREATE TABLE figures_slow (
    at timestamptz NOT NULL,
    process bigint NOT NULL,
    place smallint NOT NULL,
    query text NOT NULL,
    engine text NOT NULL,
    seconds double precision NOT NULL,
    times integer NOT NULL,
    PRIMARY KEY (at, process, place)
) WITH (fillfactor = 50);

-- How large things were at a minute, and how far behind.
CREATE TABLE figures_sizes (
    at timestamptz PRIMARY KEY,
    items bigint NOT NULL,
    taggings bigint NOT NULL,
    base_bytes bigint NOT NULL,
    view_bytes bigint NOT NULL,
    index_bytes bigint NOT NULL,
    -- Rows of items inserted, updated and deleted since the server's statistics began, by whatever program.
    changes bigint NOT NULL,
    epoch bigint NOT NULL,
    staleness_s double precision
);
