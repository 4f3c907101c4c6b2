"""`pinakes export`: the gallery as JSON lines."""

from __future__ import annotations

import gzip
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import click
from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from pinakes.cli.common import connection_options, run_async, status
from pinakes.embedded import connected
from pinakes.errors import PinakesError
from pinakes.query.sources import SOURCE_BY_NAME, SOURCES
from pinakes.settings import Settings
from pinakes.store.migrate import require_head
from pinakes.store.pool import open_pool
from pinakes.store.transfer.exporter import export
from pinakes.store.transfer.source import DASH, is_stream

# Level 6 costs three times the processor for a tenth less size.
_GZIP_LEVEL = 3


@click.command()
@click.argument(
    "file", required=False, metavar="[FILE]", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path)
)
@click.option("--source", type=click.Choice(list(SOURCE_BY_NAME)), help="Only this source.  [default: all]")
@click.option("--gzip", "zipped", is_flag=True, help="Compress; done without asking where FILE ends in .gz.")
@connection_options
def command(settings: Settings, file: Path | None, source: str | None, zipped: bool) -> None:
    """Write all items as JSON lines that `pinakes import` reads, to FILE or (also as -) standard output.

    The items are those of one moment. FILE appears when it is complete.
    """
    run_async(_export(settings, file, source, zipped=zipped))


async def _export(settings: Settings, file: Path | None, source: str | None, *, zipped: bool) -> None:
    sources = SOURCES if source is None else (SOURCE_BY_NAME[source],)
    async with connected(settings, on_status=status) as live:
        pool = await open_pool(live, max_size=1)
        try:
            await require_head(pool)
            with _output(file, zipped=zipped) as out, _counter() as advance:
                written = await export(pool, out, sources, advance=advance)
        finally:
            await pool.close()
    click.echo(f"{written:,} items exported", err=True)


@contextmanager
def _output(file: Path | None, *, zipped: bool) -> Iterator[BinaryIO]:
    """Where the lines go; a file gets its name when it is complete."""
    if file is None or file == DASH:
        try:
            with _compressed(sys.stdout.buffer, zipped=zipped) as out:
                yield out
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            # The reader has seen enough (`| head`). What Python still holds must not go to the pipe.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(1) from None
        return
    if is_stream(file):
        # A pipe or a device: there is no other file to put in its place.
        with file.open("wb") as raw, _compressed(raw, zipped=zipped) as out:
            yield out
        return
    part = file.with_name(file.name + ".part")
    try:
        with part.open("wb") as raw, _compressed(raw, zipped=zipped or file.suffix == ".gz") as out:
            yield out
        part.replace(file)
    except OSError as error:
        raise PinakesError(f"{file} cannot be written: {error.strerror or error}", hint="") from error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _compressed(raw: BinaryIO, *, zipped: bool) -> Iterator[BinaryIO]:
    if not zipped:
        yield raw
        return
    # No name and no time inside: equal galleries give equal files.
    with gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=_GZIP_LEVEL, mtime=0) as out:
        yield cast("BinaryIO", out)


@contextmanager
def _counter() -> Iterator[Callable[[int], None]]:
    columns = (TextColumn("{task.completed:,} items"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("")

        def advance(done: int) -> None:
            bar.update(task, completed=done)

        yield advance
