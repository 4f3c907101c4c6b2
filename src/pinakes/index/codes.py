"""Codes in the database: fixed when a build begins, read by builders, the applier and every worker.

A stored code is a head of JSON, and beside it the codes of its cuts as 16-bit numbers and the cuts:
64-bit numbers, or JSON texts. The head has a few kilobytes, the rest half a megabyte a field.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, cast

import numpy as np
import orjson

from pinakes.bitmap import terms
from pinakes.bitmap.codes import Keys, SortCode, cut_code, fill
from pinakes.bitmap.terms import ORDER_FIELDS, Key, OrderField
from pinakes.store.pool import Connection
from pinakes.store.queries import load
from pinakes.view.facts import Facts

Codes: TypeAlias = Mapping[OrderField, SortCode]

_SQL = load("generation", "pinakes.index.sql")
_KINDS = {"int": np.dtype("<i8"), "float": np.dtype("<f8")}


def dump(code: SortCode) -> tuple[bytes, bytes]:
    """`code` as a head and the rest."""
    kind = type(code.high).__name__
    head = {
        "kind": kind,
        "high": code.high,
        "stride": code.stride,
        "filling": code.filling,
        "cuts": len(code.cuts),
        "fine": code.fine,
    }
    numbers = np.asarray(code.numbers, "<u2").tobytes()
    cuts = np.asarray(code.cuts, _KINDS[kind]).tobytes() if kind in _KINDS else orjson.dumps(code.cuts)
    return orjson.dumps(head), numbers + cuts


def parse(stored: bytes, body: bytes) -> SortCode:
    """The code in its head and the rest."""
    head = orjson.loads(stored)
    end = 2 * head["cuts"]
    kind = head["kind"]
    cuts = np.frombuffer(body[end:], _KINDS[kind]).tolist() if kind in _KINDS else orjson.loads(body[end:])
    high = float(head["high"]) if kind == "float" else head["high"]
    numbers = tuple(np.frombuffer(body[:end], "<u2").tolist())
    return SortCode(tuple(cuts), numbers, high, head["stride"], tuple(head["filling"]), head["fine"])


def filling_of(head: bytes) -> tuple[int, ...]:
    """How full each band was, from a stored code's head."""
    return tuple(orjson.loads(head)["filling"])


async def read_codes(connection: Connection, generation: int) -> Codes:
    """The codes of a generation."""
    rows = await connection.fetch(_SQL["codes"], generation, list(ORDER_FIELDS))
    return {cast("OrderField", row["field"]): parse(row["head"], row["code"]) for row in rows}


async def write_codes(connection: Connection, generation: int, codes: Codes) -> None:
    """Fixes the codes of a generation."""
    for field, code in codes.items():
        await connection.execute(_SQL["put_code"], generation, field, *dump(code))


def fit(columns: Mapping[OrderField, Keys], *, fine: bool = False) -> Codes:
    """Codes cut to fit samples of each field's keys, in ascending order; `fine` with places inside them."""
    codes: dict[OrderField, SortCode] = {}
    for field in ORDER_FIELDS:
        code = cut_code(columns[field], fine=fine)
        codes[field] = fill(code, code.many(columns[field]))
    return codes


def order_terms(source: int, item_id: int, facts: Facts, codes: Codes, other: Facts | None = None) -> set[str]:
    """The terms of an item in each order field; of fields in which `other`, its other version, is the same, none."""
    found: set[str] = set()
    for field in ORDER_FIELDS:
        value = None if field == "key" else getattr(facts, field)
        if other is not None and (field == "key" or value == getattr(other, field)):
            continue
        key: Key | None = terms.tie_key(item_id, source)
        if field != "key":
            key = None if value is None else terms.sort_key(value)
        if key is None:
            found.add(terms.null(field))
        else:
            found.update(terms.of_code(field, codes[field](key), codes[field].place(key)))
    return found


def fact_terms(source: int, facts: Facts, other: Facts | None = None) -> set[str]:
    """The terms of an item that do not depend on any code; of tags and texts `other`, its other version, has, none."""
    tags, texts = facts.tags, (facts.title, facts.prompt or "")
    if other is not None:
        tags = tuple(set(tags).difference(other.tags))
        if texts == (other.title, other.prompt or ""):
            texts = ("", "")
    kind, creator, private = facts.content_type, facts.creator_id, facts.is_private
    carried = len(facts.tags)
    return set(terms.facts_of(source, kind, creator, tags, private=private, texts=texts, carried=carried))
