"""The hierarchy of tags: which stand directly below which. No circles; the database holds that.

A tag may have several parents. What stands below a tag over any number of steps is found with it
where a query asks for descendants. `hidden_from` is as in `aliases`.
"""

from __future__ import annotations

from collections.abc import Sequence

from asyncpg import exceptions as pg

from pinakes.errors import Conflict, InvalidContent, NotFound
from pinakes.store import aliases, tags
from pinakes.store.pool import Connection
from pinakes.store.queries import load
from pinakes.store.tag_name import checked

_ALL = 2**31


async def put(conn: Connection, pairs: Sequence[tuple[str, str]], *, hidden_from: int | None = None) -> int:
    """Puts the first tag of each pair directly below the second, all or none; how many are new.

    Raises:
        InvalidContent: something cannot be a name.
        NotFound: there is no such tag.
        Conflict: a tag would stand above itself; the way round is named.
    """
    wanted = [(checked(child, "child"), checked(parent, "parent")) for child, parent in pairs]
    known = await aliases.tag_ids(conn, {name for pair in wanted for name in pair}, hidden_from=hidden_from)
    for name in (name for pair in wanted for name in pair):
        if name not in known:
            raise NotFound(
                f"There is no tag {name!r}.", hint="Tags are made when an item gets them, or by tags import."
            )
    return await put_numbers(conn, [(known[child], known[parent]) for child, parent in wanted], hidden_from)


async def put_numbers(conn: Connection, pairs: Sequence[tuple[int, int]], hidden_from: int | None = None) -> int:
    """The same by numbers. Raises: Conflict."""
    try:
        async with conn.transaction():
            done = await conn.execute(
                load("names")["put_parents"], [child for child, _ in pairs], [parent for _, parent in pairs]
            )
    except pg.CheckViolationError as error:
        # The way round may lead over a tag that the caller must not learn of.
        told = hidden_from is None or len(await listed(conn, limit=_ALL, hidden_from=hidden_from)) == len(
            await listed(conn, limit=_ALL)
        )
        way = f": {error.args[0]}" if told else ""
        raise Conflict(
            f"A tag would stand above itself{way}.", field="parent", hint="Leave out one of these steps."
        ) from error
    except pg.ForeignKeyViolationError as error:
        raise InvalidContent("One of these tags was deleted meanwhile.", field="parent", allowed="tags") from error
    return int(done.rsplit(" ", 1)[1])


async def remove(conn: Connection, child: str, parent: str, *, hidden_from: int | None = None) -> int:
    """Takes `child` from directly below `parent`; how many steps that were.

    Raises:
        NotFound: there is no such tag.
    """
    numbers = [await aliases.tag_id(conn, name, hidden_from=hidden_from) for name in (child, parent)]
    done = await conn.execute(load("names")["remove_parent"], *numbers)
    return int(done.rsplit(" ", 1)[1])


async def listed(
    conn: Connection, *, after: tuple[str, str] = ("", ""), limit: int, hidden_from: int | None = None
) -> list[tuple[str, str]]:
    """At most `limit` pairs (child, parent) by name, following `after`."""
    found: list[tuple[str, str]] = []
    while True:
        rows = await conn.fetch(load("names")["parents"], *after, limit)
        numbers = {row[column] for row in rows for column in ("child_id", "parent_id")}
        hidden = await tags.hidden(conn, numbers, hidden_from)
        shown = (row for row in rows if hidden.isdisjoint((row["child_id"], row["parent_id"])))
        found += [(row["child"], row["parent"]) for row in shown]
        if len(rows) < limit or len(found) >= limit:
            return found[:limit]
        after = (rows[-1]["child"], rows[-1]["parent"])
