"""Import: killed, interrupted and large files."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from import_files import ITEM, assert_counts_hold, counts, state, write
from pg_schema import describe
from pinakes.errors import ImportFailed
from pinakes.store.pool import Pool
from pinakes.store.transfer.importer import ImportReport, import_file


def _lines(count: int) -> list[dict[str, Any] | bytes]:
    """Items of both sources with tags, some known already, some refused."""
    lines: list[dict[str, Any] | bytes] = []
    for n in range(count):
        tags = [f"tag {n % 7}", f"tag {n % 101}", "all"]
        source = "auto" if n % 3 else "regular"
        date = f"20{n % 20 + 10}-01-01T00:00:00Z"
        lines.append(
            b"{"
            if n % 997 == 5
            else ITEM
            | {
                "id": f"i{n % (count - 50)}",
                "source_type": source,
                "title": f"Item {n}",
                "tags": tags,
                "creator": f"user {n % 13}",
                "created_at": date,
                "updated_at": date,
            }
        )
    return lines


_IMPORT = """
import asyncio, sys
from pathlib import Path
from pinakes.settings import load_settings
from pinakes.store.pool import open_pool
from pinakes.store.transfer.importer import import_file

async def main():
    pool = await open_pool(load_settings(database_url=sys.argv[1]), max_size=6)
    await import_file(pool, Path(sys.argv[2]), bulk=sys.argv[3])

asyncio.run(main())
"""


@pytest.mark.parametrize("bulk", ["never", "always"])
async def test_killed_and_resumed_equals_uninterrupted(
    pool: Pool, database_url: str, tmp_path: Path, bulk: str
) -> None:
    schema = await describe(pool)
    lines = _lines(40_000)
    file = write(tmp_path / "many.jsonl", lines)
    (tmp_path / "import.py").write_text(_IMPORT)
    killed_at = 0
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(tmp_path / "import.py"), database_url, str(file), bulk
    )
    async with asyncio.timeout(120):
        while not killed_at:
            assert process.returncode is None, "the import was over before it could be killed"
            killed_at = await pool.fetchval("SELECT coalesce(max(lines), 0) FROM import_progress") or 0
    process.send_signal(signal.SIGKILL)
    await process.wait()
    # The kill is noticed when the last statement ends; until then the file is held.
    moved = file.rename(tmp_path / "moved.jsonl")
    report = await _resumed(pool, moved)
    assert report.resumed_at >= killed_at
    assert await pool.fetchval("SELECT finished AND lines = 40000 FROM import_progress")
    await assert_counts_hold(pool)
    assert await describe(pool) == schema
    resumed = await state(pool)
    await pool.execute("TRUNCATE content_items, content_items_auto, content_tags, tags, users CASCADE")
    whole = await import_file(pool, write(tmp_path / "again.jsonl", lines), from_start=True)
    assert whole.resumed_at == 0
    assert whole.counts.lines == 40_000
    assert await state(pool) == resumed


async def _resumed(pool: Pool, file: Path) -> ImportReport:
    async with asyncio.timeout(60):
        while True:
            try:
                return await import_file(pool, file)
            except ImportFailed as error:
                if "being imported by another command" not in error.detail:
                    raise
                await pool.fetch("SELECT pg_sleep(0.02)")


async def test_a_large_file_is_read_by_a_process(pool: Pool, tmp_path: Path) -> None:
    file = write(tmp_path / "large.jsonl", [ITEM | {"id": str(n), "prompt": "x" * 20_000} for n in range(100)])
    assert counts(await import_file(pool, file)) == (100, 0, 0, 0)


async def test_progress_of_a_killed_import_is_forgotten_from_start(pool: Pool, tmp_path: Path) -> None:
    file = write(tmp_path / "x.jsonl", [ITEM | {"id": str(n)} for n in range(10)])
    await import_file(pool, file)
    await pool.execute("UPDATE import_progress SET finished = false, lines = 6")
    assert (await import_file(pool, file)).counts.lines == 4
    await pool.execute("UPDATE import_progress SET finished = false, lines = 6")
    assert (await import_file(pool, file, from_start=True)).counts.lines == 10
