"""`pinakes bench` as a command: what it prints and writes, what it refuses, how it exits."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from xml.etree import ElementTree

import orjson
import pytest

from pinakes.settings import Settings


async def _run(settings: Settings, *arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pinakes.cli.main", "bench", *arguments, env=settings.environment(),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


SMALL = ("--items", "300", "--tags", "300", "--queries", "6", "--rounds", "1", "--cold", "1", "--peers", "junction")


async def test_it_prints_a_table_and_writes_results_and_a_report(settings: Settings, tmp_path: Path) -> None:
    results, page = tmp_path / "out" / "r.json", tmp_path / "out" / "r.html"
    code, out, err = await _run(
        settings, *SMALL, "--folder", str(tmp_path / "f"), "--json", str(results), "--html", str(page)
    )
    assert code == 0, err
    assert "junction (peer)" in out
    assert "checked by the oracle" in out
    assert "round 1 of 1" in err
    found = orjson.loads(results.read_bytes())
    assert found["plan"]["queries"] == 6
    assert found["machine"]["cores"]
    assert found["postgresql"]["server_version"]
    assert page.read_text().startswith("<!doctype html>")
    # The same page again, from the results.
    again = ("--html", str(tmp_path / "again.html"), "--plots", str(tmp_path / "plots"))
    code, out, err = await _run(settings, "--from", str(results), *again)
    assert code == 0, err
    assert "junction (peer)" in out
    assert (tmp_path / "again.html").read_text() == page.read_text()
    drawn = sorted(path.name for path in (tmp_path / "plots").iterdir())
    assert drawn == ["by-kind-300.svg", "by-place-300.svg", "distribution-300.svg", "sizes.svg"]
    for path in (tmp_path / "plots").iterdir():
        assert ElementTree.fromstring(path.read_text()).tag.endswith("svg")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--items", "300", "--as-is"), "exclude each other"),
        (("--items", "300,200"), "each larger than the one before"),
        (("--items", "many"), "not a number of items"),
        (("--engines", "base,solr"), "'solr' is none of"),
        (("--peers", "lucene"), "'lucene' is none of"),
    ],
)
async def test_wrong_usage_is_refused_before_anything_starts(
    arguments: tuple[str, ...], says: str, settings: Settings, tmp_path: Path
) -> None:
    code, _, err = await _run(settings, *arguments, "--folder", str(tmp_path / "f"))
    assert code == 2
    assert says in err
    assert not (tmp_path / "f").exists()


async def test_a_file_that_holds_no_results_is_refused(settings: Settings, tmp_path: Path) -> None:
    for text in ("{}", "no json"):
        (tmp_path / "x.json").write_text(text)
        code, _, err = await _run(settings, "--from", str(tmp_path / "x.json"))
        assert code == 1
        assert "Error:" in err
        assert "Traceback" not in err
