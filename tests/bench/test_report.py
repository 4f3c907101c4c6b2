"""The report of a measurement: the tables of terminal and pages say what was measured, and who was wrong."""

from __future__ import annotations

import copy
from io import StringIO
from typing import Any

import orjson
import pytest
from rich.console import Console

from pinakes.bench.report.grids import Grid
from pinakes.bench.report.markdown import captioned, markdown, table
from pinakes.bench.report.slim import grid
from pinakes.cli.bench_table import tables
from pinakes.cli.reference import RESULTS


@pytest.fixture
def results() -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads((RESULTS / "100k.json").read_bytes())
    return found


def on_terminal(results: dict[str, Any]) -> str:
    console = Console(width=200, file=StringIO(), record=True)
    for each in tables(results):
        console.print(each)
    return console.export_text()


def test_page_and_terminal_show_the_same_figures(results: dict[str, Any]) -> None:
    page, terminal = markdown([results]), on_terminal(results)
    for one in results["scales"][0]["contestants"]:
        row = next(line for line in page.splitlines() if line.startswith((f"| `{one['name']}`", f"| `{one['name']} (")))
        cells = [cell.strip(" `") for cell in row.strip("|").split("|")]
        assert float(cells[1].replace(",", "")) == pytest.approx(one["warm"]["p50"], rel=0.05)
        assert any([part.strip() for part in line.strip("│").split("│")] == cells for line in terminal.splitlines())


def test_who_was_wrong_stands_out_on_the_page(results: dict[str, Any]) -> None:
    wrong = copy.deepcopy(results)
    scale = wrong["scales"][0]
    scale["contestants"][0]["wrong"] = 3
    fault = {"name": "index", "reason": "total 4, not 5", "ask": 7, "question": "tags_all=sea"}
    scale["wrong_examples"] = [fault]
    page = markdown([wrong])
    assert "| **3** |" in page
    assert "**index is wrong: total 4, not 5; question 7: tags_all=sea**" in page
    assert "**3**" not in markdown([results])
    assert "index is wrong: total 4, not 5" in on_terminal(wrong)


def test_only_the_parts_asked_for_are_shown(results: dict[str, Any]) -> None:
    page = markdown([results], ["writes"])
    assert "insert/s" in page
    assert "warm p50" not in page


def test_a_bar_in_a_cell_does_not_end_it() -> None:
    shown = table(Grid("x", "c", ("", "a"), (("n", "this|that"),)))
    assert shown.splitlines() == ["| | a |", "|---|---|", "| `n` | this or that |"]


def test_slim_galleries_stand_side_by_side() -> None:
    results = [orjson.loads((RESULTS / f"slim-{name}.json").read_bytes()) for name in ("1m", "10m")]
    results[1]["measured"]["wrong"] = 7
    results[1]["measured"]["scans"][0]["counted"] += 1
    shown = grid(results)
    rows = {row[0]: row[1:] for row in shown.rows}
    assert shown.columns == ("", "1 million", "10 million")
    assert rows["questions, wrong"] == ("200, 0", "300, 7")
    assert rows["totals counted, equal"] == ("12, 12", "12, 11")
    for column, one in enumerate(results):
        first = float(rows["warm p50, p95, p99"][column].split(",")[0])
        assert first == pytest.approx(one["measured"]["warm"]["p50"], abs=0.06)
    assert "| warm p50, p95, p99 |" in captioned(shown, names=False)
