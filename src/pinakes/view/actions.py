"""What a person may ask of the read model: refresh it now, keep it by another policy, build it anew.

Each waits for the applier's lock on a session of its own, so it works beside running workers and
without any, and never at the same time as one of them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from pinakes.settings import Settings
from pinakes.store.pool import translate_errors
from pinakes.view.applier import Applier, Observer
from pinakes.view.build import Built, Progress, build, switch
from pinakes.view.epoch import Policy, new_incarnation, read_epoch
from pinakes.view.refresh import refresh
from pinakes.view.session import alone, session


def _silent(_step: str, _number: int, _of: int) -> None:
    """No progress shown."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The epoch that is now visible, what became of it, and the time it took."""

    epoch: int
    items_changed: int
    seconds: float


async def refresh_now(settings: Settings, observers: Sequence[Observer] = ()) -> Outcome:
    """Brings the read model up to date at once, whatever the policy says about when.

    `observers` are those of every applier of this installation: an index that misses an epoch is lost.
    """
    with translate_errors():
        async with session(settings) as connection, alone(connection, wait=True):
            started, changed = time.monotonic(), 0
            policy = (await read_epoch(connection)).policy
            if policy is None:
                changed = (await build(connection, settings.view_policy)).items
            elif policy == "incremental":
                applier = Applier(settings.epoch_batch, list(observers))
                while (applied := await applier.apply(connection)) is not None and not applied.drained:
                    changed += len(applied.changes)
                changed += len(applied.changes) if applied is not None else 0
            else:
                done = await refresh(connection)
                changed = done.taken if done is not None else 0
            return Outcome((await read_epoch(connection)).epoch, changed, time.monotonic() - started)


async def change_policy(settings: Settings, policy: Policy, progress: Progress = _silent) -> Built | None:
    """Keeps the read model by `policy` from now on; None where its relation could stay."""
    with translate_errors():
        async with session(settings) as connection, alone(connection, wait=True):
            return await switch(connection, policy, progress)


async def restored(settings: Settings) -> int | None:
    """Begins a new incarnation, after a restore nobody can see; its first epoch, None where there is no read model."""
    with translate_errors():
        async with session(settings) as connection, alone(connection, wait=True):
            if (await read_epoch(connection)).policy is None:
                return None
            return await new_incarnation(connection)


async def rebuild(settings: Settings, progress: Progress = _silent) -> Built:
    """Builds the read model anew beside the one in use, by the policy in force."""
    with translate_errors():
        async with session(settings) as connection, alone(connection, wait=True):
            policy = (await read_epoch(connection)).policy or settings.view_policy
            return await build(connection, policy, progress)
