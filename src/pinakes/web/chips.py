"""Chips: the filters in force, each with the address without it. What `q` says is none: it stands in its box."""

from __future__ import annotations

from dataclasses import dataclass

from pinakes.web.address import Address

_TAGS = {"tags_all": "with", "tags_any": "any", "tag_names": "any", "tag": "any", "tags_none": "without"}
_VALUES = {
    "search_term": "words “{}”",
    "content_types": "type {}",
    "creator_filter": "by {}",
    "user_id": "user {}",
    "created_after": "since {}",
    "created_before": "before {}",
    "min_quality": "quality from {}",
    "max_quality": "quality to {}",
}
_SOURCES = {
    "user-regular": "your regular",
    "user-auto": "your auto",
    "community-regular": "community regular",
    "community-auto": "community auto",
}


@dataclass(frozen=True, slots=True)
class Chip:
    """One filter; `kind` is with, any, without or other."""

    kind: str
    text: str
    remove: Address


def chips(address: Address) -> list[Chip]:
    """The filters of a gallery's address."""
    found: list[Chip] = []
    for name, value in address.pairs:
        if name in _TAGS:
            found.append(Chip(_TAGS[name], value, address.less(name, value)))
        elif name in _VALUES and value:
            found.append(Chip("other", _VALUES[name].format(value), address.less(name, value)))
    if address.has("content_source_types"):
        named = [_SOURCES.get(value, value) for value in address.all("content_source_types") if value]
        without = address.without("content_source_types").first()
        found.append(Chip("other", ", ".join(named) or "no source at all", without))
    return found
