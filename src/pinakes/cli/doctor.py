"""`pinakes doctor`: what is wrong with an installation, and what to do about it."""

from __future__ import annotations

import click
import orjson

from pinakes.cli.common import connection_options, run_async, status
from pinakes.doctor.examine import examine
from pinakes.doctor.finding import Diagnosis
from pinakes.embedded import connected
from pinakes.settings import Settings
from pinakes.store.pool import open_pool


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@connection_options
def command(settings: Settings, /, as_json: bool) -> None:
    """Examine database, indexes, read model, cache and their settings; name what is wrong and its fix.

    Changes nothing. Exits with 1 if anything but notes was found.
    """

    async def body() -> Diagnosis:
        async with connected(settings, on_status=status) as live:
            pool = await open_pool(live, max_size=1)
            try:
                return await examine(pool, live)
            finally:
                await pool.close()

    diagnosis = run_async(body())
    click.echo(orjson.dumps(diagnosis.as_dict()).decode() if as_json else text(diagnosis))
    if not diagnosis.healthy:
        raise click.exceptions.Exit(1)


def text(diagnosis: Diagnosis) -> str:
    """The findings as people read them, worst first."""
    lines: list[str] = []
    for finding in diagnosis.findings:
        lines += [f"{finding.level}: {finding.said} [{finding.check}]", f"  fix: {finding.fix}"]
    lines += [f"not checked: {check}: {reason}" for check, reason in diagnosis.skipped]
    serious = sum(finding.level != "note" for finding in diagnosis.findings)
    lines.append(f"{diagnosis.checks} checks, {serious} findings to act on.")
    return "\n".join(lines)
