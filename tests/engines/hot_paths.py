"""Looking at what a request does in PostgreSQL: its statements, and the shape of their plans."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from pinakes.store.pool import Connection, Pool


@dataclass
class Seen:
    """The statements of a pool's connections, in order, with their parameters."""

    logged: list[Any] = field(default_factory=list)

    @property
    def texts(self) -> list[str]:
        """Each statement in one line."""
        return [" ".join(each.query.split()) for each in self.logged]

    def __len__(self) -> int:
        return len(self.logged)


@asynccontextmanager
async def watched(pool: Pool) -> AsyncIterator[Seen]:
    """What is sent over any connection of `pool` meanwhile."""
    seen = Seen()

    def log(query: Any) -> None:
        seen.logged.append(query)

    async with _all(pool) as connections:
        for connection in connections:
            connection.add_query_logger(log)
    try:
        yield seen
    finally:
        async with _all(pool) as connections:
            for connection in connections:
                connection.remove_query_logger(log)


@asynccontextmanager
async def _all(pool: Pool) -> AsyncIterator[list[Connection]]:
    """Every connection of `pool`: those for reading and those for writing. Returned last is what is taken first."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(pool.acquire()) for _ in range(pool.get_max_size())]


@dataclass(frozen=True)
class Plan:
    """A plan as EXPLAIN gives it."""

    root: dict[str, Any]

    def nodes(self) -> Iterator[dict[str, Any]]:
        """Every node, from the top."""
        queue = [self.root]
        while queue:
            node = queue.pop(0)
            yield node
            queue += node.get("Plans", [])

    def scanned_whole(self) -> set[str]:
        """Relations that are read from end to end."""
        return {node["Relation Name"] for node in self.nodes() if node["Node Type"] == "Seq Scan"}

    def indexes(self) -> set[str]:
        """Indexes that are used."""
        return {node["Index Name"] for node in self.nodes() if "Index Name" in node}

    def kinds(self) -> list[str]:
        """The kinds of the nodes."""
        return [node["Node Type"] for node in self.nodes()]


async def plans(connection: Connection, seen: Seen, part: str) -> list[Plan]:
    """The plans of those statements in which `part` stands."""
    found = []
    for each in seen.logged:
        if part in each.query:
            row = await connection.fetchval(f"EXPLAIN (FORMAT JSON) {each.query}", *(each.args or ()))
            found.append(Plan(row[0]["Plan"]))
    assert found, f"no statement has {part!r}: {seen.texts}"
    return found
