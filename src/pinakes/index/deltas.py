"""The applier's part: what an epoch changed about terms, written in the epoch's own transaction.

`DeltaWriter` is an observer of the applier. It serves every generation that is live or being built,
since codes differ between them; facts are the same for all. A generation that missed an epoch,
because some applier ran without this observer, is left behind for good: nobody uses it any more,
and the next build begins anew.

An epoch of a hundred items changes about four thousand terms and makes one row of some 150 kB.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pinakes.bitmap.deltas import Delta, DeltaSet
from pinakes.bitmap.segments import decode
from pinakes.index.codes import Codes, fact_terms, order_terms, read_codes
from pinakes.store.pool import Connection
from pinakes.store.queries import load
from pinakes.view.facts import Facts, RowChange

_GENERATIONS = load("generation", "pinakes.index.sql")
_TERMS = load("terms", "pinakes.index.sql")


class DeltaWriter:
    """Writes each epoch's deltas. Remembers codes, which never change within a generation."""

    def __init__(self) -> None:
        self._codes: dict[int, Codes] = {}

    async def __call__(self, connection: Connection, epoch: int, changes: Sequence[RowChange]) -> None:
        """Called by the applier with its epoch and the rows that changed."""
        followed = [row["generation"] for row in await connection.fetch(_GENERATIONS["followed"], epoch)]
        self._codes = {generation: codes for generation, codes in self._codes.items() if generation in followed}
        if not changes:
            return
        for generation in followed:
            if generation not in self._codes:
                self._codes[generation] = await read_codes(connection, generation)
            changed = delta_of(changes, self._codes[generation])
            if changed.terms:
                await write_delta(connection, generation, epoch, len(changes), changed.terms)


def delta_of(changes: Sequence[RowChange], codes: Codes) -> DeltaSet:
    """What `changes` mean for terms."""
    found = DeltaSet()
    for change in changes:
        assert change.doc is not None, "only the plain table has document numbers"
        # Of an item that was there and is, only what differs is spelt: all the rest would cancel out, at 40 µs a side.
        before = _terms(change, change.before, change.after, codes)
        after = _terms(change, change.after, change.before, codes)
        found.change(change.doc, before, after)
    return found


async def write_delta(
    connection: Connection, generation: int, epoch: int, items: int, changed: Mapping[str, Delta]
) -> None:
    """One epoch's row."""
    names = sorted(changed)
    await connection.execute(
        _TERMS["put_delta"],
        generation,
        epoch,
        items,
        names,
        [changed[name].added.serialize() for name in names],
        [changed[name].removed.serialize() for name in names],
    )


async def read_deltas(connection: Connection, generation: int, after: int) -> list[tuple[int, dict[str, Delta]]]:
    """The deltas of every epoch after `after`, oldest first."""
    rows = await connection.fetch(_TERMS["deltas_after"], generation, after)
    return [(row["epoch"], parse_deltas(row)) for row in rows]


def parse_deltas(row: Any) -> dict[str, Delta]:
    """The deltas in a row of `deltas_after`."""
    return {
        term: Delta(decode(added), decode(removed))
        for term, added, removed in zip(row["terms"], row["added"], row["removed"], strict=True)
    }


def _terms(change: RowChange, side: Facts | None, other: Facts | None, codes: Codes) -> set[str]:
    if side is None:
        return set()
    return fact_terms(change.source, side, other) | order_terms(change.source, change.id, side, codes, other)
