"""Items and pages: what a gallery holds and what a question is answered with.

`Item` has every column of the read model plus `external_id`. A page is at most
`MAX_PAGE_SIZE` items; `pinakes.query.fieldset` bounds how large they are there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

TotalKind: TypeAlias = Literal["exact", "lower_bound"]


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag as shown: number, name, category (empty when it has none)."""

    id: int
    name: str
    category: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One item of a gallery. `source` is the source's code, `tags` are ordered by name.

    `omitted` names fields that are None here because their values are too large for a list.
    """

    source: int
    id: int
    external_id: str
    title: str
    content_type: str
    content_data: str | None = None
    path_thumb: str | None = None
    path_thumbs_alt_res: dict[str, Any] | None = None
    prompt: str | None = None
    creator_id: int
    creator_username: str
    item_metadata: dict[str, Any] | None = None
    is_private: bool = False
    quality_score: float | None = None
    created_at: datetime
    updated_at: datetime
    tags: tuple[Tag, ...] = ()
    omitted: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[int, int]:
        """(id, source code): the pair that names the item, in tie-breaking order."""
        return (self.id, self.source)


@dataclass(frozen=True, slots=True)
class Unread:
    """All that is told of an item to somebody who has written it and may not read it."""

    source: int
    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of an answer. `page` is None when a cursor was followed; `query` is `q` as it was understood.

    `facets` is what an answer about facets says, where they were asked for beside the page. `fields` names the
    fields of an item that are shown; None stands for all.
    """

    items: tuple[Item, ...]
    total_count: int
    total_kind: TotalKind
    page: int | None
    page_size: int
    has_next: bool
    has_previous: bool
    next_cursor: str | None
    prev_cursor: str | None
    engine: str
    as_of: datetime
    epoch: int | None = None
    query: str | None = None
    fields: tuple[str, ...] | None = None
    facets: Mapping[str, Any] | None = None
    warnings: tuple[str, ...] = field(default=())

    @property
    def total_pages(self) -> int:
        """How many pages of this size the total fills."""
        return -(-self.total_count // self.page_size)
