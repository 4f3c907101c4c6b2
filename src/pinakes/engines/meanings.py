"""Meanings: what the names in queries mean, remembered while no name or place in the hierarchy changed.

It also depends on which tags the viewer can see on any item; that is asked of the bitmaps each time.
"""

from __future__ import annotations

from pinakes.bitmap.evaluate import Steps, evaluating
from pinakes.index.reader import IndexReader, RequestSource, State
from pinakes.memory import Memory
from pinakes.query.formula import conj
from pinakes.query.gallery_query import GalleryQuery, Ref, visible_to
from pinakes.store.vocabulary import Vocabulary

AT_ONCE = 100
"""Names looked at in one step, some two milliseconds."""


class Meanings:
    """What was looked up lately, in one process."""

    def __init__(self, reader: IndexReader) -> None:
        self._touched = reader.touched
        self._known: Memory[tuple[frozenset[Ref], int | None, bool | None], tuple[Vocabulary, str, int]]
        self._known = Memory("filters", 8 * 2**20)

    def get(self, query: GalleryQuery, state: State, source: RequestSource) -> Steps[Vocabulary | None]:
        """What the query's names mean, where they are sure to mean it still. Raises: TermsMissing."""
        if not query.refs:
            return Vocabulary()
        known = self._known.get(_names_in(query))
        if known is None or known[1] != state.incarnation:
            return None
        vocabulary, _, epoch = known
        if max(self._touched.clock("names"), self._touched.clock("vocabulary")) > epoch:
            return None
        visible = visible_to(query.viewer)
        for number, meaning in enumerate(vocabulary.meanings.values(), start=1):
            if number % AT_ONCE == 0:
                yield
            if not (yield from evaluating(conj((meaning, visible)), source)).possible:
                return None
        return vocabulary

    def put(self, query: GalleryQuery, state: State, vocabulary: Vocabulary) -> None:
        """Remembers what was looked up in the snapshot of `state`."""
        if query.refs and not vocabulary.unsure and not vocabulary.unknown:
            self._known.put(_names_in(query), (vocabulary, state.incarnation, state.epoch))


def _names_in(query: GalleryQuery) -> tuple[frozenset[Ref], int | None, bool | None]:
    """All that decides what the names in `query` mean."""
    return query.refs, query.viewer, query.descendants
