"""`pinakes advise`: which tier is needed, by what was measured and rules anyone can read."""

from __future__ import annotations

import asyncio

import click
import orjson

from pinakes.advise.advice import Advice, Report, advise
from pinakes.advise.measured import HOURS, advise_measured
from pinakes.advise.probe import probe
from pinakes.advise.words import answers, engine, hits, items, ratio, repetition, size
from pinakes.cli.common import connection_options, progress, run_async, status
from pinakes.embedded import connected
from pinakes.settings import Settings
from pinakes.store.migrate import require_head
from pinakes.store.pool import Pool, open_pool

_STATE = {"on": "switch on", "off": "switch off", "change": "change", "keep": "keep"}


@click.command()
@click.option("--hours", default=HOURS, show_default=True, type=click.FloatRange(0.1, 8760), help="Look back this far.")
@click.option("--probe", "probing", is_flag=True, help="Ask the database some dozens of questions instead; read-only.")
@click.option("--watch", is_flag=True, help="Say it again every minute, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print facts and advice as JSON.")
@connection_options
def command(settings: Settings, /, hours: float, probing: bool, watch: bool, as_json: bool) -> None:
    """Say which tier is needed: read model, bitmap index, cache; and what each would cost.

    Reads what the running installation measured, applies the rules of docs/operations.md, and names the rule
    and the numbers behind each line.
    """
    run_async(_advise(settings, hours, probing=probing, watch=watch, as_json=as_json), exit_code=0 if watch else None)


async def _advise(settings: Settings, hours: float, *, probing: bool, watch: bool, as_json: bool) -> None:
    async with connected(settings, on_status=status) as live:
        pool = await open_pool(live, max_size=2)
        try:
            await require_head(pool)
            while True:
                report = await (_probed(pool, live) if probing else advise_measured(pool, live, hours))
                click.echo(orjson.dumps(report.as_dict()).decode() if as_json else text(report))
                if not watch:
                    return
                await asyncio.sleep(60)
        finally:
            await pool.close()


async def _probed(pool: Pool, settings: Settings) -> Report:
    with progress("Asking") as advance:
        return advise(await probe(pool, settings, on_progress=advance))


def text(report: Report) -> str:
    """The report as people read it."""
    facts = report.facts
    known = [
        f"{items(facts)}, {facts.taggings:,} taggings; tables {size(facts.base_bytes)}, "
        f"read model {size(facts.view_bytes)}, index {size(facts.index_bytes)}",
        f"policy {facts.policy or 'none'}, index {'on' if facts.index else 'off'}, cache {facts.cache}",
        answers(facts),
        *(engine(facts, name) for name in sorted(facts.engines)),
    ]
    if facts.source == "measured":
        known.append(f"{ratio(facts)}; {repetition(facts)}; {hits(facts)}; {facts.failed:,} failed")
    lines = [*known, "", *(line for one in report.advice for line in _lines(one))]
    if not report.advice:
        lines.append("No rule asks for anything.")
    if report.note:
        lines += ["", report.note]
    return "\n".join(lines)


def _lines(one: Advice) -> list[str]:
    if one.verdict == "keep":
        return [one.said, f"  because {one.numbers} [{one.rule}]"]
    done = " (it is)" if one.done else ""
    return [
        f"{_STATE[one.verdict]}: {one.part}{done}. {one.said}",
        f"  because {one.numbers} [{one.rule}: {one.when}]",
        f"  cost    {one.cost}",
    ]
