"""Suggestions, related tags, histograms and neighbours equal what one counts by hand, for every viewer."""

from __future__ import annotations

import dataclasses
from collections import Counter
from math import sqrt
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galleries import TAGS, Gallery, galleries, queries, store
from pinakes.engines import endings
from pinakes.engines import names as held
from pinakes.engines import suggest as suggesting
from pinakes.engines.around import around
from pinakes.engines.histogram import histogram
from pinakes.engines.names import Names
from pinakes.engines.overlap import TableOverlap
from pinakes.engines.related import related
from pinakes.engines.suggest import Suggester
from pinakes.engines.typo import one_error_away
from pinakes.errors import NotFound
from pinakes.query.formula import Formula
from pinakes.query.gallery_query import GalleryQuery, to_formula, visible_to
from pinakes.query.item import Item
from pinakes.query.names import key
from pinakes.query.oracle import answer, matches
from pinakes.query.sources import SOURCE_BY_CODE
from pinakes.query.text import words
from pinakes.store import aliases
from pinakes.store.pool import Pool, snapshot

ALIASES = {"dusk": 1, "early castle": 2, "cast iron": 4, ":) sea": 3, "^_^": 5}
TYPED = (
    "",
    "s",
    "su",
    "sunset",
    "c",
    "cast",
    "castle",
    "w",
    "un",
    "50",
    "off",
    "tag",
    "ünï",
    "dsuk",
    "sunest",
    "castlle",
    "x",
    "%",
    ":)",
    ": ) sea",
    "(castle",
    "(castlle",
    "^",
    ":) see",
    "50%_",
)


def _hits(gallery: Gallery, formula: Formula) -> list[Item]:
    return [item for item in gallery.items if matches(formula, item)]


def _tags(items: list[Item]) -> Counter[int]:
    return Counter(tag.id for item in items for tag in item.tags)


def _meant(query: GalleryQuery, gallery: Gallery) -> tuple[GalleryQuery, Formula]:
    query = dataclasses.replace(query, user_id=query.user_id or query.viewer)
    return query, to_formula(query, gallery.vocabulary)


def _begin(text: str) -> set[int]:
    """The tags a name or alias of which begins so from one of its words on; or as it is, if it begins with no word."""
    named = [(tag.id, key(tag.name)) for tag in TAGS] + [(tag, key(alias)) for alias, tag in ALIASES.items()]
    endings = [(tag, " ".join(cut[at:])) for tag, name in named for cut in [words(name)] for at in range(len(cut))]
    endings += [(tag, name) for tag, name in named if not words(name[0])]
    return {tag for tag, ending in endings if ending.startswith(text)}


def _looked_for(typed: str) -> str:
    """`typed` as it is if it begins with no word, and some name begins so or it has no word at all; else its words."""
    whole = key(typed).strip()
    if whole and not words(whole[0]) and (_begin(whole) or not words(whole)):
        return whole
    return " ".join(words(whole))


@pytest.mark.parametrize("many", [False, True])
@settings(max_examples=30)
@given(world=st.tuples(galleries(), queries()), seed=st.integers(0, 2**63))
async def test_suggestions_are_the_most_used_of_those_begun(
    many: bool, world: tuple[Gallery, GalleryQuery], seed: int, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the process holds of the names meanwhile.

    `many`: counts are those of a while ago, and changed names may be too many to keep beside the others.
    """
    gallery, query = world
    rng = Random(seed)
    monkeypatch.setattr(endings, "OVERLAY", rng.choice((0, 2, 2000)))
    monkeypatch.setattr(suggesting, "MANY", rng.choice((0, 3, 100)))
    monkeypatch.setattr(held, "FEW_TAGS", -1 if many else 3000)
    held_names = Names(pool)
    suggester = Suggester(held_names, TableOverlap())
    if rng.random() < 0.7:
        # The process knows an older state: other names, other counts.
        await store(pool, Gallery(gallery.items[:2]))
        async with snapshot(pool, 5000) as conn:
            await suggester.suggest(conn, "s", visible_to(None), 3)
        if rng.random() < 0.8:
            await held_names.settled()
    await store(pool, gallery)
    if rng.random() < 0.7:
        await pool.execute("SELECT fold_tag_counts()")
    names = {tag.id: tag.name for tag in TAGS}
    async with pool.acquire() as conn:
        await aliases.put(conn, {alias: names[tag] for alias, tag in ALIASES.items()})
    query, narrowed = _meant(query, gallery)
    formula = rng.choice((visible_to(query.viewer), narrowed))
    typed, limit = rng.choice(TYPED), rng.randrange(1, 8)
    counted = _tags(_hits(gallery, formula))
    begun = _looked_for(typed)
    exact = {tag for tag in _begin(begun) if counted[tag]}
    near: set[int] = set()
    if 4 <= len(begun) <= 24:
        near = {tag for each in one_error_away(begun) for tag in _begin(each) if counted[tag]} - _begin(begun)
    expected = [(tag, False) for tag in sorted(exact, key=lambda tag: (-counted[tag], names[tag]))]
    expected = expected[:limit]
    expected += [(tag, True) for tag in sorted(near, key=lambda tag: (-counted[tag], names[tag]))][
        : limit - len(expected)
    ]
    async with snapshot(pool, 5000) as conn:
        found = await suggester.suggest(conn, typed, formula, limit)
    assert all(each.count == counted[each.tag.id] for each in found)
    if many:
        # Which tags are tried first goes by counts of a while ago: never a wrong tag, never too few.
        assert {(each.tag.id, each.typo) for each in found} <= {
            *((tag, False) for tag in exact),
            *((tag, True) for tag in near),
        }
        assert len(found) == len(expected)
    else:
        assert [(each.tag.id, each.typo) for each in found] == expected
    await held_names.stop()


@settings(max_examples=40)
@given(gallery=galleries(), query=queries(), limit=st.integers(1, 6))
async def test_related_tags_are_the_nearest_by_cosine(
    gallery: Gallery, query: GalleryQuery, limit: int, pool: Pool
) -> None:
    await store(pool, gallery)
    query, formula = _meant(query, gallery)
    hits = _hits(gallery, formula)
    together, items = _tags(hits), _tags(_hits(gallery, visible_to(query.viewer)))
    cosine = {tag: n / sqrt(len(hits) * items[tag]) for tag, n in together.items()}
    expected = sorted(cosine, key=lambda tag: (-cosine[tag], tag))[:limit]
    async with snapshot(pool, 5000) as conn:
        found = await related(conn, TableOverlap(), formula, visible_to(query.viewer), limit)
    assert found.kind == "exact"
    assert [each.tag for each in found.tags] == expected
    assert [(each.together, each.items) for each in found.tags] == [(together[tag], items[tag]) for tag in expected]


@settings(max_examples=60)
@given(gallery=galleries(), query=queries(), buckets=st.integers(1, 9), created=st.booleans())
async def test_histograms_count_every_hit_once(
    gallery: Gallery, query: GalleryQuery, buckets: int, created: bool, pool: Pool
) -> None:
    await store(pool, gallery)
    _, formula = _meant(query, gallery)
    hits = _hits(gallery, formula)
    field = "created_at" if created else "quality_score"
    values = [value for item in hits if (value := getattr(item, field)) is not None]
    async with snapshot(pool, 5000) as conn:
        found = await histogram(conn, formula, "created_at" if created else "quality_score", buckets)
    assert (found.total, found.missing) == (len(hits), len(hits) - len(values))
    assert len(found.buckets) <= buckets
    for place, bucket in enumerate(found.buckets):
        last = place == len(found.buckets) - 1
        inside = [v for v in values if bucket.low <= v and (v < bucket.high or (last and v == bucket.high))]
        assert bucket.count == len(inside)
    assert sum(bucket.count for bucket in found.buckets) == len(values)
    if values:
        assert (found.buckets[0].low, found.buckets[-1].high) == (min(values), max(values))


@settings(max_examples=60)
@given(gallery=galleries(), query=queries(), seed=st.integers(0, 2**63))
async def test_neighbours_are_those_of_the_sorted_list(
    gallery: Gallery, query: GalleryQuery, seed: int, pool: Pool
) -> None:
    await store(pool, gallery)
    query, formula = _meant(query, gallery)
    whole = answer(formula, gallery.items, query.sort_field, query.sort_order, page_size=1000).items
    for item in Random(seed).sample(gallery.items, min(6, len(gallery.items))):
        source = SOURCE_BY_CODE[item.source]
        async with snapshot(pool, 5000) as conn:
            try:
                found = await around(conn, query, formula, source, item.id)
            except NotFound:
                assert item not in whole
                continue
        place = whole.index(item)
        assert (found.rank, found.total, found.item) == (place + 1, len(whole), item)
        assert found.previous == (whole[place - 1] if place else None)
        assert found.next == (whole[place + 1] if place + 1 < len(whole) else None)
