"""How long keeping the read model takes as the gallery grows: whole refreshes, and changed rows only.

At each size, the same number of scattered changes is brought into the read model by REFRESH …
CONCURRENTLY and by an epoch, some times each. Over several sizes a line, seconds = fixed + per item · items,
is fitted to the medians by least squares, so that the largest sizes count most, and carried on to
sizes nobody wants to wait for. A projection is as good as the law; so the residual stands beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from pinakes.bench.contestant import Say
from pinakes.bench.journal import Journal
from pinakes.query.sources import SOURCES
from pinakes.settings import Settings
from pinakes.store.pool import Connection
from pinakes.store.queries import for_source, load
from pinakes.view.applier import Applier
from pinakes.view.build import build
from pinakes.view.refresh import refresh
from pinakes.view.session import alone, session

PROJECTED = (10_000_000, 50_000_000)
CHANGES = 1000
_TIMES = 3
_SQL = load("writes", "pinakes.bench.sql")


@dataclass(frozen=True, slots=True)
class Fit:
    """seconds = `fixed` + `per_item` · items; `residual`: root mean square of the relative error."""

    fixed: float
    per_item: float
    residual: float

    def at(self, items: float) -> float:
        """Seconds at that size."""
        return self.fixed + self.per_item * items


def fit(points: Sequence[tuple[int, float]]) -> Fit | None:
    """The line nearest to `points` (items, seconds) by least squares; None with fewer than two sizes.

    Neither part is negative: more items never take less time, so a falling line becomes a level one.
    """
    if len({items for items, _ in points}) < 2:
        return None
    x, y = np.array(points, dtype=np.float64).T
    per_item, fixed = np.polyfit(x, y, 1)
    if per_item < 0:
        fixed, per_item = np.mean(y), 0.0
    elif fixed < 0:
        fixed, per_item = 0.0, np.sum(x * y) / np.sum(x * x)
    residual = math.sqrt(float(np.mean(((fixed + per_item * x) / y - 1) ** 2)))
    return Fit(float(fixed), float(per_item), residual)


def projection(scales: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What the refresh figures of several sizes say of larger ones."""
    found: dict[str, Any] = {}
    for name in ("refresh", "epoch"):
        measured = [scale for scale in scales if scale.get("refreshes")]
        points = [(scale["gallery"]["items"], median(scale["refreshes"][name]["seconds"])) for scale in measured]
        law = fit(points)
        if law is not None:
            at = {str(items): round(law.at(items), 2) for items in PROJECTED}
            found[name] = {
                "fixed_s": round(law.fixed, 4),
                "per_item_us": round(law.per_item * 1e6, 4),
                "residual": round(law.residual, 3),
                "seconds_at": at,
            }
    return found


async def measure_refreshes(settings: Settings, journal: Journal, say: Say) -> dict[str, Any]:
    """Both ways at the gallery's size; the read model is left `incremental`."""
    async with session(settings, "pinakes bench") as connection, alone(connection, wait=True):
        await connection.execute("SET idle_session_timeout = 0; SET statement_timeout = 0")
        for name, policy in (("refresh", "periodic"), ("epoch", "incremental")):
            if any(entry["name"] == name for entry in journal.find("refreshes")):
                continue
            say(f"Building the read model, {policy}")
            began = perf_counter()
            await build(connection, policy)  # type: ignore[arg-type]
            built = perf_counter() - began
            say(f"Bringing {CHANGES:,} changes in, {policy}")
            times = [await _once(connection, name) for _ in range(_TIMES)]
            journal.add(what="refreshes", name=name, build_seconds=round(built, 3), seconds=times)
    return {
        entry["name"]: {
            "changes": CHANGES,
            "build_seconds": entry["build_seconds"],
            "seconds": entry["seconds"],
            "median_seconds": round(median(entry["seconds"]), 4),
        }
        for entry in journal.find("refreshes")
    }


async def _once(connection: Connection, name: str) -> float:
    """Seconds to bring scattered changes in."""
    for source in SOURCES:
        await connection.execute(for_source(_SQL["scatter"], source), CHANGES // len(SOURCES))
    began = perf_counter()
    if name == "refresh":
        await refresh(connection)
    else:
        while await Applier().apply(connection) is not None:
            pass
    return round(perf_counter() - began, 4)
