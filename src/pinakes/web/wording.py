"""Wording: counts, durations, ages and sizes as people read them. Pure; a number in, a short text out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

_STEPS = ((86_400 * 365.25, "year"), (86_400 * 30.44, "month"), (86_400, "day"), (3600, "hour"), (60, "min"), (1, "s"))


def count(value: int) -> str:
    """`12,345`."""
    return f"{value:,}"


def short(value: float) -> str:
    """`12.3k`: for narrow places; three digits."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def seconds(value: float) -> str:
    """A duration: `0.4 ms`, `80 ms`, `1.4 s`, `3 min`."""
    if value == 0:
        return "0 s"
    if value < 0.01:
        return f"{value * 1000:.1f} ms"
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 10:
        return f"{value:.1f} s"
    return ago(value)


def ago(value: float) -> str:
    """A long duration in its largest unit: `3 min`, `2 days`."""
    for size, unit in _STEPS:
        if value >= size:
            whole = int(value / size)
            return f"{whole} {unit}" + ("s" if whole != 1 and unit in {"day", "hour", "month", "year"} else "")
    return f"{value * 1000:.0f} ms"


def size(value: float) -> str:
    """Bytes: `81.2 MB`."""
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "bytes" or value >= 100 else f"{value:.1f} {unit}"


def day(value: datetime) -> str:
    """`3 May 2024`."""
    return f"{value.day} {value:%b %Y}"


def moment(value: datetime) -> str:
    """`3 May 2024, 14:05 UTC`."""
    return f"{day(value)}, {value.astimezone(UTC):%H:%M} UTC"


def percent(value: float | None) -> str:
    """`93.4 %`, or a dash where there is nothing to divide."""
    return "–" if value is None else f"{value * 100:.1f} %"


def share(value: float) -> str:
    """`93 %`."""
    return f"{value * 100:.0f} %"


FILTERS: dict[str, Callable[[Any], str]] = {
    "count": count,
    "short": short,
    "seconds": seconds,
    "ago": ago,
    "size": size,
    "day": day,
    "moment": moment,
    "percent": percent,
}
