"""A gallery too large for whole rows: filled, indexed and measured with engine `index`, each step done once.

    figures = await Slim(database_url, items, folder, say, progress).run()

What is slimmed is said by `scale_gallery`: rows of the read model only, with short texts; no tables of
content and taggings, no GIN, no orders, of its indexes only those on document number and key. So no other
engine can answer in bearable time, and who is right is decided otherwise: every page is held to the
question and the order, and some totals are counted by reading the whole read model, one scan each.

Steps are noted in `slim-<items>.json` as they end. A run that was interrupted goes on behind the last one;
building and measuring also go on where they stopped inside. Fifty million items take some 20 GB.
"""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import psutil

from pinakes import child
from pinakes.bench import figures, scale_gallery
from pinakes.bench.contest import Contest, Progress, Rules
from pinakes.bench.contestant import Say
from pinakes.bench.draw import Ask, draw
from pinakes.bench.engine_contestants import EngineContestant
from pinakes.bench.facts import read_facts
from pinakes.bench.generator.vocabulary import Vocabulary
from pinakes.bench.journal import Journal
from pinakes.bench.machine import Load, machine, revision, versions
from pinakes.bench.verdict import Judge
from pinakes.bench.workload import load_workload
from pinakes.engines import matview_sql
from pinakes.errors import SettingsError
from pinakes.index.build import build
from pinakes.index.part import connect
from pinakes.index.status import read_status
from pinakes.settings import Settings, load_settings
from pinakes.store.compiler import Compiler
from pinakes.store.queries import load
from pinakes.view.session import session

FORMAT = "slim 1"
_APART = 8
_AMONG = 150
_LOOK_S = 0.5
_MB = 1 << 20
_SQL = load("scale_gallery", "pinakes.bench.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class SlimPlan:
    """What is asked of it. `counted`: so many totals are also counted by reading everything."""

    items: int
    processes: int = 2
    queries: int = 300
    rounds: int = 3
    cold: int = 50
    counted: int = 12
    seed: int = 1
    timeout_s: float = 20.0


class Slim:
    """One size in one database; figures and journal are in `folder`."""

    def __init__(self, database_url: str, plan: SlimPlan, folder: Path, say: Say, progress: Progress) -> None:
        self._url = database_url
        self._plan = plan
        self._folder = folder
        self._say = say
        self._progress = progress
        self._note = folder / f"slim-{plan.items}.json"

    async def run(self) -> dict[str, Any]:
        """All steps that are not done yet; the figures of all of them.

        Raises:
            SettingsError: the folder's figures are of another plan.
        """
        told = self._read()
        steps: dict[str, Callable[[], Awaitable[dict[str, Any]]]] = {
            "filled": self._fill, "built": self._build, "measured": self._measure,
        }  # fmt: skip
        for name, step in steps.items():
            if name in told:
                continue
            self._say(f"Slim gallery of {self._plan.items:,}: to be {name}")
            told[name] = await step()
            self._note.write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n")
        return told

    def _read(self) -> dict[str, Any]:
        begun = {
            "format": FORMAT, "plan": asdict(self._plan), "machine": machine(), "versions": versions(),
            "revision": revision(), "began": datetime.now(UTC).isoformat(timespec="seconds"),
        }  # fmt: skip
        if not self._note.exists():
            return begun
        found: dict[str, Any] = orjson.loads(self._note.read_bytes())
        if found["plan"] != begun["plan"]:
            raise SettingsError(f"{self._note} holds figures of another plan.", hint="Choose another --folder.")
        return found

    async def _fill(self) -> dict[str, Any]:
        plan = self._plan
        async with _watched() as seen:
            took = await scale_gallery.make(
                self._url, plan.items, processes=plan.processes, peer_indexes=False, progress=self._progress
            )
        rate = round(plan.items / took["rows"])
        return {"seconds": took, "rows_a_second": rate, **await self._bytes(), **seen.as_dict()}

    async def _build(self) -> dict[str, Any]:
        async with _watched() as seen:
            built = await build(
                self._url, processes=self._plan.processes, progress=lambda done, of: self._progress("index", done, of)
            )
        connection = await connect(self._url)
        try:
            status = await read_status(connection)
        finally:
            await connection.close()
        fields = {each.field: asdict(each) for each in status.generations[-1].fields}
        whole = sum(each["bytes"] for each in fields.values())
        tags = fields["tag"]
        return {
            "seconds": round(built.seconds, 1),
            "items_a_second": round(built.docs / built.seconds),
            "resumed": built.resumed,
            "bytes_an_item": round(whole / built.docs, 2),
            "bytes_a_tagging": round(tags["bytes"] / tags["members"], 3),
            "taggings": tags["members"],
            "fields": fields,
            **await self._bytes(),
            **seen.as_dict(),
        }

    async def _measure(self) -> dict[str, Any]:
        """In a process of its own, so that its memory is a worker's."""
        with child.spawning().Pool(1) as pool:
            asked, totals = await asyncio.to_thread(
                pool.apply, _measured, (self._url, self._plan, str(self._folder / "journal.jsonl"))
            )
        return {**asked, "scans": await self._scans(totals)}

    async def _scans(self, totals: dict[int, int]) -> list[dict[str, Any]]:
        """Some totals, counted by reading every row. Without questions for words: cutting all texts takes hours."""
        asks = [ask for ask in await _asks(self._url, self._plan) if ask.kind not in ("text", "nothing")]
        asks = asks[: self._plan.counted]
        told = []
        connection = await connect(self._url)
        try:
            for place, ask in enumerate(asks):
                self._progress("counting by reading everything", place, len(asks))
                compiler = Compiler()
                sql = matview_sql.count(compiler, ask.formula)
                began = time.perf_counter()
                counted = await connection.fetchval(sql, *compiler.values)
                spent = round(time.perf_counter() - began, 2)
                told.append({"text": ask.text, "total": totals[ask.number], "counted": counted, "seconds": spent})
        finally:
            await connection.close()
        return told

    async def _bytes(self) -> dict[str, Any]:
        connection = await connect(self._url)
        try:
            return {"bytes": dict(await connection.fetchrow(_SQL["slim_bytes"]) or {})}
        finally:
            await connection.close()


@dataclass(slots=True)
class _Seen:
    """What was seen of the machine meanwhile: load, and the memory of all our processes."""

    load: Load
    peak: int = 0

    def look(self) -> None:
        self.load.look()
        held = 0
        for process in psutil.Process().children(recursive=True):
            try:
                held += process.memory_info().rss if "python" in process.name() else 0
            except psutil.NoSuchProcess:
                continue
        self.peak = max(self.peak, held)

    def as_dict(self) -> dict[str, Any]:
        return {"load": self.load.as_dict(), "processes_peak_mb": round(self.peak / _MB)}


@asynccontextmanager
async def _watched() -> AsyncIterator[_Seen]:
    seen = _Seen(Load())

    async def watch() -> None:
        while True:
            seen.look()
            await asyncio.sleep(_LOOK_S)

    watching = asyncio.create_task(watch())
    try:
        yield seen
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def _asks(url: str, plan: SlimPlan) -> list[Ask]:
    """The questions; which tags never meet is known from the law, since asking would read every row."""
    vocabulary = Vocabulary(scale_gallery.TAGS)
    number = {name: place + 1 for place, name in enumerate(vocabulary.names)}
    apart = tuple((number[one], number[other]) for one, other in vocabulary.never_meet(_AMONG)[:_APART])
    async with session(load_settings(database_url=url), "pinakes bench") as connection:
        return draw(load_workload(), await read_facts(connection, apart), plan.seed, plan.queries)


def _measured(url: str, plan: SlimPlan, journal: str) -> tuple[dict[str, Any], dict[int, int]]:
    return asyncio.run(_contest(load_settings(database_url=url), url, plan, Path(journal)))


async def _contest(settings: Settings, url: str, plan: SlimPlan, path: Path) -> tuple[dict[str, Any], dict[int, int]]:
    asks = await _asks(url, plan)
    journal = Journal(path, {"format": FORMAT, **asdict(plan)}, resume=True)
    contestant = EngineContestant("index", settings, int(plan.timeout_s * 1000))
    judge, load_seen = Judge(), Load()
    before = _peak_mb()
    memory: dict[str, int] = {}

    def look(what: str, _done: int, _of: int) -> None:
        load_seen.look()
        # The most so far when each phase goes on: the last look of a phase stands.
        memory[what] = _peak_mb()

    rules = Rules(seed=plan.seed, rounds=plan.rounds, cold=plan.cold, share_s=float("inf"))
    contest = Contest([contestant], asks, rules, judge, journal, look)
    try:
        await contest.run()
    finally:
        await contestant.close()
        journal.close()
    told = figures.of_contestant(journal.find("answer"), contest.asks)
    told |= {
        "worker_mb": {"at_first": before, "most": max(memory.values()), "phases": memory},
        "index_memory_mb": round(settings.index_memory_bytes() / _MB),
        "judged": judge.checked["index"],
        "wrong": judge.wrong["index"],
        "load": load_seen.as_dict(),
    }
    return told, contest.totals


def _peak_mb() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
