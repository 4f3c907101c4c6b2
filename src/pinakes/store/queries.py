"""Named SQL from `.sql` files.

A file is a row of blocks, each headed by comment lines:

    -- name: read_item
    -- purpose: one visible item by its pair
    -- index: primary key

`load("content")` reads `sql/content.sql` of the given package into name -> SQL. Placeholders
`{table}`, `{tags_table}` and `{code}` stand for a source's tables and number and are filled only
by `for_source`, from the closed list of sources.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from pinakes.query.sources import Source

_NAME = re.compile(r"^-- name: *(\w+) *$", re.MULTILINE)


@cache
def load(stem: str, package: str = "pinakes.store.sql") -> dict[str, str]:
    """The queries of `sql/<stem>.sql` by name, without their header comments.

    Raises:
        ValueError: a name stands twice.
    """
    text = (files(package) / f"{stem}.sql").read_text(encoding="utf-8")
    parts = _NAME.split(text)[1:]
    queries: dict[str, str] = {}
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        if name in queries:
            raise ValueError(f"{stem}.sql names {name} twice")
        queries[name] = "\n".join(line for line in body.splitlines() if not line.startswith("--")).strip()
    return queries


@cache
def for_source(sql: str, source: Source) -> str:
    """`sql` with `{table}`, `{tags_table}` and `{code}` replaced by what `source` has."""
    named = sql.replace("{tags_table}", source.tags_table).replace("{table}", source.table)
    return named.replace("{code}", str(source.code))
