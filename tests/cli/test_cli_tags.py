"""`pinakes tags` on a real database, each command. They run their own event loop, so the tests are not async."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pinakes.cli.main import main
from pinakes.errors import Conflict, InvalidContent, NotFound


class Tags:
    """Runs `pinakes tags …` on one database."""

    def __init__(self, url: str) -> None:
        self._where = ["--database-url", url]
        self._runner = CliRunner()

    def __call__(self, *arguments: str) -> Result:
        return self._runner.invoke(main, ["tags", *arguments, *self._where])

    def done(self, *arguments: str) -> str:
        result = self(*arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    def load(self, file: Path) -> None:
        assert self._runner.invoke(main, ["import", str(file), *self._where]).exit_code == 0


@pytest.fixture
def tags(database_url: str, tmp_path: Path) -> Iterator[Tags]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    runner = Tags(database_url)
    lines = [{"id": f"x{n}", "source_type": "regular", "title": "x", "tags": names} for n, names in enumerate(_TAGGED)]
    file = tmp_path / "items.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)))
    runner.load(file)
    yield runner
    for number, handler in before.items():
        signal.signal(number, handler)


_TAGGED = (["sunset", "sea"], ["sea"], ["castle"])


def test_names_and_categories_change(tags: Tags) -> None:
    tags.done("rename", "castle", "fort", "--keep-alias")
    tags.done("category", "fort", "building")
    assert tags.done("export", "tags") == "name,category\nfort,building\nsea,\nsunset,\n"
    assert tags.done("export", "aliases") == "alias,tag\ncastle,fort\n"
    refused = tags("rename", "sea", "sunset")
    assert refused.exit_code == 1
    assert Conflict.code in refused.stderr
    assert NotFound.code in tags("rename", "nothing", "x").stderr


def test_tags_merge_and_go(tags: Tags) -> None:
    tags.done("merge", "sea", "castle")
    assert tags.done("export", "aliases") == "alias,tag\nsea,castle\n"
    assert Conflict.code in tags("delete", "castle").stderr
    tags.done("delete", "castle", "--taggings")
    assert tags.done("export", "tags") == "name,category\nsunset,\n"


def test_aliases_and_parents_come_and_go(tags: Tags) -> None:
    tags.done("alias", "ocean", "sea")
    tags.done("parent", "sea", "castle")
    tags.done("parent", "sunset", "ocean")
    refused = tags("parent", "castle", "sunset")
    assert refused.exit_code == 1
    assert "→" in refused.stderr
    assert tags.done("export", "parents") == "child,parent\nsea,castle\nsunset,sea\n"
    tags.done("unparent", "sea", "castle")
    tags.done("unalias", "ocean")
    assert tags.done("export", "parents") == "child,parent\nsunset,sea\n"
    assert tags.done("export", "aliases") == "alias,tag\n"


def test_tables_leave_and_come_back(tags: Tags, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("t.csv", "a.csv", "p.csv")]
    files[0].write_text('name,category\n"new, with comma",kind\nsea,place\n')
    files[1].write_text("\ufeffalias,tag\nocean,water\nwater,sea\n", encoding="utf-8")
    files[2].write_text('child,parent\nsea,"new, with comma"\n')
    tags.done("import", *map(str, files))
    for table in ("tags", "aliases", "parents"):
        out = tmp_path / f"{table}.csv"
        tags.done("export", table, str(out))
        assert "0 changed" in tags("import", str(out)).stderr
    assert (tmp_path / "aliases.csv").read_text() == "alias,tag\nocean,sea\nwater,sea\n"
    files[1].write_text("a,b\n")
    assert InvalidContent.code in tags("import", str(files[1])).stderr


def test_items_imported_with_an_alias_get_the_tag_once(tags: Tags, tmp_path: Path) -> None:
    tags.done("alias", "ocean", "sea")
    file = tmp_path / "more.jsonl"
    line = {"id": "y", "source_type": "regular", "title": "y", "tags": ["ocean", "sea", "brand new"]}
    again = {"id": "x2", "source_type": "regular", "title": "x", "tags": ["ocean", "castle", "sea"]}
    file.write_text(f"{json.dumps(line)}\n{json.dumps(again)}\n")
    tags.load(file)
    assert tags.done("export", "tags") == "name,category\nbrand new,\ncastle,\nsea,\nsunset,\n"
