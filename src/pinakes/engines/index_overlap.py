"""Counting tags among hits with the bitmap index: some ten microseconds a tag, however many items carry it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from pyroaring import BitMap

from pinakes.bitmap.evaluate import Steps, evaluating
from pinakes.bitmap.facets import FORWARD_LIMIT
from pinakes.engines.index import IndexEngine
from pinakes.engines.index_facets import counts_of, facets
from pinakes.engines.overlap import SAMPLED, WHOLE, Among, Overlap, Sample
from pinakes.errors import ReadModelNotReady
from pinakes.index.reader import RequestSource, State
from pinakes.query.formula import Formula
from pinakes.settings import Settings
from pinakes.store.pool import Connection
from pinakes.view.reading import followed_staleness_s, require_young

MOST = 300
"""Tags listed where the hits are too many to read their tags."""


class IndexOverlap:
    """Counts in the index; where there is none that is young enough, in `otherwise`.

    Without an `otherwise`, that is ReadModelNotReady.
    """

    def __init__(self, engine: IndexEngine, settings: Settings, otherwise: Overlap | None) -> None:
        self._engine = engine
        self._settings = settings
        self._otherwise = otherwise

    async def of(self, connection: Connection, formula: Formula, tags: Sequence[int]) -> Counter[int]:
        """How many hits of `formula` carry each of `tags`."""
        try:
            return await self._of(connection, formula, tags)
        except ReadModelNotReady:
            if self._otherwise is None:
                raise
            return await self._otherwise.of(connection, formula, tags)

    async def sample(self, connection: Connection, formula: Formula) -> Sample | None:
        """The tags of all hits or, beyond `WHOLE`, of `SAMPLED`; None where some are in doubt."""
        try:
            state = await self._state(connection)
        except ReadModelNotReady:
            if self._otherwise is None:
                raise
            return await self._otherwise.sample(connection, formula)
        some = await self._engine.reader.run_in_steps(connection, state, partial(some_hits, formula))
        return None if some is None else Sample(await counts_of(connection, some.docs), some.whole)

    async def among(self, connection: Connection, formula: Formula) -> Among:
        """How many hits there are, and how many of them carry which tags."""
        try:
            await self._state(connection)
            found = await facets(self._engine, connection, formula, limit=MOST)
        except ReadModelNotReady:
            if self._otherwise is None:
                raise
            return await self._otherwise.among(connection, formula)
        counts = {facet.id: facet.count for facet in found.facets}
        complete = len(counts) < MOST and (found.kind == "exact" or found.total_count <= FORWARD_LIMIT)
        rest = 0 if complete else found.total_count if found.kind != "exact" else min(counts.values())
        return Among(found.total_count, counts, rest)

    async def _of(self, connection: Connection, formula: Formula, tags: Sequence[int]) -> Counter[int]:
        reader = self._engine.reader
        state = await self._state(connection)

        def directly(source: RequestSource) -> Steps[Counter[int] | None]:
            bounds = yield from evaluating(formula, source)
            return tags_among(bounds.possible, tags, source) if bounds.exact else None

        found = await reader.run_in_steps(connection, state, directly)
        if found is not None:
            return found
        settled = await self._engine.hits(connection, state, formula)
        return await reader.run(connection, state, partial(tags_among, settled, tags))

    async def _state(self, connection: Connection) -> State:
        """The index as of the snapshot. Raises: ReadModelNotReady."""
        state = await self._engine.reader.state(connection)
        require_young(state.age_s, followed_staleness_s(self._settings))
        return state


@dataclass(frozen=True, slots=True)
class Hits:
    """Some of the documents hit. `whole`: all of them."""

    docs: list[int]
    whole: bool


def some_hits(formula: Formula, source: RequestSource) -> Steps[Hits | None]:
    """All documents hit or, of more than `WHOLE`, `SAMPLED` from all over the gallery; None where some are in doubt."""
    bounds = yield from evaluating(formula, source)
    if not bounds.exact:
        return None
    hits, count = bounds.possible, len(bounds.possible)
    if count <= WHOLE:
        return Hits(list(hits), whole=True)
    return Hits([hits[place * count // SAMPLED] for place in range(SAMPLED)], whole=False)


def tags_among(hits: BitMap, tags: Sequence[int], source: RequestSource) -> Counter[int]:
    """How many of `hits` carry each of `tags`."""
    unused = source.unused(tags)
    used = [tag for tag in tags if tag not in unused]
    counts = source.overlaps(hits, [f"tag:{tag}" for tag in used])
    return Counter(dict.fromkeys(unused, 0) | dict(zip(used, counts, strict=True)))
