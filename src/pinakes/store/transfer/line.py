"""One line of the exchange format: a JSON object that is an item.

    id             text, 1-255, unique within a source             required
    source_type    "regular" or "auto"                              required
    title          text, at most 2,000 characters, 2,600 bytes      required
    tags           list of names, trimmed, 1-255, no control characters, at most 1,000
    content_type, prompt, content_data, path_thumb                  texts; all but content_type may be null
    path_thumbs_alt_res, item_metadata                              objects or null
    creator        username or null, which means the user `unknown`
    is_private     true or false
    quality_score  finite number or null
    created_at, updated_at      ISO 8601; without time zone UTC; years 1 to 9999

A key that is absent takes the default of a new item and leaves an existing item's value alone. Keys
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

from pinakes.query.sources import SOURCE_BY_NAME, Source
from pinakes.store import moment
from pinakes.store.copy_text import NULL, escape
from pinakes.store.limits import MAX_JSON_DEPTH, MAX_TAGS, MAX_TITLE_BYTES

UNKNOWN_CREATOR = "unknown"
MAX_NAME = 255

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
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


_Read: TypeAlias = Callable[[str, Any], str]


class RefusedError(Exception):
    """This line cannot be an item; the message says why, `item_id` whose it is if that could be read."""

    def __init__(self, reason: str, item_id: str | None = None) -> None:
        super().__init__(reason)
        self.item_id = item_id


@dataclass(slots=True)
class Row:
    """A checked line. `text` is COPY text of `FIELDS`; `creator` and `tags` are as written, `given` as bits."""

    source: Source
    external_id: str
    text: str
    creator: str
    tags: list[str]
    given: int
    ignored: frozenset[str]


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
    if type(external_id) is not str or not 1 <= len(external_id) <= MAX_NAME:
        raise ValueError("id must be a text of 1 to 255 characters")
    shape = _shape(tuple(values))
    if not shape.titled:
        raise ValueError("title is missing")
    texts = [escape(external_id)]
    texts += [read(key, values[key]) if read is not None else default or now for key, read, default in shape.fields]
    text = "\t".join(texts)
    if "\0" in text:
        raise ValueError("a text must not contain the character U+0000")
    tags = values.get("tags", [])
    if type(tags) is not list:
        raise ValueError("tags must be a list")
    creator = values.get("creator")
    if creator is None:
        creator = UNKNOWN_CREATOR
    elif type(creator) is not str or not 1 <= len(creator) <= MAX_NAME or "\0" in creator:
        raise ValueError("creator must be null or a text of 1 to 255 characters")
    return Row(source, external_id, text, creator, tags, shape.given, shape.ignored)


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
    """`tag` as it is stored.

    Raises:
        ValueError: it is no tag.
    """
    if type(tag) is not str:
        raise ValueError("tags must be texts")
    name = tag.strip()
    if not 1 <= len(name) <= MAX_NAME:
        raise ValueError("tags must be 1 to 255 characters")
    if _CONTROL.search(name):
        raise ValueError("tags must not contain control characters")
    return name


def check_tag_count(count: int) -> None:
    """Raises ValueError when an item has too many tags."""
    if count > MAX_TAGS:
        raise ValueError(f"an item may carry {MAX_TAGS:,} tags")


def _title(key: str, value: Any) -> str:
    if type(value) is not str or len(value) > 2000:
        raise ValueError("title must be a text of at most 2,000 characters")
    if len(value) * 4 > MAX_TITLE_BYTES and len(value.encode()) > MAX_TITLE_BYTES:
        raise ValueError(f"title must be at most {MAX_TITLE_BYTES:,} bytes in UTF-8")
    return escape(value)


def _content_type(key: str, value: Any) -> str:
    if type(value) is not str or _CONTENT_TYPE.fullmatch(value) is None:
        raise ValueError("content_type must be small letters, digits and _.+/-, at most 64")
    return value


def _text(most: int) -> _Read:
    def read(key: str, value: Any) -> str:
        if value is None:
            return NULL
        if type(value) is not str or len(value) > most:
            raise ValueError(f"{key} must be null or a text of at most {most:,} characters")
        return escape(value)

    return read


def _object(key: str, value: Any) -> str:
    if value is None:
        return NULL
    if type(value) is not dict:
        raise ValueError(f"{key} must be null or an object")
    _check_json(key, value, 0)
    return escape(orjson.dumps(value).decode())


def _check_json(key: str, value: Any, depth: int) -> None:
    """What jsonb does not keep: U+0000 anywhere, and nesting that exhausts a stack."""
    if depth > MAX_JSON_DEPTH:
        raise ValueError(f"{key} must not be nested deeper than {MAX_JSON_DEPTH}")
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError(f"{key} must not contain the character U+0000")
    elif isinstance(value, dict):
        for name, inner in value.items():
            _check_json(key, name, depth)
            _check_json(key, inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _check_json(key, inner, depth + 1)
    elif isinstance(value, float) and not isfinite(value):
        raise ValueError(f"{key} must hold finite numbers")


def _boolean(key: str, value: Any) -> str:
    if value is False:
        return "f"
    if value is True:
        return "t"
    raise ValueError(f"{key} must be true or false")


def _number(key: str, value: Any) -> str:
    if value is None:
        return NULL
    if type(value) not in {int, float} or not isfinite(value):
        raise ValueError(f"{key} must be null or a finite number")
    # Minus zero becomes zero, which it equals in every order and range.
    return repr(float(value) + 0.0)


@lru_cache(maxsize=4096)
def _moment_text(value: str) -> str:
    return datetime.isoformat(moment.parse_moment(value))


def _moment(key: str, value: Any) -> str:
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
    ("content_data", _text(1_000_000), NULL),
    ("path_thumb", _text(2000), NULL),
    ("path_thumbs_alt_res", _object, NULL),
    ("prompt", _text(20_000), NULL),
    ("item_metadata", _object, NULL),
    ("is_private", _boolean, "f"),
    ("quality_score", _number, NULL),
    ("created_at", _moment, ""),
    ("updated_at", _moment, ""),
)
