"""Facets: the tags on most of a query's hits, counted by whichever engine answers.

Only what the viewer may see is counted, because visibility is part of the formula; ties order by tag
number. `kind` says what the list is worth:

`exact`    every count is exact, and no tag that is missing is on more hits than one that is listed
`sampled`  it is not known to be. Engine `index` then still counts exactly (`counted` is the total)
           and may miss a tag; the others counted a sample of `counted` hits, and all that.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pinakes.bitmap.facets import FacetKind
from pinakes.query.aspect import FacetsAsked, Insight
from pinakes.query.formula import Formula
from pinakes.query.item import TotalKind
from pinakes.store.pool import Connection


@dataclass(frozen=True, slots=True)
class Facet:
    """A tag and how many of the hits carry it."""

    id: int
    name: str
    category: str
    count: int


@dataclass(frozen=True, slots=True)
class FacetAnswer:
    """The most frequent tags, most frequent first. `total_count` hits were found, `counted` of them looked at."""

    facets: tuple[Facet, ...]
    kind: FacetKind
    total_count: int
    total_kind: TotalKind
    counted: int
    engine: str
    as_of: datetime
    epoch: int | None = None
    warnings: tuple[str, ...] = ()

    def insight(self) -> Insight:
        """As an answer shows it."""
        said = {
            "facets": [
                {"id": each.id, "name": each.name, "category": each.category, "count": each.count}
                for each in self.facets
            ],
            "kind": self.kind,
            "total_count": self.total_count,
            "total_kind": self.total_kind,
            "counted": self.counted,
        }
        return Insight(said=said, engine=self.engine, as_of=self.as_of, epoch=self.epoch, warnings=self.warnings)


class FacetCounter(Protocol):
    """Counts facets in the snapshot it is given."""

    name: str

    async def facets(
        self, connection: Connection, formula: Formula, asked: FacetsAsked, *, at_any_age: bool = True
    ) -> FacetAnswer:
        """The facets `asked` for among the hits of `formula`.

        Raises:
            ReadModelNotReady: it needs the read model, which is not there, or not `at_any_age` and too old.
        """
        ...
