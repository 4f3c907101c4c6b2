"""Nothing in the working directory is taken for a module of ours, whichever command starts Python for whatever."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import orjson
import pytest

from pinakes import child
from pinakes.bench.load.servers import installed, serving
from pinakes.settings import Settings
from running import processes

NAMES = (
    "pinakes", "asyncpg", "click", "granian", "numpy", "orjson", "redis", "uvloop", "celery", "kombu",
    "asyncio", "hashlib", "json", "multiprocessing", "signal", "socket", "tokenize", "sitecustomize", "usercustomize",
)  # fmt: skip
"""What lies in the working directory: named like our package, libraries and the standard library."""
PINAKES = str(Path(sys.executable).with_name("pinakes"))
TRAP = """import os
with open(os.environ["TRAPPED"], "a") as file:
    file.write(__name__ + "\\n")
"""


@pytest.fixture
def traps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory full of such modules; what was run of them must be nothing."""
    folder, told = tmp_path / "work", tmp_path / "told"
    folder.mkdir()
    for name in NAMES:
        (folder / f"{name}.py").write_text(TRAP)
    (folder / "pinakes.web.asgi").mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TRAPPED", str(told))
    yield folder
    assert not told.exists(), told.read_text()


async def run(*words: str) -> str:
    process = await asyncio.create_subprocess_exec(
        PINAKES, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said = (await asyncio.wait_for(process.communicate(), 240))[0].decode()
    assert process.returncode == 0, said
    return said


def big_file(path: Path) -> Path:
    """A file that is read in a process of its own."""
    with path.open("wb") as file:
        for number in range(500):
            file.write(
                orjson.dumps({"id": f"n{number}", "source_type": "regular", "title": "t", "prompt": "x " * 2000})
                + b"\n"
            )
    return path


async def test_commands_run_no_module_of_the_working_directory(traps: Path, short_tmp: Path, tmp_path: Path) -> None:
    data_dir = short_tmp / "traps"
    where = ("--data-dir", str(data_dir))
    process = await asyncio.create_subprocess_exec(
        PINAKES, "demo", *where, "--items", "100", "--port", "0", "--workers", "2",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        said = ""
        while "Pinakes serves at " not in said:
            line = (await asyncio.wait_for(process.stdout.readline(), 240)).decode()
            assert line, said
            said += line
        url = said.rpartition("Pinakes serves at ")[2].strip()
        async with httpx.AsyncClient(base_url=url) as client:
            for path in ("/", "/ops", "/tags", "/api/v1/content/unified?q=castle", "/api/v1/suggest?q=ca"):
                assert (await client.get(path)).status_code < 500
        assert "500" in await run("import", str(big_file(tmp_path / "big.jsonl")), *where)
        await run("index", "build", "--processes", "2", *where)
        await run("doctor", *where)
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()
        for pid in processes(data_dir):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("server", installed())
async def test_measured_web_servers_run_none(traps: Path, settings: Settings, tmp_path: Path, server: str) -> None:
    body = tmp_path / "body"
    body.write_bytes(b"{}")
    async with serving(settings, body, server) as url, httpx.AsyncClient() as client:  # type: ignore[arg-type]
        assert (await client.get(f"{url}/api/v1/content/unified?q=castle")).status_code == 200


@pytest.mark.usefixtures("traps")
def test_processes_of_multiprocessing_run_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONSAFEPATH", "")
    with child.spawning().Pool(1) as pool:
        assert pool.apply(os.getpid) != os.getpid()


async def test_celery_runs_none(traps: Path, settings: Settings) -> None:
    process = await child.start(
        "pinakes.worker.celery_app", "worker", "--beat", "--pool", "solo", "--loglevel", "info",
        "--schedule", str(traps.parent / "beat"), variables={**os.environ, **settings.environment()},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    said = b""
    try:
        while b"succeeded" not in said:
            line = await asyncio.wait_for(process.stdout.readline(), 120)
            assert line, said.decode()
            said += line
    finally:
        process.terminate()
        await process.communicate()
