"""The clock bound is sound: it never calls an answer right that a change has made wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from pinakes.cache.bound import bound, seen_bound, terms
from pinakes.query import formula as f
from pinakes.query.formula import And, Formula, Not, Nothing, Or, Phrase, Range, Term
from pinakes.query.gallery_query import visible_to
from pinakes.query.item import Item, Tag
from pinakes.query.oracle import matches
from pinakes.query.text import words

DAY = datetime(2024, 1, 1, tzinfo=UTC)
LEAVES: list[Formula] = [
    *(Term("tag", n) for n in range(4)),
    *(Term("source", n) for n in (1, 2)),
    *(Term("creator", n) for n in (1, 2)),
    Term("vis", "public"),
    Term("vis", "private"),
    Term("type", "image"),
    *(Term("word", w) for w in ("red", "sun", "sea")),
    Phrase(("red", "sun")),
    Range("quality_score", 1.0, 2.0),
]
formulas: st.SearchStrategy[Formula] = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.one_of(
        inner.map(f.negate), st.lists(inner, max_size=4).map(f.conj), st.lists(inner, max_size=4).map(f.disj)
    ),
    max_leaves=8,
)
rows = st.builds(
    lambda tags, source, creator, private, text, score: Item(
        source=source,
        id=1,
        external_id="x",
        title=text,
        content_type="image",
        creator_id=creator,
        creator_username="u",
        is_private=private,
        quality_score=score,
        created_at=DAY,
        updated_at=DAY,
        tags=tuple(Tag(t, "t") for t in sorted(tags)),
    ),
    st.sets(st.integers(0, 3)),
    st.sampled_from((1, 2)),
    st.sampled_from((1, 2)),
    st.booleans(),
    st.sampled_from(("red sun", "sun red", "sea", "")),
    st.sampled_from((None, 1.5, 3.0)),
)
changes = st.tuples(st.integers(0, 4), st.one_of(st.none(), rows))
histories = st.lists(changes, min_size=1, max_size=12)
viewers = st.sampled_from((None, 1, 2))


def facts(item: Item) -> set[str]:
    """The terms an epoch clocks for one version of a row: of a private one only whose it is."""
    return {f.owned(item.creator_id)} if item.is_private else everything_of(item)


def everything_of(item: Item) -> set[str]:
    found = {Term("source", item.source), Term("type", item.content_type), Term("creator", item.creator_id)}
    found |= {Term("vis", "private" if item.is_private else "public")}
    found |= {Term("tag", t.id) for t in item.tags} | {Term("word", w) for w in words(item.title)}
    return {str(term) for term in found}


@dataclass
class World:
    """A gallery that changes by epochs, and its clocks."""

    items: dict[int, Item]
    clocks: dict[str, int]
    epoch: int = 0

    def change(self, key: int, new: Item | None, clocked: Callable[[Item | None, Item | None], Iterable[str]]) -> None:
        old = self.items.pop(key, None)
        if new is not None:
            self.items[key] = new
        self.epoch += 1
        self.clocks.update(dict.fromkeys(clocked(old, new), self.epoch))

    def answer(self, formula: Formula) -> dict[int, Item]:
        return {key: item for key, item in self.items.items() if matches(formula, item)}


def old_and_new(old: Item | None, new: Item | None) -> set[str]:
    return {term for item in (old, new) if item is not None for term in facts(item)}


def only_new(old: Item | None, new: Item | None) -> set[str]:
    return facts(new) if new is not None else set()


def owners_not_clocked(old: Item | None, new: Item | None) -> set[str]:
    return {term for term in old_and_new(old, new) if not term.startswith("owner:")}


def only_the_new_owner(old: Item | None, new: Item | None) -> set[str]:
    gone = facts(old) if old is not None and old.is_private and new is not None else set()
    return old_and_new(old, new) - (gone - facts(new) if new is not None else set())


def what_becomes_private_by_its_owner_alone(old: Item | None, new: Item | None) -> set[str]:
    return facts(new) if new is not None and new.is_private else old_and_new(old, new)


Rule = Callable[[Formula, int | None, Callable[[str], int], int], int]


def of_visible(broken: Callable[..., int]) -> Rule:
    """`seen_bound` over another rule for what is shared."""

    def rule(formula: Formula, viewer: int | None, clock: Callable[[str], int], newest: int) -> int:
        own = 0 if viewer is None else clock(f.owned(viewer))
        return max(broken(formula, clock, newest), own)

    return rule


def wrong_answers(
    formula: Formula,
    viewer: int | None,
    history: list[tuple[int, Item | None]],
    rule: Rule = seen_bound,
    clocked: Callable[..., Iterable[str]] = old_and_new,
) -> int:
    """How many epochs there are whose stored answer the rule calls right at the end, and is not."""
    formula = f.conj((formula, visible_to(viewer)))
    world = World({}, {})
    stored = [(0, world.answer(formula))]
    for key, new in history:
        world.change(key, new, clocked)
        stored.append((world.epoch, world.answer(formula)))
    limit = rule(formula, viewer, lambda term: world.clocks.get(term, 0), world.epoch)
    now = world.answer(formula)
    return sum(1 for epoch, then in stored if limit <= epoch and then != now)


@settings(max_examples=500)
@given(formulas, viewers, histories)
def test_an_answer_within_its_bound_is_still_right(
    formula: Formula, viewer: int | None, history: list[tuple[int, Item | None]]
) -> None:
    assert wrong_answers(formula, viewer, history) == 0


@settings(max_examples=500)
@given(formulas, viewers, histories)
def test_private_rows_of_others_move_no_bound(
    formula: Formula, viewer: int | None, history: list[tuple[int, Item | None]]
) -> None:
    """What is private of others could as well not be there."""
    formula = f.conj((formula, visible_to(viewer)))

    def of(row: Item | None) -> Item | None:
        return row if row is not None and (not row.is_private or row.creator_id == viewer) else None

    told, untold = World({}, {}), World({}, {})
    for key, new in history:
        told.change(key, new, old_and_new)
        untold.change(key, of(new), old_and_new)

    def limit(world: World) -> int:
        newest = max(world.clocks.values(), default=0)  # a private row moves the newest epoch of one world only
        return seen_bound(formula, viewer, lambda term: world.clocks.get(term, 0), newest)

    assert limit(told) == limit(untold)


@settings(max_examples=150)
@given(formulas, viewers, histories, st.integers(0, 12))
def test_a_raised_floor_only_makes_answers_look_older(
    formula: Formula, viewer: int | None, history: list[tuple[int, Item | None]], floor: int
) -> None:
    def floored(formula: Formula, viewer: int | None, clock: Callable[[str], int], newest: int) -> int:
        return seen_bound(formula, viewer, lambda term: max(clock(term), min(floor, newest)), newest)

    assert wrong_answers(formula, viewer, history, floored) == 0


@given(formulas)
def test_the_bound_reads_no_other_clocks_than_terms_names(formula: Formula) -> None:
    read: set[str] = set()

    def clock(term: str) -> int:
        read.add(term)
        return 0

    bound(formula, clock, 1)
    assert read == set(terms(formula))


def test_the_bound_is_precise_where_it_can_be() -> None:
    clock = {"tag:1": 5, "tag:2": 9, "vis:public": 9}.get
    formula = f.conj((Term("tag", 1), Term("tag", 2), Term("vis", "public"), f.negate(Term("tag", 3))))
    assert bound(formula, lambda term: clock(term, 0), 9) == 5
    assert bound(f.NOTHING, lambda _: 9, 9) == 0
    assert bound(f.EVERYTHING, lambda _: 0, 9) == 9


def _or_by_min(formula: Formula, clock: Callable[[str], int], newest: int) -> int:
    if isinstance(formula, Or):
        return min(_or_by_min(part, clock, newest) for part in formula.parts)
    if isinstance(formula, And):
        return min(_or_by_min(part, clock, newest) for part in formula.parts)
    return bound(formula, clock, newest)


def _not_by_clock(formula: Formula, clock: Callable[[str], int], newest: int) -> int:
    if isinstance(formula, Not):
        return _not_by_clock(formula.part, clock, newest)
    if isinstance(formula, And | Or):
        choose = min if isinstance(formula, And) else max
        return choose(_not_by_clock(part, clock, newest) for part in formula.parts)
    return bound(formula, clock, newest)


def _range_never(formula: Formula, clock: Callable[[str], int], newest: int) -> int:
    if isinstance(formula, Range):
        return 0
    if isinstance(formula, And | Or):
        choose = min if isinstance(formula, And) else max
        return choose(_range_never(part, clock, newest) for part in formula.parts)
    return bound(formula, clock, newest)


def _everything_never(formula: Formula, clock: Callable[[str], int], newest: int) -> int:
    if isinstance(formula, And | Or) and terms(formula):
        choose = min if isinstance(formula, And) else max
        return choose(_everything_never(part, clock, newest) for part in formula.parts)
    return 0 if not isinstance(formula, Nothing) and not terms(formula) else bound(formula, clock, newest)


@pytest.mark.parametrize("rule", [_or_by_min, _not_by_clock, _range_never, _everything_never])
def test_a_broken_rule_is_caught(rule: Callable[..., int]) -> None:
    assert _caught(of_visible(rule), old_and_new)


def _owner_never(formula: Formula, _: int | None, clock: Callable[[str], int], newest: int) -> int:
    return bound(formula, clock, newest)


def _owner_only_beside_others(formula: Formula, viewer: int | None, clock: Callable[[str], int], newest: int) -> int:
    own = viewer is None or f.Term("creator", viewer) in set(f.leaves(formula))
    return bound(formula, clock, newest) if own else seen_bound(formula, viewer, clock, newest)


@pytest.mark.parametrize("rule", [_owner_never, _owner_only_beside_others])
def test_a_rule_without_the_viewers_own_is_caught(rule: Rule) -> None:
    assert _caught(rule, old_and_new)


@pytest.mark.parametrize(
    "clocked", [only_new, owners_not_clocked, only_the_new_owner, what_becomes_private_by_its_owner_alone]
)
def test_clocking_less_is_caught(clocked: Callable[..., Iterable[str]]) -> None:
    assert _caught(seen_bound, clocked)


def _caught(rule: Rule, clocked: Callable[..., Iterable[str]]) -> bool:
    """Whether the soundness property fails for a mutant."""

    @settings(max_examples=2000, database=None, phases=[Phase.generate])
    @given(formulas, viewers, histories)
    def holds(formula: Formula, viewer: int | None, history: list[tuple[int, Item | None]]) -> None:
        assert wrong_answers(formula, viewer, history, rule, clocked) == 0

    try:
        holds()
    except AssertionError:
        return True
    return False
