"""Segments and deltas against Python sets."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroaring import BitMap

from pinakes.bitmap.deltas import Delta, DeltaSet
from pinakes.bitmap.lru import BitmapCache
from pinakes.bitmap.making import from_sorted
from pinakes.bitmap.packing import pack, unpack
from pinakes.bitmap.segments import SEGMENT, assemble, cut, decode, encode, segment_of

docs = st.integers(0, 5 * SEGMENT) | st.sampled_from([0, SEGMENT - 1, SEGMENT, 2 * SEGMENT - 1, 2**31 - 1])
sets = st.sets(docs, max_size=20)
TERMS = ("a", "b", "c")


@given(sets)
def test_a_bitmap_is_the_union_of_its_segments(members: set[int]) -> None:
    parts = list(cut(BitMap(members)))
    assert [number for number, _ in parts] == sorted({segment_of(doc) for doc in members})
    assert all(segment_of(doc) == number for number, part in parts for doc in part)
    assert set(assemble(encode(part) for _, part in parts)) == members


@given(sets)
def test_bytes_give_the_same_set_back(members: set[int]) -> None:
    assert set(decode(encode(BitMap(members)))) == members


@given(st.lists(st.sets(st.integers(0, 2**32 - 1), min_size=1, max_size=40), min_size=1, max_size=4))
def test_packed_sets_come_back_one_after_the_other(sets: list[set[int]]) -> None:
    parts = [np.asarray(sorted(members), np.uint32) for members in sets]
    assert unpack([pack(part) for part in parts]).tolist() == np.concatenate(parts).tolist()


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 70_000), min_size=1, max_size=4))
@settings(max_examples=30)
def test_segments_of_any_size_make_the_whole(seed: int, sizes: list[int]) -> None:
    rng = np.random.default_rng(seed)
    members = BitMap()
    for number, size in enumerate(sizes):
        members |= BitMap((number * SEGMENT + rng.integers(0, SEGMENT, size)).tolist())
    encoded = [(part, encode(part)) for _, part in cut(members)]
    assert all(decode(bits) == part for part, bits in encoded)
    assert assemble(bits for _, bits in encoded) == members


def test_a_scattered_rare_tag_takes_less_than_two_bytes_a_document() -> None:
    rng = np.random.default_rng(1)
    members = BitMap(rng.choice(SEGMENT, 1000, replace=False).tolist())
    assert len(encode(members)) < 2 * len(members)


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.001, 0.02, 0.05, 0.07, 0.5, 1.0]), st.integers(1, 200_000))
@settings(max_examples=40)
def test_bitmaps_made_from_arrays_are_those_made_one_by_one(seed: int, share: float, span: int) -> None:
    rng = np.random.default_rng(seed)
    members = (np.flatnonzero(rng.random(span) < share) + seed // 2).astype(np.uint32)
    made = from_sorted(members)
    assert made == BitMap(members)
    assert encode(made) == encode(BitMap(members))


@given(sets, st.lists(st.tuples(docs, st.sets(st.sampled_from(TERMS)), st.sets(st.sampled_from(TERMS))), max_size=12))
def test_deltas_applied_once_or_twice_or_joined_are_the_changes(
    start: set[int], changes: list[tuple[int, set[str], set[str]]]
) -> None:
    truth = {term: set(start) for term in TERMS}
    one_by_one = {term: BitMap(start) for term in TERMS}
    joined, each_again = DeltaSet(), []
    for doc, before, after in changes:
        step = DeltaSet()
        step.change(doc, before, after)
        joined.change(doc, before, after)
        each_again.append(step)
        for term, delta in step.terms.items():
            delta.apply(one_by_one[term])
        for term in TERMS:
            if term in after:
                truth[term].add(doc) if term not in before else None
            elif term in before:
                truth[term].discard(doc)
    for term in TERMS:
        at_once = BitMap(start)
        joined.terms.get(term, Delta()).apply(at_once)
        assert set(at_once) == truth[term] == set(one_by_one[term])
        for step in each_again:
            step.terms.get(term, Delta()).apply(at_once)
        assert set(at_once) == truth[term], "a delta applied again changed something"


@given(st.lists(st.tuples(st.sampled_from(["write", "read", "shrink", "fold", "load"]), st.sampled_from(TERMS), docs)))
def test_a_cache_is_always_at_its_newest_epoch(steps: list[tuple[str, str, int]]) -> None:
    """Reads equal the truth whatever was evicted, folded or loaded again in between."""
    truth: dict[str, set[int]] = {term: set() for term in TERMS}
    cache = BitmapCache(limit=900)
    for term in TERMS:
        cache.put(term, BitMap(), 0)
    for epoch, (what, term, doc) in enumerate(steps, start=1):
        if what == "write":
            changed = DeltaSet()
            gone = doc in truth[term]
            changed.change(doc, [term] if gone else [], [] if gone else [term])
            truth[term] ^= {doc}
            cache.advance(epoch, changed.terms)
        elif what == "shrink":
            cache.shrink()
            assert cache.size <= cache.limit
        elif what == "fold":
            cache.forget_deltas(cache.epoch)
        elif what == "load":
            cache.put(term, BitMap(truth[term]), cache.epoch)
        found = cache.get(term)
        assert found is None or set(found) == truth[term]


@given(
    st.lists(st.tuples(st.sampled_from(["write", "shrink", "fold", "load"]), st.sampled_from(TERMS), docs)),
    st.lists(st.sampled_from((*TERMS, "never held"))),
    st.integers(0, 3),
)
def test_several_terms_at_once_are_what_each_is(
    steps: list[tuple[str, str, int]], asked: list[str], before: int
) -> None:
    at_once, each = BitmapCache(limit=900), BitmapCache(limit=900)
    truth: dict[str, set[int]] = {term: set() for term in TERMS}
    for epoch, (what, term, doc) in enumerate(steps, start=1):
        changed = DeltaSet()
        if what == "write":
            gone = doc in truth[term]
            changed.change(doc, [term] if gone else [], [] if gone else [term])
            truth[term] ^= {doc}
        for cache in (at_once, each):
            cache.advance(epoch, changed.terms)
            if what == "shrink":
                cache.shrink()
            elif what == "fold":
                cache.forget_deltas(cache.epoch)
            elif what == "load":
                cache.put(term, BitMap(truth[term]), cache.epoch)
        at = max(epoch - before, at_once.floor)
        assert at_once.several(asked, at) == [each.get(name, at) for name in asked]
        assert list(at_once._entries) == list(each._entries), "another would be let go first"
