"""Building the read model, and switching its policy, while readers go on.

A build is one REPEATABLE READ transaction: take note that every change its snapshot sees is
covered, make the new relation with its indexes under another name, then exchange the two. A crash
before the commit leaves the old state with all its dirty rows, one after it the new state; there
are no leftovers to clean.

Readers are only in the way of the exchange, which needs the old relation for itself for a few
milliseconds. It asks with a short lock timeout and steps back when it is not served, so a reader
never waits longer than `MAX_LOCK_WAIT_MS` behind it, and a long query is waited for outside the
queue. The build keeps one snapshot throughout; at fifty million items that is tens of minutes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from asyncpg import exceptions as pg

from pinakes.errors import StoreError
from pinakes.store.activity import READ_MODEL, tell, tell_no_more
from pinakes.store.pool import Connection
from pinakes.store.queries import load
from pinakes.view import epoch as epochs
from pinakes.view.definition import NAME, everything, fingerprint
from pinakes.view.epoch import Policy, read_epoch
from pinakes.view.facts import EVERYTHING

MAX_LOCK_WAIT_MS = 100
_LOCK_WAITS_MS = (5, 20, MAX_LOCK_WAIT_MS)
KEEP_REFRESHES = 1000

Progress: TypeAlias = Callable[[str, int, int], None]
"""Called before each step with its name, its number from 0, and how many steps there are."""

Sleep: TypeAlias = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Built:
    """A finished build: the epoch at which readers see it, and how many items it holds."""

    epoch: int
    items: int


def _silent(_step: str, _number: int, _of: int) -> None:
    """No progress shown."""


SQL: Mapping[str, str] = load("build", "pinakes.view.sql")


async def switch(connection: Connection, policy: Policy, progress: Progress = _silent) -> Built | None:
    """Keeps the read model by `policy` from now on; None where the relation could stay as it is."""
    state = await read_epoch(connection)
    usable = state.policy is not None and state.definition == fingerprint()
    if usable and _is_table(state.policy) == _is_table(policy):
        await connection.execute(epochs.SQL["rename_policy"], policy)
        return None
    return await build(connection, policy, progress)


async def build(
    connection: Connection, policy: Policy, progress: Progress = _silent, sleep: Sleep = asyncio.sleep
) -> Built:
    """Builds the read model for `policy` beside the one in use and exchanges them. The caller holds the lock.

    Raises:
        StoreError: somebody's own view depends on the read model.
    """
    await _require_no_dependents(connection)
    plain = _is_table(policy)
    indexes = {name: sql for name, sql in load("indexes", "pinakes.view.sql").items() if plain or name != "doc"}
    steps = ["rows", *(f"index {name}" for name in indexes), "exchange"]
    async with connection.transaction(isolation="repeatable_read"):
        await connection.execute(SQL["forget_marks"])
        taken = _count(await connection.execute(SQL["forget_dirty"]))
        number = await connection.fetchval(SQL["next_build"])
        progress(steps[0], 0, len(steps))
        await tell(connection, READ_MODEL, 0)
        await connection.execute(SQL["create_table" if plain else "create_matview"].replace("{rows}", everything()))
        if plain:
            await connection.execute(SQL["require_doc"])
        for place, (name, sql) in enumerate(indexes.items(), start=1):
            progress(f"index {name}", place, len(steps))
            await tell(connection, READ_MODEL, place / len(steps))
            await connection.execute(sql.replace("{build}", str(number)))
        progress(steps[-1], len(steps) - 1, len(steps))
        await connection.execute(SQL["analyze"])
        items = await connection.fetchval(SQL["count"])
        for row in await connection.fetch(SQL["grants"]):
            await connection.execute(row["statement"])
        origin = await connection.fetchval(epochs.SQL["origin"])
        next_doc = items if plain else 0
        epoch = await connection.fetchval(epochs.SQL["reincarnate"], next_doc, policy, fingerprint(), origin)
        await connection.execute(epochs.SQL["log_and_announce"], epoch, items, [EVERYTHING])
        relation = f"{NAME}_next"
        await connection.execute(epochs.SQL["log_refresh"], "build", policy, epoch, taken, items, relation)
        await connection.execute(epochs.SQL["prune_refreshes"], KEEP_REFRESHES)
        await _exchange(connection, plain=plain, sleep=sleep)
    await tell_no_more(connection)
    await connection.execute(SQL["vacuum"])
    await connection.execute(SQL["shrink_queue"])
    return Built(epoch, items)


async def _exchange(connection: Connection, *, plain: bool, sleep: Sleep) -> None:
    """Puts the new relation in the place of the old one, however long readers keep that one busy."""
    old = await connection.fetchval(SQL["relkind"])
    attempt = 0
    while True:
        wait_ms = _LOCK_WAITS_MS[min(attempt, len(_LOCK_WAITS_MS) - 1)]
        try:
            async with connection.transaction():
                await connection.execute(f"SET LOCAL lock_timeout = {wait_ms}")
                if old is not None:
                    await connection.execute(SQL["drop_matview" if old == "m" else "drop_table"])
                await connection.execute(SQL["rename_table" if plain else "rename_matview"])
        except pg.LockNotAvailableError:
            attempt += 1
            await sleep(min(0.05 * 2**attempt, 1.0))
        else:
            return


async def _require_no_dependents(connection: Connection) -> None:
    names = [row["name"] for row in await connection.fetch(SQL["dependents"])]
    if names:
        raise StoreError(
            f"{NAME} cannot be replaced, because {', '.join(names)} depends on it.",
            hint="Drop it, build again, and create it anew; or let it read the base tables.",
        )


def _is_table(policy: Policy | None) -> bool:
    return policy == "incremental"


def _count(status: str) -> int:
    """The number in a command's status, such as `DELETE 17`."""
    return int(status.rpartition(" ")[2])
