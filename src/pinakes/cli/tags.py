"""`pinakes tags`: rename, merge, categorize and delete tags; aliases and the hierarchy; CSV in and out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import click

from pinakes.cli.common import connection_options, progress, run_async, status
from pinakes.embedded import connected
from pinakes.errors import PinakesError
from pinakes.settings import Settings
from pinakes.store import aliases, hierarchy, tag_admin, tag_csv
from pinakes.store.fitness import Access
from pinakes.store.migrate import require_head
from pinakes.store.pool import Connection, Pool, open_pool, snapshot, writing
from pinakes.store.tag_csv import TABLES, Table
from pinakes.store.transfer.source import is_stream

# Long enough for a table of some hundred thousand lines.
_TIMEOUT_MS = 600_000


@click.group()
def command() -> None:
    """Administer tags, their aliases and their hierarchy.

    Each change shows in answers from the next epoch on. How names are spelled does not
    matter; an alias stands for its tag.
    """


@command.command("rename")
@click.argument("name")
@click.argument("new_name")
@click.option("--keep-alias", is_flag=True, help="Make the old name an alias.")
@connection_options
def _rename(settings: Settings, name: str, new_name: str, keep_alias: bool) -> None:
    """Give the tag NAME the name NEW_NAME."""

    async def body(conn: Connection) -> str:
        tag = await tag_admin.rename(conn, await aliases.tag_id(conn, name), new_name, keep_alias=keep_alias)
        return f"{name} is {tag.name} now"

    _write(settings, body)


@command.command("category")
@click.argument("name")
@click.argument("category")
@connection_options
def _category(settings: Settings, name: str, category: str) -> None:
    """Put the tag NAME into CATEGORY; an empty one is none."""

    async def body(conn: Connection) -> str:
        tag = await tag_admin.categorize(conn, await aliases.tag_id(conn, name), category)
        return f"{tag.name}: {tag.category or 'no category'}"

    _write(settings, body)


@command.command("merge")
@click.argument("name")
@click.argument("into")
@connection_options
def _merge(settings: Settings, name: str, into: str) -> None:
    """Give every item with the tag NAME the tag INTO instead; NAME becomes an alias.

    Items are moved in batches; nobody waits for the whole. Run it again if it was interrupted.
    """

    async def body(pool: Pool) -> str:
        numbers = [await _number(pool, each) for each in (name, into)]
        with progress("Moving") as advance:
            merged = await tag_admin.merge(pool, numbers[0], numbers[1], told=lambda done: advance(done, done))
        left = f"; {merged.steps_left_out} steps of the hierarchy left out" if merged.steps_left_out else ""
        return f"{name} is {merged.into.name} now: {merged.taggings:,} items{left}"

    _run(settings, body)


@command.command("delete")
@click.argument("name")
@click.option("--taggings", is_flag=True, help="Also take it from the items that carry it.")
@connection_options
def _delete(settings: Settings, name: str, taggings: bool) -> None:
    """Delete the tag NAME with its aliases and its places in the hierarchy."""

    async def body(pool: Pool) -> str:
        removed = await tag_admin.delete(pool, await _number(pool, name), taggings=taggings)
        return f"{name} is deleted" + (f", from {removed:,} items" if taggings else "")

    _run(settings, body)


@command.command("alias")
@click.argument("alias")
@click.argument("tag")
@connection_options
def _alias(settings: Settings, alias: str, tag: str) -> None:
    """Make ALIAS another name of TAG."""

    async def body(conn: Connection) -> str:
        await aliases.put(conn, {alias: tag})
        return f"{alias} → {tag}"

    _write(settings, body)


@command.command("unalias")
@click.argument("alias")
@connection_options
def _unalias(settings: Settings, alias: str) -> None:
    """Take ALIAS away."""

    async def body(conn: Connection) -> str:
        return f"{alias} is no alias any more" if await aliases.remove(conn, [alias]) else f"{alias} was no alias"

    _write(settings, body)


@command.command("parent")
@click.argument("child")
@click.argument("parent")
@connection_options
def _parent(settings: Settings, child: str, parent: str) -> None:
    """Put the tag CHILD directly below PARENT, so that PARENT finds it too."""

    async def body(conn: Connection) -> str:
        await hierarchy.put(conn, [(child, parent)])
        return f"{child} stands below {parent}"

    _write(settings, body)


@command.command("unparent")
@click.argument("child")
@click.argument("parent")
@connection_options
def _unparent(settings: Settings, child: str, parent: str) -> None:
    """Take the tag CHILD from directly below PARENT."""

    async def body(conn: Connection) -> str:
        there = await hierarchy.remove(conn, child, parent)
        return f"{child} stands below {parent} no more" if there else f"{child} was not directly below {parent}"

    _write(settings, body)


@command.command("export")
@click.argument("table", type=click.Choice(TABLES))
@click.argument(
    "file", required=False, metavar="[FILE]", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path)
)
@connection_options
def _export(settings: Settings, table: Table, file: Path | None) -> None:
    """Write tags, aliases or parents as CSV to FILE or (also as -) standard output."""

    async def body(pool: Pool) -> str:
        async with snapshot(pool, _TIMEOUT_MS) as conn:
            if file is None or is_stream(file):
                with click.open_file(file or "-", "w", encoding="utf-8") as out:
                    return f"{await tag_csv.write(conn, table, out):,} lines"
            part = file.with_name(file.name + ".part")
            try:
                with part.open("w", encoding="utf-8", newline="") as out:
                    count = await tag_csv.write(conn, table, out)
                part.replace(file)
            except OSError as error:
                raise PinakesError(f"{file} cannot be written: {error.strerror or error}", hint="") from error
            finally:
                part.unlink(missing_ok=True)
            return f"{count:,} lines"

    _run(settings, body)


@command.command("import")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
)
@connection_options
def _import(settings: Settings, files: tuple[Path, ...]) -> None:
    """Read tags, aliases or parents from CSV; the first line of each FILE says which. - is the standard input.

    A file is taken as a whole or not at all: name,category or alias,tag or child,parent.
    """

    async def body(pool: Pool) -> str:
        told = []
        for file in files:
            try:
                with click.open_file(file, encoding="utf-8-sig") as source:
                    async with writing(pool, _TIMEOUT_MS) as conn:
                        table, changed = await tag_csv.read(conn, source)
            except OSError as error:
                raise PinakesError(f"{file} cannot be read: {error.strerror or error}", hint="") from error
            told.append(f"{file}: {table}, {changed:,} changed")
        return "\n".join(told)

    _run(settings, body)


async def _number(pool: Pool, name: str) -> int:
    async with pool.acquire() as conn:
        return await aliases.tag_id(conn, name)


def _write(settings: Settings, body: Callable[[Connection], Coroutine[Any, Any, str]]) -> None:
    """Runs `body` in one transaction and tells what it did."""

    async def in_transaction(pool: Pool) -> str:
        async with writing(pool, _TIMEOUT_MS) as conn:
            return await body(conn)

    _run(settings, in_transaction)


def _run(settings: Settings, body: Callable[[Pool], Coroutine[Any, Any, str]]) -> None:
    async def work() -> None:
        async with _pool(settings) as pool:
            told = await body(pool)
        click.echo(told, err=True)

    run_async(work())


@asynccontextmanager
async def _pool(settings: Settings) -> AsyncIterator[Pool]:
    async with connected(settings, on_status=status) as live:
        pool = await open_pool(live, max_size=2)
        try:
            await require_head(pool, Access.WRITE)
            yield pool
        finally:
            await pool.close()
