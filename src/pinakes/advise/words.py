"""Facts in words, as people say them."""

from __future__ import annotations

from pinakes.advise.facts import Facts, Latency


def seconds(value: float | None) -> str:
    """As people say it."""
    if value is None:
        return "unknown"
    if value < 1:
        return f"{value * 1000:.3g} ms"
    return f"{value:.3g} s" if value < 120 else f"{value / 60:.3g} min"


def size(value: float) -> str:
    """Bytes as people say them."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} TB"


def latency(found: Latency | None) -> str:
    """Percentiles in words."""
    if found is None:
        return "not measured"
    return f"p50 {seconds(found.p50_s)}, p95 {seconds(found.p95_s)}, p99 {seconds(found.p99_s)} of {found.count:,}"


def answers(f: Facts) -> str:
    """What answers took."""
    return f"answers {latency(f.answers)}"


def engine(f: Facts, name: str) -> str:
    """What one engine took; nothing where it was not asked."""
    return f"engine {name} {latency(f.engines[name])}" if name in f.engines else ""


def items(f: Facts) -> str:
    """How many items there are."""
    return f"{f.items:,} items"


def ratio(f: Facts) -> str:
    """Reads against writes."""
    if not f.hours:
        return "traffic unknown"
    return f"{f.reads:,} reads and {f.writes:,} writes in {f.hours:.3g} h"


def repetition(f: Facts) -> str:
    """How much is asked again."""
    return f"{f.repetition:.0%} asked again" if f.repetition is not None else "repetition unknown"


def hits(f: Facts) -> str:
    """How much the cache gives."""
    return f"{f.hit_rate:.0%} hits" if f.hit_rate is not None else "hit rate unknown"
