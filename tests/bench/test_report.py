"""The report of a measurement: the tables of terminal and pages say what was measured, and who was wrong."""

from __future__ import annotations

import copy
from io import StringIO
from typing import Any

import orjson
import pytest
from rich.console import Console

from pinakes.bench.report.grids import Grid
from pinakes.bench.report.markdown import markdown, table
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
