"""Answers: what the cache gives, and what an engine brings it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

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
    came or went meanwhile. `created_ms` is filled in by the cache.
    """

    question: Question
    constant: bytes
    etag: bytes
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer and where it comes from. `entry` is not in Redis when it could not be stored."""

    entry: Entry
    source: Source
    now_ms: int

    @property
    def from_cache(self) -> bool:
        """Whether it was stored before it was asked for."""
        return self.source in _HITS

    @property
    def etag(self) -> str:
        """The weak entity tag: what the answer says, not its bytes."""
        return f'W/"{self.entry.etag.hex()}"'

    def body(self, encoding: Encoding) -> bytes:
        """The finished body."""
        return self.entry.body(encoding, self.now_ms, from_cache=self.from_cache)

    @property
    def x_cache(self) -> str:
        """The value of the header."""
        return X_CACHE[self.source]
