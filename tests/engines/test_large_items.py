"""Items that carry a megabyte: a list shows what is small, and what is named, within a bound; over every engine."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
import pytest_asyncio

from galleries import USERS, Gallery
from index_gear import Gear
from pinakes.cache import body
from pinakes.errors import InvalidContent, InvalidParameter
from pinakes.index.part import connect
from pinakes.query.aspect import AroundAsked
from pinakes.query.fieldset import FIELDS, LARGE, LIST_BYTES, PAGE_BYTES
from pinakes.query.gallery_query import GalleryQuery
from pinakes.query.item import Item, Page
from pinakes.query.sources import SOURCE_BY_CODE
from pinakes.service import ContentService
from pinakes.settings import Settings
from pinakes.store.draft import Change, Draft
from pinakes.store.limits import MAX_JSON_BYTES
from pinakes.store.pool import Pool
from pinakes.store.transfer.line import RefusedError, parse

ENGINES = ("base", "matview", "index")
MEGABYTE = "z" * 1_000_000
"""Compresses to a hundredth, so its size as stored says little."""
NOISE = random.Random(1).randbytes(450_000).hex()
"""Hardly compresses."""
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)


def _item(number: int, **values: Any) -> Item:
    moment = BEGIN + timedelta(days=number)
    return Item(
        source=1 + number % 2, id=number, external_id=f"large:{number}", title=f"Item {number}", content_type="image",
        creator_id=1, creator_username=USERS[1], created_at=moment, updated_at=moment, **values,
    )  # fmt: skip


LARGE_ITEMS = tuple(
    _item(
        number,
        content_data=(MEGABYTE, NOISE)[number % 2],
        prompt="p" * 20_000,
        item_metadata={"workflow": (MEGABYTE, NOISE)[number % 2][:400_000]},
        path_thumbs_alt_res={"small": "/" + "s" * 9000},
    )
    for number in range(1, 13)
)
SMALL_ITEM = _item(
    13, content_data="a short text", prompt="a prompt", item_metadata={"seed": 7}, path_thumbs_alt_res={"small": "/s"}
)


@pytest_asyncio.fixture
async def gear(pool: Pool, settings: Settings) -> AsyncIterator[Gear]:
    connection = await connect(settings.database_url or "")
    await connection.reset_type_codec("timestamptz", schema="pg_catalog")
    gear = Gear(pool, settings, connection)
    await gear.begin(Gallery((*LARGE_ITEMS, SMALL_ITEM)))
    yield gear
    await connection.close()


async def _asked(gear: Gear, engine: str, query: GalleryQuery) -> tuple[Page, dict[str, Any]]:
    """The page, and the JSON object that an answer says."""
    service = ContentService(gear.pool, gear.settings.model_copy(update={"engine": engine}))
    answer = await service.answer(query)
    told = answer.told()
    assert told["engine"] == engine
    # Once more: what is read the second time takes the fast path where there is one.
    again = (await service.answer(query)).told()
    assert again["items"] == told["items"]
    page = await service.get_unified_content_paginated(query)
    await service.close()
    return page, told


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_list_leaves_out_large_values_and_names_them(gear: Gear, engine: str) -> None:
    page, told = await _asked(gear, engine, GalleryQuery(page_size=25))
    assert len(orjson.dumps(told)) < 20_000
    *large, small = sorted(told["items"], key=lambda item: item["id"])
    assert [item["omitted"] for item in large] == [list(LARGE)] * 12
    assert all(item[name] is None for item in large for name in LARGE)
    assert "omitted" not in small
    assert {name: small[name] for name in LARGE} == {name: getattr(SMALL_ITEM, name) for name in LARGE}
    assert set(small) == set(FIELDS)
    assert SMALL_ITEM in page.items
    assert {item.omitted for item in page.items} == {tuple(LARGE), ()}


@pytest.mark.parametrize("engine", ENGINES)
async def test_what_a_list_names_comes_whole_within_the_bound_of_a_page(gear: Gear, engine: str) -> None:
    query = GalleryQuery(page_size=4, fields=("content_data",))
    _, told = await _asked(gear, engine, dataclasses.replace(query, sort_order="asc"))
    assert [set(item) for item in told["items"]] == [{"source_type", "id", "content_data"}] * 4
    assert [item["content_data"] for item in told["items"]] == [each.content_data for each in LARGE_ITEMS[:4]]
    _, told = await _asked(gear, engine, dataclasses.replace(query, page_size=13))
    assert len(orjson.dumps(told)) < PAGE_BYTES
    assert told["items"][0]["content_data"] == SMALL_ITEM.content_data
    assert [item["omitted"] for item in told["items"][1:]] == [["content_data"]] * 12


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_list_shows_the_fields_it_names_and_no_others(gear: Gear, engine: str) -> None:
    page, told = await _asked(gear, engine, GalleryQuery(fields=("tags", "title"), page_size=3))
    assert [list(item) for item in told["items"]] == [["source_type", "id", "title", "tags"]] * 3
    assert [item.title for item in page.items] == ["Item 13", "Item 12", "Item 11"]
    assert all(item.prompt is None and not item.omitted for item in page.items)


async def test_neighbours_come_without_large_values(gear: Gear) -> None:
    for engine in ENGINES:
        service = ContentService(gear.pool, gear.settings.model_copy(update={"engine": engine}))
        told = (await service.answer(GalleryQuery(), aspect=AroundAsked(1, 6))).told()
        assert [told[name]["omitted"] for name in ("previous", "item", "next")] == [list(LARGE)] * 3
        await service.close()


async def test_a_single_item_is_complete(gear: Gear) -> None:
    service = ContentService(gear.pool, gear.settings)
    item = await service.get(SOURCE_BY_CODE[2], 1, None)
    assert item == LARGE_ITEMS[0]
    assert "omitted" not in body.item(item)
    await service.close()


def test_a_field_that_no_item_has_is_refused() -> None:
    with pytest.raises(InvalidParameter, match="no field 'colour'"):
        GalleryQuery(fields=("title", "colour"))


def test_an_object_beyond_its_bound_is_refused_at_every_door() -> None:
    fits, beyond = ({"a": "x" * (MAX_JSON_BYTES - size)} for size in (8, 7))
    assert len(orjson.dumps(fits)) == MAX_JSON_BYTES
    for name in ("item_metadata", "path_thumbs_alt_res"):
        assert Draft.model_validate({"title": "t", name: fits})
        for kind, values in ((Draft, {"title": "t"}), (Change, {})):
            with pytest.raises(InvalidContent) as refused:
                kind.model_validate({**values, name: beyond})
            assert refused.value.extra["field"] == name
        line = {"id": "1", "source_type": "regular", "title": "t"}
        assert parse(orjson.dumps({**line, name: fits}), "now")
        with pytest.raises(RefusedError, match="at most 1,000,000 bytes"):
            parse(orjson.dumps({**line, name: beyond}), "now")


def test_the_default_bound_of_a_list_is_below_that_of_a_page() -> None:
    assert LIST_BYTES * 25 < PAGE_BYTES
