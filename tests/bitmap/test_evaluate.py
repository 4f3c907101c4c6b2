"""Evaluation against the oracle: bounds hold, and are exact where the formula has no phrase and no range."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from galleries import Gallery, galleries, queries
from pinakes.bitmap.evaluate import evaluate
from pinakes.query import formula as f
from pinakes.query.formula import Formula, Phrase, Range, Term
from pinakes.query.gallery_query import GalleryQuery, to_formula
from pinakes.query.oracle import matches
from term_indexes import codes_of, index_of

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
