"""How long keeping the read model takes as the gallery grows: whole refreshes, and changed rows only.

At each size, the same number of scattered changes is brought into the read model by REFRESH …
CONCURRENTLY and by an epoch, some times each. Over several sizes a power law seconds = a · items^b is
fitted, by least squares between the logarithms, and carried on to sizes nobody wants to wait for.
A projection is as good as the law; so the exponent and the residual stand beside it.
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
    """seconds = `a` · items^`b`; `residual`: root mean square of the logarithm, 0.1 is about 10 %."""

    a: float
    b: float
    residual: float

    def at(self, items: int) -> float:
        """Seconds at that size."""
        return float(self.a * items**self.b)


def fit(points: Sequence[tuple[int, float]]) -> Fit | None:
    """The power law through `points` (items, seconds); None with fewer than two sizes."""
    if len({items for items, _ in points}) < 2:
        return None
    x, y = np.log([items for items, _ in points]), np.log([seconds for _, seconds in points])
    b, intercept = np.polyfit(x, y, 1)
    residual = math.sqrt(float(np.mean((y - (intercept + b * x)) ** 2)))
    return Fit(float(math.exp(intercept)), float(b), residual)


def projection(scales: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What the refresh figures of several sizes say of larger ones."""
    found: dict[str, Any] = {}
    for name in ("refresh", "epoch"):
        points = [
            (scale["gallery"]["items"], seconds)
            for scale in scales
            if scale.get("refreshes")
            for seconds in scale["refreshes"][name]["seconds"]
        ]
        law = fit(points)
        if law is not None:
            at = {str(items): round(law.at(items), 2) for items in PROJECTED}
            found[name] = {"a": law.a, "b": round(law.b, 3), "residual": round(law.residual, 3), "seconds_at": at}
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
