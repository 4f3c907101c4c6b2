"""Users: a number and a unique name. Who they are and how they log in is another system's business."""

from __future__ import annotations

from dataclasses import dataclass

from asyncpg import Record

from pinakes.store.pool import Connection
from pinakes.store.queries import load


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who creates items."""

    id: int
    username: str


async def by_id(conn: Connection, user_id: int) -> User | None:
    """The user of this number."""
    return _user(await conn.fetchrow(load("users")["by_id"], user_id))


async def by_name(conn: Connection, username: str) -> User | None:
    """The user of this name."""
    return _user(await conn.fetchrow(load("users")["by_name"], username))


async def ensure(conn: Connection, username: str) -> User:
    """The user of this name, created where there is none."""
    queries = load("users")
    while True:  # a second turn only where another transaction deletes the name in between
        user = await by_name(conn, username) or _user(await conn.fetchrow(queries["create"], username))
        if user is not None:
            return user


def _user(row: Record | None) -> User | None:
    return None if row is None else User(row["id"], row["username"])
