"""One line of the exchange format: a JSON object that is an item.

    id             text, 1-255, unique within a source; or a whole number, which is taken as text   required
    source_type    "regular" or "auto"                              required
    title          text, at most 2,000 characters, 2,600 bytes      required
    tags           list of names, 1-255, at most 1,000
    content_type, prompt, content_data, path_thumb                  texts; all but content_type may be null
    path_thumbs_alt_res, item_metadata                              objects of at most 1 MB, or null
    creator        username or null, which means the user `unknown`
    is_private     true or false
    quality_score  finite number or null
    created_at, updated_at      ISO 8601; without time zone UTC; years 1 to 9999

Names and texts are repaired as `query/repair.py` has it, and told of; a tag of which nothing is left to be seen is
left out. A key that is absent takes the default of a new item and leaves an existing item's value alone. Keys
beyond these are ignored and counted. A line takes about 10 µs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from math import isfinite
from typing import Any, TypeAlias

import orjson

from pinakes.query import repair
from pinakes.query.sources import SOURCE_BY_NAME, Source
from pinakes.store import moment, stored_json
from pinakes.store.copy_text import NULL, escape
from pinakes.store.limits import MAX_NAME, MAX_TAGS, MAX_TITLE, MAX_TITLE_BYTES

UNKNOWN_CREATOR = "unknown"

# The fields of a row's text, in this order; the creator is a number and goes separately.
FIELDS = (
    "external_id",
    "title",
    "content_type",
    "content_data",
    "path_thumb",
    "path_thumbs_alt_res",
    "prompt",
    "item_metadata",
    "is_private",
    "quality_score",
    "created_at",
    "updated_at",
)
KEYS = frozenset(FIELDS[1:]) | {"id", "source_type", "tags", "creator"}
# What a line may leave out, as bits of `Row.given`.
GIVEN = {key: 1 << place for place, key in enumerate((*FIELDS[2:], "creator", "tags"))}

_CONTENT_TYPE = re.compile(r"[a-z0-9][a-z0-9_.+/-]{0,63}")

# Key, value, and the list that notes what was repaired.
_Read: TypeAlias = Callable[[str, Any, list[str]], str]


class RefusedError(Exception):
    """This line cannot be an item; the message says why, `item_id` whose it is if that could be read."""

    def __init__(self, reason: str, item_id: str | None = None) -> None:
        super().__init__(reason)
        self.item_id = item_id


@dataclass(slots=True)
class Row:
    """A checked line. `text` is COPY text of `FIELDS`; `creator` and `tags` are as written, `given` as bits.

    `repaired`: the fields that are kept otherwise than the line has them.
    """

    source: Source
    external_id: str
    text: str
    creator: str
    tags: list[str]
    given: int
    ignored: frozenset[str]
    repaired: list[str]


def parse(line: bytes, now: str) -> Row:
    """The item of `line`; `now` stands in for absent dates. The creator's and the tags' names are unchecked.

    Raises:
        RefusedError: it is none.
    """
    try:
        values = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise RefusedError(f"not JSON: {error}") from None
    if type(values) is not dict:
        raise RefusedError("not a JSON object")
    item_id = values.get("id")
    if values.get("item_metadata") or values.get("path_thumbs_alt_res") or type(item_id) is float:
        values = stored_json.exact(line, values)
        item_id = values.get("id")
    try:
        return _row(values, now)
    except ValueError as error:
        raise RefusedError(str(error), item_id if type(item_id) is str else None) from None


def _row(values: dict[str, Any], now: str) -> Row:
    name = values.get("source_type")
    source = SOURCE_BY_NAME.get(name) if type(name) is str else None
    if source is None:
        raise ValueError(f"source_type must be one of {', '.join(SOURCE_BY_NAME)}")
    external_id = values.get("id")
    if type(external_id) is int:
        external_id = str(external_id)
    if type(external_id) is not str or not 1 <= len(external_id) <= MAX_NAME:
        raise ValueError("id must be a text of 1 to 255 characters, or a whole number")
    if "\0" in external_id:
        raise ValueError("id must not contain the character U+0000")
    shape = _shape(tuple(values))
    if not shape.titled:
        raise ValueError("title is missing")
    texts = [escape(external_id)]
    repaired: list[str] = []
    texts += [
        read(key, values[key], repaired) if read is not None else default or now for key, read, default in shape.fields
    ]
    tags = values.get("tags", [])
    if type(tags) is not list:
        raise ValueError("tags must be a list")
    creator = values.get("creator")
    if creator is None:
        creator = UNKNOWN_CREATOR
    elif type(creator) is not str:
        raise ValueError("creator must be null or a text")
    return Row(source, external_id, "\t".join(texts), creator, tags, shape.given, shape.ignored, repaired)


@dataclass(frozen=True, slots=True)
class _Shape:
    """What follows from which keys a line has: for each field its reader, or None and its default."""

    titled: bool
    given: int
    ignored: frozenset[str]
    fields: tuple[tuple[str, _Read | None, str], ...]


@lru_cache(maxsize=1024)
def _shape(keys: tuple[str, ...]) -> _Shape:
    """The lines of a file are mostly of one shape."""
    return _Shape(
        titled="title" in keys,
        given=sum(bit for key, bit in GIVEN.items() if key in keys),
        ignored=frozenset(keys) - KEYS,
        fields=tuple((key, read if key in keys else None, default) for key, read, default in _READERS),
    )


def tag_name(tag: object) -> str:
    """`tag` as it is stored; empty where nothing of it can be seen, and then it is left out.

    Raises:
        ValueError: it is no tag.
    """
    if type(tag) is not str:
        raise ValueError("tags must be texts")
    name = repair.name(tag)
    if len(name) > MAX_NAME:
        raise ValueError(f"tags must be at most {MAX_NAME} characters")
    return name


def creator_name(creator: str) -> str:
    """`creator` as it is stored; nobody where nothing of it can be seen.

    Raises:
        ValueError: nobody can be called so.
    """
    name = repair.name(creator) or UNKNOWN_CREATOR
    if len(name) > MAX_NAME:
        raise ValueError(f"creator must be null or a text of at most {MAX_NAME} characters")
    return name


def check_tag_count(count: int) -> None:
    """Raises ValueError when an item has too many tags."""
    if count > MAX_TAGS:
        raise ValueError(f"an item may carry {MAX_TAGS:,} tags")


def _title(key: str, value: Any, repaired: list[str]) -> str:
    if type(value) is not str:
        raise ValueError("title must be a text")
    kept = repair.text(value)
    if len(kept) > MAX_TITLE:
        raise ValueError(f"title must be at most {MAX_TITLE:,} characters")
    if len(kept) * 4 > MAX_TITLE_BYTES and len(kept.encode()) > MAX_TITLE_BYTES:
        raise ValueError(f"title must be at most {MAX_TITLE_BYTES:,} bytes in UTF-8")
    if kept is not value:
        _note(key, value, kept, repaired)
    return escape(kept)


def _content_type(key: str, value: Any, repaired: list[str]) -> str:
    if type(value) is not str or _CONTENT_TYPE.fullmatch(value) is None:
        raise ValueError("content_type must be small letters, digits and _.+/-, at most 64")
    return value


def _text(most: int, repair_: Callable[[str], str]) -> _Read:
    def read(key: str, value: Any, repaired: list[str]) -> str:
        if value is None:
            return NULL
        if type(value) is not str:
            raise ValueError(f"{key} must be null or a text")
        kept = repair_(value)
        if len(kept) > most:
            raise ValueError(f"{key} must be null or a text of at most {most:,} characters")
        if kept is not value:
            _note(key, value, kept, repaired)
        return escape(kept)

    return read


def _object(key: str, value: Any, repaired: list[str]) -> str:
    if value is None:
        return NULL
    if type(value) is not dict:
        raise ValueError(f"{key} must be null or an object")
    try:
        kept = stored_json.checked_object(value)
    except ValueError as error:
        raise ValueError(f"{key} {error}") from None
    _note(key, value, kept, repaired)
    return escape(orjson.dumps(kept).decode())


def _note(key: str, value: Any, kept: Any, repaired: list[str]) -> None:
    """Notes a field that is not kept as it is written."""
    if kept != value:
        repaired.append(key)


def _boolean(key: str, value: Any, repaired: list[str]) -> str:
    if value is False:
        return "f"
    if value is True:
        return "t"
    raise ValueError(f"{key} must be true or false")


def _number(key: str, value: Any, repaired: list[str]) -> str:
    if value is None:
        return NULL
    if type(value) not in {int, float} or not isfinite(value):
        raise ValueError(f"{key} must be null or a finite number")
    # Minus zero becomes zero, which it equals in every order and range.
    return repr(float(value) + 0.0)


@lru_cache(maxsize=4096)
def _moment_text(value: str) -> str:
    return datetime.isoformat(moment.parse_moment(value))


def _moment(key: str, value: Any, repaired: list[str]) -> str:
    try:
        if type(value) is str and len(value) <= 100:
            return _moment_text(value)
    except ValueError:
        pass
    raise ValueError(f"{key} must be {moment.ALLOWED}")


# Key, what reads it, what stands there when it is absent ("" = now).
_READERS: tuple[tuple[str, _Read, str], ...] = (
    ("title", _title, NULL),
    ("content_type", _content_type, "image"),
    ("content_data", _text(1_000_000, repair.data), NULL),
    ("path_thumb", _text(2000, repair.path), NULL),
    ("path_thumbs_alt_res", _object, NULL),
    ("prompt", _text(20_000, repair.text), NULL),
    ("item_metadata", _object, NULL),
    ("is_private", _boolean, "f"),
    ("quality_score", _number, NULL),
    ("created_at", _moment, ""),
    ("updated_at", _moment, ""),
)
