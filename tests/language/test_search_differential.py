"""What the search box finds is what the oracle says: names, aliases, the hierarchy, patterns, creators, visibility.

The vocabulary here is the plainest possible one, over lists in memory; the real one asks PostgreSQL.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galleries import TAGS, USERS, Gallery, galleries, names, store
from language import asked
from pinakes.query import formula as f
from pinakes.query.formula import Formula, Term
from pinakes.query.gallery_query import GalleryQuery, Ref, to_formula, visible_to
from pinakes.query.item import Item
from pinakes.query.language.adjacent import Adjacent
from pinakes.query.language.syntax import (
    Creator,
    Node,
    Pattern,
    Question,
    TagName,
    When,
    Word,
    either,
    every,
    negate,
)
from pinakes.query.names import key
from pinakes.query.oracle import answer, matches
from pinakes.query.text import words
from pinakes.service import ContentService
from pinakes.settings import Settings
from pinakes.store import aliases, hierarchy
from pinakes.store.pool import Pool

ALIASES = ("dusk", "fort", "stormy sea", "Ada", "50%")
TYPED = (
    *(tag.name for tag in TAGS), *ALIASES, *USERS.values(), "SUNSET", "Castle", "ünïcode_tag", "no such tag",
    "by", "o'hara", "hara",
)  # fmt: skip
PATTERNS = ("s*", "*a*", "cas*le", "50%*", "*_*", "Ü*", "nothing*", "d*k")


@dataclass(frozen=True)
class Names:
    """Everything names mean to one viewer of a gallery."""

    gallery: Gallery
    aliases: dict[str, int]
    parents: frozenset[tuple[int, int]]
    viewer: int | None
    descendants: bool | None

    def __call__(self, ref: Ref) -> Formula:
        match ref:
            case int():
                return self._tags({ref} & {tag.id for tag in TAGS}, ref)
            case str():
                return self._tags(self._called(ref), ref)
            case Word(text) | TagName(text) | Adjacent(text):
                return self._tags(self._called(text), ref)
            case Pattern(text):
                return f.disj(self._tags({tag}, ref) for tag in self._like(text))
            case Creator(name):
                return self._creator(name)

    def _called(self, name: str) -> set[int]:
        own = {tag.id for tag in TAGS if key(tag.name) == key(name)}
        return own or {tag for alias, tag in self.aliases.items() if key(alias) == key(name)}

    def _like(self, pattern: str) -> set[int]:
        wanted = re.compile(".*".join(map(re.escape, key(pattern).split("*"))), re.DOTALL)
        found = {tag.id for tag in TAGS if wanted.fullmatch(key(tag.name))}
        return found | {tag for alias, tag in self.aliases.items() if wanted.fullmatch(key(alias))}

    def _tags(self, tags: set[int], ref: Ref) -> Formula:
        family = set(tags)
        if self.descendants or (self.descendants is None and not isinstance(ref, int | str)):
            while more := {child for child, parent in self.parents if parent in family} - family:
                family |= more
        carried = {tag.id for item in self._visible() for tag in item.tags}
        return f.disj(Term("tag", tag) for tag in family) if family & carried else f.NOTHING

    def _visible(self) -> list[Item]:
        return [item for item in self.gallery.items if matches(visible_to(self.viewer), item)]

    def _creator(self, name: str) -> Formula:
        seen = {item.creator_id for item in self._visible()}
        called = {user for user, username in USERS.items() if key(username) == key(name)} & seen
        if called:
            return f.disj(Term("creator", user) for user in called)
        wanted = set(words(name))
        having = {user for user, username in USERS.items() if wanted and wanted <= set(words(username))}
        return f.disj(Term("creator", user) for user in having & seen)


def _question(rng: Random) -> str:
    """A question about names of this little world."""

    def node(depth: int) -> Node:
        if depth == 0 or rng.random() < 0.4:
            name = rng.choice(TYPED)
            named = (
                Word(name.replace(" ", "_"))
                if re.fullmatch(r"[^\s()\"|~:*-][^\s()\"|:*]*", name.replace(" ", "_"))
                else None,
                TagName(name),
                Creator(name),
                Pattern(rng.choice(PATTERNS)),
                asked.leaf(rng),
            )
            return rng.choice([each for each in named if each is not None])
        parts = [node(depth - 1) for _ in range(rng.randrange(1, 3))]
        return rng.choice((every, either, lambda each: negate(each[0])))(parts)

    return str(
        Question(node(rng.choice((0, 0, 1, 2))), rng.choice((None, "title", "quality")), rng.choice((None, "asc")))
    )


async def _hang(pool: Pool, rng: Random) -> tuple[dict[str, int], frozenset[tuple[int, int]]]:
    """Random aliases and a random hierarchy (smaller numbers below greater ones, or the other way round)."""
    by_id = {tag.id: tag.name for tag in TAGS}
    chosen = {alias: rng.choice(TAGS).id for alias in rng.sample(ALIASES, rng.randrange(len(ALIASES)))}
    ids = rng.sample(sorted(by_id), len(by_id))
    steps = {tuple(sorted(rng.sample(range(len(ids)), 2))) for _ in range(rng.randrange(6))}
    parents = frozenset((ids[low], ids[high]) for low, high in steps)
    async with pool.acquire() as conn:
        await aliases.put(conn, {alias: by_id[tag] for alias, tag in chosen.items()})
        await hierarchy.put(conn, [(by_id[child], by_id[parent]) for child, parent in parents])
    return chosen, parents


@pytest.fixture
def service(pool: Pool, settings: Settings) -> ContentService:
    return ContentService(pool, settings)


@settings(max_examples=60)
@given(gallery=galleries(), seed=st.integers(0, 2**63))
async def test_answers_equal_the_oracles(gallery: Gallery, seed: int, service: ContentService, pool: Pool) -> None:
    rng = Random(seed)
    await pool.execute("DELETE FROM tag_aliases; DELETE FROM tag_parents")
    await store(pool, gallery)
    known, parents = await _hang(pool, rng)
    for _ in range(6):
        query = GalleryQuery(
            q=_question(rng),
            tags_none=tuple(rng.sample(TYPED, rng.randrange(2))),
            descendants=rng.choice((None, None, True, False)),
            viewer=rng.choice((None, *USERS)),
            page=rng.choice((1, 1, 2)),
            page_size=rng.randrange(1, 9),
        )
        meaning = Names(gallery, known, parents, query.viewer, query.descendants)
        formula = to_formula(dataclasses.replace(query, user_id=query.viewer), meaning)
        expected = answer(
            formula, gallery.items, query.sort_field, query.sort_order, page=query.page, page_size=query.page_size
        )
        page = await service.get_unified_content_paginated(query)
        assert (names(page.items), page.total_count) == (names(expected.items), expected.total), query.q
        assert page.query == (query.q or None)


def _as_text(query: GalleryQuery, rng: Random) -> str:
    """The parts of `query` as somebody would type them."""
    pieces = [str(TagName(str(name))) for name in query.tags_all]
    pieces += [f"~{TagName(str(name))}" for name in query.tags_any]
    pieces += [f"-{TagName(str(name))}" for name in query.tags_none]
    if query.content_types:
        pieces.append("(" + " or ".join(f"type:{name}" for name in query.content_types) + ")")
    if query.content_source_types:
        pieces.append("(" + " | ".join(f"source:{name}" for name in query.content_source_types) + ")")
    pieces += ["mine:"] if query.creator_filter == "user" else []
    pieces += [f'"{query.search_term}"'] if query.search_term else []
    if query.created_after and query.created_before:
        pieces.append(str(When("created", query.created_after, query.created_before)))
    if query.min_quality is not None:
        pieces.append(
            f"score:>={query.min_quality!r}"
            if query.max_quality is None
            else f"score:{query.min_quality}..{query.max_quality}"
        )
    pieces += [f"order:{query.sort_field.removesuffix('_at').removesuffix('_score')}", f"{query.sort_order}:"]
    return " ".join(rng.sample(pieces, len(pieces)))


@given(gallery=galleries(), seed=st.integers(0, 2**63))
def test_typed_and_given_in_parameters_is_the_same_formula(gallery: Gallery, seed: int) -> None:
    rng = Random(seed)
    after, before = sorted((asked.moment(rng), asked.moment(rng)))
    given_: dict[str, object] = {
        "tags_all": tuple(rng.sample(TYPED, rng.randrange(3))),
        "tags_any": tuple(rng.sample(TYPED, rng.randrange(3))),
        "tags_none": tuple(rng.sample(TYPED, rng.randrange(3))),
        "content_types": rng.choice((None, ("image",), ("image", "video"))),
        "content_source_types": rng.choice((None, ("auto",), ("regular",))),
        "creator_filter": rng.choice(("all", "user")),
        "search_term": rng.choice(("", "castle", "morning light")),
        "min_quality": (low := rng.choice((None, 0.0, 0.5))),
        "max_quality": None if low is None else rng.choice((None, 0.5, 1.0)),
        "sort_field": rng.choice(("created_at", "updated_at", "quality_score", "title")),
        "sort_order": rng.choice(("asc", "desc")),
    }
    if after < before and rng.random() < 0.5:
        given_ |= {"created_after": after, "created_before": before}
    viewer = rng.choice((None, *USERS))
    structured = GalleryQuery(viewer=viewer, user_id=viewer, descendants=False, **given_)  # type: ignore[arg-type]
    typed = GalleryQuery(viewer=viewer, user_id=viewer, descendants=False, q=_as_text(structured, rng))
    meaning = gallery_names(gallery)
    if structured.search_term == "morning light":
        structured = dataclasses.replace(structured, search_term='"morning light"')
    assert to_formula(typed, meaning) == to_formula(structured, meaning)
    assert (typed.sort_field, typed.sort_order) == (structured.sort_field, structured.sort_order)


def gallery_names(gallery: Gallery) -> Names:
    """Names that everybody means alike: only exact ones are tags."""

    class Exact(Names):
        def __call__(self, ref: Ref) -> Formula:
            return gallery.vocabulary(ref.name if isinstance(ref, TagName) else ref)

    return Exact(gallery, {}, frozenset(), None, False)


@pytest.mark.parametrize("typed", ["castle sunset -watercolor", "~castle ~sunset 50%_off score:>0"])
def test_the_order_of_typing_is_forgotten_before_anything_is_asked(typed: str) -> None:
    pieces = typed.split()
    one, other = GalleryQuery(q=typed), GalleryQuery(q=" ".join(reversed(pieces)))
    assert one.q == other.q
    # What may be one tag's name is all that remembers it.
    assert dataclasses.replace(one, typed_together=()) == dataclasses.replace(other, typed_together=())
