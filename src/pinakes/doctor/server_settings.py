"""PostgreSQL's settings: what hurts, as a table of limits with the reason for each.

`judge` is pure: what `pg_settings` says (bytes for sizes, seconds for times) and how large the database is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pinakes.doctor.finding import Finding, Level

MB = 2**20
_UNITS = {"B": 1, "kB": 2**10, "8kB": 2**13, "16kB": 2**14, "MB": MB, "GB": 2**30, "ms": 1e-3, "s": 1.0, "min": 60.0}

Value = float | str


@dataclass(frozen=True, slots=True)
class Size:
    """What a limit may depend on: bytes of the database, and connections Pinakes may open."""

    database_bytes: int
    connections: int


@dataclass(frozen=True, slots=True)
class Limit:
    """One setting: when it hurts, how much, why, and what to set instead."""

    name: str
    hurts: Callable[[Value, Size], bool]
    level: Level
    why: str
    fix: str


def _less(limit: float) -> Callable[[Value, Size], bool]:
    return lambda value, _: isinstance(value, float) and value < limit


def _is(word: str) -> Callable[[Value, Size], bool]:
    return lambda value, _: value == word


def _small_buffers(value: Value, size: Size) -> bool:
    return isinstance(value, float) and value < min(max(size.database_bytes / 10, 128 * MB), 1024 * MB)


LIMITS: tuple[Limit, ...] = (
    Limit("fsync", _is("off"), "problem", "a crash of the machine can destroy the database", "on"),
    Limit("full_page_writes", _is("off"), "problem", "a crash of the machine can destroy the database", "on"),
    Limit("synchronous_commit", _is("off"), "warning", "a crash loses writes that were confirmed", "on"),
    Limit("autovacuum", _is("off"), "problem", "dead rows stay and statistics grow old: every query gets slower", "on"),
    Limit("track_counts", _is("off"), "problem", "autovacuum does not know what to do", "on"),
    Limit(
        "max_connections", lambda value, size: isinstance(value, float) and value < size.connections, "problem",
        "web server processes will be refused connections", "raise it, or lower pool-max-size or workers",
    ),
    Limit(
        "shared_buffers", _small_buffers, "warning",
        "pages are read again and again from the system's cache or the disk", "a quarter of the memory",
    ),
    Limit("work_mem", _less(4 * MB), "warning", "sorts and hashes go to disk", "4MB to 64MB"),
    Limit(
        "maintenance_work_mem", lambda value, size: isinstance(value, float)
        and value < 64 * MB and size.database_bytes > 1024 * MB,
        "warning", "building indexes and vacuum take several passes", "256MB to 1GB",
    ),
    Limit(
        "random_page_cost", lambda value, _: isinstance(value, float) and value > 2, "warning",
        "on solid-state disks the planner avoids indexes it should use", "1.1 (on spinning disks leave it)",
    ),
    Limit(
        "effective_cache_size", lambda value, size: isinstance(value, float)
        and value < min(size.database_bytes / 2, 1024 * MB),
        "warning", "the planner thinks that index pages come from disk", "half to three quarters of the memory",
    ),
    Limit("jit", _is("on"), "warning", "compiling takes longer than queries of a few milliseconds", "off"),
    Limit(
        "max_wal_size", lambda value, size: isinstance(value, float)
        and value < 512 * MB and size.database_bytes > 1024 * MB,
        "note", "loading makes many checkpoints", "2GB or more where the disk allows",
    ),
    Limit(
        "gin_pending_list_limit", lambda value, _: isinstance(value, float) and value > 4 * MB, "warning",
        "with fastupdate every search by words or tags reads the whole list of what is not yet indexed", "4MB",
    ),
)  # fmt: skip


def judge(settings: Mapping[str, Value], size: Size) -> list[Finding]:
    """What hurts among `settings`; those the server does not tell are left out."""
    return [
        Finding("settings", limit.level, f"{limit.name} is {_shown(settings[limit.name])}: {limit.why}",
                f"Set {limit.name} to: {limit.fix}.")
        for limit in LIMITS
        if limit.name in settings and limit.hurts(settings[limit.name], size)
    ]  # fmt: skip


def value_of(setting: str, unit: str | None) -> Value:
    """A setting as `pg_settings` tells it, in bytes or seconds; words stay words."""
    try:
        return float(setting) * _UNITS.get(unit or "", 1)
    except ValueError:
        return setting


def _shown(value: Value) -> str:
    if isinstance(value, str):
        return value
    return f"{value / MB:g}MB" if value >= MB else f"{value:g}"
