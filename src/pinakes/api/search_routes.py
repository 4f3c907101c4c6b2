"""The routes that ask about the current filter: its pages, and what else can be known of its hits."""

from __future__ import annotations

from pinakes import errors
from pinakes.api import gallery, insight, suggest
from pinakes.api.openapi import ID, operation
from pinakes.api.parameters import AROUND, FACETS, HISTOGRAM, RELATED, RELATED_OF_SEARCH, SUGGEST, UNIFIED
from pinakes.api.route import READING, ApiRoute, question

_CONDITIONAL = ("If-None-Match",)
_CURSORS = (errors.InvalidCursor, errors.CursorMismatch)

SEARCH: tuple[ApiRoute, ...] = (
    *question(
        gallery.PATH,
        gallery.unified,
        "A page of the unified gallery and its total.",
        "Answer",
        UNIFIED,
        headers=_CONDITIONAL,
        refusals=(*_CURSORS, errors.Forbidden, errors.ReadModelNotReady),
    ),
    *question(
        insight.FACETS_PATH,
        insight.facets,
        "The tags on most hits of a search.",
        "Facets",
        FACETS,
        headers=_CONDITIONAL,
    ),
    *question(
        insight.HISTOGRAM_PATH,
        insight.spread,
        "How the hits of a search spread over a field.",
        "Histogram",
        HISTOGRAM,
    ),
    *question(
        insight.AROUND_PATH,
        insight.neighbours,
        "What comes before and after an item inside a search, and its rank there.",
        "Around",
        AROUND,
        refusals=(errors.NotFound,),
    ),
    *question(
        insight.RELATED_PATH,
        insight.related_to_search,
        "Tags that go with a search.",
        "Related",
        RELATED_OF_SEARCH,
    ),
    *question(suggest.PATH, suggest.suggestions, "Tags one may be typing the name of.", "Suggestions", SUGGEST),
    ApiRoute(
        insight.RELATED_OF_TAG_PATH,
        "GET",
        insight.related_to_tag,
        operation(
            "Tags that go with a tag.", "Related", path=(ID,), query=RELATED, refusals=(*READING, errors.NotFound)
        ),
    ),
)
"""They come before the routes whose last step is a number or a source, which would take these names for one."""
