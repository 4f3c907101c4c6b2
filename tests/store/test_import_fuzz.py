"""Import of damaged files: bytes flipped, cut, doubled, repeated; random JSON; deep nesting; huge lines; broken gzip.

Whatever a file holds, good lines arrive, each bad one is counted once, and nothing else happens.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from import_files import FULL, ITEM, assert_counts_hold, write
from pinakes.errors import ImportFailed
from pinakes.store.pool import Pool
from pinakes.store.transfer.batch import MAX_LINE_BYTES
from pinakes.store.transfer.importer import import_file
from pinakes.store.transfer.line import RefusedError, parse

GOOD = [orjson.dumps({**FULL, "id": f"good-{n}", "title": f"good {n}"}) for n in range(40)]


def _damage(rng: random.Random, line: bytes) -> bytes:
    """`line` after something happened to it."""
    at = rng.randrange(len(line))
    pieces: list[Callable[[], bytes]] = [
        lambda: line[:at],
        lambda: line[at:],
        lambda: line[:at] + bytes([rng.randrange(1, 256)]) + line[at + 1 :],
        lambda: line[:at] + rng.randbytes(rng.randrange(1, 30)) + line[at:],
        lambda: line + line,
        lambda: line.replace(b"auto", rng.choice((b"AUTO", b"", b"auto\\u0000", b"1"))),
        lambda: line.replace(b'"', b"'"),
        lambda: b"[" * rng.choice((10, 1000, 100_000)),
        lambda: b'{"a":' * rng.choice((10, 1000, 100_000)),
        lambda: b'{"id":"n","source_type":"auto","title":"t","item_metadata":' + b"[" * 2000 + b"]" * 2000 + b"}",
        lambda: orjson.dumps({**FULL, "quality_score": rng.choice((1e308, 1e-320))}).replace(b"1e308", b"1e999"),
        lambda: orjson.dumps({**FULL, "title": "x" * rng.choice((2_000, 2_001, 100_000))}),
        lambda: orjson.dumps({**FULL, "tags": ["t"] * rng.choice((0, 1, 2000))}),
        lambda: b"\xef\xbb\xbf" + line,
        lambda: line.decode().encode("utf-16"),
        lambda: rng.randbytes(rng.randrange(200)),
    ]  # fmt: skip
    return rng.choice(pieces)().replace(b"\n", b" ").replace(b"\r", b" ")


@pytest.mark.parametrize("seed", range(3))
async def test_good_lines_arrive_from_among_damaged_ones(pool: Pool, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    damaged = [_damage(rng, rng.choice(GOOD)) for _ in range(150)]
    lines = [*GOOD, *damaged]
    rng.shuffle(lines)
    report = await import_file(pool, write(tmp_path / "mixed.jsonl", lines))
    stored = {row[0] for row in await pool.fetch("SELECT external_id FROM content_items_auto")}
    assert {f"good-{n}" for n in range(40)} <= stored
    found = report.counts
    told = found.created + found.updated + found.unchanged + found.rejected
    assert told == sum(1 for line in lines if line.strip())
    assert found.rejected > 50
    await assert_counts_hold(pool)


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
_FIELDS = st.dictionaries(st.sampled_from([*FULL, "other"]), _SCALARS | st.lists(st.text(max_size=5), max_size=4))
_JSON = st.recursive(_SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@hypothesis_settings(max_examples=300)
@given(
    line=st.binary(max_size=200)
    | _JSON.map(lambda value: json.dumps(value).encode())
    | _FIELDS.map(lambda fields: json.dumps({**ITEM, **fields}).encode())
)
def test_no_line_is_more_than_refused(line: bytes) -> None:
    with suppress(RefusedError):
        parse(line, "2024-01-01 00:00:00+00")


@pytest.mark.parametrize("kept", [0, 1, 9, 10, 17, 60, 200, -9, -8, -5, -1])
async def test_a_gzip_cut_anywhere_says_so_and_doubles_nothing(pool: Pool, tmp_path: Path, kept: int) -> None:
    whole = gzip.compress(b"\n".join(GOOD) + b"\n")
    file = tmp_path / "cut.jsonl.gz"
    file.write_bytes(whole[:kept])
    if kept in {0, 1}:  # nothing, or one byte that could be anything
        assert (await import_file(pool, file)).counts.created == 0
    else:
        with pytest.raises(ImportFailed):
            await import_file(pool, file)
    file.write_bytes(whole)
    await import_file(pool, file)
    assert await pool.fetchval("SELECT count(*) FROM content_items_auto") == 40
    await assert_counts_hold(pool)


async def test_a_gzip_with_flipped_bits_never_stores_what_nobody_wrote(pool: Pool, tmp_path: Path) -> None:
    whole = gzip.compress(b"\n".join(GOOD) + b"\n")
    for seed in range(12):
        rng = random.Random(seed)
        broken = bytearray(whole)
        broken[rng.randrange(20, len(whole))] ^= 1 << rng.randrange(8)
        file = tmp_path / f"flipped-{seed}.jsonl.gz"
        file.write_bytes(broken)
        try:
            await import_file(pool, file)
        except ImportFailed:
            continue
    await assert_counts_hold(pool)


async def test_a_line_of_any_length_is_refused_beyond_the_bound_and_the_next_is_read(
    pool: Pool, tmp_path: Path
) -> None:
    huge = b'{"id":"' + b"x" * (MAX_LINE_BYTES + 10) + b'"}'
    report = await import_file(pool, write(tmp_path / "huge.jsonl", [GOOD[0], huge, GOOD[1], huge * 2, GOOD[2]]))
    found = report.counts
    assert (found.created, found.rejected) == (3, 2)
