"""`pinakes import`: JSON lines into the gallery."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from pinakes.cli.arrival import until_visible
from pinakes.cli.common import connection_options, run_async
from pinakes.embedded import connected
from pinakes.errors import ImportIncomplete
from pinakes.settings import Settings
from pinakes.store.bulk import BulkLoad, Mode
from pinakes.store.fitness import Access
from pinakes.store.migrate import migrate, require_head
from pinakes.store.pool import open_pool
from pinakes.store.transfer.importer import MIN_POOL, ImportReport, Watch, import_file

_POOL = MIN_POOL + 2


@click.command(name="import")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE…",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
)
@click.option(
    "--bulk",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Load without secondary indexes and build them at the end; auto: when that is faster.",
)
@click.option(
    "--rejects",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where refused lines go.  [default: FILE.rejects.jsonl beside the input]",
)
@click.option("--from-start", is_flag=True, help="Read from the first line, also after an interrupted import.")
@click.option("--no-wait", is_flag=True, help="End when everything is stored, before readers see all of it.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON, one object a file.")
@connection_options
def command(
    settings: Settings,
    *,
    files: tuple[Path, ...],
    bulk: str,
    rejects: Path | None,
    from_start: bool,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Import items from JSON lines, plain or gzip; - is the standard input.

    Items that exist (same source and id) are changed to what their line says; equal ones are left
    alone. An interrupted import goes on where it stopped. Refused lines are noted with their number
    and reason; the others are imported, and the command fails. The command ends when readers see what it
    imported, or says that nobody keeps the read model. docs/import.md describes the format.
    """
    run_async(
        _import(settings, files, cast("Mode", bulk), rejects, from_start=from_start, as_json=as_json, wait=not no_wait)
    )


async def _import(
    settings: Settings,
    files: tuple[Path, ...],
    bulk: Mode,
    rejects: Path | None,
    *,
    from_start: bool,
    as_json: bool,
    wait: bool,
) -> None:
    with _bar() as (bar, console):

        def say(message: str) -> None:
            console.print(f"{message} …", highlight=False, markup=False)

        async with connected(settings, on_status=say) as live:
            assert live.database_url is not None
            if settings.database_url is None:
                # Nobody else looks after the embedded database.
                await migrate(live.database_url)
            pool = await open_pool(live, max_size=_POOL)
            try:
                await require_head(pool, Access.OWN)
                refused, stored = 0, 0
                async with AsyncExitStack() as stack:
                    # Several files are one load: what is taken off the tables comes back once, at its end.
                    shared = BulkLoad(pool, expected=0, mode=bulk, on_status=say) if len(files) > 1 else None
                    if shared is not None:
                        await stack.enter_async_context(shared)
                    for place, path in enumerate(files):
                        task = bar.add_task(path.name, total=None, rate="")
                        report = await import_file(
                            pool, path, bulk=bulk, rejects=rejects, from_start=from_start,
                            watch=Watch(status=say, advance=_advance(bar, task)),
                            load=shared, bytes_after=_bytes(files[place + 1 :]),
                        )  # fmt: skip
                        bar.remove_task(task)
                        click.echo(_json(report) if as_json else _told(report))
                        refused += report.counts.rejected
                        stored += _stored(report)
                if wait and stored:
                    shown = bar.add_task("visible to readers", total=None, rate="")
                    await until_visible(pool, say, lambda told: bar.update(shown, rate=told))
                _judge(refused, stored)
            finally:
                await pool.close()


def _bytes(files: Iterable[Path]) -> int:
    """The bytes of those that are files; nobody knows how much comes out of a pipe."""
    return sum(path.stat().st_size for path in files if path.is_file())


def _judge(refused: int, stored: int) -> None:
    """Raises ImportIncomplete unless something is stored and nothing was refused."""
    if refused:
        raise ImportIncomplete(f"{refused:,} of {refused + stored:,} lines were refused.")
    if not stored:
        raise ImportIncomplete("Nothing was imported: there are no items.", hint="Look whether the file is empty.")


@contextmanager
def _bar() -> Iterator[tuple[Progress, Console]]:
    """A bar on stderr by bytes of the file, since nobody knows the number of lines before the end."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        yield bar, console


def _advance(bar: Progress, task: Any) -> Any:
    def advance(items: int, done: int, total: int) -> None:
        seconds = bar.tasks[bar.task_ids.index(task)].elapsed or 1
        bar.update(task, completed=done, total=total or None, rate=f"{items:,} items, {items / seconds:,.0f}/s")

    return advance


def _stored(report: ImportReport) -> int:
    counts = report.counts
    return counts.created + counts.updated + counts.unchanged


def _rate(report: ImportReport) -> float:
    return _stored(report) / max(report.seconds, 0.001)


def _json(report: ImportReport) -> str:
    return orjson.dumps(asdict(report) | {"items_per_second": round(_rate(report), 1)}).decode()


def _told(report: ImportReport) -> str:
    counts = report.counts
    lines = [
        f"{report.file}: {counts.created:,} created, {counts.updated:,} updated, {counts.unchanged:,} unchanged, "
        f"{counts.rejected:,} rejected in {report.seconds:.1f} s ({_rate(report):,.0f} items/s)"
    ]
    if report.resumed_at:
        lines.append(f"  went on behind line {report.resumed_at:,}")
    if report.repaired:
        fields = ", ".join(f"{key} ({times:,})" for key, times in sorted(report.repaired.items()))
        lines.append(f"  characters that cannot be kept were repaired in: {fields}")
    lines += [f"  refused: {reason}" for reason in report.first_refused]
    if report.counts.rejected > len(report.first_refused):
        lines.append(f"  and {report.counts.rejected - len(report.first_refused):,} more")
    if report.rejects:
        lines.append(f"  refused lines are in {report.rejects}")
    if report.ignored_keys:
        keys = ", ".join(f"{key} ({times:,})" for key, times in sorted(report.ignored_keys.items())[:20])
        lines.append(f"  ignored keys: {keys}")
    return "\n".join(lines)
