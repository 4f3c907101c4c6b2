"""Values of parameters: text in, a value out, or ValueError.

Stricter than Python's own conversions, which take `1_000`, ` 1 `, `١` and `nan`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from math import isfinite

from pinakes.query.fieldset import FIELDS
from pinakes.store.moment import ALLOWED, parse_moment

MAX_INTEGER = 2**31 - 1
MAX_BIGINT = 2**63 - 1

CONTENT_TYPE_PATTERN = "^[a-z0-9][a-z0-9_.+/-]{0,63}$"

TAG_NAME = "a name of 1 to 255 characters"
CONTENT_TYPE = "1 to 64 of a-z 0-9 _ . + / -, a letter or digit first"
PREFIX = "text of at most 255 characters"
NUMBER = "a finite decimal number"
MOMENT = ALLOWED

_DIGITS = re.compile(r"[0-9]{1,19}")
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_TYPE = re.compile(CONTENT_TYPE_PATTERN.strip("^$"))
_LOST_PLUS = re.compile(r".*T.* [0-9]{2}:?[0-9]{2}")


class Hint(ValueError):
    """A refusal that can say how to put it right."""


def text(given: str) -> str:
    """Any text."""
    return given


def one_of(choices: tuple[str, ...]) -> Callable[[str], str]:
    """One of a closed list, letter by letter."""

    def read(given: str) -> str:
        if given not in choices:
            raise ValueError(given)
        return given

    return read


def whole(least: int, most: int) -> Callable[[str], int]:
    """A whole number within bounds, ASCII digits only."""

    def read(given: str) -> int:
        if _DIGITS.fullmatch(given) is None or not least <= int(given) <= most:
            raise ValueError(given)
        return int(given)

    return read


def number(given: str) -> float:
    """A finite number; zero has no sign."""
    if _NUMBER.fullmatch(given) is None or not isfinite(float(given)):
        raise ValueError(given)
    return float(given) + 0.0


def moment(given: str) -> datetime:
    """A date or date-time in UTC."""
    if _LOST_PLUS.fullmatch(given):
        raise Hint("A + in a query string means a space; write %2B before the time zone, or use Z.")
    return parse_moment(given)


def field_names(given: str) -> tuple[str, ...]:
    """Names of fields of an item, separated by commas."""
    names = tuple(name.strip() for name in given.split(","))
    for name in names:
        if name not in FIELDS:
            raise ValueError(name)
    return names


def tag_name(given: str) -> str:
    """A tag's name, without space around it."""
    name = given.strip()
    if not 1 <= len(name) <= 255:
        raise ValueError(given)
    return name


def prefix(given: str) -> str:
    """What a tag's name may begin with."""
    if len(given) > 255:
        raise ValueError(given)
    return given


def content_type(given: str) -> str:
    """A type of content, whether or not any item has it."""
    if _TYPE.fullmatch(given) is None:
        raise ValueError(given)
    return given
