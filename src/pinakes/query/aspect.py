"""Aspects: what is asked of the hits of a gallery query besides their page, or in its place.

Each is a small frozen value, so that it can stand in a cache key by its `repr`. An answer to one is an
`Insight`. Nearly all are functions of the hits alone, as pages are; one that also depends on items
the query does not find says so with `wide`; `paged` tells whether the page is part of the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal, TypeAlias, get_args

DEFAULT_FACETS = 20
MAX_FACETS = 100

HistogramField: TypeAlias = Literal["created_at", "quality_score"]
HISTOGRAM_FIELDS: tuple[HistogramField, ...] = get_args(HistogramField)
MAX_BUCKETS = 500
DEFAULT_BUCKETS = 20


@dataclass(frozen=True, slots=True)
class FacetsAsked:
    """The tags on most of the hits, of one category or of all."""

    limit: int = DEFAULT_FACETS
    category: str | None = None
    paged: ClassVar[bool] = False
    wide: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class PageWithFacets:
    """The page, and facets beside it."""

    facets: FacetsAsked = FacetsAsked()
    paged: ClassVar[bool] = True
    wide: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class HistogramAsked:
    """How the hits spread over a field."""

    field: HistogramField = "created_at"
    buckets: int = DEFAULT_BUCKETS
    paged: ClassVar[bool] = False
    wide: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class AroundAsked:
    """Where an item, named by its source's code and its id, stands among the hits, and what is beside it."""

    source: int
    id: int
    paged: ClassVar[bool] = False
    wide: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class RelatedAsked:
    """The tags nearest to the hits: that takes how many visible items each of them is on, hits or not."""

    limit: int
    paged: ClassVar[bool] = False
    wide: ClassVar[bool] = True


Aspect: TypeAlias = FacetsAsked | PageWithFacets | HistogramAsked | AroundAsked | RelatedAsked


@dataclass(frozen=True, slots=True, kw_only=True)
class Insight:
    """An answer that is no page: what it says, and how it came about. `epoch` is None where no read model was used."""

    said: Mapping[str, Any]
    engine: str
    as_of: datetime
    epoch: int | None = None
    query: str | None = None
    warnings: tuple[str, ...] = ()
