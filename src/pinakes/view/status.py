"""The state of the read model as people look at it: on the command line, over HTTP, as metrics.

Read in one go from the epoch row, the catalogue and the logs; a few milliseconds at any size. The
queue is counted up to `MAX_COUNTED`, sizes in rows are the server's statistics.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from pinakes.settings import Settings
from pinakes.store.activity import read_activities
from pinakes.store.pool import Connection
from pinakes.store.queries import load
from pinakes.view.definition import fingerprint
from pinakes.view.epoch import Epoch, Policy, read_epoch
from pinakes.view.projection import Fit, fit

MAX_COUNTED = 100_000
FAR_ITEMS = 50_000_000
_REFRESHES_SHOWN = 10
_REFRESHES_FITTED = 200


@dataclass(frozen=True, slots=True)
class Past:
    """A refresh or build that was."""

    kind: str
    policy: str
    epoch: int
    started_at: datetime
    seconds: float
    items_changed: int
    items: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Epochs:
    """The last thousand epochs of policy incremental, together."""

    epochs: int
    items_changed: int
    slowest_s: float
    median_s: float


@dataclass(frozen=True, slots=True)
class Projection:
    """What a whole refresh will take: at ten times the items, and at fifty million."""

    of: str
    rests_on: str
    seconds_at_10x: float
    seconds_at_50m: float


@dataclass(frozen=True, slots=True)
class Status:
    """Everything `pinakes view status` shows. `policy` is None while there is no read model."""

    policy: Policy | None
    current_definition: bool
    incarnation: str
    epoch: int
    as_of: datetime
    staleness_s: float
    worst_staleness_s: float | None
    waiting: int
    waiting_is_exact: bool
    oldest_waiting_s: float
    items: int
    view_bytes: int
    base_bytes: int
    refreshes: tuple[Past, ...]
    epochs: Epochs
    projection: Projection | None
    under_way: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


async def read_status(connection: Connection, settings: Settings) -> Status:
    """The state now. Nothing waiting means nothing stale, however long ago the last epoch was."""
    sql = load("status", "pinakes.view.sql")
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        state = await read_epoch(connection)
        sizes = await connection.fetchrow(sql["sizes"])
        waiting = await connection.fetchrow(sql["waiting"], MAX_COUNTED + 1)
        past = [Past(**dict(row)) for row in await connection.fetch(sql["refreshes"], _REFRESHES_FITTED)]
        recent = await connection.fetchrow(sql["epochs"])
        doing = await read_activities(connection)
    assert sizes is not None
    assert waiting is not None
    assert recent is not None
    epochs = Epochs(**dict(recent))
    stale = waiting["rows"] > 0 or state.policy is None
    return Status(
        policy=state.policy,
        current_definition=state.definition == fingerprint(),
        incarnation=str(state.incarnation),
        epoch=state.epoch,
        as_of=state.at if stale else state.now,
        staleness_s=state.age_s if stale else 0.0,
        worst_staleness_s=_worst(settings, state, past, epochs),
        waiting=min(waiting["rows"], MAX_COUNTED),
        waiting_is_exact=waiting["rows"] <= MAX_COUNTED,
        oldest_waiting_s=waiting["oldest_s"] or 0.0,
        items=sizes["view_items"],
        view_bytes=sizes["view_bytes"],
        base_bytes=sizes["base_bytes"],
        refreshes=tuple(past[:_REFRESHES_SHOWN]),
        epochs=epochs,
        projection=_project(past, sizes["view_items"]),
        under_way=tuple(map(str, doing.under_way)),
    )


def _worst(settings: Settings, state: Epoch, past: list[Past], epochs: Epochs) -> float | None:
    """The most an answer can be behind while a worker runs: the policy's wait plus the time the work takes."""
    refresh_s = next((one.seconds for one in past if one.kind == "refresh"), past[0].seconds if past else 0.0)
    match state.policy:
        case "incremental":
            return settings.epoch_interval_ms / 1000 + 2 * epochs.slowest_s
        case "periodic":
            return settings.refresh_interval_seconds + refresh_s
        case "event":
            return settings.event_max_wait_seconds + refresh_s
        case _:
            return None


def _project(past: list[Past], items: int) -> Projection | None:
    """From refreshes where there were any, else from builds."""
    for kind in ("refresh", "build"):
        line: Fit | None = fit([(one.items, one.seconds) for one in past if one.kind == kind])
        if line is not None:
            return Projection(kind, str(line), line.at(10 * items), line.at(FAR_ITEMS))
    return None
