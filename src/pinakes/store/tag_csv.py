"""Tags, aliases and the hierarchy as CSV, one table a file; the header says which.

    name,category      tags; missing ones are made, categories set
    alias,tag          aliases, chains in any order
    child,parent       the hierarchy

UTF-8, quoted where needed. An import happens as a whole or not at all, and importing an export
changes nothing. Some hundred thousand lines at most: they are read into memory.
"""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator
from typing import IO, Literal, TypeAlias, get_args

from pinakes.errors import InvalidContent
from pinakes.store import aliases, hierarchy
from pinakes.store.pool import Connection
from pinakes.store.queries import load
from pinakes.store.tag_name import checked, checked_category

Table: TypeAlias = Literal["tags", "aliases", "parents"]
TABLES: tuple[Table, ...] = get_args(Table)
HEADERS: dict[Table, tuple[str, str]] = {
    "tags": ("name", "category"),
    "aliases": ("alias", "tag"),
    "parents": ("child", "parent"),
}
_STRETCH = 10_000


async def write(conn: Connection, table: Table, out: IO[str]) -> int:
    """Writes `table` with its header; how many lines. One snapshot if `conn` is in one."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADERS[table])
    count = 0
    async for row in _rows(conn, table):
        writer.writerow(row)
        count += 1
    return count


async def read(conn: Connection, source: IO[str]) -> tuple[Table, int]:
    """Stores what `source` holds, in the transaction of `conn`; which table it was, and how many lines changed one.

    Raises:
        InvalidContent: it is none of the tables, or a line, which is named, cannot be read.
        NotFound, Conflict: as `aliases.put` and `hierarchy.put`.
    """
    table, lines = _read(source)
    if table == "aliases":
        return table, await aliases.put(conn, dict(lines))
    if table == "parents":
        return table, await hierarchy.put(conn, lines)
    own = {checked(name): checked_category(category) for name, category in lines}
    taken = await conn.fetch(load("tags")["aliased"], list(own))
    if taken:
        row = taken[0]
        raise InvalidContent(f"{row['asked']!r} is an alias of {row['name']!r}.", field="name", allowed="names of tags")
    made = await conn.execute(load("names")["add_tags"], list(own), list(own.values()))
    changed = await conn.execute(load("names")["categorize"], list(own), list(own.values()))
    return table, int(made.rsplit(" ", 1)[1]) + int(changed.rsplit(" ", 1)[1])


def _read(source: IO[str]) -> tuple[Table, list[tuple[str, str]]]:
    reader = csv.reader(source, strict=True)
    try:
        header = tuple(name.strip().lower() for name in next(reader, []))
        table = next((each for each in TABLES if HEADERS[each] == header), None)
        if table is None:
            raise InvalidContent(
                f"The first line is {','.join(header)[:100]!r}.",
                field="line 1",
                allowed=[",".join(names) for names in HEADERS.values()],
            )
        lines = []
        for row in reader:
            if not row:
                continue
            if len(row) != 2:
                raise InvalidContent(
                    f"Line {reader.line_num} has {len(row)} values.",
                    field=f"line {reader.line_num}",
                    allowed="two values",
                )
            lines.append((row[0].strip(), row[1].strip()))
    except (csv.Error, UnicodeDecodeError) as error:
        raise InvalidContent(
            f"Line {reader.line_num + 1} cannot be read: {error}.",
            field=f"line {reader.line_num + 1}",
            allowed="CSV in UTF-8",
        ) from error
    return table, lines


async def _rows(conn: Connection, table: Table) -> AsyncIterator[tuple[str, str]]:
    """Every row of `table` by name, fetched a stretch at a time."""
    first, second = "", ""
    while True:
        match table:
            case "tags":
                fetched = await conn.fetch(load("names")["tags"], first, _STRETCH)
                rows = [(row["name"], row["category"]) for row in fetched]
            case "aliases":
                rows = await aliases.listed(conn, after=first, limit=_STRETCH)
            case "parents":
                rows = await hierarchy.listed(conn, after=(first, second), limit=_STRETCH)
        for row in rows:
            yield row
        if len(rows) < _STRETCH:
            return
        first, second = rows[-1]
