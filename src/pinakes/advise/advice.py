"""Advice: the rules applied to facts, and every rule's verdict, also of those that did not decide.

report = advise(facts)                 pure
report = await advise_measured(pool, settings, hours=24)      what the operations page calls
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from pinakes.advise.cost import cost
from pinakes.advise.facts import ENOUGH, Facts
from pinakes.advise.rules import RULES, Part, Rule, Verdict


@dataclass(frozen=True, slots=True)
class Advice:
    """One recommendation: what to do with which part, the rule that decided, its numbers, and what it costs.

    `done`: it is so already.
    """

    part: Part
    verdict: Verdict
    said: str
    rule: str
    when: str
    numbers: str
    cost: str
    done: bool


@dataclass(frozen=True, slots=True)
class Report:
    """Facts, advice, and the rules that could not tell for lack of facts."""

    facts: Facts
    advice: tuple[Advice, ...]
    unknown: tuple[str, ...]
    note: str | None

    @property
    def to_do(self) -> tuple[Advice, ...]:
        """What is not so already."""
        return tuple(one for one in self.advice if not one.done)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "facts": self.facts.as_dict(),
            "advice": [asdict(one) for one in self.advice],
            "unknown": list(self.unknown),
            "note": self.note,
        }


def advise(facts: Facts) -> Report:
    """What the rules say about `facts`."""
    told = {rule.name: rule.holds(facts) for rule in RULES}
    advice = tuple(_advice(rule, facts) for rule in RULES if told[rule.name])
    unknown = tuple(name for name, holds in told.items() if holds is None)
    answered = facts.answers.count if facts.answers is not None else 0
    note = None
    if answered < ENOUGH:
        what = "measured" if facts.source == "measured" else "asked by the probe"
        note = f"Only {answered} answers were {what}: rules about their time and repetition cannot tell yet."
    return Report(facts, advice, unknown, note)


def _advice(rule: Rule, facts: Facts) -> Advice:
    return Advice(
        rule.part, rule.verdict, rule.then, rule.name, rule.when, rule.numbers(facts), cost(rule.part, facts),
        _done(rule, facts),
    )  # fmt: skip


def _done(rule: Rule, facts: Facts) -> bool:
    """Whether what `rule` asks for is so already."""
    if rule.verdict == "keep":
        return True
    if rule.verdict == "on":
        return {"cache": facts.cache != "off", "read model": facts.policy is not None, "index": facts.index}[rule.part]
    return False
