"""The rules: when something is worth switching on or off, and why. Anyone can read the table.

Always on, whatever the rules say: normalized tags, and queries rewritten for them (engine `base`).
The targets are p95 below 3 s and p99 below 5 s for every answer. A rule holds, does not hold, or
cannot tell (None) for lack of facts; rules are pure functions of the facts. Thresholds stand here
and nowhere else; what each tier costs stands in `cost.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from pinakes.advise.facts import Facts
from pinakes.advise.words import answers, engine, hits, items, latency, ratio, repetition, seconds, size

P95_S, P99_S = 3.0, 5.0
HIT_P99_S = 0.010
LARGE = 10_000_000
HUGE = 40_000_000
MANY_READS = 100.0
SOON_DAYS = 90.0
WORTH_CACHING = 0.10
IDLE_HITS = 0.05
INDEX_FROM = 100_000
SLOW_VIEW_S = 0.050
REFRESH_SHARE = 0.25
ENOUGH_READS = 100

Part: TypeAlias = Literal["cache", "read model", "index", "memory", "server", "nothing"]
Verdict: TypeAlias = Literal["on", "off", "change", "keep"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `when` says in words what `holds` computes; `numbers` shows the figures that decided."""

    name: str
    part: Part
    verdict: Verdict
    when: str
    then: str
    holds: Callable[[Facts], bool | None]
    numbers: Callable[[Facts], str]


def _slow_p95(f: Facts) -> bool | None:
    return f.answers.p95_s > P95_S if f.answers is not None and f.measured_enough else None


def _slow_p99(f: Facts) -> bool | None:
    return f.answers.p99_s > P99_S if f.answers is not None and f.measured_enough else None


def _targets_met(f: Facts) -> bool | None:
    slow = (_slow_p95(f), _slow_p99(f))
    if None in slow:
        return None
    return not any(slow) and f.items < LARGE and not _many_reads(f) and not _large_soon(f)


def _cache(f: Facts) -> bool | None:
    slow, late = _slow_p95(f), _slow_p99(f)
    return None if slow is None or late is None else late and not slow and not _never_again(f)


def _never_again(f: Facts) -> bool | None:
    """Nearly nothing is asked twice."""
    return f.repetition < WORTH_CACHING if f.repetition is not None and f.measured_enough else None


def _cache_idle(f: Facts) -> bool | None:
    if f.cache == "off" or f.hit_rate is None or f.reads < 10 * ENOUGH_READS:
        return None
    return f.hit_rate < IDLE_HITS and bool(_never_again(f))


def _by_time(f: Facts) -> bool | None:
    if f.cache != "event" or f.hit_rate is None or f.repetition is None or not f.measured_enough:
        return None
    return f.repetition - f.hit_rate > 0.3


def _slow_hits(f: Facts) -> bool | None:
    return f.hits.p99_s > HIT_P99_S if f.hits is not None and f.hits.count >= ENOUGH_READS else None


def _many_reads(f: Facts) -> bool | None:
    return None if f.reads_per_write is None else f.reads_per_write > MANY_READS


def _days_to_large(f: Facts) -> float | None:
    if not f.growth_per_day or f.growth_per_day <= 0 or f.items >= LARGE:
        return None
    return (LARGE - f.items) / f.growth_per_day


def _large_soon(f: Facts) -> bool | None:
    days = _days_to_large(f)
    return None if days is None else days < SOON_DAYS


def _refresh_too_long(f: Facts) -> bool | None:
    if f.policy not in ("periodic", "event") or f.refresh_s is None or not f.refresh_every_s:
        return None
    return f.refresh_s > REFRESH_SHARE * f.refresh_every_s


def _index(f: Facts) -> bool | None:
    if f.policy is None:
        return None
    if f.policy != "incremental":
        return False
    computed = f.engines.get("matview") or f.engines.get("base")
    slow = computed is not None and computed.count >= ENOUGH_READS and computed.p99_s > SLOW_VIEW_S
    return f.items >= INDEX_FROM or slow


def _nevertheless(f: Facts) -> bool | None:
    slow = (_slow_p95(f), _slow_p99(f))
    return None if None in slow else any(slow) and f.index and f.policy is not None and f.cache != "off"


def _index_memory(f: Facts) -> bool | None:
    return f.index_bytes > f.index_memory_bytes if f.index and f.index_memory_bytes else None


def _read_model_idle(f: Facts) -> bool | None:
    """Everything is small and quick from the tables, and nothing else needs epochs."""
    base = f.engines.get("base")
    if f.policy is None or base is None or base.count < ENOUGH_READS:
        return None
    return f.items < INDEX_FROM and base.p99_s < P99_S / 10 and f.cache in ("off", "ttl") and not _many_reads(f)


RULES: tuple[Rule, ...] = (
    Rule(
        "enough", "nothing", "keep",
        f"p95 within {P95_S:g} s, p99 within {P99_S:g} s, under {LARGE:,} items, at most {MANY_READS:g} reads a write",
        "What is switched on is enough.",
        _targets_met, lambda f: f"{answers(f)}; {items(f)}; {ratio(f)}",
    ),
    Rule(
        "slow-tail", "cache", "on",
        f"p99 over {P99_S:g} s, but p95 within {P95_S:g} s, and a tenth or more is asked again",
        "The slowest answers are few: keep them once they are computed.",
        _cache, lambda f: f"{answers(f)}; {repetition(f)}",
    ),
    Rule(
        "slow", "read model", "on",
        f"p95 over {P95_S:g} s",
        "Too many answers are slow to wait for a cache: read from the pre-joined rows.",
        _slow_p95, answers,
    ),
    Rule(
        "slow-and-new", "read model", "on",
        f"p99 over {P99_S:g} s, and less than a tenth is asked again",
        "A cache cannot give what nobody asked before: make computing quick.",
        lambda f: None if _slow_p99(f) is None or _never_again(f) is None else _slow_p99(f) and _never_again(f),
        lambda f: f"{answers(f)}; {repetition(f)}",
    ),
    Rule(
        "large", "read model", "on",
        f"{LARGE:,} items or more",
        "At this size joins and totals from the tables take seconds.",
        lambda f: f.items >= LARGE, items,
    ),
    Rule(
        "large-soon", "read model", "on",
        f"at the present growth {LARGE:,} items are reached within {SOON_DAYS:g} days",
        "Building it takes longer the later it begins.",
        _large_soon, lambda f: f"{items(f)}, {f.growth_per_day or 0:,.0f} more a day",
    ),
    Rule(
        "mostly-reads", "read model", "on",
        f"more than {MANY_READS:g} reads a write",
        "One write is dear only once; every read gains.",
        _many_reads, ratio,
    ),
    Rule(
        "huge", "cache", "on",
        f"{HUGE:,} items or more",
        "Near fifty million items every tier is needed: read model by changed rows, index, and cache.",
        lambda f: f.items >= HUGE, items,
    ),
    Rule(
        "refresh-too-long", "read model", "change",
        f"policy periodic or event, and a refresh takes over {REFRESH_SHARE:.0%} of the time between two",
        "Policy incremental costs by what changed, not by what there is: `pinakes view policy incremental`.",
        _refresh_too_long, lambda f: f"a refresh takes {seconds(f.refresh_s)}, due every {seconds(f.refresh_every_s)}",
    ),
    Rule(
        "bitmaps", "index", "on",
        f"policy incremental, and {INDEX_FROM:,} items or pages computed with p99 over {SLOW_VIEW_S * 1000:g} ms",
        "Totals and any page of any order from bitmaps: `pinakes index build`, or a worker does it.",
        _index, lambda f: f"{items(f)}; {engine(f, 'matview') or engine(f, 'base') or 'no page computed without it'}",
    ),
    Rule(
        "slow-nevertheless", "server", "change",
        f"p95 over {P95_S:g} s or p99 over {P99_S:g} s, with read model, index and cache on",
        "Every tier is on, so something is in their way: `pinakes doctor`, and the slowest queries.",
        _nevertheless, lambda f: f"{answers(f)}; {f.failed:,} failed",
    ),
    Rule(
        "index-memory", "memory", "change",
        "the index is larger than `index-memory`",
        "Bitmaps are read again and again: raise `index-memory` where there is memory.",
        _index_memory,
        lambda f: f"the index has {size(f.index_bytes)}, each process keeps {size(f.index_memory_bytes)}",
    ),
    Rule(
        "idle-cache", "cache", "off",
        f"over {10 * ENOUGH_READS} reads, under {IDLE_HITS:.0%} hits, and less than {WORTH_CACHING:.0%} is asked again",
        "It stores what nobody asks for: `cache-strategy` off.",
        _cache_idle, lambda f: f"{hits(f)}; {repetition(f)}",
    ),
    Rule(
        "ended-too-soon", "cache", "change",
        "strategy event, and the hit rate is 30 points below what is asked again",
        "Writes end answers before they are asked again: strategy hybrid lets feeds live by their time.",
        _by_time, lambda f: f"{hits(f)}; {repetition(f)}; {ratio(f)}",
    ),
    Rule(
        "slow-hits", "cache", "change",
        f"p99 of stored answers over {HIT_P99_S * 1000:g} ms",
        "The process or Redis is short of processor: more `workers`, or a Redis nearer by.",
        _slow_hits, lambda f: f"stored answers {latency(f.hits)}",
    ),
    Rule(
        "idle-read-model", "read model", "off",
        f"under {INDEX_FROM:,} items, the tables answer with p99 within {P99_S / 10:g} s, and no cache needs epochs",
        "The tables alone are quick enough: run no worker.",
        _read_model_idle, lambda f: f"{items(f)}; {engine(f, 'base')}; cache {f.cache}",
    ),
)  # fmt: skip
