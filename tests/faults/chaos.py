"""Faults while writers write and readers check every answer.

    make chaos                              all faults, some minutes; prints a table, writes chaos.json
    make chaos ARGS="--only 'disk full'"

Exits with 1 if an answer was wrong, an acknowledged write was lost, something did not come back, or the
check of the whole installation at the end finds anything.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx

from faults.breakages import BREAKAGES, HOLD_S, NotHere
from faults.installation import Installation, answering, installation
from faults.model import Model, Slot
from pinakes.api.auth import make_token

WRITERS, SLOTS_EACH, READERS = 3, 4, 4
READ_PAUSE_S, WRITE_PAUSE_S = 0.03, 0.1
STALENESS_S = 3.0
BUDGET_S = 1.0
# Between the moment we ask and the moment the server looks lies what the machine takes to get to it.
SLACK_S = 3.0
RECOVERY_S = 120.0
SETTINGS: dict[str, Any] = {
    "max_staleness_seconds": STALENESS_S,
    "cache_budget_ms": int(BUDGET_S * 1000),
    "cache_strategy": "event",
    "rate_limit_per_second": 0.0,
    "statement_timeout_ms": 3000,
    "connect_timeout_s": 3.0,
}
URL = "/api/v1/content/unified"
EVER = "1970-01-01T00:00:00+00:00"


@dataclass
class Outcome:
    """What one fault did."""

    fault: str
    skipped: str | None = None
    outage_s: float = 0.0
    recovery_s: float = 0.0
    recovered: bool = True
    reads: int = 0
    writes: int = 0
    wrong: int = 0


@dataclass
class Report:
    """What a run found."""

    seconds: float = 0.0
    reads: int = 0
    writes: int = 0
    refused_reads: int = 0
    refused_writes: int = 0
    wrong: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    stalest_s: float = 0.0
    restarts: dict[str, int] = field(default_factory=dict)
    check: dict[str, Any] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether everything held."""
        recovered = all(outcome.recovered for outcome in self.outcomes)
        return recovered and not self.wrong and not self.lost and self.check.get("wrong") == 0


class Chaos:
    """One run against one installation."""

    def __init__(self, site: Installation) -> None:
        self.site = site
        self.model = Model(STALENESS_S + BUDGET_S + SLACK_S)
        self._going = True
        settings = site.settings
        self._tokens = [
            {"authorization": f"Bearer {make_token(settings, n + 1, f'user {n + 1}', ['content:write'], 86_400)}"}
            for n in range(WRITERS)
        ]
        self.model.slots = [Slot(number) for number in range(WRITERS * SLOTS_EACH)]

    async def run(self, faults: list[str], say: Callable[[str], None]) -> Report:
        """Breaks one thing after the other; what came of it."""
        began = time.monotonic()
        tasks = [asyncio.create_task(self._write(number)) for number in range(WRITERS)]
        tasks += [asyncio.create_task(self._read(number)) for number in range(READERS)]
        report = Report()
        try:
            await self._until(lambda: all(slot.acknowledged > 1 for slot in self.model.slots), RECOVERY_S)
            for name in faults:
                outcome = await self._break(name)
                report.outcomes.append(outcome)
                say(f"{name:<40} {_told(outcome)}")
        finally:
            self._going = False
            for result in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(result, BaseException):
                    raise result
        tally = self.model.tally
        report.seconds = time.monotonic() - began
        report.reads, report.writes, report.wrong = tally.reads, tally.writes, tally.wrong
        report.refused_reads, report.refused_writes = tally.refused_reads, tally.refused_writes
        report.stalest_s = tally.stalest_s
        report.restarts = {"server": self.site.web.restarts, "worker": self.site.worker.restarts}
        report.lost = await self._lost()
        report.check = await self._checked()
        return report

    async def _break(self, name: str) -> Outcome:
        tally, outcome = self.model.tally, Outcome(name)
        reads, writes, wrong = tally.reads, tally.writes, len(tally.wrong)
        began = time.monotonic()
        try:
            await BREAKAGES[name](self.site)
        except NotHere as why:
            outcome.skipped = str(why)
            return outcome
        ended = time.monotonic()
        tally_reads, tally_writes = tally.good_reads, tally.good_writes
        outcome.recovered = await self._until(
            lambda: bool(tally_reads and tally_reads[-1] > ended and tally_writes and tally_writes[-1] > ended),
            RECOVERY_S,
        )
        both = [next((t for t in times if t > ended), time.monotonic()) for times in (tally_reads, tally_writes)]
        outcome.recovery_s = max(both) - ended
        with suppress(TimeoutError):
            await answering(self.site, RECOVERY_S)
        times = [began, *(t for t in tally_reads if t > began), time.monotonic()]
        outcome.outage_s = max(after - before for before, after in itertools.pairwise(times))
        outcome.reads, outcome.writes = tally.reads - reads, tally.writes - writes
        outcome.wrong = len(tally.wrong) - wrong
        return outcome

    async def _until(self, condition: Any, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.02)
        return True

    async def _write(self, number: int) -> None:
        mine = self.model.slots[number * SLOTS_EACH : (number + 1) * SLOTS_EACH]
        turns = itertools.cycle(mine)
        async with httpx.AsyncClient(base_url=self.site.url, timeout=10, headers=self._tokens[number]) as client:
            while self._going:
                slot = next(turns)
                slot.begun += 1
                version = slot.begun
                if await self._put(client, slot, version):
                    slot.acknowledge(time.time(), version)
                    self.model.tally.writes += 1
                    self.model.tally.good_writes.append(time.monotonic())
                else:
                    self.model.tally.refused_writes += 1
                await asyncio.sleep(WRITE_PAUSE_S)

    async def _put(self, client: httpx.AsyncClient, slot: Slot, version: int) -> bool:
        body: dict[str, Any] = {"title": slot.title(version), "tags": slot.tags(version)}
        try:
            if slot.address:
                return (await client.patch(slot.address, json=body)).status_code == 200
            answer = await client.post("/api/v1/content/regular", json={**body, "external_id": f"slot-{slot.number}"})
        except httpx.HTTPError:
            return False
        if answer.status_code == 201:
            slot.address = answer.headers["location"]
        elif answer.status_code == 409:  # it was stored, and the answer lost
            item = await self.site.sql("SELECT id FROM content_items WHERE external_id = $1", f"slot-{slot.number}")
            slot.address = f"/api/v1/content/regular/{item}"
        return answer.status_code == 201

    async def _read(self, number: int) -> None:
        questions = itertools.cycle([*self.model.slots, "even", "odd"])
        for _ in range(number * 4):
            next(questions)
        async with httpx.AsyncClient(base_url=self.site.url, timeout=10) as client:
            while self._going:
                asked = next(questions)
                tag = f"slot-{asked.number}" if isinstance(asked, Slot) else asked
                at, times_are_true = time.time(), self.site.times_are_true
                try:
                    answer = await client.get(f"{URL}?tags_all={tag}&page_size=100")
                except httpx.HTTPError:
                    self.model.tally.refused_reads += 1
                    await asyncio.sleep(READ_PAUSE_S)
                    continue
                if answer.status_code == 200:
                    slot = asked if isinstance(asked, Slot) else None
                    body = answer.json()
                    if not (times_are_true and self.site.times_are_true):
                        body["as_of"] = EVER  # then only how old an answer may be is held against it
                    if (body.get("_cache_age_seconds") or 0) < 0:
                        self.model.tally.wrong.append(f"an age below nothing: {body['_cache_age_seconds']}")
                    self.model.check(body, at, slot, asked if isinstance(asked, str) else None)
                    self.model.tally.reads += 1
                    self.model.tally.good_reads.append(time.monotonic())
                else:
                    self.model.tally.refused_reads += 1
                    if answer.status_code not in {500, 502, 503, 504}:
                        self.model.tally.wrong.append(f"{answer.status_code} to {tag}: {answer.text[:200]}")
                await asyncio.sleep(READ_PAUSE_S)

    async def _lost(self) -> list[str]:
        """Acknowledged versions that the tables do not have."""
        lost = []
        for slot in self.model.slots:
            sql = "SELECT title FROM content_items WHERE external_id = $1"
            title = str(await self.site.sql(sql, f"slot-{slot.number}"))
            version = int(title.rpartition(" ")[2]) if title.startswith("slot ") else -1
            if not slot.acknowledged <= version <= slot.begun:
                lost.append(f"slot {slot.number}: acknowledged {slot.acknowledged}, stored {title}")
        return lost

    async def _checked(self) -> dict[str, Any]:
        """What `pinakes check --full` finds at the end."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "pinakes.cli.main", "check", "--full", "--json",
            env={**os.environ, **self.site.settings.environment()}, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        told: dict[str, Any] = json.loads((await process.communicate())[0] or b"{}")
        return told


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _told(outcome: Outcome) -> str:
    if outcome.skipped is not None:
        return f"SKIPPED: {outcome.skipped}"
    state = "" if outcome.recovered else "DID NOT COME BACK "
    figures = f"outage {outcome.outage_s:5.1f} s, back after {outcome.recovery_s:5.1f} s"
    return f"{state}{figures}, {outcome.reads:5} reads, {outcome.writes:4} writes, {outcome.wrong} wrong"


def _summary(report: Report) -> str:
    broken = [outcome for outcome in report.outcomes if outcome.skipped is None]
    outage = max((outcome.outage_s for outcome in broken), default=0.0)
    recovery = max((outcome.recovery_s for outcome in broken), default=0.0)
    lines = [
        f"{report.seconds:.0f} s, {len(broken)} faults of {HOLD_S:.0f} s or more",
        f"answered: {report.reads:,} reads ({report.reads / report.seconds:.0f}/s),"
        f" {report.writes:,} writes ({report.writes / report.seconds:.0f}/s);"
        f" refused: {report.refused_reads:,} and {report.refused_writes:,}",
        f"wrong answers {len(report.wrong)}, acknowledged writes lost {len(report.lost)},"
        f" oldest answer {report.stalest_s:.2f} s",
        f"longest outage {outage:.1f} s, slowest to come back {recovery:.1f} s",
        f"check of the whole installation at the end: {report.check.get('wrong')} wrong",
        *(f"  {text}" for text in [*report.wrong[:10], *report.lost[:10]]),
    ]
    return "\n".join(["", *lines, ""])


async def main() -> int:
    """All faults, or those asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", choices=list(BREAKAGES), help="this fault; may be repeated")
    parser.add_argument("--json", type=Path, default=Path("chaos.json"), help="where the report is written")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="pk-chaos-"))
    folder.chmod(0o755)
    mounted = _small_disk(folder)
    try:
        async with installation(folder, **SETTINGS) as site:
            report = await Chaos(site).run(arguments.only or list(BREAKAGES), _say)
    finally:
        if mounted:
            subprocess.run(["umount", "-l", folder], check=False)  # noqa: ASYNC221
        shutil.rmtree(folder, ignore_errors=True)
    arguments.json.write_text(json.dumps({**asdict(report), "good": report.good}, indent=1))
    sys.stdout.write(_summary(report))
    return 0 if report.good else 1


def _small_disk(folder: Path) -> bool:
    """A small file system for the cluster, so that it can be filled; where that may be done."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1500m", "tmpfs", folder], check=False)
    if done.returncode == 0:
        folder.chmod(0o755)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
