"""Each limit on a setting of PostgreSQL: a value that hurts and one that does not."""

from __future__ import annotations

import pytest

from pinakes.doctor.server_settings import LIMITS, MB, Size, Value, judge, value_of

SIZE = Size(database_bytes=20 * 1024 * MB, connections=50)

HURTS: dict[str, tuple[Value, Value]] = {
    "fsync": ("off", "on"),
    "full_page_writes": ("off", "on"),
    "synchronous_commit": ("off", "remote_apply"),
    "autovacuum": ("off", "on"),
    "track_counts": ("off", "on"),
    "max_connections": (49.0, 50.0),
    "shared_buffers": (1023.0 * MB, 1024.0 * MB),
    "work_mem": (1.0 * MB, 4.0 * MB),
    "maintenance_work_mem": (16.0 * MB, 64.0 * MB),
    "random_page_cost": (4.0, 1.1),
    "effective_cache_size": (512.0 * MB, 1024.0 * MB),
    "jit": ("on", "off"),
    "max_wal_size": (80.0 * MB, 512.0 * MB),
    "gin_pending_list_limit": (64.0 * MB, 4.0 * MB),
}


def test_every_limit_has_a_case() -> None:
    assert sorted(HURTS) == sorted(limit.name for limit in LIMITS)


@pytest.mark.parametrize("name", sorted(HURTS))
def test_what_hurts_is_named_with_its_fix_and_what_does_not_is_not(name: str) -> None:
    bad, good = HURTS[name]
    (finding,) = judge({name: bad}, SIZE)
    assert finding.said.startswith(f"{name} is ")
    assert finding.fix.startswith(f"Set {name} to: ")
    assert judge({name: good}, SIZE) == []


def test_a_small_database_needs_no_large_server() -> None:
    small = Size(database_bytes=10 * MB, connections=10)
    settings: dict[str, Value] = {"shared_buffers": 128.0 * MB, "effective_cache_size": 128.0 * MB}
    assert judge(settings, small) == []


def test_units_are_understood() -> None:
    assert value_of("16384", "8kB") == 128 * MB
    assert value_of("4096", "kB") == 4 * MB
    assert value_of("300", "s") == 300
    assert value_of("on", None) == "on"
