"""`pinakes view`: look at the read model, refresh it, change its policy, build it anew."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from pinakes.cli.common import connection_options, run_async, status
from pinakes.cli.live import live
from pinakes.embedded import connected
from pinakes.index.deltas import DeltaWriter
from pinakes.settings import Settings
from pinakes.store.migrate import require_head
from pinakes.store.pool import open_pool
from pinakes.view import actions
from pinakes.view.build import Progress as BuildProgress
from pinakes.view.epoch import POLICIES, Policy
from pinakes.view.status import Status, read_status

_json = click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")


@click.group()
def command() -> None:
    """Look at the read model and steer it.

    Each command works beside running workers and without any; none stops readers.
    """


@command.command("status")
@_json
@connection_options
def _status(settings: Settings, as_json: bool) -> None:
    """Policy, sizes, staleness, last refreshes, and what a refresh will cost later."""
    run_async(_show(settings, as_json=as_json))


@command.command("refresh")
@_json
@connection_options
def _refresh(settings: Settings, as_json: bool) -> None:
    """Bring the read model up to date now, whatever the policy says about when."""

    async def body() -> None:
        async with live(settings) as found:
            done = await actions.refresh_now(found, [DeltaWriter()])
        if as_json:
            click.echo(orjson.dumps(done))
        else:
            click.echo(f"epoch {done.epoch:,}: {done.items_changed:,} changes in {done.seconds:.2f} s")

    run_async(body())


@command.command("policy")
@click.argument("name", type=click.Choice(POLICIES))
@connection_options
def _policy(settings: Settings, name: Policy) -> None:
    """Keep the read model by policy NAME from now on.

    A later change of the setting view-policy wins again at the next start of a worker.
    """

    async def body() -> None:
        async with live(settings) as found:
            with _steps("Switching") as progress:
                built = await actions.change_policy(found, name, progress)
        kept = "its rows could stay" if built is None else f"{built.items:,} items built, epoch {built.epoch:,}"
        click.echo(f"policy {name}: {kept}")

    run_async(body())


@command.command("rebuild")
@connection_options
def _rebuild(settings: Settings) -> None:
    """Build the read model anew beside the one in use, then exchange the two."""

    async def body() -> None:
        async with live(settings) as found:
            with _steps("Building") as progress:
                built = await actions.rebuild(found, progress)
        click.echo(f"{built.items:,} items built, epoch {built.epoch:,}")

    run_async(body())


@command.command("restored")
@connection_options
def _restored(settings: Settings) -> None:
    """Say that the database was put back to an earlier state, and end all stored answers.

    Needed where nothing else tells: after a snapshot of the disk was put back. After a dump or a recovery to
    a point in time the first worker notices by itself. Run it before the services start.
    """

    async def body() -> None:
        async with live(settings) as found:
            epoch = await actions.restored(found)
        click.echo("there is no read model yet" if epoch is None else f"a new incarnation begins, epoch {epoch:,}")

    run_async(body())


@contextmanager
def _steps(what: str) -> Iterator[BuildProgress]:
    """A bar over the steps of a build, on stderr."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:

        def show(step: str, number: int, of: int) -> None:
            task = bar.task_ids[0] if bar.task_ids else bar.add_task(what)
            bar.update(task, completed=number, total=of, description=f"{what}: {step}")

        yield show


async def _show(settings: Settings, *, as_json: bool) -> None:
    async with connected(settings, on_status=status) as reached:
        pool = await open_pool(reached, max_size=1)
        try:
            await require_head(pool)
            async with pool.acquire() as connection:
                found = await read_status(connection, reached)
        finally:
            await pool.close()
    click.echo(orjson.dumps(found.as_dict()) if as_json else "\n".join(_lines(found)))


def _lines(found: Status) -> Iterator[str]:
    for each in found.under_way:
        yield f"under way    {each}"
    if found.policy is None:
        yield "There is no read model yet: `pinakes worker` or `pinakes view rebuild` makes one."
        return
    yield f"policy       {found.policy}" + ("" if found.current_definition else "  (of an older version: rebuild it)")
    yield f"epoch        {found.epoch:,} of incarnation {found.incarnation}"
    yield f"as of        {found.as_of:%Y-%m-%d %H:%M:%S} UTC"
    waiting = f"{found.waiting:,}{'' if found.waiting_is_exact else ' or more'} changes wait"
    yield f"staleness    {found.staleness_s:.1f} s now ({waiting}), at worst {found.worst_staleness_s or 0:.1f} s"
    share = found.view_bytes / max(found.base_bytes, 1)
    sizes = f"{_size(found.view_bytes)}; base tables {_size(found.base_bytes)} (x{share:.2f})"
    yield f"size         {found.items:,} items, {sizes}"
    if found.policy == "incremental" and found.epochs.epochs:
        lately = found.epochs
        yield (
            f"epochs       last {lately.epochs:,}: {lately.items_changed:,} items changed, "
            f"median {lately.median_s * 1000:.0f} ms, slowest {lately.slowest_s * 1000:.0f} ms"
        )
    for past in found.refreshes:
        yield (
            f"{past.kind:<12} {past.started_at:%Y-%m-%d %H:%M:%S}  {past.seconds:8.2f} s  "
            f"{past.items_changed:,} changes, {past.items:,} items  ({past.policy})"
        )
    if found.projection is not None:
        ahead = found.projection
        yield (
            f"projected    a {ahead.of} takes {ahead.seconds_at_10x:,.1f} s at ten times the items, "
            f"{ahead.seconds_at_50m:,.0f} s at 50,000,000"
        )
        yield f"             ({ahead.rests_on})"


def _size(size: int) -> str:
    amount, unit = float(size), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.1f} {unit}"
