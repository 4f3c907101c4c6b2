"""The short version of `make chaos`, and what its readers would notice."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from faults.breakages import SHORT
from faults.chaos import SETTINGS, Chaos
from faults.false_time import library
from faults.installation import installation
from faults.model import Model, Slot


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path, open to the user the servers run as."""
    path = Path(tempfile.mkdtemp(prefix="pk-chaos-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


async def test_no_answer_is_wrong_and_no_acknowledged_write_is_lost(folder: Path) -> None:
    said: list[str] = []
    async with installation(folder, **SETTINGS) as site:
        # Clocks jump where a library is there that makes them; injected ones jump in tests/view/test_clock_jumps.py.
        faults = [*SHORT, *(["clock jumps"] if library() is not None else [])]
        report = await Chaos(site).run(faults, said.append)
    assert report.wrong == []
    assert report.lost == []
    assert all(outcome.recovered and outcome.skipped is None for outcome in report.outcomes), said
    assert report.check["wrong"] == 0, report.check
    assert report.reads > 50
    assert report.writes > 20


def model() -> Model:
    """One slot: version 1 acknowledged at 1000, 2 at 1010, 3 begun; another with version 1."""
    first = Slot(0, begun=3, acknowledged=2, history=[(1000.0, 1), (1010.0, 2)])
    return Model(5.0, [first, Slot(1, begun=1, acknowledged=1, history=[(1000.0, 1)])])


def body(
    as_of: float,
    *versions: tuple[int, int],
    total: int | None = None,
    tags: list[str] | None = None,
    asked_at: float = 1011.0,
) -> Any:
    slots = model().slots
    items = [
        {"title": slots[s].title(v), "tags": [{"name": name} for name in tags or slots[s].tags(v)]} for s, v in versions
    ]
    moment = datetime.fromtimestamp(as_of, UTC).isoformat()
    count = len(items) if total is None else total
    return {"as_of": moment, "items": items, "pagination": {"total_count": count}, "asked_at": asked_at}


@pytest.mark.parametrize("version", [2, 3])
def test_what_may_be_shown_is_not_wrong(version: int) -> None:
    judged = model()
    judged.check(body(1011.0, (0, version)), 1011.5, judged.slots[0], None)
    judged.check(body(1005.0, (0, 1)), 1009.0, judged.slots[0], None)
    judged.check(body(1011.0, (0, 2)), 1011.0, None, "even")
    judged.check(body(1011.0, (1, 1)), 1011.0, None, "odd")
    judged.check(body(1011.0, (0, 3), (1, 1)), 1011.0, None, "odd")
    assert judged.tally.wrong == []
    assert judged.tally.stalest_s == 0


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (body(1011.0, (0, 1)), "slot 0 shows 1"),
        (body(1011.0, (0, 4)), "slot 0 shows 4"),
        (body(1011.0), "slot 0 is not shown"),
        (body(1011.0, (0, 2), total=2), "2 in all"),
        (body(1011.0, (0, 2), tags=["slot-0", "odd", "chaos"]), "half a write"),
        (body(1001.0, (0, 1), asked_at=1016.0), "slot 0 shows 1"),
    ],
)
def test_what_may_not_be_shown_is_wrong(answer: Any, what: str) -> None:
    judged = model()
    judged.check(answer, answer["asked_at"], judged.slots[0], None)
    assert any(what in text for text in judged.tally.wrong), judged.tally.wrong
