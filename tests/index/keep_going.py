"""A process to be killed: applies, folds and builds as fast as it can, by turns. Argument: the database."""

from __future__ import annotations

import asyncio
import sys

import asyncpg

from pinakes.index.build import build
from pinakes.index.deltas import DeltaWriter
from pinakes.index.fold import fold
from pinakes.view.applier import Applier
from pinakes.view.session import alone


async def main(database_url: str, what: str) -> None:
    connection = await asyncpg.connect(database_url, server_settings={"timezone": "UTC"})
    applier = Applier(batch=3, observers=[DeltaWriter()])
    sys.stdout.write("going\n")
    sys.stdout.flush()
    while True:
        if what == "apply":
            async with alone(connection, wait=True):
                await applier.apply(connection)
        elif what == "fold":
            await fold(connection, keep_s=0.0)
        else:
            await build(database_url, processes=0)
        await asyncio.sleep(0.001)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
