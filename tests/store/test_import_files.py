"""Several files are one load; what a file costs is by its size, not by what is there already."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from import_files import ITEM, assert_counts_hold, counts, write
from pg_schema import describe
from pinakes.store import bulk
from pinakes.store.bulk import BulkLoad
from pinakes.store.pool import Pool
from pinakes.store.transfer.importer import Watch, import_file

_ROWS = 3000


def _items(prefix: str, count: int = _ROWS) -> list[Any]:
    return [ITEM | {"id": f"{prefix}{n}", "tags": ["all", f"{prefix} {n}"]} for n in range(count)]


async def test_the_indexes_of_several_files_are_built_once(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "BULK_FROM", 5000)
    before = await describe(pool)
    files = [write(tmp_path / f"{name}.jsonl", _items(name)) for name in "abc"]
    said: list[str] = []
    async with BulkLoad(pool, expected=0, on_status=said.append) as load:
        for place, file in enumerate(files):
            after = sum(path.stat().st_size for path in files[place + 1 :])
            report = await import_file(pool, file, load=load, bytes_after=after, watch=Watch(status=said.append))
            assert counts(report) == (_ROWS, 0, 0, 0)
            assert report.bulk == ["regular"], "no file alone is large enough"
            assert not [line for line in said if line.startswith("Building")]
    assert len([line for line in said if line.startswith("Building")]) == 1
    assert await describe(pool) == before
    await assert_counts_hold(pool)


async def test_a_small_file_for_a_large_gallery_takes_no_index_off(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "BULK_FROM", 100)
    await import_file(pool, write(tmp_path / "large.jsonl", _items("a")))
    said: list[str] = []
    report = await import_file(pool, write(tmp_path / "small.jsonl", _items("b", 500)), watch=Watch(status=said.append))
    assert (report.bulk, said) == ([], [])


async def test_a_file_whose_beginning_is_known_goes_bulk_when_it_turns_out_large(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await describe(pool)
    known = _items("a")
    await import_file(pool, write(tmp_path / "known.jsonl", known))
    monkeypatch.setattr(bulk, "BULK_FROM", 5000)
    report = await import_file(pool, write(tmp_path / "more.jsonl", known + _items("b", 40_000)))
    assert counts(report) == (40_000, 0, _ROWS, 0)
    assert report.bulk == ["regular"]
    assert await describe(pool) == before
    await assert_counts_hold(pool)
