"""The ladder: rates that grow until the answers are no longer quick, then the edge between.

A rate is held if every request was answered, 99 of 100 within the limit, and 98 of 100 in the time.
One that is not is tried once more, and up to `TRIES` times while the generator itself was late, which is
the machine's doing and says nothing about the server. Then the gap to the last one held is halved
`HALVINGS` times.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from pinakes.bench.load.step import Step

GROWTH = 1.5
HALVINGS = 2
TRIES = 4
MAX_RATE = 200_000.0

Run = Callable[[float], Awaitable[Step]]


@dataclass(slots=True)
class Ladder:
    """The steps in the order they were run. `best`: the highest rate held, None if none was."""

    limit_ms: float
    steps: list[Step] = field(default_factory=list)
    best: Step | None = None

    def as_dict(self) -> dict[str, Any]:
        """As figures, for JSON."""
        steps = [
            {**step.as_dict(), "held": step.held(self.limit_ms), "disturbed": step.disturbed(self.limit_ms)}
            for step in self.steps
        ]
        return {"limit_ms": self.limit_ms, "best_rate": round(self.best.rate) if self.best else None, "steps": steps}


async def climb(run: Run, start: float, limit_ms: float, on_step: Callable[[Step], None] = lambda _: None) -> Ladder:
    """Climbs from `start` requests a second by a half each time."""
    ladder = Ladder(limit_ms)

    async def holds(rate: float) -> bool:
        for number in range(TRIES):
            step = await run(rate)
            ladder.steps.append(step)
            on_step(step)
            if step.held(limit_ms):
                if ladder.best is None or step.rate > ladder.best.rate:
                    ladder.best = step
                return True
            if number and not step.disturbed(limit_ms):
                break
        return False

    rate = start
    while rate <= MAX_RATE and await holds(rate):
        rate *= GROWTH
    low, high = (ladder.best.rate if ladder.best is not None else 0.0), rate
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if await holds(middle):
            low = middle
        else:
            high = middle
    return ladder
