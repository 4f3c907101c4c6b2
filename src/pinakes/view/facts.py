"""Facts and changes: what the read model knew of an item before and knows after an epoch.

`RowChange` is what the applier tells about each row it touched: to the change log as terms, and to
observers (an index that follows the read model) as values. `terms` is pure. An epoch touches a few
thousand rows at most; a field with more than `MAX_TERMS` different terms is written as `field:*`,
which stands for all of them, so an entry of the change log stays under a megabyte.

The log is read for everybody, so it says of a private version only whose it is: `owner:42`. Its tags and
words are touched for its creator alone, whose questions ask for that term (`pinakes.cache.bound`). A row that
becomes private is logged with `vis:private` besides, since it has to leave every feed at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from pinakes.query.formula import Term, owned
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
    """What the log says of changed rows, as the canonical texts of formulas, sorted.

    All terms of a public version, before or after; of a private one its owner.
    """
    found: dict[str, set[int | str]] = defaultdict(set)
    owners: set[int] = set()
    for change in changes:
        sides = [side for side in (change.before, change.after) if side is not None]
        public = [side for side in sides if not side.is_private]
        owners.update(side.creator_id for side in sides if side.is_private)
        for title, prompt in {(side.title, side.prompt) for side in public}:
            found["word"].update(words(title), words(prompt or ""))
        for side in public:
            found["source"].add(change.source)
            found["tag"].update(side.tags)
            found["type"].add(side.content_type)
            found["creator"].add(side.creator_id)
            found["vis"].add("public")
        if public and change.after is not None and change.after.is_private:
            found["vis"].add("private")
    listed = [owned(EVERYTHING)] if len(owners) > MAX_TERMS else [owned(creator) for creator in owners]
    for field, values in found.items():
        if len(values) > MAX_TERMS:
            listed.append(f"{field}:*")
        else:
            listed += (str(Term(field, value)) for value in values)  # type: ignore[arg-type]
    return sorted(listed)
