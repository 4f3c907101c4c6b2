"""The rules of engine `base`, each by name."""

from __future__ import annotations

from pinakes.engines.base_plan import BranchPlan, choose, required_words, words_decide
from pinakes.query import formula as f
from pinakes.query.formula import Formula, Phrase, Term
from pinakes.store.vocabulary import Cardinalities

PUBLIC = Term("vis", "public")
RARE, COMMON, OTHER = Term("tag", 1), Term("tag", 2), Term("tag", 3)
COUNTS = Cardinalities({(1, 1): 100, (1, 2): 400_000, (1, 3): 300_000}, {1: 1_000_000})


def _plan(*parts: Formula, need: int = 26, words: float | None = None) -> BranchPlan:
    return choose(f.conj((PUBLIC, *parts)), 1, COUNTS, need, words)


def test_nothing_is_not_asked() -> None:
    assert _plan(f.NOTHING).rule == "nothing"


def test_a_rare_tag_drives_and_is_not_checked_again() -> None:
    plan = _plan(RARE)
    assert (plan.rule, plan.driver, plan.formula) == ("drive_by_tag", (1,), PUBLIC)


def test_a_frequent_tag_is_walked_into_on_the_first_page() -> None:
    assert _plan(COMMON).rule == "walk_order"


def test_a_frequent_tag_drives_a_deep_page() -> None:
    assert _plan(COMMON, need=1_000_000).rule == "drive_by_tag"


def test_the_rarest_of_several_tags_drives() -> None:
    plan = _plan(COMMON, RARE, OTHER)
    assert (plan.rule, plan.driver) == ("drive_by_tag", (1,))
    assert plan.formula == f.conj((PUBLIC, COMMON, OTHER))


def test_two_frequent_tags_drive_because_they_may_never_meet() -> None:
    plan = _plan(COMMON, OTHER)
    assert (plan.rule, plan.driver) == ("drive_by_tag", (3,))


def test_a_group_of_any_tags_drives_by_all_of_them() -> None:
    rare_too = Term("tag", 9)
    plan = _plan(f.disj((RARE, rare_too)), COMMON)
    assert (plan.rule, plan.driver, plan.formula) == ("drive_by_tag", (1, 9), f.conj((PUBLIC, COMMON)))


def test_an_excluded_tag_never_drives() -> None:
    assert _plan(f.negate(RARE)).rule == "walk_order"


def test_a_tag_or_something_else_never_drives() -> None:
    assert _plan(f.disj((RARE, Term("creator", 3)))).rule == "walk_order"


def test_rare_words_drive_and_dense_ones_are_walked_into() -> None:
    assert _plan(Term("word", "castle"), words=0.001).rule == "drive_by_words"
    assert _plan(Term("word", "the"), words=0.6).rule == "walk_order"


def test_a_rare_tag_comes_before_words() -> None:
    assert _plan(RARE, Term("word", "castle"), words=0.001).rule == "drive_by_tag"


def test_without_conditions_the_order_is_walked() -> None:
    assert _plan().rule == "walk_order"


def test_an_empty_gallery_has_a_plan() -> None:
    assert choose(f.conj((PUBLIC, RARE)), 1, Cardinalities(), 26, None).rule == "drive_by_tag"


def test_required_words_are_those_every_hit_has() -> None:
    words = f.conj((Term("word", "a"), Phrase(("b", "a")), f.negate(Term("word", "c"))))
    assert sorted(required_words(words)) == ["a", "b"]
    assert required_words(f.disj((Term("word", "a"), Term("word", "b")))) == []


def test_the_words_index_decides_only_what_it_can_find() -> None:
    word, phrase = Term("word", "a"), Phrase(("b", "c"))
    assert words_decide(f.conj((PUBLIC, word)))
    assert words_decide(f.conj((PUBLIC, f.disj((word, phrase)))))
    assert not words_decide(f.conj((PUBLIC, f.negate(word))))
    assert not words_decide(f.conj((PUBLIC, f.disj((word, COMMON)))))
