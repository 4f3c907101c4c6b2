"""JSON values as `jsonb` keeps them and gives them back: one rule for the API and the importer.

Numbers with a point or an exponent are doubles, as JSON has it. Whole numbers are kept exactly: those of 64 bits with
sign, and greater ones that are how a double is written (PostgreSQL writes 1e29 with all its zeros). Others are refused
rather than rounded. Texts and keys are repaired as `repair.data`.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from math import isfinite
from typing import Any

import orjson

from pinakes.query import repair
from pinakes.store.limits import MAX_JSON_BYTES, MAX_JSON_DEPTH

LEAST, MOST = -(2**63), 2**63 - 1

# Beyond 64 bits orjson reads a whole number as a double, without a word.
_LONG = re.compile(rb"[0-9]{19}")
# More digits than the greatest double has.
_LONGEST = 400


def exact(raw: bytes, parsed: Any) -> Any:
    """`parsed`, which orjson read from `raw`, with whole numbers as they are written."""
    if _LONG.search(raw) is None:
        return parsed
    try:
        return json.loads(raw, parse_int=_integer)
    except RecursionError:
        return parsed  # nested far deeper than anything that is stored


def checked(value: Any, depth: int = 0) -> Any:
    """`value`, repaired.

    Raises:
        ValueError: it cannot be kept; the message continues the name of a field.
    """
    if depth > MAX_JSON_DEPTH:
        raise ValueError(f"must not be nested deeper than {MAX_JSON_DEPTH}")
    match value:
        case dict():
            return {_key(key): checked(inner, depth + 1) for key, inner in value.items()}
        case list():
            return [checked(inner, depth + 1) for inner in value]
        case str():
            return repair.data(value)
        case float() if not isfinite(value):
            raise ValueError("must hold finite numbers")
        case int() if not LEAST <= value <= MOST:
            raise ValueError(
                f"must hold whole numbers from {LEAST} to {MOST}, and no greater ones a double cannot hold"
            )
        case None | int() | float():
            return value
        case _:
            raise ValueError("must hold JSON values only")


def checked_object(value: dict[str, Any]) -> dict[str, Any]:
    """The object `value`, repaired.

    Raises:
        ValueError: it cannot be kept, or is too large; the message continues the name of a field.
    """
    kept: dict[str, Any] = checked(value)
    if len(orjson.dumps(kept)) > MAX_JSON_BYTES:
        raise ValueError(f"must be at most {MAX_JSON_BYTES:,} bytes as JSON")
    return kept


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise ValueError("must have text as keys")  # noqa: TRY004 (pydantic reports ValueError only)
    return repair.data(key)


def _integer(digits: str) -> int | float:
    """Python takes no more than some thousand digits; nobody keeps so many."""
    number = int(digits[:_LONGEST])
    if LEAST <= number <= MOST:
        return number
    try:
        double = float(number)
    except OverflowError:
        return number
    return double if Decimal(repr(double)) == number else number
