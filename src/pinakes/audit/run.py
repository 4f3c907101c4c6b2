"""Running the check: part after part, range after range, no faster than allowed, from where it was left.

`pace` is the share of the time that is worked: after a range that took a second, 0.25 rests for three.
After every range the progress is written to a file, if one is given, so a check that was ended goes on
there; findings made before are kept. A part that was wrong and put right is checked once more.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from pinakes.audit import answers, derived, rows, schema, segments
from pinakes.audit.part import Finding, Part, Skipped, Step, Subject
from pinakes.errors import MissingRow, SettingsError

MOST_FINDINGS = 1000
"""Kept for each part; more are counted only."""

PARTS: tuple[Part, ...] = (
    Part("schema", "everything the schema declares is there and in use", schema.schema, schema.mend),
    Part("orphans", "every tagging has its item and tag, every item its creator", rows.orphans),
    Part("tag-counts", "the count of every tag is the number of its taggings", rows.counts, rows.correct),
    Part("endings", "every name has its endings, and no others", derived.endings, derived.make_endings),
    Part("change-log", "the log has every epoch since its first", derived.change_log, derived.fill_log),
    Part("read-model", "every row is what its definition says", rows.read_model, rows.apply_anew),
    Part("index", "bitmaps and cardinalities say what the read model says", segments.segments, segments.build_anew),
    Part("engines", "all engines give the same answers", answers.engines),
    Part("cache", "stored answers are what would be computed now", answers.cached, answers.forget_all),
    Part("clocks", "no clock is older than the last change of its term", answers.clocks, answers.forget_all),
)
NAMES = tuple(part.name for part in PARTS)


@dataclass(slots=True)
class Verdict:
    """What became of one part."""

    part: str
    holds: str
    checked: int = 0
    wrong: int = 0
    findings: list[Finding] = field(default_factory=list)
    skipped: str | None = None
    repaired: str | None = None
    seconds: float = 0.0
    finished: bool = False
    next: Any = None

    def take(self, step: Step) -> None:
        """Adds what a step found."""
        self.next = step.next
        self.checked += step.checked
        self.wrong += len(step.findings)
        self.findings += step.findings[: max(MOST_FINDINGS - len(self.findings), 0)]


OnStep = Callable[[str, int, int], None]


@dataclass(slots=True)
class Audit:
    """One check of an installation."""

    subject: Subject
    parts: tuple[str, ...] = NAMES
    pace: float = 1.0
    repair: bool = False
    progress_file: Path | None = None
    on_step: OnStep = lambda _part, _done, _total: None

    async def run(self) -> list[Verdict]:
        """Checks every part that is asked for, and puts right what is wrong if that is asked for.

        Raises:
            SettingsError: the progress file is of another check.
            StoreError: the database cannot be asked.
        """
        verdicts = self._left()
        for part in PARTS:
            if part.name not in self.parts:
                continue
            verdict = verdicts.setdefault(part.name, Verdict(part.name, part.holds))
            if not verdict.finished:
                await self._check(part, verdict, verdicts)
            if verdict.wrong and self.repair and part.repair is not None:
                verdicts[part.name] = await self._put_right(part, verdict, verdicts)
        if self.progress_file is not None:
            self.progress_file.unlink(missing_ok=True)
        return [verdicts[name] for name in NAMES if name in verdicts]

    async def _check(self, part: Part, verdict: Verdict, verdicts: dict[str, Verdict]) -> None:
        began = time.monotonic()
        try:
            async for step in part.steps(self.subject, verdict.next):
                verdict.take(step)
                took, began = time.monotonic() - began, time.monotonic()
                verdict.seconds += took
                self.on_step(part.name, step.done, step.total)
                self._keep(verdicts)
                await asyncio.sleep(took * (1 / self.pace - 1))
                began = time.monotonic()
        except Skipped as skipped:
            verdict.skipped = str(skipped)
        except MissingRow as missing:
            if not (verdicts.get("schema") or verdict).wrong:
                raise
            verdict.skipped = missing.detail
        verdict.finished = True
        self._keep(verdicts)

    async def _put_right(self, part: Part, verdict: Verdict, verdicts: dict[str, Verdict]) -> Verdict:
        assert part.repair is not None
        done = await part.repair(self.subject, verdict.findings)
        again = Verdict(part.name, part.holds, repaired=f"{verdict.wrong:,} wrong; {done}")
        await self._check(part, again, verdicts)
        return again

    def _keep(self, verdicts: dict[str, Verdict]) -> None:
        if self.progress_file is None:
            return
        kept = {"parts": self.parts, "full": self.subject.full, "verdicts": [asdict(v) for v in verdicts.values()]}
        beside = self.progress_file.with_suffix(".new")
        beside.write_bytes(orjson.dumps(kept))
        beside.replace(self.progress_file)

    def _left(self) -> dict[str, Verdict]:
        """The verdicts of a check that did not end."""
        if self.progress_file is None or not self.progress_file.exists():
            return {}
        try:
            kept = orjson.loads(self.progress_file.read_bytes())
            same = (kept["parts"], kept["full"]) == (list(self.parts), self.subject.full)
            found = [
                Verdict(**{**told, "findings": [Finding(**each) for each in told["findings"]]})
                for told in kept["verdicts"]
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise SettingsError(f"{self.progress_file} holds no progress of a check", hint="Delete it.") from error
        if not same:
            raise SettingsError(
                f"{self.progress_file} is of a check of other parts", hint="Ask for the same parts, or delete it."
            )
        return {verdict.part: verdict for verdict in found}


def subject_of(settings: Any, pool: Any, service: Any, *, full: bool, seed: int) -> Subject:
    """What is checked, with chance of its own."""
    return Subject(settings, pool, service, full, random.Random(seed))  # noqa: S311 - to choose samples
