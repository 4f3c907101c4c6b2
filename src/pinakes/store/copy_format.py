"""Rows as COPY wants them: text for content, the binary format for taggings.

Text because PostgreSQL reads it as fast as binary and a row's text is made with few Python steps;
binary for taggings because all of them have the same width, so numpy lays out a hundred thousand
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

# Field count, then each field after its length, all big-endian.
_TAGGING = np.dtype(
    [
        ("fields", ">i2"),
        ("source_bytes", ">i4"),
        ("source", ">i2"),
        ("content_bytes", ">i4"),
        ("content", ">i8"),
        ("tag_bytes", ">i4"),
        ("tag", ">i4"),
    ]
)
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


def taggings(
    source: int, item_ids: NDArray[np.int64], rows: NDArray[np.integer[Any]], tag_ids: NDArray[np.integer[Any]]
) -> bytes:
    """Binary COPY of (source, item_ids[row], tag), in key order: ascending keys cost the primary key half.

    `item_ids` ascend. Row and tag, of 32 bits each, are sorted as one number: a tenth of a lexsort.
    """
    pairs = np.sort(rows.astype(np.int64) << 32 | tag_ids)
    data = np.empty(len(pairs), _TAGGING)
    data["fields"] = 3
    data["source_bytes"] = 2
    data["source"] = source
    data["content_bytes"] = 8
    data["content"] = item_ids[pairs >> 32]
    data["tag_bytes"] = 4
    data["tag"] = pairs & 0xFFFFFFFF
    return _HEADER + data.tobytes() + _TRAILER


async def chunks(data: bytes) -> AsyncIterator[bytes]:
    """`data` in pieces the driver can send without holding up the event loop."""
    for start in range(0, len(data), _CHUNK):
        yield data[start : start + _CHUNK]
