"""The laws of codes: monotone over all values, seen or not; pure codes hold equal values only."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinakes.bitmap import terms
from pinakes.bitmap.codes import ABOVE, BELOW, TOP, SortCode, cut_code, fill, successor

FLOATS = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, -0.0, 0.5, 1.0, 5e-324, 1e308])
INTS = st.integers(-(10**15), 10**15) | st.integers(0, 5)
TEXTS = st.text(max_size=6) | st.sampled_from(["", "a", "a" * 64, "a" * 63 + "b", "\0", "a photo of a castle"])
KINDS = (FLOATS, INTS, TEXTS)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_codes_are_monotone_for_values_seen_and_unseen(kind: st.SearchStrategy[Any], data: st.DataObject) -> None:
    code = cut_code(sorted(data.draw(st.lists(kind, max_size=30))))
    asked = sorted(data.draw(st.lists(kind, min_size=2, max_size=30)))
    codes = [code(key) for key in asked]
    assert codes == sorted(codes)
    assert all(0 <= each <= TOP for each in codes)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_a_pure_code_holds_equal_values_only(kind: st.SearchStrategy[Any], data: st.DataObject) -> None:
    code = cut_code(sorted(data.draw(st.lists(kind, max_size=30))))
    asked = data.draw(st.lists(kind, min_size=2, max_size=30))
    asked += [successor(key) for key in asked if not isinstance(key, str) or len(key) < terms.PREFIX]
    by_code: dict[int, set[Any]] = {}
    for key in asked:
        by_code.setdefault(code(key), set()).add(key)
    assert all(len(keys) == 1 for number, keys in by_code.items() if code.pure(number))


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_a_bucket_starts_and_ends_where_it_says(kind: st.SearchStrategy[Any], data: st.DataObject) -> None:
    code = cut_code(sorted(data.draw(st.lists(kind, max_size=30))))
    asked = data.draw(st.lists(kind, min_size=2, max_size=30))
    for key in asked:
        peers = [other for other in asked if code(other) == code(key)]
        if code.starts_at(key):
            assert min(peers) == key
        if code.ends_with(key):
            assert max(peers) == key


@given(data=st.data())
def test_many_codes_of_texts_are_the_codes_one_by_one(data: st.DataObject) -> None:
    titles = TEXTS.map(lambda text: text.replace("\0", ""))  # PostgreSQL's texts hold no NUL
    titles |= st.sampled_from(["é" * 64, "é" * 63 + "x", "a" * 63 + "é", "a" * 62 + "𝄞", "a" * 63 + "€"])
    code = cut_code(sorted(data.draw(st.lists(titles, max_size=30))), fine=True)
    asked = data.draw(st.lists(titles, max_size=30))
    codes, places = code.spelt(asked)
    assert list(zip(codes.tolist(), places.tolist(), strict=True)) == [(code(key), code.place(key)) for key in asked]


@pytest.mark.parametrize(("kind", "dtype"), [(FLOATS, np.float64), (INTS, np.int64)])
@given(data=st.data())
def test_many_codes_at_once_are_the_codes_one_by_one(
    kind: st.SearchStrategy[Any], dtype: Any, data: st.DataObject
) -> None:
    code = cut_code(sorted(data.draw(st.lists(kind, max_size=30))), fine=True)
    asked = data.draw(st.lists(kind, max_size=30))
    codes, places = code.spelt(np.asarray(asked, dtype))
    assert list(zip(codes.tolist(), places.tolist(), strict=True)) == [(code(key), code.place(key)) for key in asked]


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_places_inside_a_code_are_monotone(kind: st.SearchStrategy[Any], data: st.DataObject) -> None:
    code = cut_code(sorted(data.draw(st.lists(kind, max_size=20))), fine=True)
    asked = sorted(data.draw(st.lists(kind, max_size=40)))
    spelt = [(code(key), code.place(key)) for key in asked]
    assert spelt == sorted(spelt)


def test_places_tell_apart_what_one_code_cannot() -> None:
    rng = np.random.default_rng(1)
    values = np.sort(rng.lognormal(size=500_000))
    code = cut_code(values[::10], fine=True)
    codes, places = code.spelt(values)
    assert len(np.unique(codes.astype(np.uint32) << 8 | places)) > 8 * len(np.unique(codes))
    titles = sorted(f"a photo of castle {number:06}" for number in range(100_000))
    code = cut_code(titles[::10], fine=True)
    codes, places = code.spelt(titles)
    assert len(np.unique(codes.astype(np.uint32) << 8 | places)) > 4 * len(np.unique(codes))


def test_frequent_values_get_a_code_of_their_own() -> None:
    values = np.sort(np.concatenate([np.full(30_000, 0.5), np.random.default_rng(1).random(70_000)]))
    code = cut_code(values)
    assert code.pure(code(0.5))
    assert len({code(float(value)) for value in values[::50]}) > 1_000


def test_buckets_hold_equal_shares() -> None:
    values = np.sort(np.random.default_rng(1).lognormal(size=500_000))
    code = cut_code(values)
    counts = np.bincount(code.many(values), minlength=TOP + 1)
    assert counts[:BELOW].sum() == 0
    assert counts[ABOVE:].sum() == 0
    assert counts.max() <= 2 * -(-500_000 // (ABOVE - BELOW))
    assert sum(fill(code, code.many(values)).filling) == 500_000


def test_new_largest_values_still_spread() -> None:
    hour = 3_600_000_000
    code = cut_code([n * hour for n in range(100_000)])
    later = [code((100_000 + n) * hour) for n in range(20_000)]
    assert len(set(later)) > 9_000
    assert later == sorted(later)


def test_a_gallery_without_values_has_one_code() -> None:
    code = cut_code([])
    assert code(1.0) == code(-1.0) == ABOVE
    assert not code.pure(ABOVE)
    assert code.many(np.asarray([1.0, 2.0])).tolist() == [ABOVE, ABOVE]


def test_a_single_value_leaves_room_on_both_sides() -> None:
    code = cut_code([0.5] * 10)
    assert code.pure(code(0.5))
    assert code(0.25) < code(0.5) < code(0.75)


@given(st.integers(0, TOP))
def test_the_terms_of_a_code_spell_it(code: int) -> None:
    spelt = set(terms.of_code("title", code))
    band = next(int(term.split("@")[1]) for term in spelt if "@" in term)
    low = sum(1 << bit for bit in range(terms.SLICES) if terms.slice_("title", bit) in spelt)
    assert band << terms.SLICES | low == code
    assert {k for k in range(1, terms.STEPS) if terms.step("title", k) in spelt} == {
        k for k in range(1, terms.STEPS) if code < k * (TOP + 1) // terms.STEPS
    }
    assert spelt <= set(terms.field_terms("title"))


def test_codes_are_values() -> None:
    assert SortCode() == SortCode()
    assert cut_code([1.0, 2.0]) == cut_code([1.0, 2.0])


IDS = st.integers(-(2**63), 2**63 - 1) | st.builds(
    lambda power, sign, by: max(min(sign * 2**power + by, 2**63 - 1), -(2**63)),
    st.integers(45, 63), st.sampled_from([-1, 1]), st.integers(-3, 3),
)  # fmt: skip
PAIRS = st.lists(st.tuples(IDS, st.integers(1, 3)), min_size=1, max_size=40)


@given(PAIRS)
def test_any_id_has_a_tie_key_in_the_order_of_ids(pairs: list[tuple[int, int]]) -> None:
    ids, sources = (np.array(column, np.int64) for column in zip(*pairs, strict=True))
    keys = [terms.tie_key(*pair) for pair in pairs]
    assert terms.tie_keys(ids, sources).tolist() == keys
    assert all(-(2**63) <= key < 2**63 for key in keys)
    ordered = [terms.tie_key(*pair) for pair in sorted(pairs)]
    assert ordered == sorted(ordered)
    for one, other in combinations(sorted(set(pairs)), 2):
        if terms.tie_key(*one) == terms.tie_key(*other):
            assert other[0] - one[0] <= 1, "neighbours only"
            assert max(map(abs, (one[0], other[0]))) >= 2**47


@given(PAIRS, PAIRS)
def test_many_codes_of_ties_are_the_codes_one_by_one(seen: list[tuple[int, int]], asked: list[tuple[int, int]]) -> None:
    code = cut_code(sorted(terms.tie_key(*pair) for pair in seen))
    keys = sorted(terms.tie_key(*pair) for pair in asked)
    codes = code.many(np.array(keys, np.int64)).tolist()
    assert codes == [code(key) for key in keys]
    assert codes == sorted(codes)
