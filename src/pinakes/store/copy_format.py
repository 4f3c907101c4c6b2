"""Rows as COPY wants them: text for content, the binary format for taggings and their counts.

Text because PostgreSQL reads it as fast as binary and a row's text is made with few Python steps;
binary for integers because all rows have the same width, so numpy lays out a hundred thousand
in a millisecond. NUL has no place in either and must be refused before.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

NULL = r"\N"

_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", "\r": r"\r", "\t": r"\t"})

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_CHUNK = 1 << 20


def escape(text: str) -> str:
    """`text` as a field. Most texts need nothing, and finding that out is cheaper than translate()."""
    if "\\" in text or "\n" in text or "\t" in text or "\r" in text:
        return text.translate(_ESCAPES)
    return text


def _jsonb(value: Any) -> str:
    return escape(orjson.dumps(value).decode())


def _boolean(value: bool) -> str:
    return "t" if value else "f"


_ENCODERS: dict[str, Callable[[Any], str]] = {
    "path_thumbs_alt_res": _jsonb,
    "item_metadata": _jsonb,
    "is_private": _boolean,
    "quality_score": lambda value: repr(float(value)),
    "created_at": datetime.isoformat,
    "updated_at": datetime.isoformat,
    "creator_id": lambda value: str(int(value)),
}


def text_rows(columns: Mapping[str, Sequence[Any]]) -> list[str]:
    """One row of text for each item, without the newline, fields in the order of `columns`."""
    fields = []
    for name, values in columns.items():
        encode = _ENCODERS.get(name, escape)
        fields.append([NULL if value is None else encode(value) for value in values])
    return list(map("\t".join, zip(*fields, strict=True)))


def integers(*columns: NDArray[np.integer[Any]]) -> bytes:
    """Binary COPY of columns of integers, each as wide as its type: smallint, integer, bigint.

    A row is the number of its fields, then each field after its length, all big-endian.
    """
    layout: list[tuple[str, str]] = [("fields", ">i2")]
    for place, column in enumerate(columns):
        layout += [(f"bytes{place}", ">i4"), (f"value{place}", f">i{column.itemsize}")]
    data = np.empty(len(columns[0]), layout)
    data["fields"] = len(columns)
    for place, column in enumerate(columns):
        data[f"bytes{place}"] = column.itemsize
        data[f"value{place}"] = column
    return _HEADER + data.tobytes() + _TRAILER


async def chunks(data: bytes) -> AsyncIterator[bytes]:
    """`data` in pieces the driver can send without holding up the event loop."""
    for start in range(0, len(data), _CHUNK):
        yield data[start : start + _CHUNK]
