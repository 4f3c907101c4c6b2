"""Right or wrong: every answer of a measurement is compared before its time counts.

Up to `ORACLE_ITEMS` items the oracle says what is right. Beyond, it would take a second a question; then
the answer that most contestants give stands for right, every page is still held to the formula and
the order item by item, and where no answer has more voices than another all are disputed. Whoever
gives another answer is reported wrong, engine or peer, with the question.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pinakes.bench.contestant import Given
from pinakes.bench.draw import Ask
from pinakes.query.item import Item
from pinakes.query.oracle import answer, matches
from pinakes.query.order import ordered

ORACLE_ITEMS = 50_000
_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Fault:
    """A wrong answer: who, on which question, and how it differs."""

    name: str
    ask: int
    question: str
    reason: str


@dataclass(slots=True)
class Judge:
    """Judges the answers to each question. `items`: the whole gallery, where the oracle is to decide."""

    items: tuple[Item, ...] | None = None
    wrong: Counter[str] = field(default_factory=Counter)
    checked: Counter[str] = field(default_factory=Counter)
    disputed: int = 0
    examples: list[Fault] = field(default_factory=list)

    @property
    def by(self) -> str:
        """Who decides."""
        return "the oracle" if self.items is not None else "agreement"

    def judge(self, ask: Ask, given: Mapping[str, Given]) -> Given | None:
        """Counts who is wrong; the right answer, or None where nobody can say."""
        right = self._oracle(ask) if self.items is not None else _most(given.values())
        if right is None and len(given) > 1:  # a single answer disputes with nobody; its page is held to the question
            self.disputed += 1
        for name, answered in given.items():
            self.checked[name] += 1
            reason = _impossible(ask, answered) or (_difference(answered, right) if right is not None else None)
            if reason is not None:
                self._wrong(name, ask, reason)
        return right

    def again(self, ask: Ask, name: str, answered: Given, right: Given) -> None:
        """A later answer to a question that was judged."""
        reason = _difference(answered, right)
        self.checked[name] += 1
        if reason is not None:
            self._wrong(name, ask, reason)

    def _wrong(self, name: str, ask: Ask, reason: str) -> None:
        self.wrong[name] += 1
        if sum(fault.name == name for fault in self.examples) < _EXAMPLES:
            self.examples.append(Fault(name, ask.number, ask.text, reason))

    def _oracle(self, ask: Ask) -> Given:
        assert self.items is not None
        query = ask.query
        found = answer(
            ask.formula, self.items, query.sort_field, query.sort_order, page=query.page, page_size=query.page_size
        )
        return Given(tuple(found.items), found.total)


def _most(given: Iterable[Given]) -> Given | None:
    """The answer with the most voices, if there is one; a single answer has nobody to agree with it."""
    answers = list(given)
    voices = Counter((one.keys, one.total) for one in answers)
    ranked = voices.most_common(2)
    if not ranked or ranked[0][1] < 2 or (len(ranked) > 1 and ranked[1][1] == ranked[0][1]):
        return None
    return next(one for one in answers if (one.keys, one.total) == ranked[0][0])


def _impossible(ask: Ask, given: Given) -> str | None:
    """What is wrong with a page by itself."""
    formula = ask.formula
    for item in given.items:
        if not matches(formula, item):
            return f"shows item {item.source}:{item.id}, which does not match"
    if list(given.items) != ordered(list(given.items), ask.query.sort_field, ask.query.sort_order):
        return "the page is not in order"
    return None


def _difference(given: Given, right: Given) -> str | None:
    if given.total != right.total:
        return f"total {given.total:,} instead of {right.total:,}"
    if given.keys != right.keys:
        place = next((n for n, (a, b) in enumerate(zip(given.keys, right.keys, strict=False)) if a != b), None)
        if place is None:
            return f"{len(given.keys)} items on the page instead of {len(right.keys)}"
        return f"item {given.keys[place]} instead of {right.keys[place]} in place {place + 1}"
    return None
