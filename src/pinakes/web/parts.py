"""Parts of pages that scripts fetch: counts of tags, the histogram of dates, completions.

They answer with what the session's visitor may see, and with pieces of pages instead of JSON where they are
to be looked at; the API is for programs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

from pinakes.api import encode
from pinakes.api.parameters import UNIFIED
from pinakes.api.state import state_of
from pinakes.engines.histogram import Bucket
from pinakes.query.aspect import HistogramAsked
from pinakes.query.language.syntax import typed
from pinakes.web import facets as counts
from pinakes.web import page as pages
from pinakes.web.address import Address
from pinakes.web.gallery import FILTERLESS, asked, plain

BUCKETS = 40
COMPLETIONS = 12
MAX_TYPED = 64
_ASKED = frozenset(parameter.name for parameter in UNIFIED)


@dataclass(frozen=True, slots=True)
class Bar:
    """A bucket as drawn: `height` of 50, days from `since` to before `before`."""

    since: str
    before: str
    count: int
    height: float
    inside: bool


async def facets(request: Request) -> Response:
    """The tags of the current filter with their counts; a page of its own where no script fetches it."""
    address = plain(Address.of(request))
    found = await counts.count(request, asked(request, address))
    part = request.headers.get("sec-fetch-dest") == "empty"
    return pages.render(
        request, "part_facets.html" if part else "facets.html", facets=found, here=address, filterless=FILTERLESS
    )


async def spread(request: Request) -> Response:
    """How the hits of the current filter, less its dates, spread over time."""
    address = plain(Address.of(request))
    query = asked(request, address.without("created_after", "created_before"))
    told = (await state_of(request).service.answer(query, aspect=HistogramAsked("created_at", BUCKETS))).told()
    buckets = tuple(
        Bucket(datetime.fromisoformat(each["from"]), datetime.fromisoformat(each["to"]), each["count"])
        for each in told["buckets"]
    )
    bars = _bars(buckets, address.get("created_after"), address.get("created_before"))
    ends = (buckets[0].low, buckets[-1].high) if bars else None
    return pages.render(request, "part_histogram.html", buckets=bars, ends=ends)


def _bars(buckets: tuple[Bucket, ...], since: str, before: str) -> list[Bar]:
    """Bars whose heights tell small counts from none; those that the dates asked for leave out are not inside."""
    most = max((bucket.count for bucket in buckets), default=0)
    bars = []
    for bucket in buckets:
        assert isinstance(bucket.low, datetime)
        assert isinstance(bucket.high, datetime)
        low, high = bucket.low.astimezone(UTC).date(), bucket.high.astimezone(UTC).date() + timedelta(days=1)
        height = 0.0 if not bucket.count else 2 + 48 * bucket.count / most
        inside = high.isoformat() > since[:10] and (not before or low.isoformat() < before[:10])
        bars.append(Bar(low.isoformat(), high.isoformat(), bucket.count, height, inside))
    return bars


async def completions(request: Request) -> Response:
    """Tags one may be typing the name of, that still leave results in the gallery's filter."""
    state = state_of(request)
    given = Address.of(request)
    within = plain(Address.read(given.get("within").encode()).only_known(_ASKED)).without(*FILTERLESS)
    # The box's own text is being written; what stands in it need not be a question yet.
    query = asked(request, within.without("q"))
    said = await state.service.suggest(query, given.get("q")[:MAX_TYPED], COMPLETIONS)
    told = [
        {
            "name": each.tag.name,
            "text": typed(each.tag.name),
            "color": counts.color(each.tag.category),
            "count": each.count,
            "alias": each.alias,
        }
        for each in said.found
    ]
    headers = {"cache-control": "private, no-cache", "vary": "cookie"}
    return Response(encode.to_json({"suggestions": told}), headers=headers, media_type="application/json")
