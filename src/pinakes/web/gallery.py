"""The gallery page, `/`, and the part of it that endless scrolling fetches, `/page/grid`.

The address says everything: the parameters of `GET /api/v1/content/unified` and nothing else, read by the same
parser. Counting the tags of a new question takes longer than its page, so whoever has scripts (a cookie says so)
gets the page first and the counts behind it, unless these are known already; everybody else gets both
at once, asked for on two connections, or a link to the counts where they take longer than `facets.PATIENCE_S`.
"""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from pinakes.api.state import state_of
from pinakes.cache import body
from pinakes.cache.answer import Answer
from pinakes.query.gallery_query import GalleryQuery
from pinakes.query.item import Page
from pinakes.query.sources import SOURCES
from pinakes.web import facets
from pinakes.web import page as pages
from pinakes.web.address import Address
from pinakes.web.cards import FIELDS, card
from pinakes.web.chips import chips
from pinakes.web.look import CHOICES, look_of
from pinakes.web.pager import pager
from pinakes.web.session import visitor_of

SORTS = (
    ("created_at", "desc", "Newest"),
    ("created_at", "asc", "Oldest"),
    ("quality_score", "desc", "Best"),
    ("quality_score", "asc", "Worst"),
    ("updated_at", "desc", "Lately changed"),
    ("title", "asc", "Title A–Z"),
    ("title", "desc", "Title Z–A"),
)
SCRIPTS = "pinakes-scripts"
DEFAULT_ORDER = ("created_at", "desc")
MOST_TYPES = 24
TOGGLES = tuple(f"{whose}-{source.name}" for whose in ("user", "community") for source in SOURCES)
# What is about the place in an answer, or about how it is shown, and not about what is asked.
FILTERLESS = ("page", "cursor", "page_size", "sort_field", "sort_order")


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """An answer and how it came: seconds it took, and whether anything of it can be out of date."""

    page: Page
    answer: Answer
    took_s: float

    @property
    def age_s(self) -> float:
        """How old the state is that the answer shows."""
        age = self.answer.entry.age_s(self.answer.now_ms) if self.answer.from_cache else 0
        return float(age)


async def show(request: Request) -> Response:
    """The gallery."""
    address = Address.of(request)
    told = plain(address)
    if told != address:
        return pages.see(told.at("/"))
    query = asked(request, told)
    if SCRIPTS in request.cookies:
        found = await find(request, query)
        counted = facets.held(request, query)
    else:
        counting = asyncio.create_task(facets.soon(request, query, facets.PATIENCE_S))
        try:
            found = await find(request, query)
            counted = await counting
        finally:
            counting.cancel()
    return pages.render(request, "gallery.html", facets=counted, **context(request, told, query, found))


async def grid(request: Request) -> Response:
    """The items of a page alone, as the next ones of a walk by cursor."""
    told = plain(Address.of(request))
    query = asked(request, told)
    found = await find(request, query)
    return pages.render(request, "part_grid.html", **context(request, told, query, found))


def asked(request: Request, address: Address) -> GalleryQuery:
    """The question in the address of a gallery, for who looks.

    Raises: QueryError and its kinds.
    """
    if not address.has("page_size"):
        address = address.put(page_size=look_of(request).per)
    return state_of(request).parser.parse(address.raw, visitor_of(request).id)


async def find(request: Request, query: GalleryQuery) -> Found:
    """The page that `query` asks for, from the cache or not."""
    began = perf_counter()
    answer = await state_of(request).service.answer(dataclasses.replace(query, fields=FIELDS))
    took_s = perf_counter() - began
    return Found(body.read(answer.entry.constant), answer, took_s)


def context(request: Request, address: Address, query: GalleryQuery, found: Found) -> dict[str, Any]:
    """What the templates of the gallery want to know."""
    page = found.page
    chosen = address.all("content_source_types")
    return {
        "found": found,
        "page": page,
        "cards": [card(item) for item in page.items],
        "here": address,
        "query": query,
        "chips": chips(address),
        "pager": pager(page),
        "sorts": SORTS,
        "toggles": {name: not chosen or name in chosen or name.partition("-")[2] in chosen for name in TOGGLES},
        "sources": SOURCES,
        "types": types(request, query, page),
        "choices": CHOICES,
        "as_of_age_s": max((datetime.now(UTC) - page.as_of).total_seconds(), 0.0),
        "filterless": FILTERLESS,
    }


def types(request: Request, query: GalleryQuery, page: Page) -> list[str]:
    """The types of content to choose from: those asked for, those on the page, and public ones seen before."""
    seen: set[str] = request.app.state.__dict__.setdefault("_types", set())
    if len(seen) < MOST_TYPES:
        seen |= {item.content_type for item in page.items if not item.is_private}
    return sorted(seen | {item.content_type for item in page.items} | set(query.content_types or ()))


def plain(address: Address) -> Address:
    """The one address of a question that a form can ask in several ways."""
    told = address.told()
    field, _, direction = told.get("order").partition(".")
    if field:
        told = told.without("order", "sort_field", "sort_order")
        if (field, direction) != DEFAULT_ORDER:
            told = told.put(sort_field=field, sort_order=direction)
    # All halves of all sources are everything, which needs no saying.
    if set(told.all("content_source_types")) >= set(TOGGLES):
        told = told.without("content_source_types")
    return told
