"""`pinakes import` and `pinakes export` as people call them: exit codes, `-`, pipes, what the screen says."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from import_files import ITEM, write

_PINAKES = f"{shlex.quote(sys.executable)} -P -m pinakes.cli.main"


class Shell:
    """Runs command lines in bash against one database; `{pinakes}` and `{db}` are filled in."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self._folder = folder

    def __call__(self, line: str) -> subprocess.CompletedProcess[str]:
        filled = line.replace("{pinakes}", _PINAKES).replace("{db}", f"--database-url {shlex.quote(self._url)}")
        return subprocess.run(
            ["bash", "-o", "pipefail", "-c", filled],
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={**os.environ, "COLUMNS": "200"},
        )


@pytest.fixture
def shell(database_url: str, tmp_path: Path) -> Shell:
    return Shell(database_url, tmp_path)


def test_the_exit_code_tells_whether_all_was_stored(shell: Shell, tmp_path: Path) -> None:
    write(tmp_path / "good.jsonl", [ITEM, ITEM | {"id": "b"}])
    write(tmp_path / "mixed.jsonl", [ITEM, b"{", ITEM | {"title": 1}])
    write(tmp_path / "bad.jsonl", [b"{", b"nothing"])
    write(tmp_path / "empty.jsonl", [])
    assert shell("{pinakes} import good.jsonl {db}").returncode == 0
    assert shell("{pinakes} import good.jsonl {db}").returncode == 0
    mixed = shell("{pinakes} import mixed.jsonl good.jsonl {db}")
    assert mixed.returncode == 1
    assert "2 of 5 lines were refused. [PK206]" in mixed.stderr
    assert "refused: line 2: not JSON" in mixed.stdout
    assert "refused: line 3: title must be a text" in mixed.stdout
    assert "2 unchanged" in mixed.stdout
    assert shell("{pinakes} import bad.jsonl {db}").returncode == 1
    empty = shell("{pinakes} import empty.jsonl {db}")
    assert empty.returncode == 1
    assert "Nothing was imported" in empty.stderr
    as_json = shell("{pinakes} import --json mixed.jsonl {db}")
    assert as_json.returncode == 1
    assert json.loads(as_json.stdout)["counts"]["rejected"] == 2


def test_streams_are_read_and_written(shell: Shell, tmp_path: Path) -> None:
    write(tmp_path / "items.jsonl", [ITEM | {"id": str(n), "tags": ["é"]} for n in range(500)])
    from_stdin = shell("cat items.jsonl | {pinakes} import - {db}")
    assert from_stdin.returncode == 0, from_stdin.stderr
    assert "500 created" in from_stdin.stdout
    for line in (
        "{pinakes} import - {db} < items.jsonl",
        "gzip -c items.jsonl | {pinakes} import - {db}",
        "{pinakes} import <(cat items.jsonl) {db}",
        "{pinakes} import /dev/stdin {db} < <(cat items.jsonl)",
        "{pinakes} export - {db} | {pinakes} import - {db}",
        "{pinakes} export --gzip - {db} | {pinakes} import - {db}",
        "{pinakes} export /dev/stdout {db} | {pinakes} import - {db}",
    ):
        done = shell(line)
        assert done.returncode == 0, line + done.stderr
        assert "500 unchanged" in done.stdout, line
    assert not (tmp_path / "-").exists()
    refused = shell("echo '{' | {pinakes} import - {db}")
    assert refused.returncode == 1
    assert (tmp_path / "stdin.rejects.jsonl").exists()
    assert "names\n" not in shell("{pinakes} tags export tags - {db}").stdout
    through = shell("{pinakes} tags export tags - {db} | {pinakes} tags import - {db}")
    assert through.returncode == 0, through.stderr
    assert "tags, 0 changed" in through.stderr
    assert not (tmp_path / "-").exists()


def test_what_is_allowed_is_shown_as_it_is_meant(shell: Shell) -> None:
    refused = shell("{pinakes} tags import - {db} <<< $'name,category\\n\\u200b,x'")
    assert refused.returncode == 1
    assert "Allowed: 1 to 255 characters that can be seen\n" in refused.stderr
    assert "fields of an item" not in refused.stderr
