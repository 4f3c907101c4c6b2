"""What one answer took: the time of each stage, and what was looked at to find it.

A trace costs a clock reading a stage and is kept for whoever asks for it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from pinakes.index.work import Work


@dataclass(slots=True)
class Trace:
    """Where the time of one answer went, in milliseconds, and what it took.

    `detailed`: also what takes time to count. `rechecked`: documents whose rows were looked at because
    bitmaps could not decide. `facts`: what else an engine tells.
    """

    detailed: bool = False

    stages: dict[str, float] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    work: Work = field(default_factory=Work)
    rechecked: int = 0
    _since: float = field(default_factory=time.perf_counter)

    def mark(self, stage: str) -> None:
        """`stage` ends here."""
        now = time.perf_counter()
        self.stages[stage] = self.stages.get(stage, 0.0) + (now - self._since) * 1000
        self._since = now

    def figures(self) -> dict[str, Any]:
        """All of it as plain values: `stages_ms`, `operands` by term, `visits` by kind, what was loaded."""
        work = self.work
        return {
            "stages_ms": {stage: round(ms, 3) for stage, ms in self.stages.items()},
            "operands": work.operands,
            "visits": work.visits(),
            "loaded": sorted(set(work.loaded)),
            "segments_loaded": work.segments,
            "rounds": work.rounds,
            "rechecked": self.rechecked,
            **self.facts,
        }
