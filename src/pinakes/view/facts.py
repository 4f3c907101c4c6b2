"""Facts and changes: what the read model knew of an item before and knows after an epoch.

`RowChange` is what the applier tells about each row it touched: to the change log as terms, and to
observers (an index that follows the read model) as values. `terms` is pure. An epoch touches a few
thousand rows at most; a field with more than `MAX_TERMS` different terms is written as `field:*`,
which stands for all of them, so an entry of the change log stays under a megabyte.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from pinakes.query.formula import Term
from pinakes.query.text import words

MAX_TERMS = 2000
EVERYTHING = "*"

FACT_COLUMNS: tuple[str, ...] = (
    "content_type",
    "creator_id",
    "is_private",
    "tags",
    "title",
    "prompt",
    "quality_score",
    "created_at",
    "updated_at",
)


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything about an item that a question can ask."""

    content_type: str
    creator_id: int
    is_private: bool
    tags: tuple[int, ...]
    title: str
    prompt: str | None
    quality_score: float | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class RowChange:
    """One row of the read model: absent before, absent after, or changed. `doc` is None in a materialized view."""

    source: int
    id: int
    doc: int | None
    before: Facts | None
    after: Facts | None


def facts(row: asyncpg.Record, prefix: str = "") -> Facts | None:
    """The facts in a record's columns, or None where it holds no row."""
    if row[prefix + "content_type"] is None:
        return None
    values = [row[prefix + column] for column in FACT_COLUMNS]
    values[3] = tuple(values[3])
    return Facts(*values)


def terms(changes: Iterable[RowChange]) -> list[str]:
    """The terms of both versions of every row, as the canonical texts of formulas, sorted."""
    found: dict[str, set[int | str]] = defaultdict(set)
    for change in changes:
        found["source"].add(change.source)
        texts = {(side.title, side.prompt) for side in (change.before, change.after) if side is not None}
        for title, prompt in texts:
            found["word"].update(words(title), words(prompt or ""))
        for side in (change.before, change.after):
            if side is not None:
                found["tag"].update(side.tags)
                found["type"].add(side.content_type)
                found["creator"].add(side.creator_id)
                found["vis"].add("private" if side.is_private else "public")
    listed: list[str] = []
    for field, values in found.items():
        if len(values) > MAX_TERMS:
            listed.append(f"{field}:*")
        else:
            listed += (str(Term(field, value)) for value in values)  # type: ignore[arg-type]
    return sorted(listed)
