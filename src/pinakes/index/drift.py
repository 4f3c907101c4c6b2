"""Drift: when an index that is right has become slow, and a build that cuts its codes anew is due.

Two rules, each named in the log when it makes the worker build:

* `grown`: half as many documents have come since the build as it had, and at least `LEAST`.
* `crowded`: an eighth of all documents more than at the build stand in one band of one order, and the
  documents that came since are at least `LEAST`. Bands hold a 256th each when codes are cut.

An index keeps answering exactly whatever the drift; windows get longer. `LEAST` is some two seconds of
building.
"""

from __future__ import annotations

from collections import Counter

from pinakes.bitmap.terms import ORDER_FIELDS
from pinakes.index.codes import filling_of
from pinakes.store.pool import Connection
from pinakes.store.queries import load

GROWN = 0.5
CROWDED = 1 / 8
LEAST = 100_000

_SQL = load("generation", "pinakes.index.sql")


async def drifted(connection: Connection, *, least: int = LEAST) -> str | None:
    """Why a build is due, or None. Reads the cardinalities of all bands: some milliseconds a million documents."""
    row = await connection.fetchrow(_SQL["growth"])
    if row is None or row["docs"] - row["built"] < least:
        return None
    came = row["docs"] - row["built"]
    if came >= GROWN * row["built"]:
        return f"grown: {came:,} documents came to {row['built']:,}"
    heads = await connection.fetch(_SQL["heads"], row["generation"])
    fillings = {head["field"]: filling_of(head["head"]) for head in heads}
    for field in ORDER_FIELDS:
        bands = await connection.fetch(_SQL["bands"], row["generation"], f"{field}@", f"{field}A")
        held = Counter({int(band["number"]): int(band["items"]) for band in bands})
        then, now = max(sum(fillings[field]), 1), max(held.total(), 1)
        for number, items in held.items():
            more = items / now - fillings[field][number] / then
            if more >= CROWDED:
                return f"crowded: {more:.0%} of all documents more than at the build stand in one band of {field}"
    return None
