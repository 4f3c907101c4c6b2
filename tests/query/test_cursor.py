"""Cursors are opaque, signed, and bound to their query; walking them visits everything once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import URLSafeSerializer

from galleries import INSTANTS, SCORES, Gallery, galleries, queries
from pinakes.errors import CursorMismatch, InvalidCursor
from pinakes.query import formula as f
from pinakes.query.cursor import VERSION, Cursor, CursorCodec, digest
from pinakes.query.formula import Term
from pinakes.query.gallery_query import SORT_FIELDS, GalleryQuery, SortField, to_formula
from pinakes.query.item import Item
from pinakes.query.oracle import answer
from pinakes.query.order import ordered, position

CODEC = CursorCodec("a secret of these tests and nothing else")
PUBLIC = Term("vis", "public")


@given(st.sampled_from(SORT_FIELDS), st.data(), st.integers(1, 2**62), st.sampled_from((1, 2)))
def test_what_is_read_is_what_was_written(field: SortField, data: st.DataObject, item_id: int, source: int) -> None:
    values = {"title": st.text(), "quality_score": st.sampled_from(SCORES)}.get(field, st.sampled_from(INSTANTS))
    cursor = Cursor(data.draw(st.sampled_from(("after", "before"))), data.draw(values), item_id, source)
    assert CODEC.decode(CODEC.encode(cursor, PUBLIC, field, "asc"), PUBLIC, field, "asc") == cursor


def test_a_compressed_cursor_of_an_earlier_version_is_read() -> None:
    cursor = Cursor("after", "castle " * 20, 7, 1)
    secret = "a secret of these tests and nothing else"
    told = ["after", digest(PUBLIC, "title", "asc"), cursor.value, 7, 1]
    text = URLSafeSerializer(secret, salt=f"pinakes.cursor.{VERSION}").dumps(told)
    assert str(text).startswith(".")
    assert CODEC.decode(str(text), PUBLIC, "title", "asc") == cursor


def test_another_query_is_refused() -> None:
    text = CODEC.encode(Cursor("after", None, 7, 1), PUBLIC, "quality_score", "desc")
    for formula, field, order in (
        (f.conj((PUBLIC, Term("tag", 1))), "quality_score", "desc"),
        (PUBLIC, "title", "desc"),
        (PUBLIC, "quality_score", "asc"),
    ):
        with pytest.raises(CursorMismatch):
            CODEC.decode(text, formula, field, order)  # type: ignore[arg-type]


@given(st.text(max_size=80), st.integers(0, 200))
def test_a_tampered_cursor_is_refused(noise: str, at: int) -> None:
    text = CODEC.encode(Cursor("after", "title", 7, 1), PUBLIC, "title", "desc")
    for bad in (noise, text[: at % len(text)], text + "x", text[:5] + ("A" if text[5] != "A" else "B") + text[6:]):
        with pytest.raises(InvalidCursor):
            CODEC.decode(bad, PUBLIC, "title", "desc")


def test_another_installations_cursor_is_refused() -> None:
    text = CursorCodec("somebody else's secret, as long as ours").encode(
        Cursor("after", None, 7, 1), PUBLIC, "title", "asc"
    )
    with pytest.raises(InvalidCursor):
        CODEC.decode(text, PUBLIC, "title", "asc")


@given(galleries(), queries())
def test_the_oracles_own_walks_agree(gallery: Gallery, query: GalleryQuery) -> None:
    """Pages and cursors, forward and backward, cut the same order."""
    formula = to_formula(query, gallery.vocabulary)
    field, order, size = query.sort_field, query.sort_order, query.page_size
    whole = answer(formula, gallery.items, field, order, page_size=1000).items
    assert whole == ordered(whole, field, order)
    walked: list[Item] = []
    page, cursor = 1, None
    while True:
        by_page = answer(formula, gallery.items, field, order, page=page, page_size=size)
        found = answer(formula, gallery.items, field, order, page_size=size, cursor=cursor)
        assert (found.items, found.has_next, found.has_previous) == (
            by_page.items,
            by_page.has_next,
            by_page.has_previous,
        )
        if found.items and page > 1:
            first = Cursor("before", *position(found.items[0], field))
            before = answer(formula, gallery.items, field, order, page_size=size, cursor=first)
            assert before.items == walked[-size:]
        walked += found.items
        if not found.has_next:
            break
        page, cursor = page + 1, Cursor("after", *position(found.items[-1], field))
    assert walked == whole
