"""Answers: what the cache gives, and what an engine brings it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import orjson

from pinakes.cache.entry import Entry
from pinakes.cache.key import Question
from pinakes.cache.splice import Encoding
from pinakes.cache.stamp import Stamp

Source: TypeAlias = Literal["hit_l1", "hit_l2", "stale", "miss", "degraded", "bypass"]
X_CACHE: dict[Source, str] = {
    "hit_l1": "HIT", "hit_l2": "HIT", "stale": "STALE", "miss": "MISS", "degraded": "DEGRADED", "bypass": "BYPASS",
}  # fmt: skip
_HITS = frozenset(("hit_l1", "hit_l2", "stale"))


@dataclass(frozen=True, slots=True)
class Computed:
    """What the engine brings: the body up to its tail, what it says, and the state it was read from.

    `question` is the one its snapshot understood, which can differ from the one asked when a tag
    came or went meanwhile. `stages`: where the time went, in milliseconds.
    """

    question: Question
    constant: bytes
    etag: bytes
    stamp: Stamp
    stages: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer and where it comes from. `entry` is not in Redis when it could not be stored.

    `stages`: where the time went when it was computed, in milliseconds; nothing where it was stored before.
    """

    entry: Entry
    source: Source
    now_ms: int
    stages: Mapping[str, float] = field(default_factory=dict)

    @property
    def from_cache(self) -> bool:
        """Whether it was stored before it was asked for."""
        return self.source in _HITS

    @property
    def etag(self) -> str:
        """The weak entity tag: what the answer says, not its bytes."""
        return f'W/"{self.entry.etag.hex()}"'

    def told(self) -> dict[str, Any]:
        """What it says, read from its body; without the cache's own fields."""
        found: dict[str, Any] = orjson.loads(self.entry.constant + b"}")
        return found

    def body(self, encoding: Encoding) -> bytes:
        """The finished body."""
        return self.entry.body(encoding, self.now_ms, from_cache=self.from_cache)

    def server_timing(self, *, fine: bool = False) -> str:
        """Where it comes from and, if it was computed, the stages; in whole milliseconds unless `fine`.

        Whole ones, because finer times would tell what lies beside the items one may see.
        """
        stages = (f"{stage};dur={ms:.2f}" if fine else f"{stage};dur={ms:.0f}" for stage, ms in self.stages.items())
        return ", ".join((f"cache;desc={self.x_cache}", *stages))

    @property
    def x_cache(self) -> str:
        """The value of the header."""
        return X_CACHE[self.source]
