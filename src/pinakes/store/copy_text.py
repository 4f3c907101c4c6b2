"""Rows as COPY reads text: fields between tabs, one row a line.

Text for content, because PostgreSQL reads it as fast as binary and a row's text is made with few Python
steps. NUL has no place in it and must be refused before. Nothing heavy is imported: the process that
reads an import file starts with this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

NULL = r"\N"

_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", "\r": r"\r", "\t": r"\t"})


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
