"""Overlap: how many hits of a formula carry which tags. Exact, from the tables or from the bitmap index.

What suggestions, related tags and whoever counts tags within a filter are made of. The formula has
the viewer's visibility in it, so nobody's private items are in any count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from asyncpg import Record

from pinakes.query.formula import Formula, Nothing, Term, assume
from pinakes.query.sources import SOURCES, Source
from pinakes.store.compiler import VIEW_COLUMNS, Compiler, table_columns
from pinakes.store.pool import Connection
from pinakes.store.queries import for_source, load

SQL = load("insight", "pinakes.engines.sql")


WHOLE = 600
"""Up to so many hits the tags of all are read: 4 to 8 µs each, with a dozen tags."""

SAMPLED = 250
"""Of more hits, the tags of so many: one that every fiftieth has is nearly sure to be among them (1 - e^-5)."""

Hits: TypeAlias = Callable[[Compiler, Formula, str], str]
"""(values, formula, sort field) -> a statement for all hits as rows (id, source, key)."""


@dataclass(frozen=True, slots=True)
class Among:
    """`total` hits, and on how many of them each tag is; a tag that is not listed is on `rest` of them at most."""

    total: int
    tags: Mapping[int, int]
    rest: int = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """On how many of some hits each tag is. `whole`: they are all hits."""

    tags: Mapping[int, int]
    whole: bool


class Overlap(Protocol):
    """Counts tags among hits, in the snapshot of `connection`."""

    async def of(self, connection: Connection, formula: Formula, tags: Sequence[int]) -> Counter[int]:
        """How many hits of `formula` carry each of `tags`."""
        ...

    async def sample(self, connection: Connection, formula: Formula) -> Sample | None:
        """The tags of all hits or, beyond `WHOLE`, of `SAMPLED`; None where hits are not quick to find."""
        ...

    async def among(self, connection: Connection, formula: Formula) -> Among:
        """How many hits there are, and how many of them carry which tags."""
        ...


class TableOverlap:
    """Counts in the tables: O(hits and taggings), good where either is some ten thousands."""

    async def of(self, connection: Connection, formula: Formula, tags: Sequence[int]) -> Counter[int]:
        """How many hits of `formula` carry each of `tags`."""
        counted: Counter[int] = Counter()
        for source, narrowed in branches(formula):
            compiler = Compiler()
            listed = compiler.bind(list(tags), "integer[]")
            condition = compiler.condition(narrowed, table_columns(source))
            sql = for_source(SQL["counts_of"], source).replace("{tags}", listed).replace("{condition}", condition)
            _add(counted, await connection.fetch(sql, *compiler.values))
        return counted

    async def sample(self, connection: Connection, formula: Formula) -> Sample | None:
        """Never quick enough: how many hits there are is not known before they are collected."""
        return None

    async def among(self, connection: Connection, formula: Formula) -> Among:
        """How many hits there are, and how many of them carry which tags."""
        counted: Counter[int] = Counter()
        total = 0
        for source, narrowed in branches(formula):
            compiler = Compiler()
            condition = compiler.condition(narrowed, table_columns(source))
            every, count = (for_source(SQL[name], source) for name in ("counts_of_all", "count"))
            _add(counted, await connection.fetch(every.replace("{condition}", condition), *compiler.values))
            total += await connection.fetchval(count.replace("{condition}", condition), *compiler.values)
        return Among(total, counted)


def branches(formula: Formula) -> list[tuple[Source, Formula]]:
    """The sources `formula` can be true of, each with what is left to ask of its table."""
    found = [
        (source, assume(formula, {str(Term("source", other.code)): other is source for other in SOURCES}))
        for source in SOURCES
    ]
    return [(source, narrowed) for source, narrowed in found if not isinstance(narrowed, Nothing)]


def hits(compiler: Compiler, formula: Formula, field: str) -> str:
    """All hits as rows (id, source, key), from every source that can have any."""
    parts = []
    for source, narrowed in branches(formula):
        condition = compiler.condition(narrowed, table_columns(source))
        parts.append(for_source(SQL["hits"], source).replace("{field}", field).replace("{condition}", condition))
    if not parts:
        nothing = for_source(SQL["hits"], SOURCES[0]).replace("{field}", field)
        parts.append(nothing.replace("{condition}", "false"))
    return "\nUNION ALL\n".join(parts)


def read_model_hits(compiler: Compiler, formula: Formula, field: str) -> str:
    """The same from the read model."""
    condition = compiler.condition(formula, VIEW_COLUMNS)
    return SQL["read_model_hits"].replace("{field}", field).replace("{condition}", condition)


def _add(counted: Counter[int], rows: Sequence[Record]) -> None:
    for row in rows:
        counted[row["tag_id"]] += row["items"]
