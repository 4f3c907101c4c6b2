"""What the schema declares: the indexes and triggers its migrations make, read from their SQL.

So a new migration's indexes are looked for without anybody listing them again.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from pinakes.query.sources import SOURCES

_INDEX = re.compile(r"^CREATE (?:UNIQUE )?INDEX (\S+)\s+ON (\S+)", re.MULTILINE)
_TRIGGER = re.compile(r"^CREATE (?:CONSTRAINT )?TRIGGER (\w+)\s[^;]*?\sON (\w+)", re.MULTILINE)
_DROPPED = re.compile(r"^DROP (?:INDEX|TRIGGER) (?:IF EXISTS )?(\w+)(?: ON (\w+))?", re.MULTILINE)


@cache
def indexes() -> frozenset[tuple[str, str]]:
    """(table, index) of every index the migrations leave."""
    found: dict[str, str] = {}
    for text in _texts():
        found |= dict(_INDEX.findall(text))
        for name, _ in _DROPPED.findall(text):
            found.pop(name, None)
    return frozenset((table, name) for name, table in found.items())


@cache
def triggers() -> frozenset[tuple[str, str]]:
    """(table, trigger) of every trigger the migrations leave."""
    found: set[tuple[str, str]] = set()
    for text in _texts():
        found |= {(table, name) for name, table in _TRIGGER.findall(text)}
        found -= {(table, name) for name, table in _DROPPED.findall(text)}
    return frozenset(found)


@cache
def _texts() -> tuple[str, ...]:
    """The SQL of all migrations on the way up, in order, once a source where it is meant so."""
    texts: list[str] = []
    folder = files("pinakes.store.migrations.sql")
    for name in sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql")):
        if name.endswith("_down.sql"):
            continue
        text = (folder / name).read_text(encoding="utf-8")
        if "{table}" in text or "{name}" in text:
            texts += [text.replace("{table}", source.table).replace("{name}", source.name) for source in SOURCES]
        else:
            texts.append(text)
    return tuple(texts)
