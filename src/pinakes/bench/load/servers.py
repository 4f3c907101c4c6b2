"""Servers to be measured: the application with two yardstick routes, under one web server or another.

    granian   what Pinakes is served by
    uvicorn   with httptools, where it is installed: the usual choice elsewhere

Each is one worker process with uvloop, started on a free port of the loopback interface.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from pinakes import child
from pinakes.bench.load import yardstick
from pinakes.bench.load.client import fetch
from pinakes.errors import EmbeddedError
from pinakes.settings import Settings

Server: TypeAlias = Literal["granian", "uvicorn"]
START_S = 60.0
STOP_S = 20.0


def installed() -> list[Server]:
    """The web servers that can be measured here."""
    needed = {"granian": ("granian",), "uvicorn": ("uvicorn", "httptools")}
    return [server for server in get_args(Server) if all(find_spec(name) for name in needed[server])]


def command(server: Server, port: int) -> list[str]:
    """What starts `server` on `port`."""
    return child.command(yardstick.__name__, server, str(port))


def environment(settings: Settings, body: Path) -> dict[str, str]:
    """What the server reads its settings from; `body` is the file that /bench/memory gives."""
    return child.environment({**os.environ, **settings.environment(), "PINAKES_BENCH_BODY": str(body)})


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
        return number


@asynccontextmanager
async def serving(settings: Settings, body: Path, server: Server = "granian") -> AsyncIterator[str]:
    """The address of a server that is ready, ended with the context.

    Raises:
        EmbeddedError: it does not get ready.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = await asyncio.create_subprocess_exec(*command(server, port), env=environment(settings, body))
    try:
        deadline = asyncio.get_running_loop().time() + START_S
        while not await _ready(url):
            if process.returncode is not None or asyncio.get_running_loop().time() > deadline:
                raise EmbeddedError(f"The web server {server} does not answer on port {port}")
            await asyncio.sleep(0.1)
        yield url
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_S)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _ready(url: str) -> bool:
    try:
        return (await fetch(url, "/readyz")).status == 200
    except OSError:
        return False


async def wrk(url: str, seconds: int, connections: int) -> float | None:
    """Requests a second as `wrk`, which keeps every connection busy, measures them; None where it is missing."""
    program = shutil.which("wrk")
    if program is None:
        return None
    process = await asyncio.create_subprocess_exec(
        program, "-t1", f"-c{connections}", f"-d{seconds}s", url, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    told = [line for line in out.decode().splitlines() if line.startswith("Requests/sec:")]
    return float(told[0].split()[1]) if told else None
