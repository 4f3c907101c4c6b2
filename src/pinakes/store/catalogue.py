"""What the schema declares against what is there, and the statements that make it so again.

`declared.jsonl` describes the newest schema, an object a line, in the order in which one needs another: written by
`make schema` from a database that was just migrated, and held true by a test. So tables, columns, defaults,
constraints, functions, indexes and triggers are all looked for without anybody listing them again. What the read
model consists of is not in it: the worker makes it, and builds it anew.

Extra indexes, constraints and triggers are somebody's own and no fault. Some 450 objects; one look takes 50 ms.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, TypeAlias

import asyncpg
import orjson

from pinakes.store.pool import Connection
from pinakes.store.queries import load

FILE = files("pinakes.store") / "declared.jsonl"
_SQL = load("catalogue")
_WORDS = re.compile(r"pinakes_(cut|words|lexemes)\(")
# A key of columns alone, of all rows: a constraint, or an index.
_UNIQUE = re.compile(
    r"(?:UNIQUE|PRIMARY KEY|CREATE UNIQUE INDEX .* USING btree) \((?P<columns>[a-z_]+(?:, [a-z_]+)*)\)$"
)
_REINDEXED = ("content_items", "content_items_auto", "users")

SHOWN = 3

Key: TypeAlias = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Object:
    """One thing a schema has: its kind, the table it belongs to, its name, the text that defines it, its state."""

    kind: str
    parent: str
    name: str
    definition: str
    state: str = ""

    @property
    def key(self) -> Key:
        """What it is found by."""
        return self.kind, self.parent, self.name

    def __str__(self) -> str:
        of = f" of {self.parent}" if self.parent and self.name else self.parent
        return f"{self.kind} {self.name}{of}"


@dataclass(frozen=True, slots=True)
class Fault:
    """Something declared that is not there as it must be. `repair` are statements to be run in turn, by the owner."""

    what: Object
    said: str
    repair: tuple[str, ...] = field(default=())


async def objects(connection: Connection) -> list[Object]:
    """Everything the catalogue has, in order."""
    async with connection.transaction(readonly=True):
        # Some settings of roles change how definitions are written.
        await connection.execute(
            "SET LOCAL quote_all_identifiers = off; SET LOCAL datestyle = 'ISO, MDY'; SET LOCAL timezone = 'UTC';"
            " SET LOCAL intervalstyle = 'postgres'; SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'"
        )
        rows = await connection.fetch(_SQL["objects"])
    return [Object(*row) for row in rows]


@cache
def declared() -> tuple[str, tuple[Object, ...]]:
    """The revision that is described, and its objects."""
    head, *lines = FILE.read_bytes().splitlines()
    return str(orjson.loads(head)["revision"]), tuple(Object(*orjson.loads(line)) for line in lines)


def described(revision: str, there: Iterable[Object]) -> bytes:
    """The text of `declared.jsonl`."""
    lines = [orjson.dumps([each.kind, each.parent, each.name, each.definition]) for each in there]
    return b"\n".join([orjson.dumps({"revision": revision}), *lines]) + b"\n"


async def faults(connection: Connection) -> list[Fault]:
    """What is declared and missing, different, or out of use; but for what a bulk load has taken off for a while."""
    there = {each.key: each for each in await objects(connection)}
    wanted = declared()[1]
    owed: set[tuple[str, str]] = set()
    if all(("column", "load_state", name) in there for name in ("table_name", "object_name")):
        owed = {(row["table_name"], row["object_name"]) for row in await connection.fetch(_SQL["owed"])}
    found: list[Fault] = []
    for each in wanted:
        here = there.get(each.key)
        if here is None:
            # A table that is not there has no rules, which is as it must be.
            if each.kind != "rules" and (each.parent, each.name) not in owed:
                twice = await _twice(connection, each, there.keys())
                found.append(Fault(each, f"{each} is missing{twice}", _possible(_made(each, wanted), twice)))
        elif here.definition != each.definition:
            found.append(Fault(each, f"{each} is not what it must be", _changed(each, here)))
        elif here.state:
            twice = await _twice(connection, each, there.keys()) if here.state == "invalid" else ""
            found.append(Fault(each, f"{each} is {here.state}{twice}", _possible(_mended(each, here.state), twice)))
    return found + await _behind(connection, {key[2] for key in there if key[0] == "table"})


async def _twice(connection: Connection, each: Object, there: Collection[Key]) -> str:
    """Of a key that is missing: some rows it does not admit, and that somebody must merge before it can be made."""
    unique = _UNIQUE.match(each.definition)
    if unique is None:
        return ""
    columns = unique["columns"]
    if not all(("column", each.parent, name) in there for name in columns.split(", ")):
        return ""  # which is a fault of its own
    rows = await connection.fetch(
        f'SELECT ROW({columns})::text AS row FROM "{each.parent}"'  # noqa: S608 - of the description
        f" GROUP BY {columns} HAVING count(*) > 1 ORDER BY {columns} LIMIT {SHOWN}"
    )
    return "".join(f"; twice there: ({columns})={row['row']}" for row in rows)


def _possible(repair: tuple[str, ...], twice: str) -> tuple[str, ...]:
    """The statements to be run now: a unique index built beside writers that fails stays there, unused and kept up."""
    return tuple(statement for statement in repair if not (twice and " CONCURRENTLY " in statement))


async def _behind(connection: Connection, tables: set[str]) -> list[Fault]:
    """Columns that would be given a number which is taken."""
    found = []
    for row in await connection.fetch(_SQL["behind"]):
        table, name = row["table_name"], row["name"]
        if table not in tables:
            continue
        highest = await connection.fetchval(f'SELECT max("{name}") FROM "{table}"')  # noqa: S608 - of the catalogue
        last = await connection.fetchval(f"SELECT last_value FROM {row['sequence_name']}")  # noqa: S608
        if highest is not None and highest > last:
            what = Object("sequence", table, name, "")
            said = f"{what} stands at {last:,}, and {highest:,} is taken: new rows will be refused"
            repair = f"SELECT setval('{row['sequence_name']}', {highest})"
            found.append(Fault(what, said, (repair,)))
    return found


async def mend(connection: Connection) -> list[tuple[str, str]]:
    """Runs the repairs, again while they get further; statements that failed in the end, and why.

    `connection` is the owner's, in no transaction: indexes are built beside readers and writers.
    """
    before: list[Key] | None = None
    failed: list[tuple[str, str]] = []
    while True:
        found = await faults(connection)
        keys = [fault.what.key for fault in found]
        if keys == before:
            return failed
        before, failed = keys, []
        for fault in found:
            for statement in fault.repair:
                try:
                    await connection.execute(statement)
                except asyncpg.PostgresError as error:
                    failed.append((statement.partition("\n")[0], str(error)))
        if not found:
            return []


def _alter(each: Object, change: str) -> str:
    return f'ALTER TABLE "{each.parent or each.name}" {change}'


def _made(each: Object, wanted: tuple[Object, ...]) -> tuple[str, ...]:
    """What makes an object that is not there."""
    name, text = f'"{each.name}"', each.definition
    match each.kind:
        case "table":
            if text.startswith("PARTITION OF"):
                return (f"CREATE TABLE IF NOT EXISTS {name} {text}",)
            return (f"CREATE TABLE IF NOT EXISTS {name} () {text}".strip(),) if not text else _partitioned(each, wanted)
        case "column":
            # Rows that are there get the default, so that NOT NULL can follow; what they had only a backup has.
            keys = ("default", each.parent, each.name)
            default = "".join(f" DEFAULT {one.definition}" for one in wanted if one.key == keys)
            return (_alter(each, f"ADD COLUMN IF NOT EXISTS {name} {text}{default}"),)
        case "not null":
            return (_alter(each, f"ALTER COLUMN {name} SET NOT NULL"),)
        case "identity":
            return (_alter(each, f"ALTER COLUMN {name} ADD {text}"),)
        case "constraint":
            return (_alter(each, f"ADD CONSTRAINT {name} {text}"),)
        case "index":
            return (re.sub(r"^(CREATE (?:UNIQUE )?INDEX) ", r"\1 CONCURRENTLY ", text),)
        case "function":
            return _replaced(each)
        case "trigger":
            return (text,)
        case _:
            return _set(each)


def _partitioned(each: Object, wanted: tuple[Object, ...]) -> tuple[str, ...]:
    """A partitioned table needs the columns it is partitioned by from the beginning."""
    columns = ", ".join(
        f'"{one.name}" {one.definition}' for one in wanted if one.kind == "column" and one.parent == each.name
    )
    return (f'CREATE TABLE IF NOT EXISTS "{each.name}" ({columns}) {each.definition}',)


def _set(each: Object, here: Object | None = None) -> tuple[str, ...]:
    """What sets a property of a table or column to what is declared."""
    name, text = f'"{each.name}"', each.definition
    changes = {
        "default": f"ALTER COLUMN {name} SET DEFAULT {text}",
        "storage": f"ALTER COLUMN {name} SET STORAGE {text}",
        "option": f"SET ({each.name} = {text})",
        "persistence": f"SET {text}",
        "row security": f"{text} ROW LEVEL SECURITY",
    }
    if each.kind == "rules" and here is not None:
        return tuple(f'DROP RULE "{rule}" ON "{each.parent}"' for rule in here.definition.split(", "))
    return (_alter(each, changes[each.kind]),) if each.kind in changes else ()


def _changed(each: Object, here: Object) -> tuple[str, ...]:
    """What makes an object that is there what it must be."""
    name = f'"{each.name}"'
    match each.kind:
        case "table":
            parent, _, bound = each.definition.removeprefix("PARTITION OF ").partition(" ")
            return (f'ALTER TABLE "{parent}" ATTACH PARTITION {name} {bound}',)
        case "column" if " GENERATED " in each.definition:
            return (_alter(each, f"DROP COLUMN {name} CASCADE"), *_made(each, ()))
        case "column":
            kind = each.definition.partition(" COLLATE ")[0]
            return (_alter(each, f"ALTER COLUMN {name} TYPE {each.definition} USING {name}::{kind}"),)
        case "identity":
            return (_alter(each, f"ALTER COLUMN {name} SET {each.definition.removesuffix(' AS IDENTITY')}"),)
        case "constraint":
            return (_alter(each, f"DROP CONSTRAINT {name}, ADD CONSTRAINT {name} {each.definition}"),)
        case "index":
            return (f"DROP INDEX CONCURRENTLY {name}", *_made(each, ()))
        case "function":
            return _replaced(each)
        case "trigger":
            return (re.sub(r"^CREATE TRIGGER", "CREATE OR REPLACE TRIGGER", each.definition),)
        case _:
            return _set(each, here)


def _mended(each: Object, state: str) -> tuple[str, ...]:
    """What brings an object back into use."""
    name = f'"{each.name}"'
    if state.startswith("switched off on "):
        return (f"ALTER TABLE {state.removeprefix('switched off on ')} ENABLE TRIGGER ALL",)
    return {
        "invalid": (f"REINDEX INDEX CONCURRENTLY {name}",),
        "not validated": (_alter(each, f"VALIDATE CONSTRAINT {name}"),),
        "switched off": (_alter(each, f"ENABLE TRIGGER {name}"),),
    }[state]


def _replaced(each: Object) -> tuple[str, ...]:
    """A function, and what was made by it: indexes of words hold what the wrong one cut."""
    anew = [f'REINDEX TABLE CONCURRENTLY "{table}"' for table in _REINDEXED] if _WORDS.match(each.name) else []
    return (each.definition, *anew)


async def ungranted(connection: Connection) -> list[str]:
    """Rights that the roles of `pinakes migrate --roles` lack here, as sentences; none where they are not used."""
    rows: list[Any] = await connection.fetch(_SQL["ungranted"])
    return [f"{row['role']} has no {row['privilege']} on {', '.join(row['names'])}" for row in rows]
