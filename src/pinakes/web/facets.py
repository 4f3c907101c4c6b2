"""The tags beside the gallery: those on most hits, by category, with exact counts for the current filter.

They are one more answer of the service, through the same cache. Here they are only grouped and coloured. A page
has them where the process holds them; else a script fetches them afterwards from `/page/facets`, so that nobody
waits for the items because tags are counted. Where there are no scripts the page waits, `PATIENCE_S` at most.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from pinakes.api.state import state_of
from pinakes.errors import PinakesError
from pinakes.query.aspect import FacetsAsked
from pinakes.query.gallery_query import GalleryQuery

SHOWN = 48
PATIENCE_S = 2.0
_COLORS = 8
# The usual categories have their colours for good; any other one has the colour its name falls on.
_FIXED = {"": 0, "general": 1, "style": 2, "medium": 3, "artist": 4, "character": 5, "meta": 6}
_ORDER = ("general", "character", "medium", "style", "artist")


@dataclass(frozen=True, slots=True)
class Counted:
    """A tag on `count` hits."""

    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Group:
    """The tags of one category, those on most hits first."""

    category: str
    color: str
    tags: tuple[Counted, ...]


@dataclass(frozen=True, slots=True)
class Facets:
    """Every group; `kind` is exact, or sampled where a tag as frequent may be missing.

    `sample`: the counts are of so many hits only; None where they are of all.
    """

    groups: tuple[Group, ...]
    kind: str
    sample: int | None = None


def color(category: str) -> str:
    """The class of a category's colour, `c0` to `c7`."""
    place = _FIXED.get(category)
    if place is None:
        place = hashlib.blake2b(category.encode(), digest_size=1).digest()[0] % _COLORS
    return f"c{place}"


async def count(request: Request, query: GalleryQuery) -> Facets:
    """The facets of `query`.

    Raises: as the service's `answer`.
    """
    answer = await state_of(request).service.answer(query, aspect=FacetsAsked(SHOWN))
    return grouped(answer.told())


def held(request: Request, query: GalleryQuery) -> Facets | None:
    """The facets of `query` if this process knows them."""
    answer = state_of(request).service.held(query, FacetsAsked(SHOWN))
    return None if answer is None else grouped(answer.told())


async def soon(request: Request, query: GalleryQuery, patience_s: float) -> Facets | None:
    """The facets of `query` if they are there in `patience_s`; None where they are not, for whatever reason.

    What has been begun goes on, so that whoever asks for them next finds them.
    """
    counting = asyncio.create_task(count(request, query))
    _counting.add(counting)
    counting.add_done_callback(_counted)
    try:
        async with asyncio.timeout(patience_s):
            return await asyncio.shield(counting)
    except (TimeoutError, PinakesError):
        return None


def _counted(task: asyncio.Task[Facets]) -> None:
    """Forgets a count that is done; a refusal was or will be told to whoever asks."""
    _counting.discard(task)
    if not task.cancelled():
        task.exception()


_counting: set[asyncio.Task[Facets]] = set()


def grouped(told: dict[str, Any]) -> Facets:
    """An answer about facets as groups."""
    found: dict[str, list[Counted]] = {}
    for each in told["facets"]:
        found.setdefault(each["category"], []).append(Counted(each["name"], each["count"]))

    def rank(category: str) -> tuple[int, str]:
        known = _ORDER.index(category) if category in _ORDER else len(_ORDER)
        return (known + (category == ""), category)

    groups = tuple(Group(name, color(name), tuple(found[name])) for name in sorted(found, key=rank))
    all_counted = told["total_kind"] == "exact" and told["counted"] >= told["total_count"]
    return Facets(groups, told["kind"], None if all_counted else told["counted"])
