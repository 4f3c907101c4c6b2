"""How engine `base` answers: one named rule for each source, chosen from maintained cardinalities.

PostgreSQL cannot know how many items carry two tags, and with ORDER BY … LIMIT a wrong guess means
walking millions of rows for 25 hits. So the choice is made here, from exact tag counts:

`nothing`        the formula is false for this source: it is not touched.
`drive_by_tag`   start at the rarest required tag (or group of any-tags) and collect all hits; page and
                 total come from one pass. Chosen when several tags are required, because two
                 frequent tags may never meet and only a drive is bounded then (by its driver), and
                 when collecting is cheaper than walking.
`drive_by_words` the same from the words index, when few items are expected to have the words.
`walk_order`     walk the sort order and probe each row until the page is full; the total is counted
                 apart. Chosen when hits are dense: about `need` · size / hits rows are visited.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from pinakes.query.formula import And, Formula, Nothing, Or, Phrase, Term, conj, conjuncts, leaves
from pinakes.store.vocabulary import Cardinalities

Rule: TypeAlias = Literal["nothing", "drive_by_tag", "drive_by_words", "walk_order"]

# A driven row costs an index entry, a heap fetch and a place in a sort; a walked row a heap fetch and
# a probe in order. Measured on 500,000 items they are within 2x of each other, so rows are compared as they are.
# Below this many rows a drive takes a few milliseconds and there is nothing to win by walking.
CHEAP_DRIVE_ROWS = 5_000
# Hits are rarely spread evenly over an order; a walk is expected to need this many times its share.
UNEVENNESS = 4
# Above this share of a source, words are dense enough to be walked into.
DENSE_WORDS = 0.05


@dataclass(frozen=True, slots=True)
class BranchPlan:
    """What is done for one source: the rule, the formula left to check, and the tags that drive."""

    rule: Rule
    formula: Formula
    driver: tuple[int, ...] = ()


def choose(formula: Formula, source: int, counts: Cardinalities, need: int, words_share: float | None) -> BranchPlan:
    """The plan for one source.

    Args:
        formula: what to find, already specialised to this source.
        source: the source's code.
        counts: maintained cardinalities.
        need: how many rows of the order the page needs (offset + page size + 1).
        words_share: the share of items the planner expects to have the required words; None without such.
    """
    if isinstance(formula, Nothing):
        return BranchPlan("nothing", formula)
    required = conjuncts(formula)
    groups = [(tags, part) for part in required if (tags := _tag_group(part))]
    if groups:
        weight = {tags: sum(counts.of(source, tag) for tag in tags) for tags, _ in groups}
        driver, driven_part = min(groups, key=lambda group: (weight[group[0]], group[0]))
        if _drive(weight[driver], len(groups), counts.size(source), need):
            rest = conj(part for part in required if part != driven_part)
            return BranchPlan("drive_by_tag", rest, driver)
    if words_share is not None and words_share < DENSE_WORDS:
        return BranchPlan("drive_by_words", formula)
    return BranchPlan("walk_order", formula)


def _drive(driver_rows: int, groups: int, size: int, need: int) -> bool:
    """Whether collecting everything the driver has beats walking the order."""
    if driver_rows <= CHEAP_DRIVE_ROWS or groups > 1:
        return True
    return driver_rows < UNEVENNESS * need * size / driver_rows


def _tag_group(part: Formula) -> tuple[int, ...]:
    """The tags of which an item must carry one to satisfy `part`; empty when it asks something else."""
    alternatives = part.parts if isinstance(part, Or) else (part,)
    tags = [p.value for p in alternatives if isinstance(p, Term) and p.field == "tag" and isinstance(p.value, int)]
    return tuple(tags) if len(tags) == len(alternatives) else ()


def required_words(formula: Formula) -> list[str]:
    """The words every hit must have, without repetition."""
    found: dict[str, None] = {}
    for part in conjuncts(formula):
        match part:
            case Term("word", str(word)):
                found[word] = None
            case Phrase(words):
                found.update(dict.fromkeys(words))
    return list(found)


def words_decide(formula: Formula) -> bool:
    """Whether the words index can find every hit: some required part asks for words and nothing else."""
    return any(_asks_words(part) for part in conjuncts(formula))


def _asks_words(part: Formula) -> bool:
    match part:
        case Term("word") | Phrase():
            return True
        case Or(parts) | And(parts):
            return all(_asks_words(p) for p in parts)
        case _:
            return False


def tags_of(formula: Formula) -> set[int]:
    """Every tag number in `formula`."""
    return {
        leaf.value
        for leaf in leaves(formula)
        if isinstance(leaf, Term) and leaf.field == "tag" and isinstance(leaf.value, int)
    }
