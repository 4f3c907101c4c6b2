"""Looking at the processes that a data directory's servers are, and waiting for them without sleeping too long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import orjson
import psutil

from pinakes.embedded.process import find


def processes(data_dir: Path) -> list[int]:
    """The server processes of `data_dir`."""
    place = data_dir.resolve()
    noted = place / "identity.json"
    if not noted.exists():
        return []
    name = orjson.loads(noted.read_bytes())["id"]
    return [*find("postgres", f"cluster_name=pinakes-{name}"), *find("redis-server", name)]


def command_line(process: psutil.Process) -> str:
    """What it was started as; empty where it has ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


async def until(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.02)
