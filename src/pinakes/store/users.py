"""Users: a number and a unique name. Who they are and how they log in is another system's business.

A name is repaired as `query/repair.py` has it and unique as it is then, letter by letter: two users are never
made one because their names look alike.
"""

from __future__ import annotations

from dataclasses import dataclass

from asyncpg import Record

from pinakes.errors import InvalidContent
from pinakes.query import repair
from pinakes.store.limits import MAX_NAME
from pinakes.store.pool import Connection
from pinakes.store.queries import load


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who creates items."""

    id: int
    username: str


def checked_username(username: str) -> str:
    """`username` as it is stored.

    Raises:
        InvalidContent: nobody can be called so.
    """
    kept = repair.name(username)
    if not 1 <= len(kept) <= MAX_NAME:
        raise InvalidContent(
            f"{username[:60]!a} cannot be the name of a user.",
            field="username",
            allowed=f"1 to {MAX_NAME} characters that can be seen",
            hint="",
        )
    return kept


async def by_id(conn: Connection, user_id: int) -> User | None:
    """The user of this number."""
    return _user(await conn.fetchrow(load("users")["by_id"], user_id))


async def by_name(conn: Connection, username: str) -> User | None:
    """The user of this name."""
    username = repair.name(username)
    return _user(await conn.fetchrow(load("users")["by_name"], username))


async def ensure(conn: Connection, username: str) -> User:
    """The user of this name, created where there is none.

    Raises:
        InvalidContent: nobody can be called so.
    """
    username = checked_username(username)
    queries = load("users")
    while True:  # a second turn only where another transaction deletes the name in between
        user = await by_name(conn, username) or _user(await conn.fetchrow(queries["create"], username))
        if user is not None:
            return user


def _user(row: Record | None) -> User | None:
    return None if row is None else User(row["id"], row["username"])
