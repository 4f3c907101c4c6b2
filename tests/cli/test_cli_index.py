"""`pinakes index` as a person runs it, beside a database with a gallery."""

from __future__ import annotations

import asyncio
import sys

import asyncpg
import orjson
import pytest

from pinakes.view.build import build as build_view
from read_models import seed


async def pinakes(database_url: str, *arguments: str) -> tuple[int, bytes]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pinakes.cli.main", "index", *arguments, "--database-url", database_url),
        *("--redis-url", "redis://127.0.0.1:1/1"),
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await process.communicate()
    return process.returncode or 0, printed


@pytest.mark.parametrize("processes", ["0", "2"])
async def test_build_status_and_verify(database_url: str, processes: str) -> None:
    connection = await asyncpg.connect(database_url)
    await seed(connection)
    await connection.execute(
        "INSERT INTO content_items (title, creator_id) SELECT 'item ' || n, 1 FROM generate_series(1, 9) n"
    )
    assert (await pinakes(database_url, "build"))[0] == 1, "without a read model there is nothing to build from"
    await build_view(connection, "incremental")
    code, printed = await pinakes(database_url, "build", "--json", "--processes", processes)
    assert (code, orjson.loads(printed)["docs"]) == (0, 9)
    code, printed = await pinakes(database_url, "status", "--json")
    status = orjson.loads(printed)
    assert (code, status["usable"], status["generations"][0]["docs"]) == (0, True, 9)
    code, printed = await pinakes(database_url, "status")
    assert code == 0
    assert b"word" in printed
    assert (await pinakes(database_url, "verify"))[0] == 0
    await connection.execute("DELETE FROM term_segment WHERE term = 'word:item'")
    code, printed = await pinakes(database_url, "verify")
    assert code == 1
    assert b"word:item" in printed
    await connection.close()
