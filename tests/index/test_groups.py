"""Pairs of term and document become, term by term, the sets they stand for."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pinakes.bitmap.segments import SEGMENT, decode
from pinakes.index.groups import Pairs, grouped

# Numbers below, around and far above what sixteen bits hold.
NUMBERS = st.sampled_from((0, 1, 7, 65_535, 65_536, 65_537, 131_072, 3_000_000_000))


@settings(deadline=None)
@given(st.lists(st.lists(st.tuples(NUMBERS, st.integers(0, 40)), max_size=60), max_size=5))
def test_every_term_has_its_documents_once(chunks: list[list[tuple[int, int]]]) -> None:
    pairs, wanted = Pairs(), defaultdict(set)
    for place, chunk in enumerate(chunks):
        found = sorted((SEGMENT + 100 * place + doc, number) for number, doc in chunk)
        pairs.add(np.asarray([n for _, n in found], np.uint32), np.asarray([d for d, _ in found], np.uint32))
        for doc, number in found:
            wanted[str(number)].add(doc)
    got = {name: (count, decode(bits)) for name, count, bits in grouped(pairs, str)}
    assert {name: set(docs) for name, (_, docs) in got.items()} == wanted
    assert all(count == len(docs) for count, docs in got.values())
