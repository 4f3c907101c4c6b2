"""One step: requests at a constant rate for some seconds, and what came of them.

Open loop: request n is to be sent at n / rate, whatever became of those before. Its latency counts
from then, so a server that stalls for a second is charged with every request of that second, and
with those that had to wait for a connection (there is no "coordinated omission", as Gil Tene named
it). So the generator's own lateness, its clock ticks being 1 ms, is in the figures too; `late` tells it.
"""

from __future__ import annotations

import asyncio
import gc
import math
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from pinakes.bench.load.client import Client, Sent

PATIENCE_S = 5.0


@dataclass(slots=True)
class Step:
    """What came of one rate. Latencies and lateness are in milliseconds."""

    rate: float
    seconds: float
    sent: int = 0
    errors: int = 0
    took_s: float = 0.0
    latencies: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    caches: Counter[str] = field(default_factory=Counter)

    @property
    def achieved(self) -> float:
        """Good answers a second, until the last of them."""
        return len(self.latencies) / self.took_s if self.took_s else 0.0

    def quantile(self, share: float) -> float:
        """Milliseconds that `share` of the requests did not exceed; one that failed took for ever."""
        return quantile(self.latencies, share, of=self.sent)

    def held(self, limit_ms: float) -> bool:
        """Whether every request was answered, 99 of 100 within `limit_ms`, and as fast as they came."""
        return not self.errors and self.quantile(0.99) <= limit_ms and self.achieved >= 0.98 * self.rate

    def disturbed(self, limit_ms: float) -> bool:
        """Whether the generator itself was so late that the step says nothing about the server."""
        return quantile(self.late, 0.99, of=len(self.late)) > limit_ms / 2 if self.late else False

    def as_dict(self) -> dict[str, Any]:
        """As figures, for JSON."""
        shares = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99, "p999_ms": 0.999}
        return {
            "rate": round(self.rate),
            "achieved": round(self.achieved),
            "sent": self.sent,
            "errors": self.errors,
            **{name: _finite(self.quantile(share)) for name, share in shares.items()},
            "max_ms": _finite(self.quantile(1.0)),
            "late_p99_ms": round(quantile(self.late, 0.99, of=len(self.late)), 2) if self.late else None,
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "caches": dict(sorted(self.caches.items())),
        }


def quantile(values: list[float], share: float, *, of: int) -> float:
    """The value that `share` of `of` values do not exceed; values that are missing are infinite."""
    rank = max(math.ceil(share * of - 1e-9), 1)
    return sorted(values)[rank - 1] if rank <= len(values) else math.inf


def _finite(value: float) -> float | None:
    return round(value, 2) if math.isfinite(value) else None


def arrivals(rate: float, seconds: float, rng: random.Random | None) -> Iterator[float]:
    """When requests are to be sent, in seconds from the start: evenly, or with `rng` at random (Poisson)."""
    at = 0.0
    for number in range(round(rate * seconds)):
        yield number / rate if rng is None else at
        if rng is not None:
            at += rng.expovariate(rate)


async def run_step(
    url: str,
    requests: Callable[[], bytes],
    *,
    rate: float,
    seconds: float,
    connections: int,
    rng: random.Random | None = None,
    on_done: Callable[[Sent], None] = lambda _: None,
) -> Step:
    """Sends what `requests` gives next, at `rate` a second for `seconds`.

    Raises:
        OSError: the server takes no connections.
    """
    step = Step(rate, seconds)

    def done(request: Sent) -> None:
        step.statuses[request.status] += 1
        if 200 <= request.status < 400:
            step.latencies.append((request.done - request.intended) * 1000)
            step.caches[request.cache] += 1
        else:
            step.errors += 1
        on_done(request)

    client = Client(url, connections, done)
    await client.open()
    collects = gc.isenabled()
    gc.disable()  # a collection of this process would look like a pause of the server
    try:
        began = await _send(client, requests, step, rng)
        deadline = perf_counter() + PATIENCE_S
        # An event would be set and cleared by every request.
        while client.under_way and perf_counter() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.002)
        step.took_s = max(seconds, perf_counter() - began - 0.002)
    finally:
        client.give_up()
        if collects:
            gc.enable()
    await asyncio.sleep(0)
    step.errors = step.sent - len(step.latencies)
    return step


async def _send(client: Client, requests: Callable[[], bytes], step: Step, rng: random.Random | None) -> float:
    """Sends everything; when it began."""
    began = perf_counter() + 0.02
    now = perf_counter()
    for due in arrivals(step.rate, step.seconds, rng):
        at = began + due
        if at > now:
            now = perf_counter()
            if at > now:
                await asyncio.sleep(at - now)
                now = perf_counter()
        step.late.append(max(now - at, 0.0) * 1000)
        client.send(Sent(requests(), at))
        step.sent += 1
    return began
