"""`pinakes check`: prove on this machine what the documentation promises."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import orjson

from pinakes.bench import cache_profiles
from pinakes.bench.cache_check import Check, Load, figures, questions
from pinakes.bench.cache_delay import delays
from pinakes.bench.cache_speed import fill_page, measure
from pinakes.cache.options import Options
from pinakes.cli import check_all
from pinakes.cli.cache_faults import Faults
from pinakes.cli.common import connection_options, run_async, status
from pinakes.embedded import EmbeddedServers
from pinakes.settings import Settings, load_settings
from pinakes.store.migrate import migrate
from pinakes.worker.loop import running as working


@click.group(invoke_without_command=True)
@click.pass_context
@check_all.options
@connection_options
def command(settings: Settings, context: click.Context, /, **chosen: Any) -> None:
    """Prove that an installation is right; with a subcommand, what the documentation promises.

    Without a subcommand: tables, tag counts, read model, index, engines and cache of a running
    installation are compared with what they are derived from, range by range. Exits with 1 if anything is
    wrong. `--repair` makes anew what is derived and wrong, and nothing else; tables themselves it only reports.
    """
    if context.invoked_subcommand is None:
        check_all.check_all(settings, **chosen)


@command.command("cache")
@click.option("--reads", default=100_000, show_default=True, help="How many reads are checked.")
@click.option("--writes-per-s", default=5.0, show_default=True, help="How fast the gallery changes.")
@click.option("--seed", default=1, show_default=True, help="Seed of writes and faults.")
@click.option(
    "--profiles",
    is_flag=True,
    help="Also strategies at equal staleness, and delays by a broken Redis.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def cache_command(reads: int, writes_per_s: float, seed: int, profiles: bool, as_json: bool) -> None:
    """Check every one of N reads through the cache against the oracle, while Redis is being broken.

    Runs on servers of its own in a temporary directory; no gallery of yours is touched. Exits with 1
    if any answer was wrong or older than the budget.
    """
    run_async(_run(reads, writes_per_s, seed, profiles=profiles, as_json=as_json))


@command.command("cache-speed")
@click.option("--seconds", default=2.0, show_default=True, help="How long each route is measured, five times.")
def speed_command(seconds: float) -> None:
    """Measure cached answers against the same bytes from memory, and against one bare GET in Redis.

    Runs on servers of its own in a temporary directory. Prints requests a second as JSON.
    """

    async def body() -> None:
        async with _servers(quiet=False) as (settings, folder):
            await fill_page(settings)
            async with working(settings):
                told = await measure(settings, folder, seconds)
        click.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())

    run_async(body())


@asynccontextmanager
async def _servers(*, quiet: bool) -> AsyncIterator[tuple[Settings, Path]]:
    """Migrated servers in a temporary directory."""
    with tempfile.TemporaryDirectory(prefix="pinakes-check-") as folder:
        data = Path(folder) / "data"
        async with await EmbeddedServers.start(data, on_status=None if quiet else status) as servers:
            await migrate(servers.database_url)
            settings = load_settings(
                data_dir=data,
                database_url=servers.database_url,
                redis_url=servers.redis_url,
                cursor_secret=servers.secrets.cursor_secret,
                jwt_secret=servers.secrets.jwt_secret,
            )
            yield settings, data


async def _run(reads: int, writes_per_s: float, seed: int, *, profiles: bool, as_json: bool) -> None:
    async with _servers(quiet=as_json) as (settings, data):
        told = await _checked(settings, data, reads, writes_per_s, seed, as_json=as_json)
        if profiles:
            told["profiles"] = await cache_profiles.profiles(
                settings, Faults(settings, data).flush, _say(as_json=as_json)
            )
            told["delays"] = await _delays(settings, data, as_json=as_json)
    click.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
    if told["wrong"] or told["beyond_budget"]:
        raise click.exceptions.Exit(1)


async def _checked(
    settings: Settings, data: Path, reads: int, writes_per_s: float, seed: int, *, as_json: bool
) -> dict[str, Any]:
    """Half the reads by engine `base`, half by what reads the read model, which may lag a little itself."""
    told: dict[str, Any] = {"budget_ms": settings.cache_budget_ms, "wrong": 0, "beyond_budget": 0}
    for engine in ("base", "auto"):
        chosen = settings.model_copy(update={"engine": engine, "max_staleness_seconds": 0.5})
        options = replace(Options.of(chosen), strategy="event")
        check = Check(chosen, options, questions(), seed=seed)
        load = Load(reads=reads // 2, writes_per_s=writes_per_s, renames=engine == "base")
        progress = _silent if as_json else _progress(check, engine, reads // 2)
        found = figures(await check.run(load, Faults(chosen, data, check).all(), progress))
        told[engine] = found
        told["wrong"] += found["wrong"]
        told["beyond_budget"] += found["beyond_budget"]
    return told


async def _delays(settings: Settings, data: Path, *, as_json: bool) -> dict[str, Any]:
    """What readers wait for a Redis that is broken for two seconds."""
    faults = Faults(settings, data)
    broken = {
        "frozen": lambda: faults.frozen(2.0),
        "killed, then refusing": lambda: faults.killed(2.0),
        "full": lambda: faults.full(2.0),
    }
    async with working(settings):
        return await delays(settings, broken, _say(as_json=as_json))


def _say(*, as_json: bool) -> Callable[[str], None]:
    return (lambda _: None) if as_json else status


def _silent(_reads: int) -> None:
    """No progress shown."""


def _progress(check: Check, engine: str, reads: int) -> Callable[[int], None]:
    shown = 0

    def progress(done: int) -> None:
        nonlocal shown
        if done - shown >= max(reads // 10, 1):
            shown = done
            found = check.outcome
            wrong = f"{found.wrong} wrong, {found.beyond_budget} too old"
            status(f"engine {engine}: {done:,} reads, {wrong}, stalest {found.stalest_ms:.0f} ms")

    return progress
