"""PgBouncer before PostgreSQL: everything works with sessions of one's own, and any other mode is refused by name."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import httpx
import orjson
import pytest

from pinakes.address import PostgresAddress
from pinakes.errors import UnfitDatabase
from pinakes.settings import Settings
from pinakes.store.migrate import current
from pinakes.store.pool import open_pool
from pinakes.view.session import session

PROGRAM = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
pytestmark = pytest.mark.skipif(
    not Path(PROGRAM).exists(), reason="NOT RUN: PgBouncer is not installed (apt-get install pgbouncer)"
)
PATIENCE_S = 120


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def pgbouncer(database_url: str, folder: Path, mode: str) -> AsyncIterator[str]:
    """The address of a PgBouncer of its own, with nothing in its settings but what it cannot do without."""
    address = PostgresAddress.parse(database_url)
    sockets, port = address.hosts[0][0], free_port()
    folder.mkdir(parents=True)
    owner = Path(sockets).stat()  # who alone may pass into the folder of the sockets
    os.chown(folder, owner.st_uid, owner.st_gid)
    config = folder / "pgbouncer.ini"
    config.write_text(
        f"[databases]\n* = host={sockets} user=pinakes\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n"
        f"unix_socket_dir =\nauth_type = any\npool_mode = {mode}\ndefault_pool_size = 40\n"
    )
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            PROGRAM, str(config), stdout=log, stderr=log,
            user=owner.st_uid if os.geteuid() == 0 else None, group=owner.st_gid if os.geteuid() == 0 else None,
        )  # fmt: skip
    url = f"postgresql://pinakes@127.0.0.1:{port}/{address.database}"
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    await (await asyncpg.connect(url, statement_cache_size=0)).close()
                    break
                except OSError:
                    assert process.returncode is None, (folder / "log").read_text()
                    await asyncio.sleep(0.05)
        yield url
    finally:
        process.terminate()
        await process.wait()


async def run(settings: Settings, *words: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pinakes.cli.main", *words, env={**os.environ, **settings.environment()},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        said = (await asyncio.wait_for(process.communicate(), PATIENCE_S))[0].decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, said


async def test_everything_works_with_sessions_of_ones_own(
    settings: Settings, blank_database_url: str, short_tmp: Path, tmp_path: Path
) -> None:
    async with pgbouncer(blank_database_url, short_tmp / "bouncer-session", "session") as url:
        port = free_port()
        through = settings.model_copy(update={"database_url": url, "port": port})
        code, said = await run(through, "migrate")
        assert code == 0, said
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "pinakes.cli.main", "serve", "--worker",
            env={**os.environ, **through.environment()},
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            file = tmp_path / "items.jsonl"
            lines = [{"id": f"n{n}", "source_type": "regular", "title": "x", "tags": ["castle"]} for n in range(30)]
            file.write_bytes(b"\n".join(map(orjson.dumps, lines)))
            code, said = await run(through, "import", str(file))
            assert code == 0, said
            code, said = await run(through, "index", "build", "--processes", "2")
            assert code == 0, said
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client, asyncio.timeout(PATIENCE_S):
                while True:  # epochs, the index and the cache's clocks go through it
                    try:
                        body = (await client.get("/api/v1/content/unified?q=castle")).json()
                        if (body.get("engine"), body.get("_from_cache")) == ("index", True):
                            break
                    except httpx.HTTPError:
                        pass
                    await asyncio.sleep(0.1)
                assert body["pagination"]["total_count"] == 30
                assert (await client.get("/readyz")).json()["status"] == "ok"
            for words in (("view", "status"), ("doctor",), ("check", "--full")):
                code, said = await run(through, *words)
                assert code == 0, said
        finally:
            process.terminate()
            await process.wait()


@pytest.mark.parametrize("mode", ["transaction", "statement"])
async def test_shared_sessions_are_refused_at_the_start(settings: Settings, short_tmp: Path, mode: str) -> None:
    async with pgbouncer(settings.database_url or "", short_tmp / f"bouncer-{mode}", mode) as url:
        through = settings.model_copy(update={"database_url": url})
        with pytest.raises(UnfitDatabase, match="shares sessions"):
            await open_pool(through, max_size=2)
        with pytest.raises(UnfitDatabase, match="shares sessions"):
            async with session(through):
                pass
        with pytest.raises(UnfitDatabase, match="shares sessions"):
            await current(url)
        for words in (("migrate",), ("serve", "--port", "0"), ("worker",), ("index", "build"), ("doctor",)):
            code, said = await run(through, *words)
            assert code == 1, said
            assert "pool_mode = session" in said
            assert "Traceback" not in said
