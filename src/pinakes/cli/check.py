"""`pinakes check`: prove on this machine what the documentation promises."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import orjson

from pinakes.bench.cache_check import Check, Load, figures, questions
from pinakes.bench.cache_speed import fill_page, measure
from pinakes.cache.link import CacheFailure, Link
from pinakes.cache.options import Options
from pinakes.cli import check_all
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
@click.option("--profiles", is_flag=True, help="Also compare strategies at equal staleness; takes a minute more.")
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
            told["profiles"] = await _profiles(settings, as_json=as_json)
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


async def _profiles(settings: Settings, *, as_json: bool) -> dict[str, Any]:
    """Hit rates of the strategies where none may give anything older than the budget."""
    budget_s = max(settings.cache_budget_ms // 1000, 1)
    settings = settings.model_copy(update={"engine": "base"})
    plain = Options.of(settings)
    strategies = {
        "ttl of the budget": replace(plain, strategy="ttl", ttl_s=budget_s, ttl_tagged_s=budget_s, ttl_jitter=0.0),
        "event": replace(plain, strategy="event"),
    }
    told: dict[str, Any] = {}
    for hot in (False, True):
        for name, options in strategies.items():
            check = Check(settings, options, questions(hot=hot), seed=3)
            await Faults(settings, settings.data_dir, check).flush()
            outcome = await check.run(Load(reads=10**9, writes_per_s=5, reads_per_s=300, hot=hot, seconds=12))
            where = "every write touches every question" if hot else "writes spread over tags"
            told[f"{where}: {name}"] = {
                "hit_rate": round(outcome.hit_rate, 3),
                "stalest_ms": round(outcome.stalest_ms),
                "wrong": outcome.wrong,
                "beyond_budget": outcome.beyond_budget,
            }
            if not as_json:
                status(f"{where}: {name}: {outcome.hit_rate:.1%} hits")
    return told


class Faults:
    """What can happen to a Redis, done to the one of the check."""

    def __init__(self, settings: Settings, data: Path, check: Check) -> None:
        self._url = settings.redis_url or ""
        self._data = data
        self._check = check

    def all(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """The faults by name; each is over when it returns."""
        return {
            "flushed": self.flush,
            "frozen": self._frozen,
            "killed": self._killed,
            "read-only": self._read_only,
            "full": self._full,
            "failover to an old copy": self._fail_over,
            "keeper asleep": self._keeper_asleep,
            "publishers dead": self._publishers_dead,
        }

    async def _tell(self, *command: str | int | bytes) -> Any:
        link = Link(self._url, limit_ms=5000)
        try:
            return await link.call(*command)
        except CacheFailure:
            return None
        finally:
            await link.close()

    async def _pid(self) -> int:
        told = (await self._tell("INFO", "server")).decode()
        return int(next(line for line in told.splitlines() if line.startswith("process_id:")).partition(":")[2])

    async def flush(self) -> None:
        """Nothing is left of what was stored."""
        await self._tell("FLUSHALL")

    async def _frozen(self) -> None:
        pid = await self._pid()
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(0.7)
        os.kill(pid, signal.SIGCONT)

    async def _killed(self) -> None:
        os.kill(await self._pid(), signal.SIGKILL)
        await asyncio.sleep(0.5)
        again = await EmbeddedServers.start(self._data)
        await again.stop()

    async def _read_only(self) -> None:
        await self._tell("CONFIG", "SET", "replica-serve-stale-data", "yes")
        await self._tell("REPLICAOF", "127.0.0.1", 1)
        await asyncio.sleep(1.5)
        await self._tell("REPLICAOF", "NO", "ONE")

    async def _full(self) -> None:
        await self._tell("CONFIG", "SET", "maxmemory-policy", "noeviction")
        await self._tell("CONFIG", "SET", "maxmemory", 1)
        await asyncio.sleep(1.5)
        await self._tell("CONFIG", "SET", "maxmemory", "256mb")

    async def _fail_over(self) -> None:
        """The clocks go back to what a replica knew: acknowledged writes are lost."""
        cache = self._check.services[0].cache
        assert cache is not None
        key = cache.clocks.key
        copy = await self._tell("DUMP", key)
        await asyncio.sleep(0.4)
        if copy is not None:
            await self._tell("RESTORE", key, 0, copy, "REPLACE")

    async def _keeper_asleep(self) -> None:
        self._check.keeping.clear()
        await asyncio.sleep(1.5)
        self._check.keeping.set()

    async def _publishers_dead(self) -> None:
        publishers = [s.cache.publisher for s in self._check.services if s.cache is not None]
        for publisher in publishers:
            if publisher is not None:
                await publisher.stop()
        await asyncio.sleep(1.5)
        for publisher in publishers:
            if publisher is not None:
                publisher.start()
