"""The keeper: does what the policy in force asks for, step by step.

`step` does what is due now and says how many seconds until it wants to be asked again. It keeps
nothing that matters in memory: what is due follows from the database alone, so any number of
keepers may run, and when one dies the next step of another goes on. Two never work at once
(`alone`); the one that finds the lock taken simply comes back.

| policy | due |
|---|---|
| incremental | something is dirty, at most every `epoch-interval-ms` |
| periodic | something is dirty and the last refresh began `refresh-interval-seconds` ago |
| event | something is dirty and `debounce.due_at` has come |

While a bulk load is going on, nothing is done that its end would make worthless: what waits then is taken
at once, by a build where that is quicker. Until then answers come from the tables.

Where nothing is dirty the epoch row is touched every second: the read model is right as of then.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pinakes.settings import Settings
from pinakes.store.bulk_seal import is_loading
from pinakes.store.pool import Connection
from pinakes.store.queries import load
from pinakes.store.standing import sole_row
from pinakes.view import epoch as epochs
from pinakes.view.applier import Applied, Applier, is_dirty
from pinakes.view.build import SQL as BUILD
from pinakes.view.build import Progress, build, switch
from pinakes.view.debounce import due_at
from pinakes.view.definition import fingerprint
from pinakes.view.epoch import Epoch, as_epoch, new_incarnation, origin_of, read_epoch, with_columns
from pinakes.view.refresh import Refreshed, refresh
from pinakes.view.session import alone

HEARTBEAT_S = 1.0
HOUSEKEEPING_S = 10.0
# From here on recomputing everything beside is quicker than item by item.
REBUILD_ROWS = 200_000
REBUILD_SHARE = 0.2
# Dead rows in the queue are read again at every epoch until they are swept.
VACUUM_ROWS = 20_000
# Answers ask whether anything waits, and read through the queue's empty pages to learn it: 0.1 ms for so many.
QUEUE_BYTES = 2 << 20
# Tried no oftener, because an old snapshot may be in the way for as long as it lasts.
SHRINK_S = 60.0

_SQL = with_columns(load("keeper", "pinakes.view.sql"))
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Keeper:
    """Keeps the read model up to date by the policy in force."""

    settings: Settings
    applier: Applier = field(init=False)
    clock: Callable[[], float] = time.monotonic
    on_epoch: Callable[[Applied | Refreshed, float], None] = lambda _done, _seconds: None
    _touched: float = float("-inf")
    _kept_house: float = float("-inf")
    _shrunk: float = float("-inf")
    _swept: int = 0
    # More waited at the last epoch than it could take; and a bulk load was waited for since.
    _behind: bool = False
    _held_up: bool = False

    def __post_init__(self) -> None:
        self.applier = Applier(self.settings.epoch_batch)

    async def prepare(self, connection: Connection, progress: Progress | None = None) -> None:
        """Makes the read model be there, by the policy of the settings where those changed since the last start."""
        shown = () if progress is None else (progress,)
        async with alone(connection, wait=True):
            state = await read_epoch(connection)
            wanted = self.settings.view_policy
            if state.policy is not None and state.origin != await origin_of(connection):
                _log.warning("the database was restored or promoted: a new incarnation begins")
                await new_incarnation(connection)
            if state.policy is None or state.configured != wanted:
                await switch(connection, wanted, *shown)
                await connection.execute(epochs.SQL["configure"], wanted)
            elif state.definition != fingerprint():
                await build(connection, state.policy, *shown)

    async def step(self, connection: Connection) -> float:
        """Does what is due; the seconds until the next step."""
        await self._keep_house(connection)
        row = sole_row(await connection.fetchrow(_SQL["look"]))
        state = as_epoch(row)
        if state.policy is None:
            await self.prepare(connection)  # somebody put the epoch's row back, and with it went the read model
            return 0.0
        if not row["dirty"]:
            return await self._settle(connection)
        wait = await self._wait(connection, state)
        if wait > 0:
            return min(wait, HEARTBEAT_S)
        if (self._behind or state.policy != "incremental") and await is_loading(connection):
            self._held_up = True
            return HEARTBEAT_S
        return await self.work(connection)

    async def refresh_if_due(self, connection: Connection, policy: str) -> float | None:
        """One refresh if `policy` is in force and wants it; else the seconds until it will, None where nothing waits.

        For schedulers that bring their own clock: under `periodic` being called means being due.
        """
        state = await read_epoch(connection)
        if state.policy != policy or not await is_dirty(connection):
            return None
        wait = 0.0 if policy == "periodic" else await self._wait(connection, state)
        if wait > 0:
            return wait
        await self.work(connection)
        return None

    async def work(self, connection: Connection) -> float:
        """One epoch or one refresh now, due or not; the seconds until the next step."""
        async with alone(connection, wait=False) as held:
            if not held:
                return self._pause(0.0)
            started = self.clock()
            state = await read_epoch(connection)  # again: a switch may have come between
            done: Applied | Refreshed | None
            if state.policy is None:
                return HEARTBEAT_S
            if state.policy == "incremental":
                held_up, self._held_up = self._held_up, False
                if held_up and await self._catch_up(connection):
                    return 0.0
                done = await self.applier.apply(connection)
                self._behind = done is not None and not done.drained
                if self._behind and not await is_loading(connection):
                    await self._catch_up(connection)
            else:
                done = await refresh(connection)
            spent = self.clock() - started
        if done is None:
            return self._pause(spent)
        self._swept += done.taken
        self.on_epoch(done, spent)
        return 0.0 if isinstance(done, Applied) and not done.drained else self._pause(spent)

    def _pause(self, spent: float) -> float:
        return max(self.settings.epoch_interval_ms / 1000 - spent, 0.0)

    async def _wait(self, connection: Connection, state: Epoch) -> float:
        """Seconds until the policy wants an epoch, something being dirty."""
        if state.policy == "periodic":
            since = await connection.fetchval(_SQL["since_refresh"])
            return 0.0 if since is None else self.settings.refresh_interval_seconds - float(since)
        if state.policy == "event":
            waiting = await connection.fetchrow(_SQL["pending"])
            if waiting is None or waiting["first"] is None:
                return HEARTBEAT_S
            due = due_at(
                waiting["first"],
                waiting["last"],
                now=waiting["now"],
                quiet_s=self.settings.event_debounce_seconds,
                max_wait_s=self.settings.event_max_wait_seconds,
            )
            return float((due - waiting["now"]).total_seconds())
        return 0.0

    async def _settle(self, connection: Connection) -> float:
        """Nothing was dirty: says so in the epoch row once a second, after looking again."""
        idle = self.settings.epoch_interval_ms / 1000
        if self.clock() - self._touched < HEARTBEAT_S:
            return idle
        self._touched = self.clock()
        async with alone(connection, wait=False) as held:
            if held:
                async with connection.transaction(isolation="repeatable_read"):
                    if not await is_dirty(connection) and (await read_epoch(connection)).policy is not None:
                        await connection.execute(epochs.SQL["touch"])
        return idle

    async def _catch_up(self, connection: Connection) -> bool:
        """Builds anew where many items wait, after a large import or a truncated table; whether it did."""
        if not await wants_build(connection):
            return False
        _log.info("many changes wait: building the read model anew")
        await build(connection, "incremental")
        self._behind = False
        return True

    async def _keep_house(self, connection: Connection) -> None:
        if self._swept >= VACUUM_ROWS:
            self._swept = 0
            await connection.execute(_SQL["vacuum"])
        if self.clock() - self._kept_house < HOUSEKEEPING_S:
            return
        self._kept_house = self.clock()
        await connection.execute(epochs.SQL["prune"], self.settings.change_log_seconds)
        await connection.execute(_SQL["fold_tag_counts"])
        await connection.execute(_SQL["sweep_name_changes"])
        if self.clock() - self._shrunk < SHRINK_S:
            return
        if await connection.fetchval(_SQL["queue_bytes"]) > QUEUE_BYTES:
            self._shrunk = self.clock()
            await connection.execute(BUILD["shrink_queue"])


async def wants_build(connection: Connection) -> bool:
    """Whether so much waits that building the read model anew is quicker than item by item."""
    backlog = await connection.fetchrow(_SQL["backlog"])
    return backlog is not None and backlog["waiting"] > max(REBUILD_ROWS, REBUILD_SHARE * backlog["items"])
