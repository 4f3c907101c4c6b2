"""Formulas keep one shape, and folding never changes what they mean."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from galleries import items
from pinakes.query import formula as f
from pinakes.query.formula import And, Everything, Formula, Not, Nothing, Or, Phrase, Range, Term
from pinakes.query.item import Item
from pinakes.query.oracle import matches

_LEAVES: list[Formula] = [
    f.EVERYTHING,
    f.NOTHING,
    Term("tag", 1),
    Term("tag", 2),
    Term("source", 1),
    Term("vis", "public"),
    Term("creator", 2),
    Term("type", "image"),
    Term("word", "castle"),
    Phrase(("by", "the")),
    Range("quality_score", 0.0, 0.5),
]


def formulas() -> st.SearchStrategy[Formula]:
    def grow(children: st.SearchStrategy[Formula]) -> st.SearchStrategy[Formula]:
        several = st.lists(children, max_size=4)
        return st.one_of(children.map(f.negate), several.map(f.conj), several.map(f.disj))

    return st.recursive(st.sampled_from(_LEAVES), grow, max_leaves=12)


@given(st.lists(formulas(), max_size=4), items())
def test_conj_disj_and_negate_mean_and_or_and_not(parts: list[Formula], item: Item) -> None:
    truths = [matches(part, item) for part in parts]
    assert matches(f.conj(parts), item) == all(truths)
    assert matches(f.disj(parts), item) == any(truths)
    assert [matches(f.negate(part), item) for part in parts] == [not truth for truth in truths]


@given(st.lists(formulas(), max_size=5), st.randoms())
def test_order_and_repetition_change_nothing(parts: list[Formula], random: object) -> None:
    shuffled = [*parts, *parts[:2]]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert f.conj(parts) == f.conj(shuffled)
    assert f.disj(parts) == f.disj(shuffled)


@given(formulas(), formulas())
def test_equal_trees_and_only_they_have_equal_texts(one: Formula, other: Formula) -> None:
    assert (str(one) == str(other)) == (one == other)


@given(formulas())
def test_every_tree_has_the_one_shape(formula: Formula) -> None:
    _check(formula, top=True)


def _check(formula: Formula, *, top: bool) -> None:
    match formula:
        case Everything() | Nothing():
            assert top
        case Not(part):
            assert not isinstance(part, Not)
            _check(part, top=False)
        case And(parts) | Or(parts):
            assert len(parts) >= 2
            assert not any(isinstance(part, type(formula)) for part in parts)
            assert [str(part) for part in parts] == sorted({str(part) for part in parts})
            for part in parts:
                _check(part, top=False)
        case _:
            pass


@given(formulas(), items())
def test_assuming_true_facts_changes_no_truth(formula: Formula, item: Item) -> None:
    facts = {str(leaf): matches(leaf, item) for leaf in f.leaves(formula)}
    assert f.assume(formula, facts) == (f.EVERYTHING if matches(formula, item) else f.NOTHING)
    one = dict(list(facts.items())[:1])
    assert matches(f.assume(formula, one), item) == matches(formula, item)


def test_texts_that_could_be_mistaken_are_quoted() -> None:
    assert str(Term("type", "a b")) == 'type:"a b"'
    assert str(Term("word", "x)")) != str(Term("word", "x"))
    assert str(Term("word", "1")) != str(Term("tag", 1))
