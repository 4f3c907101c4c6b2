"""Run as a program: does one piece of the applier's work and kills itself before its nth statement.

python kill_at.py URL WORK N      exit -9: killed; 0: the work was done in fewer than N statements
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

import asyncpg

from pinakes.settings import load_settings
from pinakes.store.pool import Connection
from pinakes.view.applier import Applier
from pinakes.view.build import build
from pinakes.view.refresh import refresh
from pinakes.view.session import alone, session

left = int(sys.argv[3])


def _deadly(method: Any) -> Any:
    async def counted(*args: Any, **options: Any) -> Any:
        global left  # noqa: PLW0603
        left -= 1
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return await method(*args, **options)

    return counted


async def _work(connection: Connection, name: str) -> None:
    match name:
        case "apply":
            await Applier().apply(connection)
        case "refresh":
            await refresh(connection)
        case "build":
            await build(connection, "incremental")
        case _:
            raise AssertionError(name)


async def main() -> None:
    settings = load_settings(database_url=sys.argv[1])
    async with session(settings) as connection, alone(connection, wait=True):
        for method in ("execute", "fetch", "fetchrow", "fetchval"):
            setattr(asyncpg.Connection, method, _deadly(getattr(asyncpg.Connection, method)))
        await _work(connection, sys.argv[2])
        os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
