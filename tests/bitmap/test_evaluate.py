"""Evaluation against the oracle: bounds hold, and are exact where the formula has no phrase and no range."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pyroaring import BitMap

from galleries import Gallery, galleries, queries
from pinakes.bitmap.deltas import Delta
from pinakes.bitmap.evaluate import STEP, evaluate, evaluating
from pinakes.bitmap.lru import BitmapCache
from pinakes.bitmap.source import MemorySource
from pinakes.query import formula as f
from pinakes.query.formula import Formula, Phrase, Range, Tagged, Term
from pinakes.query.gallery_query import GalleryQuery, to_formula
from pinakes.query.item import Item
from pinakes.query.oracle import matches
from term_indexes import codes_of, index_of

NOW = datetime(2024, 1, 1, tzinfo=UTC)

LEAVES: list[Formula] = [
    *(Term("tag", n) for n in range(1, 7)),
    Term("source", 1),
    Term("creator", 2),
    Term("vis", "public"),
    Term("word", "castle"),
    Phrase(("sunset", "by")),
    Phrase(("the", "the")),
    Range("quality_score", 0.0, 0.5),
    Range("quality_score", 0.5, 0.5, open_high=True),
    Range("quality_score", None, 0.0),
    Range("quality_score", 2.0, 1.0),
]

formulas: st.SearchStrategy[Formula] = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.one_of(
        inner.map(f.negate),
        st.lists(inner, max_size=4).map(f.conj),
        st.lists(inner, max_size=4).map(f.disj),
    ),
    max_leaves=12,
)


def check(formula: Formula, gallery: Gallery, fitted: int) -> None:
    """The bounds of `formula`, with codes cut to fit the first `fitted` items only."""
    items = gallery.items
    source = index_of(items, codes_of(items[:fitted]))
    before = {term: docs.copy() for term, docs in source.bitmaps.items()}
    bounds = evaluate(formula, source)
    truth = {doc for doc, item in enumerate(items) if matches(formula, item)}
    assert set(bounds.certain) <= truth <= set(bounds.possible)
    assert set(bounds.doubtful()) == set(bounds.possible) - set(bounds.certain)
    if not any(isinstance(leaf, Phrase | Range) for leaf in f.leaves(formula)):
        assert bounds.exact
    assert source.bitmaps == before, "evaluation changed a bitmap that is not its own"


@given(formulas, galleries(), st.integers(0, 24))
def test_bounds_hold_for_any_formula(formula: Formula, gallery: Gallery, fitted: int) -> None:
    check(formula, gallery, fitted)


@given(queries(), galleries(), st.integers(0, 24))
def test_bounds_hold_for_any_query(query: GalleryQuery, gallery: Gallery, fitted: int) -> None:
    check(to_formula(query, gallery.vocabulary), gallery, fitted)


@given(galleries(), st.sampled_from([0.0, -0.0, 0.5, 1.0]))
def test_a_range_that_ends_on_values_with_codes_of_their_own_is_exact(gallery: Gallery, bound: float) -> None:
    items = [replace(item, quality_score=bound) if number < 2 else item for number, item in enumerate(gallery.items)]
    assume(len(items) >= 2)
    assert evaluate(Range("quality_score", bound, bound), index_of(items)).exact


def make_item(number: int, score: float) -> Item:
    """A public item."""
    return Item(
        source=1, id=number, external_id=f"{number}", title=f"t{number}", content_type="image", creator_id=1,
        creator_username="ada", quality_score=score, created_at=NOW, updated_at=NOW,
    )  # fmt: skip


class CountingSource(MemorySource):
    """Counts how often a bitmap is asked for."""

    asked = 0

    def bitmap(self, term: str) -> BitMap:
        self.asked += 1
        return super().bitmap(term)


def _many_ranges() -> Formula:
    scores = [number / 1000 for number in range(450)]
    return f.disj(Range("quality_score", low, low + 0.5) for low in scores)


def _many_counts() -> Formula:
    return f.disj(Tagged(low, low + 900) for low in range(1, 99))


def _many_words_of_a_phrase() -> Formula:
    return Phrase(tuple(f"w{number}" for number in range(990)))


def _many_alternatives() -> Formula:
    return f.disj(Term("word", f"w{number}") for number in range(990))


def _deep() -> Formula:
    found: Formula = Term("tag", 1)
    for level in range(45):
        found = f.disj((f.conj((found, *(Term("tag", 20 * level + n) for n in range(20)))), Term("tag", 2000 + level)))
    return found


@pytest.mark.parametrize(
    ("asked", "least"), [(_many_ranges, 8), (_many_counts, 10), (_many_words_of_a_phrase, 10), (_many_alternatives, 10)]
)
def test_a_large_formula_gives_way_after_so_many_operations(asked: Callable[[], Formula], least: int) -> None:
    """So many steps at least; between two of them, so few bitmaps are used."""
    gallery = index_of([make_item(number, number / 2000) for number in range(2000)])
    everywhere = {f"word:w{number}": BitMap(range(0, 64 << 16, 7)) for number in range(990)}
    source = CountingSource({**gallery.bitmaps, **everywhere}, gallery.codes)
    steps, most, before = 0, 0, 0
    for _ in evaluating(asked(), source):
        steps += 1
        most, before = max(most, source.asked - before), source.asked
    assert steps >= least
    assert most <= STEP


def test_a_deep_formula_is_evaluated_in_linear_time() -> None:
    source = CountingSource({f"tag:{number}": BitMap(range(number % 7, 1000, 7)) for number in range(3000)}, {})
    formula = _deep()
    evaluate(formula, source)
    assert source.asked <= 3 * sum(1 for _ in f.leaves(formula))


def test_a_common_formula_is_a_single_step() -> None:
    formula = f.conj(
        (Term("vis", "public"), Term("tag", 1), f.negate(Term("tag", 2)), Range("quality_score", 0.2, 0.7))
    )
    bitmaps = {term: BitMap(range(start, 10_000_000, 3)) for start, term in enumerate(("vis:public", "tag:1", "tag:2"))}
    gallery = index_of([make_item(number, number / 100) for number in range(100)])
    assert not list(evaluating(formula, MemorySource({**gallery.bitmaps, **bitmaps}, gallery.codes)))


def test_what_was_handed_out_does_not_change_while_it_is_kept() -> None:
    cache = BitmapCache(1 << 20)
    cache.put("tag:1", BitMap([1, 2]), 0)
    before = cache.get("tag:1", 0)
    with cache.keeps():
        cache.advance(1, {"tag:1": Delta(added=BitMap([3]))})
        assert cache.get("tag:1", 1) == BitMap([1, 2, 3])
        assert before == BitMap([1, 2]) == cache.get("tag:1", 0)
