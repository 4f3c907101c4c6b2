"""What the read model is: one defining SELECT, over every source, written in `sql/definition.sql`.

The same text makes the materialized view, fills the plain table, recomputes single items for the
applier, and is what a check compares the read model with. `NAME` is the one name readers use,
whatever kind of relation it is at the moment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache

from pinakes.query.fieldset import FIELDS
from pinakes.query.sources import SOURCES
from pinakes.store.queries import for_source, load

NAME = "unified_content_with_tags"

COLUMNS: tuple[str, ...] = FIELDS
"""The columns of the read model are the fields of an item, in the order of the defining SELECT."""


@cache
def everything() -> str:
    """The defining query."""
    return _union(for_source(load("definition", "pinakes.view.sql")["item"], s).replace("{code}", str(s.code))
                  for s in SOURCES)  # fmt: skip


@cache
def by_keys() -> str:
    """The defining query for chosen items: one parameter a source, its ids, in the order of `SOURCES`."""
    sql = load("definition", "pinakes.view.sql")
    arms = []
    for number, source in enumerate(SOURCES, start=1):
        arm = for_source(f"{sql['item']}\n{sql['keys']}", source)
        arms.append(arm.replace("{code}", str(source.code)).replace("{parameter}", str(number)))
    return _union(arms)


@cache
def stored_by_keys(columns: tuple[str, ...]) -> str:
    """What the read model holds for chosen items; parameters as in `by_keys`."""
    sql = load("definition", "pinakes.view.sql")["stored"].replace("{columns}", ", ".join(columns))
    return _union(
        sql.replace("{code}", str(source.code)).replace("{parameter}", str(number))
        for number, source in enumerate(SOURCES, start=1)
    )


@cache
def fingerprint() -> str:
    """A short digest of the defining query: another one means the read model must be rebuilt."""
    return hashlib.blake2b(everything().encode(), digest_size=8).hexdigest()


def _union(arms: Iterable[str]) -> str:
    return "\nUNION ALL\n".join(arms)
