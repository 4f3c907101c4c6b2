"""Waiting until what a command has stored is seen by readers: in the read model, and in the index where one is kept.

Told by the transaction's number, as `refresh=wait_for` does, so it is exact. Nobody waits for a read model that
no session keeps: that is said instead, and answers come from the tables until a worker runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pinakes.store.activity import read_activities
from pinakes.store.pool import Pool, translate_errors
from pinakes.store.queries import load
from pinakes.view.reading import MEND
from pinakes.view.wait import visible

LOOK_S = 0.5
_INTERRUPTED = "Everything is stored. Readers see all of it when the worker has taken it in"


async def until_visible(pool: Pool, say: Callable[[str], None], show: Callable[[str], None]) -> bool:
    """Waits until everything committed so far is visible; False where nobody keeps the read model.

    `say` is told what there is to be said once, `show` again and again what is under way.
    """
    try:
        with translate_errors():
            # A transaction of its own: later than all that are committed, and committed with its statement.
            transaction = str(await pool.fetchval("SELECT pg_current_xact_id()::text"))
        while await visible(pool, transaction, LOOK_S) is None or not await _indexed(pool):
            with translate_errors():
                async with pool.acquire() as connection:
                    doing = await read_activities(connection)
            if not doing.kept:
                say(f"Everything is stored, and nobody keeps the read model: {MEND}. Answers come from the tables")
                return False
            show(str(doing) or "waiting for the next epoch")
    except asyncio.CancelledError:
        say(_INTERRUPTED)
        raise
    return True


async def _indexed(pool: Pool) -> bool:
    """Whether the index is in use, or nobody keeps one; looks no oftener than every `LOOK_S`."""
    sql = load("generation", "pinakes.index.sql")
    with translate_errors():
        async with pool.acquire() as connection:
            if (
                await connection.fetchval(sql["live"]) is not None
                or await connection.fetchval(sql["documents"]) is None
            ):
                return True
            if not (await read_activities(connection)).index_kept:
                return True
    await asyncio.sleep(LOOK_S)
    return False
