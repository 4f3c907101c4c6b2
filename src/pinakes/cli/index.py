"""`pinakes index`: build the bitmap index, look at it, check it against the read model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pinakes.cli.common import connection_options, run_async, status
from pinakes.embedded import connected
from pinakes.index.build import Progress as BuildProgress
from pinakes.index.build import build
from pinakes.index.part import connect
from pinakes.index.status import Generation, Status, read_status
from pinakes.index.verify import Finding, verify
from pinakes.settings import Settings
from pinakes.store.fitness import Access
from pinakes.store.migrate import require_head
from pinakes.store.pool import open_pool, translate_errors

_json = click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
_SHOWN_FINDINGS = 20


@click.group()
def command() -> None:
    """Build the bitmap index, look at it, check it.

    Each command works beside running workers and web processes; none stops readers.
    """


@command.command("build")
@click.option("--processes", type=click.IntRange(0), help="Processes to build with.  [default: one a core]")
@_json
@connection_options
def _build(settings: Settings, processes: int | None, as_json: bool) -> None:
    """Build the index beside the one in use, then put it in its place.

    A build that was killed goes on where it stopped.
    """

    async def body() -> None:
        async with _live(settings, Access.OWN) as url:
            with _bar("Building") as progress, translate_errors():
                built = await build(url, processes=processes, progress=progress)
        rate = built.docs / max(built.seconds, 0.001)
        if as_json:
            click.echo(orjson.dumps(built))
        else:
            resumed = ", resumed" if built.resumed else ""
            click.echo(
                f"{built.docs:,} items, {built.terms:,} rows of terms in {built.seconds:.1f} s ({rate:,.0f}/s{resumed})"
            )

    run_async(body())


@command.command("status")
@_json
@connection_options
def _status(settings: Settings, as_json: bool) -> None:
    """Generations, how far a build is, what waits to be folded, and what each kind of term takes."""

    async def body() -> None:
        async with connected(settings, on_status=status) as live:
            pool = await open_pool(live, max_size=1)
            try:
                await require_head(pool)
                async with pool.acquire() as connection:
                    found = await read_status(connection)
            finally:
                await pool.close()
        click.echo(orjson.dumps(found.as_dict()) if as_json else "\n".join(_lines(found)))

    run_async(body())


@command.command("verify")
@_json
@connection_options
def _verify(settings: Settings, as_json: bool) -> None:
    """Compare the index with the read model, term by term; exit code 1 if they differ."""

    async def body() -> list[Finding]:
        found: list[Finding] = []
        async with _live(settings, Access.READ) as url:
            connection = await connect(url)
            try:
                with _bar("Checking") as progress, translate_errors():
                    async for segment, of, findings in verify(connection):
                        progress(segment + 1, of)
                        found += findings
            finally:
                await connection.close()
        return found

    found = run_async(body())
    if as_json:
        click.echo(orjson.dumps(found))
    else:
        for each in found[:_SHOWN_FINDINGS]:
            click.echo(f"{each.term} in segment {each.segment}: lacks {each.missing}, has {each.extra} too {each.note}")
        click.echo(f"{len(found):,} differences" if found else "the index says what the read model says")
    if found:
        raise click.exceptions.Exit(1)


@asynccontextmanager
async def _live(settings: Settings, access: Access) -> AsyncIterator[str]:
    """The address of a database that answers and has our schema."""
    async with connected(settings, on_status=status) as live:
        pool = await open_pool(live, max_size=1)
        try:
            await require_head(pool, access)
        finally:
            await pool.close()
        assert live.database_url is not None
        yield live.database_url


@contextmanager
def _bar(what: str) -> Iterator[BuildProgress]:
    """A bar with rate and time left, on stderr."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:

        def show(done: int, total: int) -> None:
            task = bar.task_ids[0] if bar.task_ids else bar.add_task(what, rate="")
            bar.update(task, completed=done, total=total)
            speed = bar.tasks[0].speed
            bar.update(task, rate=f"{speed:,.0f}/s" if speed else "")

        yield show


def _lines(found: Status) -> Iterator[str]:
    if not found.usable:
        yield "No index is in use: `pinakes index build` makes one."
    yield f"on disk      {_megabytes(found.segments_bytes)} segments, {_megabytes(found.deltas_bytes)} deltas"
    for each in found.generations:
        yield from _generation_lines(each)


def _generation_lines(each: Generation) -> Iterator[str]:
    state = each.status if each.current else f"{each.status}, no longer fits the read model"
    yield f"generation   {each.generation} ({state}), begun {each.began_at:%Y-%m-%d %H:%M:%S} UTC"
    if each.status == "building":
        yield f"built        {each.parts_docs:,} of {each.docs:,} items in {each.parts} segments"
    yield f"items        {each.docs:,} at the build, {each.new_docs:,} since"
    yield f"folded       up to epoch {each.folded_epoch:,} of {each.epoch:,}; {each.unfolded:,} epochs wait"
    for size in each.fields:
        share = size.bytes / max(each.docs, 1)
        yield (
            f"  {size.field:<14} {size.terms:>9,} terms {size.members:>15,} members "
            f"{_megabytes(size.bytes):>10} {share:7.2f} bytes an item"
        )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
