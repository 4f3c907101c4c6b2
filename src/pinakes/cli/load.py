"""`pinakes load`: HTTP load at a constant arrival rate, and what the answers took."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click
import orjson
from rich import box
from rich.console import Console
from rich.table import Column, Table

from pinakes.api.auth import make_token
from pinakes.bench.load.compare import compare, line
from pinakes.bench.load.limit import answering
from pinakes.bench.load.run import Plan, Target
from pinakes.cli.children import Children
from pinakes.cli.common import connection_options, run_async, status
from pinakes.embedded import connected
from pinakes.errors import Unreachable
from pinakes.settings import Settings
from pinakes.store import users
from pinakes.store.pool import open_pool

F = TypeVar("F", bound=Callable[..., Any])
DEFAULT_URL = "http://127.0.0.1:8000"
WRITER = "pinakes-load"

_COUNT = click.IntRange(1, 100_000)
_json = click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")


def _plan_options(command: F) -> F:
    """What both kinds of run let one choose."""
    options: Iterable[Callable[[F], F]] = (
        click.option("--seconds", default=5.0, show_default=True, help="Length of each step."),
        click.option("--p99-ms", "limit_ms", default=10.0, show_default=True, help="A rate is held up to this p99."),
        click.option("--connections", default=64, show_default=True, type=_COUNT, help="Open at once."),
        click.option("--questions", default=500, show_default=True, type=_COUNT, help="How many differ."),
        click.option("--uniform", is_flag=True, help="Ask all questions alike, not popular ones most often."),
        click.option("--poisson", is_flag=True, help="Arrivals at random moments, not evenly spaced."),
        click.option("--writes-per-s", default=0.0, show_default=True, help="Items made and deleted meanwhile."),
        click.option("--seed", default=1, show_default=True, help="Of questions and arrivals."),
    )
    for option in reversed(list(options)):
        command = option(command)
    return command


@click.group()
def command() -> None:
    """Ask a server at a constant rate, whatever becomes of the answers; latency counts from when each was due.

    Only load servers that are yours.
    """


@command.command("server")
@click.argument("url", default=DEFAULT_URL)
@click.option("--rates", help="Comma-separated requests a second, instead of a ladder.")
@click.option("--start", default=100.0, show_default=True, help="The foot of the ladder, requests a second.")
@click.option("--no-cache", is_flag=True, help="Have every answer computed.")
@click.option("--token", envvar="PINAKES_TOKEN", default="", help="Bearer token for writes (better: PINAKES_TOKEN).")
@_plan_options
@_json
def _server(url: str, rates: str | None, start: float, no_cache: bool, as_json: bool, **chosen: Any) -> None:
    """Load the server at URL: up a ladder of rates until p99 breaks its limit or answers fail.

    The server needs `rate-limit-per-second` 0 for this, or it refuses what is more than one caller's share.
    Questions are made from the server's own gallery. With writes, items tagged "pinakes load" come
    and go; none stays.
    """
    plan = Plan(cache=not no_cache, **chosen)
    if urlsplit(url).scheme != "http":
        raise click.BadParameter("must begin with http://", param_hint="URL")
    if plan.writes_per_s and not plan.token:
        raise click.UsageError("--writes-per-s needs --token; `pinakes token --scope content:write` makes one.")

    async def body() -> None:
        target = Target(url.rstrip("/"), plan)
        try:
            await target.prepare()
            if rates is None:
                ladder = await target.climb(start, lambda step: status(line(step)))
            else:
                ladder = await target.at([float(rate) for rate in rates.split(",")], lambda step: status(line(step)))
        except OSError as error:
            raise Unreachable(f"{url} does not answer: {error}") from error
        _print(target.told(ladder), as_json=as_json)

    run_async(body())


@command.command("limit")
@click.option("--size", default=20_000, show_default=True, help="Bytes of each answer.")
@click.option("--seconds", default=3.0, show_default=True, help="Of each step.")
@click.option("--connections", default=64, show_default=True, type=click.IntRange(1, 1000), help="Open at once.")
@_json
def _limit(size: int, seconds: float, connections: int, as_json: bool) -> None:
    """Measure the generator itself, on a server that answers without thinking.

    A rate counts as held while p99 is within 250 ms: what is asked here is where it saturates.
    """

    async def body() -> None:
        async with answering(size) as url:
            target = Target(url, Plan(seconds=seconds, connections=connections, limit_ms=250))
            await target.prepare(["/"])
            _print(target.told(await target.climb(1000, lambda step: status(line(step)))), as_json=as_json)

    run_async(body())


@command.command("compare")
@click.option("--start", default=500.0, show_default=True, help="The foot of the ladders, requests a second.")
@click.option("--rate", default=300.0, show_default=True, help="What every strategy is asked at.")
@_plan_options
@_json
@connection_options
def _compare(settings: Settings, /, start: float, rate: float, as_json: bool, **chosen: Any) -> None:
    """Measure web servers, cache and strategies in one run, on the gallery that is there.

    Servers are started on free ports of 127.0.0.1, one after the other. Takes some minutes. Set
    --writes-per-s, or the strategies have nothing to differ in.
    """

    async def body() -> None:
        async with AsyncExitStack() as stack:
            live = await stack.enter_async_context(connected(settings, on_status=status))
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pinakes-load-")))
            children = await stack.enter_async_context(Children(live, folder))
            await children.start("worker", "pinakes.cli.worker")
            plan = Plan(token=await _token(live) if chosen["writes_per_s"] else "", **chosen)
            told = await compare(live, folder, plan, start=start, rate=rate, say=status)
        if as_json:
            click.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
        else:
            _show(told)

    run_async(body())


async def _token(settings: Settings) -> str:
    """A token for a user of our own, who is made where there is none."""
    pool = await open_pool(settings, max_size=1)
    try:
        async with pool.acquire() as connection:
            user = await users.ensure(connection, WRITER)
    finally:
        await pool.close()
    return make_token(settings, user.id, user.username, ("content:write",), 3600)


def _print(told: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
        return
    columns = ("asked/s", "answered/s", "p50", "p95", "p99", "max", "late p99", "errors", "from cache", "held")
    table = Table(*(Column(name, no_wrap=True) for name in columns), box=box.SIMPLE)
    for step in told["steps"]:
        hits = sum(step["caches"].get(name, 0) for name in ("HIT", "STALE"))
        times = (_ms(step[name]) for name in ("p50_ms", "p95_ms", "p99_ms", "max_ms", "late_p99_ms"))
        share = f"{hits / step['sent']:.0%}" if step["sent"] else "-"
        held = "yes" if step["held"] else "disturbed" if step["disturbed"] else "no"
        table.add_row(f"{step['rate']:,}", f"{step['achieved']:,}", *times, str(step["errors"]), share, held)
    console = Console(width=max(Console().width, 100))
    console.print(table)
    if (writes := told.get("writes")) is not None:
        console.print(f"writes: {writes['sent']} sent, {writes['errors']} errors, p99 {_ms(writes['p99_ms'])} ms")
    best = told["best_rate"]
    said = "no rate" if best is None else f"{best:,} requests/s"
    console.print("times in ms; late: how late the generator itself was")
    console.print(f"{said} held with p99 within {told['limit_ms']:g} ms")


def _show(told: dict[str, Any]) -> None:
    console = Console(width=max(Console().width, 100))
    table = Table("web server", "route", "held/s", "of memory", "wrk/s", title=f"{told['body_bytes']:,} bytes a page")
    for server, routes in told["servers"].items():
        memory = routes["memory"]["best_rate"]
        for name, route in routes.items():
            best = route["best_rate"]
            share = f"{best / memory:.0%}" if best and memory else "-"
            rate = route.get("wrk_rate")
            table.add_row(server, name, f"{best or 0:,}", share, "-" if rate is None else f"{rate:,.0f}")
    console.print(table)
    table = Table("strategy", "asked/s", "p50 ms", "p99 ms", "errors", "from cache", "writes/s")
    for name, found in told["strategies"].items():
        for step in found["steps"]:
            hits = sum(step["caches"].get(source, 0) for source in ("HIT", "STALE"))
            share = f"{hits / max(step['sent'], 1):.1%}"
            times = (_ms(step["p50_ms"]), _ms(step["p99_ms"]))
            writes = found.get("writes", {}).get("achieved", 0)
            table.add_row(name, f"{step['rate']:,}", *times, str(step["errors"]), share, str(writes))
    console.print(table)


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
