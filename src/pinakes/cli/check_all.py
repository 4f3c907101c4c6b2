"""`pinakes check` without a subcommand: is this installation right?"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import orjson

from pinakes.audit.part import Finding
from pinakes.audit.run import NAMES, Audit, OnStep, Verdict, subject_of
from pinakes.cache.core import ResultCache
from pinakes.cache.options import Options
from pinakes.cache.report import require_fit_redis
from pinakes.cli.common import progress, run_async, status
from pinakes.embedded import connected
from pinakes.errors import MissingRow
from pinakes.service import ContentService
from pinakes.settings import Settings
from pinakes.store.migrate import require_revision
from pinakes.store.pool import Pool, open_pool

SHOWN = 20


def options(command: Any) -> Any:
    """The options of the check."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print the verdicts as JSON."),
        click.option(
            "--progress-file",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Where to note how far it is; a check that was ended goes on there.",
        ),
        click.option(
            "--pace",
            type=click.FloatRange(0.01, 1.0),
            default=1.0,
            show_default=True,
            help="Share of the time that is worked; the rest is rested.",
        ),
        click.option("--seed", default=0, help="Seed of what is chosen by chance.", show_default=True),
        click.option("--repair", is_flag=True, help="Put right what is wrong and can be derived again."),
        click.option("--full", is_flag=True, help="Everything, where otherwise samples are taken."),
        click.option(
            "--part", "parts", multiple=True, type=click.Choice(NAMES), help="Only this part; may be repeated."
        ),
    ):
        command = option(command)
    return command


def check_all(
    settings: Settings,
    *,
    parts: tuple[str, ...],
    full: bool,
    repair: bool,
    seed: int,
    pace: float,
    progress_file: Path | None,
    as_json: bool,
) -> None:
    """Checks, prints the verdicts, and exits with 1 if something is wrong."""

    async def body() -> list[Verdict]:
        async with _opened(settings) as (live, pool, service):
            subject = subject_of(live, pool, service, full=full, seed=seed)
            with nullcontext(_silent) if as_json else _bars() as shown:
                audit = Audit(subject, parts or NAMES, pace, repair, progress_file, shown)
                return await audit.run()

    verdicts = run_async(body())
    wrong = sum(verdict.wrong for verdict in verdicts)
    if as_json:
        click.echo(orjson.dumps({"wrong": wrong, "parts": [_as_dict(verdict) for verdict in verdicts]}))
    else:
        for verdict in verdicts:
            _show(verdict)
        click.echo(f"{wrong:,} wrong" if wrong else "nothing wrong was found")
    if wrong:
        raise click.exceptions.Exit(1)


def _as_dict(verdict: Verdict) -> dict[str, Any]:
    told = asdict(verdict)
    for name in ("next", "finished"):
        del told[name]
    told["findings"] = [_without_key(finding) for finding in verdict.findings]
    return told


def _without_key(finding: Finding) -> dict[str, str]:
    return {"where": finding.where, "what": finding.what}


def _show(verdict: Verdict) -> None:
    state = f"{verdict.wrong:,} WRONG" if verdict.wrong else "skipped" if verdict.skipped else "right"
    why = f" ({verdict.skipped})" if verdict.skipped else ""
    repaired = f"; repaired: {verdict.repaired}" if verdict.repaired else ""
    click.echo(f"{verdict.part:<11} {state:<10} {verdict.checked:>12,} checked {verdict.seconds:8.1f} s{why}{repaired}")
    for finding in verdict.findings[:SHOWN]:
        click.echo(f"            {finding.where}: {finding.what}")
    if verdict.wrong > SHOWN:
        click.echo(f"            and {verdict.wrong - SHOWN:,} more; --json has {len(verdict.findings):,} of them")


def _silent(_part: str, _done: int, _total: int) -> None:
    """No progress shown."""


class _bars:  # noqa: N801 - used like a function
    """One bar after the other, each named after its part."""

    def __init__(self) -> None:
        self._part = ""
        self._bar: Any = None

    def __enter__(self) -> OnStep:
        return self._show

    def __exit__(self, *error: object) -> None:
        self._end()

    def _show(self, part: str, done: int, total: int) -> None:
        if part != self._part:
            self._end()
            self._part, self._bar = part, progress(part)
            self._advance = self._bar.__enter__()
        self._advance(done, total)

    def _end(self) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[tuple[Settings, Pool, ContentService]]:
    """The databases, and a service that reads through the same cache as those that serve."""
    async with connected(settings, on_status=status) as found:
        live = found.model_copy(update={"cursor_secret": found.cursor_secret or secrets.token_urlsafe(48)})
        await require_fit_redis(live)
        pool = await open_pool(live)
        cache = None
        try:
            with suppress(MissingRow):  # which is for the check to find
                await require_revision(pool)
            if live.redis_url is not None and live.cache_strategy != "off":
                cache = ResultCache(live.redis_url, live.database_url, Options.of(live))
                await cache.start()
            yield live, pool, ContentService(pool, live, cache)
        finally:
            if cache is not None:
                await cache.stop()
            await pool.close()
