"""What a measurement knows of a gallery before it asks: tags by frequency, some items, how large it is.

Read once, some thousand rows whatever the size; pairs of tags that never meet are found by asking
for each pair that does not meet in a sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from pinakes.query.sources import SOURCES
from pinakes.query.text import words
from pinakes.store.pool import Connection
from pinakes.store.queries import for_source, load

SAMPLE = 2_000
"""Items looked at, of each source."""
COMMON = 0.02
"""The share of tags that count as common, by rank."""
_PAIRS = 8
_PAIRS_ASKED = 60
_AMONG = 150
_SQL = load("facts", "pinakes.bench.sql")


@dataclass(frozen=True, slots=True)
class Facts:
    """A gallery as far as drawing questions needs it. `tags`: by falling frequency."""

    tags: tuple[int, ...]
    together: tuple[tuple[int, ...], ...]
    creators: tuple[int, ...]
    owners: tuple[int, ...]
    words: tuple[tuple[str, ...], ...]
    apart: tuple[tuple[int, int], ...]

    @property
    def common(self) -> int:
        """How many tags count as common: the first ones, at least five."""
        return min(max(int(len(self.tags) * COMMON), 5), len(self.tags))


@dataclass(frozen=True, slots=True)
class Size:
    """How large a gallery is; `bytes`: on disk, by part."""

    items: int
    taggings: int
    private_items: int
    creators: int
    tags: int
    bytes: dict[str, int]
    has_tables: bool


async def read_facts(connection: Connection, apart: tuple[tuple[int, int], ...] | None = None) -> Facts:
    """The facts, in an order that depends on the gallery alone. `apart`: pairs of tags known never to meet."""
    tags = tuple(row["tag_id"] for row in await connection.fetch(_SQL["ranked_tags"]))
    rows = [row for source in SOURCES for row in await connection.fetch(_SQL["some_items"], source.code, SAMPLE)]
    return Facts(
        tags=tags,
        together=tuple(tuple(row["tags"]) for row in rows if len(row["tags"]) > 1),
        creators=tuple(row["creator_id"] for row in rows),
        owners=tuple(row["creator_id"] for row in rows if row["is_private"]),
        words=tuple(found for row in rows if (found := _words(row))),
        apart=await _apart(connection, tags, rows) if apart is None else apart,
    )


async def read_size(connection: Connection) -> Size:
    """How large the gallery is now; reads the read model once."""
    row = await connection.fetchrow(_SQL["sizes"])
    assert row is not None
    parts = {each["name"]: each["bytes"] for each in await connection.fetch(_SQL["bytes"])}
    tags = len(await connection.fetch(_SQL["ranked_tags"]))
    full = [await connection.fetchval(for_source(_SQL["has_rows"], source)) for source in SOURCES]
    return Size(**dict(row), tags=tags, bytes=parts, has_tables=any(full))


async def read_server(connection: Connection) -> dict[str, str]:
    """PostgreSQL's version and the settings that matter."""
    return {row["name"]: row["setting"] for row in await connection.fetch(_SQL["server"])}


def _words(row: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*words(row["title"]), *words(row["prompt"] or ""))))


async def _apart(connection: Connection, tags: Sequence[int], rows: Sequence[Any]) -> tuple[tuple[int, int], ...]:
    """Common tags that no item has both of, the most common first."""
    among = tags[:_AMONG]
    met = {pair for row in rows for pair in combinations(sorted(set(row["tags"]) & set(among)), 2)}
    candidates = sorted(
        ((i + j, tags[i], tags[j]) for i, j in combinations(range(len(among)), 2)), key=lambda each: each[0]
    )
    found: list[tuple[int, int]] = []
    asked = 0
    for _, one, other in candidates:
        if (min(one, other), max(one, other)) in met:
            continue
        if len(found) == _PAIRS or asked == _PAIRS_ASKED:
            break
        asked += 1
        if not await connection.fetchval(_SQL["meet"], one, other):
            found.append((one, other))
    return tuple(found)
