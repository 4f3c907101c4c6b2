"""Reading the names of tags from PostgreSQL: all of them, what changed about them, those with some beginning, counts.

All of them are two long texts and an array, not rows: 350,000 rows would cost the process ten times as much.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import numpy as np

from pinakes.engines.endings import LAST, Endings
from pinakes.store.pool import Connection
from pinakes.store.queries import load
from pinakes.store.sent import Numbers, numbers

MOST = 1000
"""Tags read of those with some beginning, the most used."""

_SQL = load("suggest")


async def whole(connection: Connection) -> tuple[Endings, str, int]:
    """All names, weighed; the snapshot they are true of, as text; and how many endings they are.

    What is made of the answer is made in a thread, while the event loop goes on.
    """
    row = await connection.fetchrow(_SQL["endings"])
    assert row is not None, "an aggregate is always one row"
    counted = await counts(connection)

    def made() -> tuple[Endings, int]:
        tags = numbers(row["tags"], 4)
        texts = row["endings"].split("\n") if len(tags) else []
        endings = Endings(texts, tags, row["aliases"].split("\n") if len(tags) else [])
        endings.weigh(*counted)
        return endings, len(texts)

    endings, size = await asyncio.to_thread(made)
    return endings, row["snapshot"], size


async def beginning(connection: Connection, texts: Collection[str]) -> Endings:
    """The names with one of these beginnings, weighed: those of the `MOST` most used tags. With "", of all tags."""
    if "" in texts:
        rows = await connection.fetch(_SQL["most"], MOST)
    else:
        rows = await connection.fetch(_SQL["begun"], list(texts), [text + LAST for text in texts], MOST)
    counted = {row["tag_id"]: row["items"] for row in rows}
    endings = Endings(
        [row["ending"] for row in rows],
        np.array([row["tag_id"] for row in rows], np.int64),
        [row["alias"] for row in rows],
    )
    tags = sorted(counted)
    endings.weigh(np.array(tags, np.int64), np.array([counted[tag] for tag in tags], np.int64))
    return endings


async def changed(connection: Connection, since: str, most: int) -> tuple[dict[int, list[tuple[str, str]]], str] | None:
    """What the tags whose names changed after the snapshot `since` are called now, (ending, alias); and that now.

    Of `most` tags at most; None where nothing changed.
    """
    rows = await connection.fetch(_SQL["changed"], since, most)
    if not rows:
        return None
    found: dict[int, list[tuple[str, str]]] = {row["tag_id"]: [] for row in rows}
    for row in rows:
        if row["ending"] is not None:
            found[row["tag_id"]].append((row["ending"], row["alias"]))
    return found, await connection.fetchval(_SQL["snapshot"])


async def counts(connection: Connection) -> tuple[Numbers, Numbers]:
    """The tags that are on any item, ascending, and on how many."""
    row = await connection.fetchrow(_SQL["counts"])
    assert row is not None, "an aggregate is always one row"
    return numbers(row["tags"], 4), numbers(row["items"], 8)
