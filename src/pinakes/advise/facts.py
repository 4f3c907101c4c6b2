"""Facts: everything the rules look at, each None where nobody knows it.

They come from what the installation measured (`measured.py`) or from a probe of the database
(`probe.py`); sizes are of now in either case. Seconds, bytes, and shares from 0 to 1.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from pinakes.figures.histogram import Histogram

ENOUGH = 100
"""Fewer answers than this say nothing about a percentile."""


@dataclass(frozen=True, slots=True)
class Latency:
    """How long something took: how often it was measured, and percentiles in seconds, at most 9 % too high."""

    count: int
    p50_s: float
    p95_s: float
    p99_s: float

    @classmethod
    def of(cls, histogram: Histogram) -> Latency | None:
        """None of nothing."""
        if not histogram.count:
            return None
        p50, p95, p99 = (histogram.quantile(share) or 0.0 for share in (0.5, 0.95, 0.99))
        return cls(histogram.count, p50, p95, p99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of one installation. `reads` and `writes` are of the `hours` looked at."""

    source: Literal["measured", "probed"] = "measured"
    hours: float = 0.0

    # Sizes now
    items: int = 0
    taggings: int = 0
    base_bytes: int = 0
    view_bytes: int = 0
    index_bytes: int = 0
    growth_per_day: float | None = None

    # What was asked
    reads: int = 0
    writes: int = 0
    repetition: float | None = None
    hit_rate: float | None = None
    answers: Latency | None = None
    engines: dict[str, Latency] = dataclasses.field(default_factory=dict)
    hits: Latency | None = None
    failed: int = 0

    # What is switched on
    cache: str = "off"
    policy: str | None = None
    index: bool = False
    refresh_s: float | None = None
    refresh_s_at_10x: float | None = None
    refresh_every_s: float | None = None
    cache_bytes: int = 0
    process_bytes: int = 0
    index_memory_bytes: int = 0
    processes: int = 1

    @property
    def measured_enough(self) -> bool:
        """Whether percentiles of answers mean something."""
        return self.answers is not None and self.answers.count >= ENOUGH

    @property
    def reads_per_write(self) -> float | None:
        """Reads for every write; None before there are enough reads, infinite without a write."""
        if self.reads < ENOUGH:
            return None
        return self.reads / self.writes if self.writes else float("inf")

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        told = dataclasses.asdict(self)
        ratio = self.reads_per_write
        told["reads_per_write"] = None if ratio == float("inf") else ratio
        return told
