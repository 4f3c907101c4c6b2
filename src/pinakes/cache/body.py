"""Bodies: an answer as the JSON that is served and stored; a page also back.

Two parts: what the answer says (items, pagination, how the query was understood; or facets and the
like), whose digest is the ETag, and how it came about (engine, as_of, epoch). The tail with the cache's
own fields is put behind both, so the last brace is missing here. Written out field by field because it
is on the hot path: 1,000 items of 12 tags take some milliseconds. Times are UTC with microseconds and
`Z`; `source_type` is the source's name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from pinakes.query.aspect import Insight
from pinakes.query.item import Item, Page, Tag
from pinakes.query.sources import SOURCE_BY_CODE, SOURCE_BY_NAME

_SOURCE_NAME = {code: source.name for code, source in SOURCE_BY_CODE.items()}
_PAGINATION = (
    "page",
    "page_size",
    "total_count",
    "total_kind",
    "total_pages",
    "has_next",
    "has_previous",
    "next_cursor",
    "prev_cursor",
)


def to_json(value: Any) -> bytes:
    """`value` as JSON in UTF-8."""
    return orjson.dumps(value, _plain, option=orjson.OPT_UTC_Z | orjson.OPT_PASSTHROUGH_DATACLASS)


def _plain(value: Any) -> Any:
    if isinstance(value, Item):
        return item(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def tag(shown: Tag) -> dict[str, Any]:
    """A tag as it stands in answers."""
    return {"id": shown.id, "name": shown.name, "category": shown.category}


def item(shown: Item, fields: tuple[str, ...] | None = None) -> dict[str, Any]:
    """An item as it stands in answers: all of its fields, or those in `fields`, and what was too large, if anything."""
    told = _every_field(shown) if fields is None else {n: v for n, v in _every_field(shown).items() if n in fields}
    return {**told, "omitted": shown.omitted} if shown.omitted else told


def _every_field(shown: Item) -> dict[str, Any]:
    return {
        "source_type": _SOURCE_NAME[shown.source],
        "id": shown.id,
        "external_id": shown.external_id,
        "title": shown.title,
        "content_type": shown.content_type,
        "content_data": shown.content_data,
        "path_thumb": shown.path_thumb,
        "path_thumbs_alt_res": shown.path_thumbs_alt_res,
        "prompt": shown.prompt,
        "creator_id": shown.creator_id,
        "creator_username": shown.creator_username,
        "item_metadata": shown.item_metadata,
        "is_private": shown.is_private,
        "quality_score": shown.quality_score,
        "created_at": shown.created_at,
        "updated_at": shown.updated_at,
        "tags": [{"id": t.id, "name": t.name, "category": t.category} for t in shown.tags],
    }


def write(
    told: Page | Insight, understood: tuple[str, ...] | None = None, *, explained: Mapping[str, Any] | None = None
) -> tuple[bytes, bytes]:
    """The body of an answer up to its tail, and the digest of what it says.

    `understood`: those of its warnings that belong to what it says; the others tell how it came about, as does
    what is `explained`.
    """
    said = to_json({**(_page(told) if isinstance(told, Page) else told.said), "query": told.query})[:-1]
    why = {} if explained is None else {"explain": explained}
    how = {"warnings": told.warnings, "engine": told.engine, "as_of": told.as_of, "epoch": told.epoch}
    came = to_json({**how, **why})
    digest = hashlib.blake2b(said, digest_size=12)
    digest.update(to_json(told.warnings if understood is None else understood))
    return b"%b,%b" % (said, came[1:-1]), digest.digest()


def _page(page: Page) -> dict[str, Any]:
    said: dict[str, Any] = {
        "items": [item(one, page.fields) for one in page.items],
        "pagination": {name: getattr(page, name) for name in _PAGINATION},
    }
    return said if page.facets is None else {**said, "facets": page.facets}


def read(constant: bytes) -> Page:
    """The page whose body up to its tail this is."""
    told = orjson.loads(constant + b"}")
    pagination = {name: told["pagination"][name] for name in _PAGINATION if name != "total_pages"}
    return Page(
        items=tuple(item_of(one) for one in told["items"]),
        query=told["query"],
        facets=told.get("facets"),
        warnings=tuple(told["warnings"]),
        engine=told["engine"],
        as_of=datetime.fromisoformat(told["as_of"]),
        epoch=told["epoch"],
        **pagination,
    )


def item_of(told: dict[str, Any]) -> Item:
    """The item that an answer tells so."""
    told["source"] = SOURCE_BY_NAME[told.pop("source_type")].code
    told["tags"] = tuple(Tag(**one) for one in told.get("tags", ()))
    told["omitted"] = tuple(told.get("omitted", ()))
    for moment in ("created_at", "updated_at"):
        told[moment] = datetime.fromisoformat(told[moment])
    return Item(**told)
