"""Samples of hits: their tags, counted at once from the read model and kept for the keys that follow."""

from __future__ import annotations

from pinakes.engines.index_overlap import Hits
from pinakes.engines.overlap import Sample
from pinakes.index.reader import IndexReader, State
from pinakes.memory import Memory
from pinakes.query.formula import And, Formula, Or, Term, leaves, owned
from pinakes.store.pool import Connection
from pinakes.store.queries import load
from pinakes.store.sent import counted
from pinakes.store.standing import sole_row

MEMORY = 32 * 2**20
"""Bytes of samples that are kept; 600 hits have up to some thousands of tags, 0.3 MB."""

_SQL = load("suggest_now", "pinakes.engines.sql")


class Samples:
    """What was counted lately, in one process."""

    def __init__(self, reader: IndexReader) -> None:
        self._touched = reader.touched
        self._known: Memory[Formula, tuple[Sample, str, int]] = Memory("samples", MEMORY)

    def get(self, formula: Formula, state: State) -> Sample | None:
        """What was counted earlier, where no hit changed since."""
        known = self._known.get(formula)
        if known is None or known[1] != state.incarnation:
            return None
        sample, _, epoch = known
        return sample if epoch == state.epoch or self._touched_at(formula) <= epoch else None

    async def counted(
        self, connection: Connection, formula: Formula, hits: Hits, state: State, timeout_s: float
    ) -> Sample | None:
        """How many of these hits carry each tag; None where they are not of that state any more."""
        row = sole_row(await connection.fetchrow(_SQL["tags_of"], hits.docs, timeout=timeout_s))
        if not row["intact"] or (row["incarnation"], row["epoch"]) != (state.incarnation, state.epoch):
            return None
        sample = Sample(counted(row["counts"], row["tags"]), hits.whole)
        self._known.put(formula, (sample, state.incarnation, state.epoch))
        return sample

    def _touched_at(self, formula: Formula) -> int:
        """An epoch after which no hit was changed, as in `cache.bound`.

        A private hit is the viewer's own, so their term stands in the formula.
        """
        own = {owned(leaf.value) for leaf in leaves(formula) if isinstance(leaf, Term) and leaf.field == "creator"}
        return max((self._since_touched(formula), *map(self._touched.clock, own)))

    def _since_touched(self, formula: Formula) -> int:
        """An epoch after which no public hit was changed: a bound by the clocks of tags and creators."""
        match formula:
            case Term("tag" | "creator"):
                return self._touched.clock(str(formula))
            case And(parts):
                return min(map(self._since_touched, parts))
            case Or(parts):
                return max(map(self._since_touched, parts))
            case _:
                return self._touched.newest
