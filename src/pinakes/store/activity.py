"""What long work says of itself: in the name of its session, where every other session can read it.

`pg_stat_activity` shows the names of all sessions to everybody, at once and from inside open transactions, and a
name goes with its session; so nothing said here outlives whoever said it. A name has 63 bytes: what is being
done, a per mille and the second it began, by the server's clock.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pinakes.store.pool import Connection
from pinakes.store.queries import load

LOADING = "loading items"
SEALING = "building the indexes of a load"
READ_MODEL = "building the read model"
INDEX = "building the index"
KEEPER = "pinakes applier"
FOLDER = "pinakes folder"

_NAME = re.compile(r"pinakes: (.+), (\d+)/1000 since (\d+)")
# Less than this done, or this many seconds in, says nothing about the rest.
_SAYING = 0.02
_SAYING_S = 2.0


@dataclass(frozen=True, slots=True)
class Activity:
    """Work under way: what it is, the share that is done, and for how many seconds it has been."""

    what: str
    share: float
    seconds: float

    @property
    def left_s(self) -> float | None:
        """About how many seconds are left, going on as so far; None where that cannot be said yet."""
        if self.share < _SAYING or self.seconds < _SAYING_S:
            return None
        return self.seconds * (1 - self.share) / self.share

    def __str__(self) -> str:
        """As people read it."""
        told = f"{self.what}, {self.share:.0%} done"
        return told if self.left_s is None else f"{told}, about {self.left_s:.0f} s left"


@dataclass(frozen=True, slots=True)
class Activities:
    """What is under way in this database, and whether sessions are there that keep the read model and the index."""

    under_way: tuple[Activity, ...] = ()
    kept: bool = False
    index_kept: bool = False

    def __str__(self) -> str:
        """As people read it; empty where nothing is under way."""
        return "; ".join(map(str, self.under_way))


async def tell(connection: Connection, what: str, share: float) -> None:
    """Says through `connection` that `what` is done to `share`; began is when it was first said."""
    await connection.execute(load("activity")["tell"], what, max(0, min(1000, int(1000 * share))))


async def tell_no_more(connection: Connection) -> None:
    """The session has its own name again."""
    await connection.execute("RESET application_name")


async def read_activities(connection: Connection) -> Activities:
    """What all sessions of this database say."""
    found, names = [], set()
    for row in await connection.fetch(load("activity")["told"]):
        names.add(row["name"])
        told = _NAME.fullmatch(row["name"])
        if told is not None:
            what, done, began = told.groups()
            found.append(Activity(what, int(done) / 1000, max(row["now"] - int(began), 0.0)))
    kept = KEEPER in names or any(each.what == READ_MODEL for each in found)
    return Activities(tuple(found), kept, FOLDER in names)
