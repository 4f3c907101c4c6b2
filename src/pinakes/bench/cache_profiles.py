"""Hit rates of the strategies where none may give anything older than the budget.

Two kinds of traffic: writes spread over tags, and writes that all touch the one tag every question
has, where clocks gain nothing by themselves. At equal staleness `ttl` lives as long as the budget;
`hybrid` lets feeds live as long and judges the rest by clocks; `event` judges all by clocks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from pinakes.bench.cache_check import Check, Load, questions
from pinakes.cache.options import Options
from pinakes.settings import Settings

SECONDS, WRITES_PER_S, READS_PER_S = 12.0, 5.0, 300.0


def strategies(settings: Settings) -> dict[str, Options]:
    """Options by strategy, none of which gives an answer older than the budget."""
    budget_s = max(settings.cache_budget_ms // 1000, 1)
    plain = Options.of(settings)
    short = replace(plain, ttl_s=budget_s, ttl_jitter=0.0)
    return {
        "ttl": replace(short, strategy="ttl", ttl_tagged_s=budget_s),
        "hybrid": replace(short, strategy="hybrid"),
        "event": replace(plain, strategy="event"),
    }


async def profiles(
    settings: Settings, flush: Callable[[], Awaitable[None]], say: Callable[[str], None], seconds: float = SECONDS
) -> dict[str, Any]:
    """The figures by traffic and strategy; `flush` empties Redis before each."""
    settings = settings.model_copy(update={"engine": "base"})
    told: dict[str, Any] = {}
    for hot in (False, True):
        for name, options in strategies(settings).items():
            await flush()
            check = Check(settings, options, questions(hot=hot), seed=3)
            load = Load(reads=10**9, writes_per_s=WRITES_PER_S, reads_per_s=READS_PER_S, hot=hot, seconds=seconds)
            outcome = await check.run(load)
            where = "every write touches every question" if hot else "writes spread over tags"
            told[f"{where}: {name}"] = {
                "hit_rate": round(outcome.hit_rate, 3),
                "stalest_ms": round(outcome.stalest_ms),
                "wrong": outcome.wrong,
                "beyond_budget": outcome.beyond_budget,
            }
            say(f"{where}: {name}: {outcome.hit_rate:.1%} hits, stalest {outcome.stalest_ms:.0f} ms")
    return told
