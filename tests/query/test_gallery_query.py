"""What a gallery query means, by truth table and by named trap."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from galleries import Gallery, galleries, queries
from pinakes.query import formula as f
from pinakes.query.formula import Term
from pinakes.query.gallery_query import CONTENT_SOURCE_TYPES, GalleryQuery, to_formula
from pinakes.query.item import Item
from pinakes.query.oracle import matches
from pinakes.query.sources import SOURCES


def _no_tags(_: object) -> f.Formula:
    return f.NOTHING


def _plain(query: GalleryQuery, item: Item, gallery: Gallery) -> bool:
    """The semantics once more, written without formulas, for everything but the search term."""
    names = {tag.name for tag in item.tags} | {tag.id for tag in item.tags}
    mine = query.user_id is not None and item.creator_id == query.user_id
    source = next(s.name for s in SOURCES if s.code == item.source)
    chosen = query.content_source_types
    score = item.quality_score
    return all(
        (
            not item.is_private or item.creator_id == query.viewer,
            all(tag in names for tag in query.tags_all),
            not query.tags_any or any(tag in names for tag in query.tags_any),
            not any(tag in names for tag in query.tags_none),
            query.content_types is None or item.content_type in query.content_types,
            chosen is None
            or source in chosen
            or (f"user-{source}" in chosen and mine)
            or (f"community-{source}" in chosen and not mine),
            query.creator_filter == "all" or mine == (query.creator_filter == "user"),
            query.created_after is None or item.created_at >= query.created_after,
            query.created_before is None or item.created_at < query.created_before,
            query.min_quality is None or (score is not None and score >= query.min_quality),
            query.max_quality is None or (score is not None and score <= query.max_quality),
        )
    )


@given(galleries(), queries())
def test_the_formula_says_what_the_plain_words_say(gallery: Gallery, query: GalleryQuery) -> None:
    import dataclasses

    query = dataclasses.replace(query, search_term="", q="")
    formula = to_formula(query, gallery.vocabulary)
    for item in gallery.items:
        assert matches(formula, item) == _plain(query, item, gallery), item


@pytest.mark.parametrize("size", range(4))
def test_both_halves_of_a_source_are_that_source(size: int) -> None:
    for chosen in itertools.combinations(CONTENT_SOURCE_TYPES, size):
        for user in (None, 3):
            text = str(to_formula(GalleryQuery(content_source_types=chosen, user_id=user), _no_tags))
            for source in SOURCES:
                halves = {f"user-{source.name}", f"community-{source.name}"}
                if halves <= set(chosen) and len(chosen) == 2:
                    assert text == f"(source:{source.code} vis:public)"


def test_every_source_asks_no_condition() -> None:
    assert str(to_formula(GalleryQuery(content_source_types=("auto", "regular")), _no_tags)) == "vis:public"


def test_an_empty_list_of_sources_is_an_empty_answer() -> None:
    assert to_formula(GalleryQuery(content_source_types=()), _no_tags) == f.NOTHING


def test_your_items_without_a_user_are_none_and_the_communitys_are_all() -> None:
    assert to_formula(GalleryQuery(content_source_types=("user-auto",)), _no_tags) == f.NOTHING
    assert str(to_formula(GalleryQuery(content_source_types=("community-auto",)), _no_tags)) == "(source:2 vis:public)"


def test_an_unknown_tag_matches_nothing() -> None:
    known = {"a": Term("tag", 1)}

    def vocabulary(ref: object) -> f.Formula:
        return known.get(str(ref), f.NOTHING)

    assert to_formula(GalleryQuery(tags_all=("a", "zz")), vocabulary) == f.NOTHING
    assert str(to_formula(GalleryQuery(tags_any=("a", "zz")), vocabulary)) == "(tag:1 vis:public)"
    assert str(to_formula(GalleryQuery(tags_none=("zz",)), vocabulary)) == "vis:public"
    assert to_formula(GalleryQuery(tags_any=("zz",)), vocabulary) == f.NOTHING


@given(st.permutations(["a", "b", "c"]))
def test_tag_order_changes_nothing(tags: list[str]) -> None:
    ids = {"a": 1, "b": 2, "c": 3}

    def vocabulary(ref: object) -> f.Formula:
        return Term("tag", ids[str(ref)])

    asked = GalleryQuery(tags_all=tuple(tags), tags_any=(*tags, *tags))
    assert to_formula(asked, vocabulary) == to_formula(
        GalleryQuery(tags_all=("a", "b", "c"), tags_any=("a", "b", "c")), vocabulary
    )
