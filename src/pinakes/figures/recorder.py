"""Recorder: counts what one process does, in the minute that is open and since it started.

A *series* is named `part:name`, and each is one histogram of durations:

    answer:hit_l1 hit_l2 stale miss bypass degraded   each page of the gallery given, by where it came from
    engine:index matview base                         each page computed, by the engine that did it
    engine:failed                                     each that was not: time limit, no connection
    asked:first                                       each computed that nobody had asked here for ten minutes
    write:create update delete                        each item written

`engine` can exceed the misses, since stale answers are renewed in the background. All that is asked
again is answers less `asked:first`: what a cache could have given at best.

Bounded: some 15 series of 1.5 kB for at most `KEPT` minutes, `SEEN` hashes, `SLOW` queries a minute. Nothing here waits
or talks to a database; `journal.py` stores the minutes.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from pinakes.figures.histogram import Histogram

MINUTE_S = 60
KEPT = 60
SEEN = 20_000
SEEN_S = 600.0
SLOW = 10
MAX_TEXT = 2000


@dataclass(slots=True)
class Slow:
    """A slow query: its text without who asked, who computed it, its longest time, and how often it was slow."""

    query: str
    engine: str
    seconds: float
    times: int = 1


@dataclass(slots=True)
class Minute:
    """What happened from `at` (seconds since 1970) until the minute was closed.

    `turn` counts how often the clock had been set back: a minute that comes again is another one.
    """

    at: int
    turn: int = 0
    series: dict[str, Histogram] = field(default_factory=dict)
    slow: dict[str, Slow] = field(default_factory=dict)

    def slowest(self) -> list[Slow]:
        """The slow queries that are kept, slowest first."""
        return sorted(self.slow.values(), key=lambda one: -one.seconds)[:SLOW]


class Recorder:
    """Counts for one process. Not for use from several threads."""

    def __init__(
        self,
        slow_ms: int = 100,
        *,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        """Queries that take `slow_ms` or longer are remembered with their text; 0 remembers none."""
        self._slow_s = slow_ms / 1000
        self._clock = clock
        self._steady = steady
        self._seen: OrderedDict[int, float] = OrderedDict()
        self._closed: dict[str, Histogram] = {}
        self.minutes: deque[Minute] = deque([Minute(self._now())], maxlen=KEPT)
        self._series = self.minutes[-1].series

    def record(self, series: str, seconds: float) -> None:
        """One more of `series`, which took `seconds`."""
        histogram = self._series.get(series)
        if histogram is None:
            histogram = self._series[series] = Histogram()
        histogram.add(seconds)

    def computed(self, engine: str, seconds: float, query: Hashable, text: Callable[[], str]) -> None:
        """An engine (`failed`: none) was done with `query` after `seconds`; `text` says what was asked, not by whom."""
        self.record(f"engine:{engine}", seconds)
        if self._first(hash(query)):
            self.record("asked:first", seconds)
        if 0 < self._slow_s <= seconds:
            self._remember(text()[:MAX_TEXT], engine, seconds)

    def totals(self) -> dict[str, Histogram]:
        """Every series since the process started."""
        names = self._closed.keys() | self._series.keys()
        nothing = Histogram()
        return {
            name: Histogram().merge(self._closed.get(name, nothing)).merge(self._series.get(name, nothing))
            for name in sorted(names)
        }

    def roll(self) -> None:
        """Opens a new minute where the open one is over."""
        now, open_one = self._now(), self.minutes[-1]
        if now == open_one.at:
            return
        for name, histogram in self._series.items():
            self._closed.setdefault(name, Histogram()).merge(histogram)
        self.minutes.append(Minute(now, open_one.turn + (now < open_one.at)))
        self._series = self.minutes[-1].series

    def _now(self) -> int:
        return int(self._clock()) // MINUTE_S * MINUTE_S

    def _first(self, key: int) -> bool:
        now = self._steady()
        before = self._seen.pop(key, None)
        self._seen[key] = now
        if len(self._seen) > SEEN:
            self._seen.popitem(last=False)
        return before is None or now - before > SEEN_S

    def _remember(self, text: str, engine: str, seconds: float) -> None:
        minute = self.minutes[-1]
        known = minute.slow.get(text)
        if known is None:
            minute.slow[text] = Slow(text, engine, seconds)
            if len(minute.slow) > 2 * SLOW:
                minute.slow = {one.query: one for one in minute.slowest()}
            return
        known.times += 1
        if seconds > known.seconds:
            known.seconds, known.engine = seconds, engine
