"""What can be chosen about the cache, as one value; `of` reads it from the settings.

    strategy   an answer is given while
    ttl        it is younger than its time to live; nothing else is asked
    event      nothing it depends on has changed, and its time to live is not over
    hybrid     as `event` for whatever has a tag, a creator or a word; as `ttl` for feeds, which every
               write touches, except that names, writes somebody waited for, what becomes private
               and one's own private items are never left to the time limit

`window_ms` is the part of the budget that is the cache's: the budget less one epoch interval.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal, TypeAlias

from pinakes.cache.key import Kind
from pinakes.settings import Settings

Strategy: TypeAlias = Literal["ttl", "event", "hybrid"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the cache behaves in this process."""

    strategy: Strategy = "hybrid"
    window_ms: int = 900
    ttl_tagged_s: int = 600
    ttl_s: int = 300
    ttl_jitter: float = 0.1
    limit_ms: int = 40
    poll_ms: int = 50
    lag_ms: int = 250
    publish_ms: int = 50
    l1_bytes: int = 64 * 2**20
    lease_ms: int = 600
    wait_s: float = 10.0
    early_beta: float = 1.0
    serve_stale: bool = True

    def ttl_of(self, kind: Kind) -> int:
        """The time to live of a new answer, jittered downwards so that the stated one is never exceeded."""
        ttl = self.ttl_tagged_s if kind == "tagged" else self.ttl_s
        return max(int(ttl * (1 - self.ttl_jitter * random.random())), 1)  # noqa: S311

    @classmethod
    def of(cls, settings: Settings) -> Options:
        """The options the settings ask for."""
        assert settings.cache_strategy != "off"
        return cls(
            strategy=settings.cache_strategy,
            # What an epoch takes is not the cache's to use; but a window under 300 ms could not be watched.
            window_ms=max(settings.cache_budget_ms - min(settings.epoch_interval_ms, 1000), 300),
            ttl_tagged_s=settings.cache_ttl_tagged_seconds,
            ttl_s=settings.cache_ttl_seconds,
            limit_ms=settings.cache_timeout_ms,
            l1_bytes=settings.cache_process_bytes,
        )

    @property
    def longest_ttl_s(self) -> int:
        """The longest time any answer lives."""
        return max(self.ttl_tagged_s, self.ttl_s)

    def by_time(self, kind: Kind) -> bool:
        """Whether changes of content do not count for a question of this kind."""
        return self.strategy == "ttl" or (self.strategy == "hybrid" and kind == "feed")
