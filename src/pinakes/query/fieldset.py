"""Which fields of its items an answer shows, and how large their values may be there.

A gallery shows hundreds of items at a time, and a few of them may carry a megabyte of text or JSON each. So a
list of items treats the four fields without a small bound (`LARGE`) by one of four rules:

    complete    the value, whatever its size: a single item
    short       the value up to `LIST_BYTES`: a list that names no fields
    whole       the value up to `PAGE_BYTES` divided by the items of the page: a list that names the field
    left out    no value: a list that names other fields

A value that exceeds its limit is null, and the item's `omitted` names the field. So a page of n items holds
at most n * 4 * `LIST_BYTES` or 4 * `PAGE_BYTES` bytes of such values, whatever is stored.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from pinakes.errors import InvalidParameter

LARGE: dict[str, Literal["text", "jsonb"]] = {
    "content_data": "text",
    "path_thumbs_alt_res": "jsonb",
    "prompt": "text",
    "item_metadata": "jsonb",
}
"""Fields whose values may be large, with their type in the database."""

LIST_BYTES = 8192
PAGE_BYTES = 8_000_000

Rule: TypeAlias = Literal["complete", "short", "whole", "left out"]
Rules: TypeAlias = tuple[Rule, ...]
"""One rule for each field of `LARGE`, in that order."""

COMPLETE: Rules = tuple("complete" for _ in LARGE)

ALWAYS = ("source_type", "id")
"""The pair that names an item is in every answer."""

REQUIRED = (
    "external_id",
    "title",
    "content_type",
    "creator_id",
    "creator_username",
    "created_at",
    "updated_at",
)
"""What an `Item` cannot be without."""

FIELDS: tuple[str, ...] = (
    *ALWAYS,
    "external_id",
    "title",
    "content_type",
    "content_data",
    "path_thumb",
    "path_thumbs_alt_res",
    "prompt",
    "creator_id",
    "creator_username",
    "item_metadata",
    "is_private",
    "quality_score",
    "created_at",
    "updated_at",
    "tags",
)
"""All fields of an item, in the order of an answer."""


def rules(fields: tuple[str, ...] | None) -> Rules:
    """The rules for a list that shows `fields`; None stands for a list that names none."""
    if fields is None:
        return tuple("short" for _ in LARGE)
    return tuple("whole" if name in fields else "left out" for name in LARGE)


SHORT: Rules = rules(None)


def normal(fields: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """`fields`, each once, in the order of `FIELDS` and with those that are always shown.

    Raises:
        InvalidParameter: an item has no such field.
    """
    if fields is None:
        return None
    for name in fields:
        if name not in FIELDS:
            raise InvalidParameter(
                f"An item has no field {name[:100]!r}.", parameter="fields", allowed=", ".join(FIELDS)
            )
    return tuple(name for name in FIELDS if name in fields or name in ALWAYS)
