"""What a gallery was at one moment, as the oracle has it, and the questions the cache's histories ask of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from pinakes.query import formula as f
from pinakes.query.aspect import FacetsAsked, PageWithFacets
from pinakes.query.formula import Formula, Term
from pinakes.query.gallery_query import GalleryQuery, Ref, to_formula
from pinakes.query.item import Item
from pinakes.query.oracle import answer as oracle_answer
from pinakes.query.oracle import matches

VIEWERS = (None, 1, 2)
QUERIES: tuple[GalleryQuery, ...] = tuple(
    GalleryQuery(**asked, viewer=viewer, user_id=viewer)
    for viewer in VIEWERS
    for asked in (
        {},
        {"sort_order": "asc", "page_size": 3},
        {"page_size": 3},
        {"tags_all": (1,)},
        {"tags_all": (1, 2)},
        {"tags_any": (1, 3)},
        {"tags_all": ("t2",), "tags_none": (3,)},
        {"tags_all": ("t5",)},
        {"tags_none": ("t4",), "page_size": 4},
        {"creator_filter": "user"},
        {"creator_filter": "community", "tags_all": (2,)},
        {"search_term": "sea"},
        {"search_term": '"red sun"'},
        {"content_source_types": ("auto",), "page": 2, "page_size": 2},
        {"min_quality": 1.0, "tags_any": (1, 2)},
    )
)


def aspect_of(query: int) -> PageWithFacets | None:
    """Every other question wants facets beside the page, whoever asks it."""
    return PageWithFacets(FacetsAsked(limit=3)) if query % (len(QUERIES) // len(VIEWERS)) % 2 else None


@dataclass(frozen=True)
class State:
    """What the gallery was: its items, and tag names."""

    items: tuple[Item, ...]
    tags: dict[int, str]

    def says(self, query: GalleryQuery, aspect: PageWithFacets | None) -> tuple[Any, ...]:
        """The oracle's answer: items, total, the tags it does not know, and facets if they are wanted."""

        def known(ref: Ref) -> int | None:
            number = ref if isinstance(ref, int) else next((n for n, name in self.tags.items() if name == ref), None)
            visible = (i for i in self.items if not i.is_private or i.creator_id == query.viewer)
            return number if any(tag.id == number for item in visible for tag in item.tags) else None

        def vocabulary(ref: Ref) -> Formula:
            number = known(ref)
            return f.NOTHING if number is None else Term("tag", number)

        formula = to_formula(query, vocabulary)
        said = oracle_answer(
            formula, self.items, query.sort_field, query.sort_order, page=query.page, page_size=query.page_size
        )
        facets = None if aspect is None else self._facets(formula, aspect.facets.limit)
        return tuple(said.items), said.total, sum(known(ref) is None for ref in query.refs), facets

    def _facets(self, formula: Formula, limit: int) -> dict[str, Any]:
        hits = [item for item in self.items if matches(formula, item)]
        counted = Counter(tag.id for item in hits for tag in item.tags)
        ranked = sorted(counted, key=lambda tag: (-counted[tag], tag))[:limit]
        listed = [{"id": tag, "name": self.tags[tag], "category": "", "count": counted[tag]} for tag in ranked]
        told = {"kind": "exact", "total_count": len(hits), "total_kind": "exact", "counted": len(hits)}
        return {"facets": listed, **told}
