"""A slim gallery is filled, indexed and measured step by step, and goes on behind the last step."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from pinakes.bench.slim import Slim, SlimPlan
from pinakes.errors import SettingsError

PLAN = SlimPlan(items=3_000, processes=1, queries=40, rounds=1, cold=3, counted=8)


class _Stopped(Exception):
    """The run is interrupted."""


def _quiet(*_told: object) -> None:
    """Nothing is shown."""


def _stop_at_index(what: str, _done: int, _of: int) -> None:
    if what == "index":
        raise _Stopped


async def _run(url: str, folder: Path, plan: SlimPlan = PLAN, progress: Any = _quiet) -> dict[str, Any]:
    return await Slim(url, plan, folder, _quiet, progress).run()


async def test_an_interrupted_run_goes_on_behind_the_last_step(database_url: str, tmp_path: Path) -> None:
    with pytest.raises(_Stopped):
        await _run(database_url, tmp_path, progress=_stop_at_index)
    connection = await asyncpg.connect(database_url)
    try:
        relation = "SELECT 'unified_content_with_tags'::regclass::oid"
        before = await connection.fetchval(relation)
        told = await _run(database_url, tmp_path)
        assert await connection.fetchval(relation) == before
        assert await connection.fetchval("SELECT count(*) FROM unified_content_with_tags") == PLAN.items
        taggings = await connection.fetchval("SELECT sum(cardinality(tags)) FROM unified_content_with_tags")
    finally:
        await connection.close()
    assert told["built"]["taggings"] == taggings
    asked = told["measured"]
    assert (asked["asked"], asked["late"], asked["wrong"], asked["judged"]) == (40, 0, 0, 40)
    assert (asked["warm"]["n"], asked["cold"]["n"]) == (40, 3)
    assert len(asked["scans"]) == PLAN.counted
    assert all(scan["total"] == scan["counted"] for scan in asked["scans"])
    assert any(scan["total"] for scan in asked["scans"])
    with pytest.raises(SettingsError, match="another plan"):
        await _run(database_url, tmp_path, dataclasses.replace(PLAN, queries=41))
