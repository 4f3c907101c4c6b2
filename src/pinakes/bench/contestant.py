"""Contestants: whatever answers the questions of a measurement, engines and peers alike.

All of them do the same work for the clock: the page's items in order, whole rows with names of tags,
and the exact total, in one snapshot or its like. What they return is compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from pinakes.bench.draw import Ask
from pinakes.query.item import Item

Say: TypeAlias = Callable[[str], None]
"""Told in words what takes time."""

Kind: TypeAlias = Literal["engine", "peer"]


@dataclass(frozen=True, slots=True)
class Given:
    """An answer as it is compared: the items of the page in order, and the exact total."""

    items: tuple[Item, ...]
    total: int
    stages: Mapping[str, float] = field(default_factory=dict)
    """Where the time went, in milliseconds, if the contestant knows."""

    @property
    def keys(self) -> tuple[tuple[int, int], ...]:
        """(source code, id) of every item."""
        return tuple((item.source, item.id) for item in self.items)


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a contestant needed before it could answer: its own structures, beyond what every gallery has."""

    seconds: float = 0.0
    bytes: int = 0
    note: str = ""


class Unavailable(Exception):
    """A contestant cannot take part here; the text says why. Never leaves the harness."""


class Contestant(Protocol):
    """Whatever answers."""

    name: str
    kind: Kind
    what: str
    """In one line, what it is."""

    async def prepare(self, say: Say) -> Prepared:
        """Builds what it needs of its own, and opens it.

        Raises:
            Unavailable: it cannot take part; says why.
        """
        ...

    async def answer(self, ask: Ask) -> Given:
        """The answer, in full."""
        ...

    async def forget(self) -> None:
        """Becomes a process that has just begun: new sessions, nothing in memory."""
        ...

    async def close(self) -> None:
        """Gives back sessions and whatever it has put into the database."""
        ...
