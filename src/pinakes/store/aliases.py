"""Aliases: other names of tags. Whoever names a tag by one, reading or writing, means the tag.

An alias leads to a tag, never to an alias: a chain is followed when it is made, so a lookup is one
step and no circle can come about. A name that is a tag's own is no alias; to make it one, merge. Names are
compared by their keys (`query/names.py`), so an alias has every spelling.

`hidden_from` names a user for whom tags on nothing but others' private items are not there; None is for
whoever may know all tags, as on the command line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pinakes.errors import Conflict, NotFound
from pinakes.store import tags
from pinakes.store.pool import Connection
from pinakes.store.queries import load
from pinakes.store.tag_name import checked

_NO_TAG = "GET /api/v1/tags lists tags."


async def tag_ids(conn: Connection, names: Iterable[str], *, hidden_from: int | None = None) -> dict[str, int]:
    """The number of the tag behind each name or alias that there is."""
    wanted = sorted(set(names))
    aliased = await conn.fetch(load("tags")["aliased"], wanted)
    own = await conn.fetch(load("tags")["ids_of"], wanted)
    found = {row["asked"]: row["id"] for row in aliased} | {row["asked"]: row["id"] for row in own}
    hidden = await tags.hidden(conn, found.values(), hidden_from)
    return {name: number for name, number in found.items() if number not in hidden}


async def tag_id(conn: Connection, name: str, *, hidden_from: int | None = None) -> int:
    """The number of the tag behind a name or alias.

    Raises:
        NotFound: there is none.
    """
    found = await tag_ids(conn, [name], hidden_from=hidden_from)
    if name not in found:
        raise NotFound(f"There is no tag {name!r}.", hint=_NO_TAG)
    return found[name]


async def put(conn: Connection, given: Mapping[str, str], *, hidden_from: int | None = None) -> int:
    """Makes each key an alias of its value, which may be an alias itself, also one given here; how many are new.

    One that is its tag's name in another spelling is none, and is passed over.

    Raises:
        InvalidContent: something cannot be a name.
        Conflict: a name is a tag's own, or the aliases lead round in a circle, which is named.
        NotFound: one leads to no tag.
    """
    wanted = {checked(alias, "alias"): checked(target, "tag") for alias, target in given.items()}
    wanted = await _by_first_spelling(conn, wanted)
    own = {row["asked"]: row["id"] for row in await conn.fetch(load("tags")["ids_of"], sorted(wanted))}
    if own:
        known = await tag_ids(conn, (wanted[alias] for alias in own))
        wanted = {alias: tag for alias, tag in wanted.items() if own.get(alias) is None or own[alias] != known.get(tag)}
        _refuse_tags([alias for alias in own if alias in wanted], wanted)
    ends = {alias: _end(alias, wanted) for alias in wanted}
    known = await tag_ids(conn, ends.values(), hidden_from=hidden_from)
    for alias, end in ends.items():
        if end not in known:
            raise NotFound(f"{alias!r} leads to {end!r}, and there is no such tag.", hint=_NO_TAG)
    done = await conn.execute(load("names")["put_aliases"], list(ends), [known[end] for end in ends.values()])
    return int(done.rsplit(" ", 1)[1])


async def _by_first_spelling(conn: Connection, wanted: Mapping[str, str]) -> dict[str, str]:
    """`wanted` with the first spelling of each name in it for every other; of two aliases the later counts."""
    names = dict.fromkeys(name for pair in wanted.items() for name in pair)
    keys = {row["name"]: row["key"] for row in await conn.fetch(load("tags")["keys_of"], list(names))}
    first: dict[str, str] = {}
    for name in names:
        first.setdefault(keys[name], name)
    return {first[keys[alias]]: first[keys[tag]] for alias, tag in wanted.items()}


async def remove(conn: Connection, names: Sequence[str], *, hidden_from: int | None = None) -> int:
    """Takes aliases away; how many there were."""
    rows = await conn.fetch(load("tags")["aliased"], list(names)) if hidden_from is not None else []
    hidden = await tags.hidden(conn, {row["id"] for row in rows}, hidden_from)
    kept = {row["asked"] for row in rows if row["id"] in hidden}
    done = await conn.execute(load("names")["remove_aliases"], [name for name in names if name not in kept])
    return int(done.rsplit(" ", 1)[1])


async def listed(
    conn: Connection, *, after: str = "", limit: int, hidden_from: int | None = None
) -> list[tuple[str, str]]:
    """At most `limit` pairs (alias, tag) by name, following `after`."""
    found: list[tuple[str, str]] = []
    while True:
        rows = await conn.fetch(load("names")["aliases"], after, limit)
        hidden = await tags.hidden(conn, {row["id"] for row in rows}, hidden_from)
        found += [(row["alias"], row["tag"]) for row in rows if row["id"] not in hidden]
        if len(rows) < limit or len(found) >= limit:
            return found[:limit]
        after = rows[-1]["alias"]


def _refuse_tags(tags: Sequence[str], wanted: Mapping[str, str]) -> None:
    if not tags:
        return
    name = tags[0]
    path = _path(name, wanted)
    if path[-1] == name:
        raise Conflict(f"The aliases lead round in a circle: {' → '.join(path)}.", field="alias", hint="Leave one out.")
    raise Conflict(
        f"{name!r} is a tag of its own.",
        field="alias",
        hint=f"Merge it instead: its items get {wanted[name]!r}, and its name becomes an alias.",
    )


def _end(alias: str, wanted: Mapping[str, str]) -> str:
    """Where `alias` leads, by way of the other aliases given."""
    path = _path(alias, wanted)
    if path[-1] in path[:-1]:
        circle = path[path.index(path[-1]) :]
        raise Conflict(
            f"The aliases lead round in a circle: {' → '.join(circle)}.", field="alias", hint="Leave one of them out."
        )
    return path[-1]


def _path(alias: str, wanted: Mapping[str, str]) -> list[str]:
    """The names met from `alias` on; ends with one that is no key, or was met before."""
    path = [alias]
    while path[-1] in wanted:
        path.append(wanted[path[-1]])
        if path[-1] in path[:-1]:
            break
    return path
