"""From a workload and a gallery's facts to the questions asked: the same ones for the same seed.

    asks = draw(load_workload(), facts, seed=1, count=300)

Tags by popularity: rank = n^u for a uniform u, so that each power of ten is as likely as the next, and
the most used tags are met again and again. Which page is asked for depends on the total, so the
page of a drawn question is 1 until `placed` knows it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from pinakes.bench.facts import Facts
from pinakes.bench.workload import Kind, Place, Workload
from pinakes.errors import StoreError
from pinakes.query.formula import Formula, Term
from pinakes.query.gallery_query import GalleryQuery, Ref, to_formula

_MOST = 8


@dataclass(frozen=True, slots=True)
class Ask:
    """One question of a measurement. `query` names tags by number, so `formula` needs no database."""

    number: int
    kind: Kind
    place: Place
    query: GalleryQuery

    @property
    def formula(self) -> Formula:
        """What is asked, visibility included."""
        return to_formula(self.query, _term)

    @property
    def text(self) -> str:
        """The question in one line, for people."""
        query = self.query
        return f"{self.formula} order:{query.sort_field} {query.sort_order} page:{query.page}"


def draw(workload: Workload, facts: Facts, seed: int, count: int) -> list[Ask]:
    """`count` questions, their page still 1.

    Raises:
        StoreError: the gallery has no tags to ask for.
    """
    if len(facts.tags) < _MOST + 1:
        raise StoreError(f"The gallery has {len(facts.tags)} tags; a measurement needs {_MOST + 1} or more.")
    return [_ask(workload, facts, Random(f"{seed} {number}"), number) for number in range(count)]


def placed(ask: Ask, total: int, seed: int) -> Ask:
    """`ask` with its page, now that the total is known."""
    pages = max(-(-total // ask.query.page_size), 1)
    random = Random(f"page {seed} {ask.number}")
    page = {"first": 1, "last": pages, "random": random.randint(1, pages)}[ask.place]
    return dataclasses.replace(ask, query=dataclasses.replace(ask.query, page=page))


def _term(tag: Ref) -> Formula:
    assert isinstance(tag, int)
    return Term("tag", tag)


def _ask(workload: Workload, facts: Facts, random: Random, number: int) -> Ask:
    kind = _choose(random, workload.kinds)
    field, _, order = _choose(random, workload.sorts).partition(" ")
    place = _choose(random, workload.places)
    viewers = {"anonymous": (), "member": facts.creators, "owner": facts.owners}[_choose(random, workload.viewers)]
    query = GalleryQuery(
        **_conditions(kind, _Drawer(workload, facts, random)),
        sort_field=field,  # type: ignore[arg-type]
        sort_order=order,  # type: ignore[arg-type]
        page_size=workload.page_size,
        viewer=random.choice(viewers) if viewers else None,
    )
    return Ask(number, kind, place, query)  # type: ignore[arg-type]


def _choose(random: Random, weights: Mapping[str, float]) -> str:
    return random.choices(list(weights), list(weights.values()))[0]


class _Drawer:
    """Draws what questions are about."""

    def __init__(self, workload: Workload, facts: Facts, random: Random) -> None:
        self.facts = facts
        self.random = random
        self._by_rank = workload.draw_tags_by == "popularity"

    def tag(self) -> int:
        """Any tag."""
        tags, random = self.facts.tags, self.random
        return tags[int(len(tags) ** random.random()) - 1] if self._by_rank else random.choice(tags)

    def tags(self, low: int, high: int) -> tuple[int, ...]:
        """`low` to `high` different tags."""
        wanted = self.random.randint(low, high)
        found: dict[int, None] = {}
        while len(found) < wanted:
            found[self.tag()] = None
        return tuple(found)

    def together(self) -> tuple[int, ...]:
        """Two to eight tags that one item has."""
        carried = self.random.choice(self.facts.together)
        return tuple(self.random.sample(carried, min(self.random.randint(2, _MOST), len(carried))))

    def common(self) -> int:
        """One of the most used tags."""
        return self.facts.tags[self.random.randrange(self.facts.common)]

    def rare(self) -> int:
        """One of the less used half."""
        half = len(self.facts.tags) // 2
        return self.facts.tags[self.random.randrange(half, len(self.facts.tags))]


def _conditions(kind: str, draw: _Drawer) -> dict[str, Any]:
    """The fields of the query for a kind of question."""
    random, facts = draw.random, draw.facts
    match kind:
        case "single":
            return {"tags_all": (draw.tag(),)}
        case "all":
            return {"tags_all": draw.together() if facts.together and random.random() < 0.75 else draw.tags(2, _MOST)}
        case "any":
            return {"tags_any": draw.tags(2, _MOST)}
        case "none":
            one, *others = draw.tags(2, 4)
            return {"tags_all": (one,), "tags_none": tuple(others)}
        case "rare-common":
            return {"tags_all": (draw.rare(), draw.common())}
        case "never-meet":
            return {"tags_all": random.choice(facts.apart) if facts.apart else (draw.common(), draw.rare())}
        case "not-common":
            return {"tags_none": (draw.common(),)}
        case "creator":
            return {"creator_filter": "user", "user_id": random.choice(facts.creators)}
        case "text":
            known = random.choice(facts.words) if facts.words else ("nothing",)
            return {"search_term": " ".join(random.sample(known, min(random.randint(1, 2), len(known))))}
        case _:
            return {}
