"""The pages of tags: `/tags` to browse, to search and as a tree, `/tags/{id}` for one and what goes with it.

Only tags on an item the visitor can see are shown, with counts of what they can see.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from pinakes.api.state import state_of
from pinakes.api.tags import tag_id_of
from pinakes.errors import StoreError
from pinakes.query.aspect import RelatedAsked
from pinakes.query.formula import NOTHING, Term
from pinakes.query.gallery_query import GalleryQuery, visible_to
from pinakes.query.item import Tag
from pinakes.store import hierarchy, tags
from pinakes.store.pool import Connection, snapshot
from pinakes.store.vocabulary import resolve
from pinakes.web import page as pages
from pinakes.web.address import Address
from pinakes.web.cards import FIELDS, card
from pinakes.web.session import visitor_of

LISTED = 120
FOUND = 60
PAIRS = 1000
RELATED = 30
SHOWN = 12
PATIENCE_S = 1.5
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(slots=True)
class Node:
    """A tag in the tree, with those directly below it."""

    tag: Tag
    below: list[Node] = field(default_factory=list)


async def browse(request: Request) -> Response:
    """Tags by name, or those that are searched for; and the hierarchy."""
    state, viewer = state_of(request), visitor_of(request).id
    address = Address.of(request).told()
    typed, prefix, after = (address.get(name) for name in ("q", "from", "after"))
    async with snapshot(state.pool, state.settings.statement_timeout_ms) as connection:
        found, more = [], False
        if typed:
            found = await state.service.suggester.suggest(connection, typed, visible_to(viewer), FOUND)
            listed = [each.tag for each in found]
        else:
            listed, more = await tags.visible(connection, viewer, prefix=prefix, after=after, limit=LISTED)
        counts = await state.service.overlap.of(connection, visible_to(viewer), [tag.id for tag in listed])
        tree = await _tree(connection, viewer) if not typed else []
    return pages.render(
        request,
        "tags.html",
        typed=typed,
        prefix=prefix,
        after=after,
        listed=listed,
        labels={each.tag.id: each.label for each in found},
        counts=counts,
        more=listed[-1].name if more else None,
        tree=tree,
        letters=LETTERS,
    )


async def one(request: Request) -> Response:
    """One tag: its best items, what goes with it, what stands above and below it."""
    state, viewer = state_of(request), visitor_of(request).id
    tag_id = tag_id_of(request)
    async with snapshot(state.pool, state.settings.statement_timeout_ms) as connection:
        tag = await tags.read(connection, tag_id, viewer)
        counts = await state.service.overlap.of(connection, visible_to(viewer), [tag_id])
        pairs = await _visible_pairs(connection, viewer)
    query = GalleryQuery(tags_all=(tag_id,), sort_field="quality_score", page_size=SHOWN, fields=FIELDS, viewer=viewer)
    best = await state.service.get_unified_content_paginated(query)
    related = await _related(request, tag_id)
    return pages.render(
        request,
        "tag.html",
        tag=tag,
        count=counts[tag_id],
        cards=[card(item) for item in best.items],
        search=Address((("tags_all", tag.name), ("sort_field", "quality_score"))),
        related=related,
        above=[parent for child, parent in pairs if child == tag],
        below=[child for child, parent in pairs if parent == tag],
    )


async def _related(request: Request, tag_id: int) -> list[dict[str, Any]] | None:
    """The tags that go with one; None where they cannot be told in time."""
    query = GalleryQuery(tags_all=(tag_id,), viewer=visitor_of(request).id)
    try:
        async with asyncio.timeout(PATIENCE_S):
            answer = await state_of(request).service.answer(query, aspect=RelatedAsked(RELATED))
    except (StoreError, TimeoutError):
        return None
    found: list[dict[str, Any]] = answer.told()["related"]
    return found


async def _tree(connection: Connection, viewer: int | None) -> list[Node]:
    """The hierarchy from its uppermost tags down; a tag with several parents stands below each."""
    pairs = await _visible_pairs(connection, viewer)
    below: dict[Tag, list[Tag]] = defaultdict(list)
    for child, parent in pairs:
        below[parent].append(child)
    children = {child for child, _ in pairs}
    seen: set[Tag] = set()
    return [_node(parent, below, seen) for parent in sorted(set(below) - children, key=lambda tag: tag.name)]


def _node(tag: Tag, below: dict[Tag, list[Tag]], seen: set[Tag]) -> Node:
    """There are no circles, the database holds that; but many ways down, so what is below a tag is told once."""
    if tag in seen:
        return Node(tag)
    seen.add(tag)
    return Node(tag, [_node(child, below, seen) for child in below.get(tag, ())])


async def _visible_pairs(connection: Connection, viewer: int | None) -> list[tuple[Tag, Tag]]:
    """(child, parent) where both are on items the viewer can see."""
    pairs = await hierarchy.listed(connection, limit=PAIRS, hidden_from=viewer or 0)
    known = await _known(connection, {name for pair in pairs for name in pair}, viewer)
    return [(known[child], known[parent]) for child, parent in pairs if child in known and parent in known]


async def _known(connection: Connection, names: Iterable[str], viewer: int | None) -> dict[str, Tag]:
    vocabulary = await resolve(connection, frozenset(names), viewer)
    found = {name: vocabulary(name) for name in names}
    return {
        name: Tag(int(meant.value), name)
        for name, meant in found.items()
        if meant != NOTHING and isinstance(meant, Term)
    }
