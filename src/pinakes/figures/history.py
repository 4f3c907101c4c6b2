"""History: what was measured between two moments, all processes together.

    history = await read_history(connection, since, until, step_s=60)
    history.total("engine")                 one Histogram of every engine together
    history.names("engine")                 ["base", "index"]
    history.points("engine:index")          [(moment, Histogram)], one a step, none where nothing happened
    history.sizes                           [Sizes]: items, bytes, staleness at the end of each step
    history.hit_rate, history.reads, history.writes, history.repetition

    await read_slowest(connection, since, until, most=20)     [SlowQuery]; for administrators only

Minutes are stored as they pass, so the last few seconds are missing. Any span reads in one pass over
its minutes: a day of one busy process is some 15,000 rows and takes about 0.1 s.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta

from pinakes.figures.histogram import Histogram, merged
from pinakes.store.pool import Connection, translate_errors
from pinakes.store.queries import load

_SQL = load("figures", "pinakes.figures.sql")
HITS = ("answer:hit_l1", "answer:hit_l2", "answer:stale")
_ASKED_CACHE = (*HITS, "answer:miss", "answer:degraded")


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large things were at `at`. `changes`: rows of items written since the server's statistics began."""

    step: datetime
    at: datetime
    items: int
    taggings: int
    base_bytes: int
    view_bytes: int
    index_bytes: int
    changes: int
    epoch: int
    staleness_s: float | None


@dataclass(frozen=True, slots=True)
class SlowQuery:
    """A query that was slow: what was asked, never by whom. `seconds`: its longest time."""

    query: str
    engine: str
    seconds: float
    times: int
    last: datetime


@dataclass(frozen=True, slots=True)
class History:
    """What was measured from `since` to before `until`; series are named in `recorder.py`."""

    since: datetime
    until: datetime
    step_s: float
    series: dict[str, dict[datetime, Histogram]] = field(default_factory=dict)
    sizes: list[Sizes] = field(default_factory=list)

    def names(self, part: str) -> list[str]:
        """The names that `part` (`answer`, `engine`, `write`) has in this span."""
        return sorted(name.partition(":")[2] for name in self.series if name.startswith(f"{part}:"))

    def points(self, series: str) -> list[tuple[datetime, Histogram]]:
        """`series` by step, oldest first."""
        return sorted(self.series.get(series, {}).items(), key=lambda point: point[0])

    def total(self, name: str) -> Histogram:
        """Everything of a series (`engine:base`) or of a whole part (`engine`)."""
        return merged(self._of(name))

    def _of(self, name: str) -> Iterator[Histogram]:
        for series, points in self.series.items():
            if series == name or series.startswith(f"{name}:"):
                yield from points.values()

    def count(self, name: str) -> int:
        """How many there were of a series or a whole part."""
        return sum(histogram.count for histogram in self._of(name))

    @property
    def reads(self) -> int:
        """Pages of the gallery given."""
        return self.count("answer")

    @property
    def writes(self) -> int:
        """Items written through Pinakes, or seen to change in the tables, whichever is more."""
        seen = self.sizes[-1].changes - self.sizes[0].changes if len(self.sizes) > 1 else 0
        return max(self.count("write"), seen)

    @property
    def hit_rate(self) -> float | None:
        """The share of answers that needed no engine, of those that could have; None where there were none."""
        asked = sum(map(self.count, _ASKED_CACHE))
        return sum(map(self.count, HITS)) / asked if asked else None

    @property
    def repetition(self) -> float | None:
        """The share of answers that had been asked for before, lately: what a cache can give at best."""
        reads = self.reads
        return max(1 - self.count("asked:first") / reads, 0.0) if reads else None


async def read_history(connection: Connection, since: datetime, until: datetime, step_s: float = 60) -> History:
    """What was measured from `since` to before `until`, in steps of `step_s` (60 or more).

    Raises:
        StoreError: the database cannot be asked.
    """
    series: dict[str, dict[datetime, Histogram]] = defaultdict(dict)
    span = (since, until, timedelta(seconds=max(step_s, 60)))
    with translate_errors():
        sums = await connection.fetch(_SQL["sums"], *span)
        cells = await connection.fetch(_SQL["cells"], *span)
        sizes = await connection.fetch(_SQL["sizes"], *span)
    for row in sums:
        histogram = series[row["series"]][row["step"]] = Histogram()
        histogram.seconds, histogram.slowest = row["seconds"], row["slowest"]
    for row in cells:
        point = series[row["series"]].get(row["step"])
        if point is not None:  # a minute stored between the two statements is left out
            point.cells[row["cell"]] += row["number"]
    return History(since, until, step_s, dict(series), [Sizes(**dict(row)) for row in sizes])


async def read_slowest(connection: Connection, since: datetime, until: datetime, most: int = 20) -> list[SlowQuery]:
    """The slowest queries of the span, slowest first. Their text is for administrators only.

    Raises:
        StoreError: the database cannot be asked.
    """
    with translate_errors():
        rows = await connection.fetch(_SQL["slowest"], since, until, most)
    return [SlowQuery(**{each.name: row[each.name] for each in fields(SlowQuery)}) for row in rows]
