"""A measurement from beginning to end: for each size the gallery, the contestants, the contest; then the results.

    results = await measure(settings, plan, folder, say, progress)

`folder` keeps the journal of each size and the files of peers, so that a measurement interrupted at
any moment goes on with `resume`. Results are one JSON document; docs/benchmarks.md explains it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pinakes.bench import figures
from pinakes.bench.contest import Contest, Progress, Rules
from pinakes.bench.contestant import Contestant, Prepared, Say, Unavailable
from pinakes.bench.draw import Ask, draw
from pinakes.bench.engine_contestants import WHAT, EngineContestant
from pinakes.bench.facts import Facts, Size, read_facts, read_server
from pinakes.bench.following import bursts
from pinakes.bench.gallery import BenchGallery, Law
from pinakes.bench.journal import Journal
from pinakes.bench.machine import Load, machine, revision, versions
from pinakes.bench.peers.registry import PEERS, make_peer
from pinakes.bench.refreshes import measure_refreshes, projection
from pinakes.bench.verdict import ORACLE_ITEMS, Judge
from pinakes.bench.workload import Workload
from pinakes.bench.writes import RATE, Writes
from pinakes.errors import SettingsError
from pinakes.settings import Settings
from pinakes.view.session import session

FORMAT = 1
ENGINES: tuple[str, ...] = tuple(WHAT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is measured. `items`: sizes to generate, rising; empty: the gallery as it is, with `files` imported."""

    workload: Workload
    items: tuple[int, ...] = ()
    files: tuple[Path, ...] = ()
    law: Law = field(default_factory=Law)
    engines: tuple[str, ...] = ENGINES
    peers: tuple[str, ...] = PEERS
    queries: int = 200
    rounds: int = 3
    cold: int = 30
    share_s: float = 120.0
    timeout_s: float = 20.0
    oracle_items: int = ORACLE_ITEMS
    writes: int = 0
    """So many items are written, changed and deleted in each way, after the questions; 0: none."""
    rate: int = RATE
    """Items made a second while it is timed how soon they are visible; part of `writes`."""
    burst: int = 0
    """So many items are changed at once, and it is timed how soon all are visible; 0: none."""
    refreshes: bool = False
    resume: bool = False

    def as_dict(self) -> dict[str, Any]:
        """For results and journals: what another run must repeat to be comparable."""
        return {
            "workload": self.workload.as_dict(),
            "files": [path.name for path in self.files],
            "law": asdict(self.law),
            "engines": list(self.engines),
            "peers": list(self.peers),
            "queries": self.queries,
            "rounds": self.rounds,
            "cold": self.cold,
            "share_s": self.share_s,
            "timeout_s": self.timeout_s,
            "writes": self.writes,
            "rate": self.rate,
            "burst": self.burst,
            "refreshes": self.refreshes,
        }


class Measurement:
    """One measurement on one database."""

    def __init__(self, settings: Settings, plan: Plan, folder: Path, say: Say, progress: Progress) -> None:
        self._settings = settings
        self._plan = plan
        self._folder = folder
        self._say = say
        self._progress = progress
        self._gallery = BenchGallery(settings, folder, say)
        self._load = Load()

    async def run(self) -> dict[str, Any]:
        """The results.

        Raises:
            SettingsError: the gallery here is not one that may be measured so, or nobody can take part.
        """
        plan = self._plan
        began = datetime.now(UTC)
        scales = []
        for items in plan.items or (None,):
            if items is not None:
                await self._gallery.generate(
                    items, plan.law, lambda done, of: self._progress("generating items", done, of)
                )
            else:
                await self._gallery.take_in(list(plan.files))
            scales.append(await self._scale())
        async with session(self._settings, "pinakes bench") as connection:
            server = await read_server(connection)
        return {
            "format": FORMAT,
            "began": began.isoformat(timespec="seconds"),
            "ended": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": machine(),
            "load": self._load.as_dict(),
            "versions": versions(),
            "postgresql": server,
            "revision": revision(),
            "plan": plan.as_dict(),
            "projection": projection(scales),
            "scales": scales,
        }

    async def _scale(self) -> dict[str, Any]:
        """One size of the gallery."""
        plan = self._plan
        size = await self._gallery.size()
        async with session(self._settings, "pinakes bench") as connection:
            facts = await read_facts(connection)
        asks = draw(plan.workload, facts, plan.law.seed, plan.queries)
        contestants, prepared, skipped = await self._contestants()
        journal = Journal(
            self._folder / f"journal-{size.items}.jsonl",
            {"format": FORMAT, "items": size.items, **plan.as_dict()},
            resume=plan.resume,
        )
        judge = Judge(await self._gallery.all_items() if size.items <= plan.oracle_items else None)
        rules = Rules(seed=plan.law.seed, rounds=plan.rounds, cold=plan.cold, share_s=plan.share_s)
        contest = Contest(contestants, asks, rules, judge, journal, self._watched)
        try:
            try:
                await contest.run()
            finally:
                # Also drops their own indexes, which writes would pay for.
                for contestant in contestants:
                    await contestant.close()
            told = _scale_figures(contest, size, facts, prepared, skipped)
            if plan.refreshes and size.has_tables:
                told["refreshes"] = await measure_refreshes(self._settings, journal, self._say)
            if plan.writes and size.has_tables:
                writes = Writes(self._settings, plan.writes, plan.law.seed, journal, self._say)
                told["writes"] = await writes.run(plan.rate)
            if plan.burst and size.has_tables:
                told["bursts"] = await bursts(self._settings, min(plan.burst, size.items // 2), journal, self._say)
            return told
        finally:
            journal.close()

    def _watched(self, what: str, done: int, of: int) -> None:
        self._load.look()
        self._progress(what, done, of)

    async def _contestants(self) -> tuple[list[Contestant], dict[str, Prepared], list[dict[str, str]]]:
        """Who takes part, with what each needed; and who does not, with the reason."""
        plan, timeout_ms = self._plan, int(self._plan.timeout_s * 1000)
        present: list[Contestant] = []
        prepared: dict[str, Prepared] = {}
        skipped: list[dict[str, str]] = []
        for kind, name in (*(("engine", name) for name in plan.engines), *(("peer", name) for name in plan.peers)):
            contestant: Contestant | None = None
            try:
                if kind == "engine":
                    contestant = EngineContestant(name, self._settings, timeout_ms)  # type: ignore[arg-type]
                else:
                    contestant = make_peer(name, self._settings, timeout_ms, self._folder)
                prepared[contestant.name] = await contestant.prepare(self._say)
                present.append(contestant)
            except Unavailable as reason:
                self._say(f"{name} is left out: {reason}")
                skipped.append({"name": name, "reason": str(reason)})
                if contestant is not None:
                    await contestant.close()
        if not present:
            raise SettingsError("No engine and no peer can take part.")
        return present, prepared, skipped


def _scale_figures(
    contest: Contest, size: Size, facts: Facts, prepared: dict[str, Prepared], skipped: list[dict[str, str]]
) -> dict[str, Any]:
    """Everything known about one size."""
    entries = contest.journal.find("answer")
    judge = contest.judge
    told = []
    for contestant in contest.contestants:
        name = contestant.name
        told.append(
            {
                "name": name,
                "kind": contestant.kind,
                "what": contestant.what,
                "prepared": asdict(prepared[name]),
                "checked": judge.checked[name],
                "wrong": judge.wrong[name],
                **figures.of_contestant([entry for entry in entries if entry["name"] == name], contest.asks),
            }
        )
    first = contest.contestants[0].name
    return {
        "gallery": asdict(size) | {"taggings_per_item": round(size.taggings / max(size.items, 1), 3)},
        "judged_by": judge.by,
        "disputed": judge.disputed,
        "wrong_examples": [asdict(fault) for fault in judge.examples],
        "apart_pairs": len(facts.apart),
        "contestants": told,
        "skipped": skipped,
        "ratios": {"to": first, **{phase: figures.ratios(entries, first, phase) for phase in ("warm", "cold")}},
        "questions": _questions(contest.asks, contest.totals),
    }


def _questions(asks: Sequence[Ask], totals: dict[int, int]) -> list[dict[str, Any]]:
    """What was asked, and the totals: equal for equal seeds."""
    return [
        {"number": ask.number, "kind": ask.kind, "place": ask.place, "text": ask.text, "total": totals.get(ask.number)}
        for ask in asks
    ]
