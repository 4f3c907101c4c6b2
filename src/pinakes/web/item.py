"""The page of an item, `/{source}/{id}`, with its neighbours in the search it was opened from.

The search is the query string, as the gallery has it; without one, the neighbours are those in the whole
gallery, newest first. Where the neighbours cannot be told in time, the item is shown without them.
"""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from pinakes.api import values
from pinakes.api.auth import CONTENT_ADMIN, WRITE
from pinakes.api.state import state_of
from pinakes.cache.body import item_of
from pinakes.engines.around import Neighbours
from pinakes.errors import NotFound, StoreError
from pinakes.query.aspect import AroundAsked
from pinakes.query.gallery_query import GalleryQuery, visible_to
from pinakes.query.item import Item
from pinakes.query.sources import SOURCE_BY_NAME, Source
from pinakes.store.content import etag
from pinakes.store.pool import snapshot
from pinakes.web import page as pages
from pinakes.web.address import Address
from pinakes.web.cards import card, path
from pinakes.web.gallery import asked
from pinakes.web.session import visitor_of

PATIENCE_MS = 1000
_read_id = values.whole(0, values.MAX_BIGINT)


async def show(request: Request) -> Response:
    """One item."""
    source, number = named(request)
    visitor = visitor_of(request)
    item = await state_of(request).service.get(source, number, visitor.id)
    address = Address.of(request).told()
    query = asked(request, address)
    neighbours = await beside(request, query, source, number)
    return pages.render(
        request,
        "item.html",
        item=item,
        card=card(item),
        source=source,
        here=address,
        version=etag(item),
        neighbours=neighbours,
        back=address if neighbours is None else found_on(address, neighbours.rank, query.page_size),
        path_of=path,
        may_change=may_change(request, item),
        categories=by_category(item),
        counts=await counted(request, item),
    )


def named(request: Request) -> tuple[Source, int]:
    """The source and number in the path.

    Raises:
        NotFound: they name nothing.
    """
    source = SOURCE_BY_NAME[request.url.path.split("/")[1]]
    try:
        return source, _read_id(request.path_params["id"])
    except ValueError as error:
        raise NotFound("There is no such item.") from error


async def beside(request: Request, query: GalleryQuery, source: Source, number: int) -> Neighbours | None:
    """The neighbours; None where the search does not find the item, or not in time."""
    try:
        async with asyncio.timeout(PATIENCE_MS / 1000):
            answer = await state_of(request).service.answer(query, aspect=AroundAsked(source.code, number))
    except (NotFound, StoreError, TimeoutError):
        return None
    told = answer.told()
    previous, item, following = (
        None if told[name] is None else item_of(told[name]) for name in ("previous", "item", "next")
    )
    assert item is not None
    return Neighbours(previous, item, following, told["rank"], told["total_count"])


async def counted(request: Request, item: Item) -> dict[str, int]:
    """On how many items that the visitor can see each of the item's tags is, by name; nothing where that takes long."""
    state = state_of(request)
    seen = visible_to(visitor_of(request).id)
    try:
        async with snapshot(state.pool, PATIENCE_MS) as connection:
            counts = await state.service.overlap.of(connection, seen, [tag.id for tag in item.tags])
    except StoreError:
        return {}
    return {tag.name: counts[tag.id] for tag in item.tags}


def found_on(address: Address, rank: int, page_size: int) -> Address:
    """The page of the search that the item of this rank stands on, wherever the walk to it began."""
    page = (rank - 1) // page_size + 1
    return address.first().put(page=page) if page > 1 else address.first()


def may_change(request: Request, item: Item) -> bool:
    """Whether the visitor may edit and delete the item."""
    identity = visitor_of(request).identity
    if CONTENT_ADMIN in identity.scopes:
        return True
    return WRITE in identity.scopes and item.creator_id == identity.user_id


def by_category(item: Item) -> list[tuple[str, list[str]]]:
    """The item's tags by category, categories by name, those without one last."""
    found: dict[str, list[str]] = {}
    for tag in item.tags:
        found.setdefault(tag.category, []).append(tag.name)
    return sorted(found.items(), key=lambda each: (each[0] == "", each[0]))
