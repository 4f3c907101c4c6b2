"""Import and export: what a file says is in the database, whatever else is in the file and whoever is killed."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import signal
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pg_schema import describe
from pinakes.errors import ImportFailed
from pinakes.query.sources import SOURCES
from pinakes.store.pool import Pool
from pinakes.store.transfer.batch import MAX_LINE_BYTES
from pinakes.store.transfer.exporter import export
from pinakes.store.transfer.importer import ImportReport, import_file

_ITEM: dict[str, Any] = {"id": "a", "source_type": "regular", "title": "A title"}
_FULL: dict[str, Any] = {
    "id": "full",
    "source_type": "auto",
    "title": 'Tabs\tand\nlines \\ "quoted" 🏛',
    "content_type": "video/mp4",
    "prompt": "a prompt",
    "creator": "Ada",
    "tags": ["sea", " man, old ", "Sea", "sea"],
    "is_private": True,
    "quality_score": 0.1,
    "created_at": "1545-01-01T00:00:00Z",
    "updated_at": "2024-02-29T12:00:00.000001+02:00",
    "path_thumb": "https://example.org/1.jpg",
    "path_thumbs_alt_res": {"2x": "https://example.org/2.jpg"},
    "content_data": "data\\N",
    "item_metadata": {"a": [1, 2.5, None, "\\"], "ü": {}},
}


def _write(path: Path, lines: Iterable[dict[str, Any] | bytes]) -> Path:
    path.write_bytes(b"".join((line if isinstance(line, bytes) else orjson.dumps(line)) + b"\n" for line in lines))
    return path


def _counts(report: ImportReport) -> tuple[int, int, int, int]:
    counts = report.counts
    return counts.created, counts.updated, counts.unchanged, counts.rejected


async def _state(pool: Pool) -> list[bytes]:
    """Everything people can see of the gallery, without internal numbers."""
    out = BytesIO()
    await export(pool, out)
    return sorted(out.getvalue().splitlines())


async def _assert_counts_hold(pool: Pool) -> None:
    counted = await pool.fetch(
        "SELECT source_type, tag_id, count(*) FROM content_tags GROUP BY source_type, tag_id ORDER BY 1, 2"
    )
    kept = await pool.fetch(
        "SELECT source_type, tag_id, item_count FROM tag_counts WHERE item_count <> 0 ORDER BY 1, 2"
    )
    assert [tuple(row) for row in counted] == [tuple(row) for row in kept]
    assert await pool.fetchval("SELECT count(*) FROM tag_count_deltas") == 0
    assert await pool.fetchval("SELECT count(*) FROM load_state") == 0


async def test_every_field_arrives(pool: Pool, tmp_path: Path) -> None:
    report = await import_file(pool, _write(tmp_path / "one.jsonl", [_FULL]))
    assert _counts(report) == (1, 0, 0, 0)
    row = await pool.fetchrow(
        "SELECT item.*, username FROM content_items_auto AS item JOIN users ON users.id = creator_id"
    )
    assert row is not None
    same = ("title", "content_type", "prompt", "is_private", "quality_score", "path_thumb")
    for key in (*same, "path_thumbs_alt_res", "content_data", "item_metadata"):
        assert row[key] == _FULL[key], key
    assert row["external_id"] == "full"
    assert row["username"] == "Ada"
    assert row["created_at"] == datetime(1545, 1, 1, tzinfo=UTC)
    assert row["updated_at"] == datetime(2024, 2, 29, 10, 0, 0, 1, tzinfo=UTC)
    tags = await pool.fetch("SELECT name FROM tags JOIN content_tags_auto ON tag_id = tags.id ORDER BY name")
    assert [tag["name"] for tag in tags] == ["Sea", "man, old", "sea"]
    await _assert_counts_hold(pool)


async def test_importing_again_changes_nothing_and_touches_no_row(pool: Pool, tmp_path: Path) -> None:
    file = _write(tmp_path / "items.jsonl", [_FULL, _ITEM])
    await import_file(pool, file)
    versions = (
        "SELECT external_id, xmin::text, ctid::text FROM content_items UNION ALL "
        "SELECT content_id::text || '/' || tag_id, xmin::text, ctid::text FROM content_tags ORDER BY 1"
    )
    before = await pool.fetch(versions)
    assert _counts(await import_file(pool, file)) == (0, 0, 2, 0)
    assert await pool.fetch(versions) == before


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("title", "Another"),
        ("content_type", "image"),
        ("prompt", None),
        ("creator", None),
        ("tags", []),
        ("tags", ["sea"]),
        ("tags", ["sea", "man, old", "Sea", "new"]),
        ("is_private", False),
        ("quality_score", None),
        ("created_at", "1545-01-02"),
        ("updated_at", "2024-02-29T10:00:00.000002Z"),
        ("path_thumb", None),
        ("path_thumbs_alt_res", {"2x": None}),
        ("content_data", "x"),
        ("item_metadata", None),
    ],
)
async def test_a_line_that_differs_updates_its_item(pool: Pool, tmp_path: Path, key: str, value: object) -> None:
    await import_file(pool, _write(tmp_path / "one.jsonl", [_FULL]))
    changed = _write(tmp_path / "two.jsonl", [_FULL | {key: value}])
    assert _counts(await import_file(pool, changed)) == (0, 1, 0, 0)
    assert _counts(await import_file(pool, changed)) == (0, 0, 1, 0)
    (line,) = await _state(pool)
    expected = value if key != "creator" else "unknown"
    found = orjson.loads(line)[key]
    if key in {"created_at", "updated_at"}:
        assert datetime.fromisoformat(found) == datetime.fromisoformat(str(value)).replace(tzinfo=UTC)
    elif key == "tags":
        assert sorted(found) == sorted(value)  # type: ignore[call-overload]
    else:
        assert found == expected
    await _assert_counts_hold(pool)


async def test_keys_a_line_lacks_stay_as_they_are(pool: Pool, tmp_path: Path) -> None:
    await import_file(pool, _write(tmp_path / "one.jsonl", [_FULL]))
    before = orjson.loads((await _state(pool))[0])
    short = {"id": "full", "source_type": "auto", "title": "Only this"}
    assert _counts(await import_file(pool, _write(tmp_path / "two.jsonl", [short]))) == (0, 1, 0, 0)
    after = orjson.loads((await _state(pool))[0])
    assert after.pop("updated_at") > before.pop("updated_at")
    assert after == before | {"title": "Only this"}


async def test_defaults_of_a_new_item(pool: Pool, tmp_path: Path) -> None:
    await import_file(pool, _write(tmp_path / "one.jsonl", [_ITEM]))
    (line,) = await _state(pool)
    found = orjson.loads(line)
    assert found["creator"] == "unknown"
    assert found["content_type"] == "image"
    assert found["is_private"] is False
    assert found["tags"] == []
    assert found["created_at"] == found["updated_at"]


async def test_of_two_lines_with_one_id_the_later_updates_the_earlier(pool: Pool, tmp_path: Path) -> None:
    lines = [
        _ITEM | {"prompt": "kept"},
        _ITEM | {"title": "2"},
        _ITEM | {"source_type": "auto"},
        _ITEM | {"title": "3"},
    ]
    report = await import_file(pool, _write(tmp_path / "twice.jsonl", lines))
    assert _counts(report) == (2, 2, 0, 0)
    assert await pool.fetchval("SELECT title || prompt FROM content_items") == "3kept"


_BAD: list[tuple[dict[str, Any] | bytes, str]] = [
    (b"{", "not JSON"),
    (b"[]", "not a JSON object"),
    (b'{"id": "x", "title": NaN}', "not JSON"),
    (b'{"id":"x","source_type":"regular","title":"\\ud800"}', "not JSON"),
    (b'{"id":"x","source_type":"regular","title":"\xff"}', "not JSON"),
    (b'{"id":"x","source_type":"regular","title":"t","quality_score":1e999}', "not JSON"),
    (b'{"a":' * 3000 + b"1" + b"}" * 3000, "not JSON"),
    ({"source_type": "regular", "title": "t"}, "id must be"),
    (_ITEM | {"id": 7}, "id must be"),
    (_ITEM | {"id": ""}, "id must be"),
    (_ITEM | {"id": "x" * 256}, "id must be"),
    (_ITEM | {"source_type": "video"}, "source_type must be one of regular, auto"),
    (_ITEM | {"source_type": ["regular"]}, "source_type must be one of"),
    ({"id": "x", "source_type": "regular"}, "title is missing"),
    (_ITEM | {"title": None}, "title must be"),
    (_ITEM | {"title": "x" * 2001}, "title must be"),
    (_ITEM | {"title": "\U0001f3db" * 700}, "title must be at most 2,600 bytes"),
    (_ITEM | {"title": "nul\0"}, "U+0000"),
    (_ITEM | {"content_type": "Image"}, "content_type must be"),
    (_ITEM | {"content_type": "image\n"}, "content_type must be"),
    (_ITEM | {"prompt": "x" * 20_001}, "prompt must be"),
    (_ITEM | {"prompt": 5}, "prompt must be"),
    (_ITEM | {"path_thumb": "x" * 2001}, "path_thumb must be"),
    (_ITEM | {"content_data": "x" * 1_000_001}, "content_data must be"),
    (_ITEM | {"path_thumbs_alt_res": []}, "path_thumbs_alt_res must be"),
    (_ITEM | {"item_metadata": "x"}, "item_metadata must be"),
    (_ITEM | {"item_metadata": {"x": ["\0"]}}, "U+0000"),
    (_ITEM | {"item_metadata": {"\0": 1}}, "U+0000"),
    (b'{"id":"x","source_type":"auto","title":"t","item_metadata":' + b'{"a":' * 150 + b"1" + b"}" * 151, "nested"),
    (_ITEM | {"is_private": 1}, "is_private must be"),
    (_ITEM | {"is_private": None}, "is_private must be"),
    (_ITEM | {"quality_score": "1"}, "quality_score must be"),
    (_ITEM | {"quality_score": True}, "quality_score must be"),
    (_ITEM | {"created_at": "yesterday"}, "created_at must be"),
    (_ITEM | {"created_at": None}, "created_at must be"),
    (_ITEM | {"created_at": 1700000000}, "created_at must be"),
    (_ITEM | {"created_at": "0001-01-01T00:00:00Z"}, "created_at must be"),
    (_ITEM | {"updated_at": "9999-12-31T23:59:59Z"}, "updated_at must be"),
    (_ITEM | {"updated_at": "2023-02-29"}, "updated_at must be"),
    (_ITEM | {"creator": ""}, "creator must be"),
    (_ITEM | {"creator": "x" * 256}, "creator must be"),
    (_ITEM | {"creator": "a\0b"}, "creator must be"),
    (_ITEM | {"creator": 4}, "creator must be"),
    (_ITEM | {"tags": "sea"}, "tags must be a list"),
    (_ITEM | {"tags": None}, "tags must be a list"),
    (_ITEM | {"tags": ["sea", 1]}, "tags must be texts"),
    (_ITEM | {"tags": [["sea"]]}, "tags must be texts"),
    (_ITEM | {"tags": ["  "]}, "tags must be 1 to 255"),
    (_ITEM | {"tags": ["x" * 256]}, "tags must be 1 to 255"),
    (_ITEM | {"tags": ["a\tb"]}, "control characters"),
    (_ITEM | {"tags": [str(n) for n in range(1001)]}, "1,000 tags"),
    (b'{"id":"big","title":"' + b"x" * MAX_LINE_BYTES + b'"}', "the line is longer"),
]


async def test_refused_lines_are_noted_and_the_others_are_not_lost(pool: Pool, tmp_path: Path) -> None:
    lines: list[dict[str, Any] | bytes] = []
    for number, (bad, _) in enumerate(_BAD):
        lines += [_ITEM | {"id": f"good {number}", "tags": ["sea", str(number)]}, bad]
    file = _write(tmp_path / "mixed.jsonl", [*lines, b"", b"  ", _ITEM | {"id": "last"}])
    report = await import_file(pool, file)
    assert _counts(report) == (len(_BAD) + 1, 0, 0, len(_BAD))
    assert report.rejects == str(tmp_path / "mixed.jsonl.rejects.jsonl")
    entries = [orjson.loads(line) for line in Path(report.rejects).read_bytes().splitlines()]
    assert [entry["line"] for entry in entries] == [2 * number + 2 for number in range(len(_BAD))]
    for entry, (_, reason) in zip(entries, _BAD, strict=True):
        assert reason in entry["reason"], entry["reason"]
        assert len(entry["text"]) <= 2000
    assert await pool.fetchval("SELECT count(*) FROM content_items") == len(_BAD) + 1
    # Again: the same refusals, once.
    assert _counts(await import_file(pool, file)) == (0, 0, len(_BAD) + 1, len(_BAD))
    assert [orjson.loads(line) for line in Path(report.rejects).read_bytes().splitlines()] == entries
    # Mended: the file of refusals goes.
    _write(file, [_ITEM])
    assert (await import_file(pool, file)).rejects is None
    assert not (tmp_path / "mixed.jsonl.rejects.jsonl").exists()


async def test_values_at_their_bounds_are_stored(pool: Pool, tmp_path: Path) -> None:
    edge = {
        "id": "x" * 255,
        "title": "\U0001f3db" * 650,
        "content_type": "a" * 64,
        "prompt": "é" * 20_000,
        "content_data": "é" * 1_000_000,
        "path_thumb": "x" * 2000,
        "creator": "é" * 255,
        "tags": ["é" * 255, *(str(n) for n in range(999))],
        "quality_score": 12345678901234567890,
        "created_at": "0001-01-02T00:00:00Z",
        "updated_at": "9999-12-30T23:59:59.999999Z",
    }
    lines = [_ITEM | edge, _ITEM | {"id": "empty", "title": "", "prompt": "", "tags": []}]
    file = _write(tmp_path / "edge.jsonl", lines)
    assert _counts(await import_file(pool, file)) == (2, 0, 0, 0)
    assert _counts(await import_file(pool, file)) == (0, 0, 2, 0)


async def test_unknown_keys_are_ignored_and_counted(pool: Pool, tmp_path: Path) -> None:
    file = _write(tmp_path / "x.jsonl", [_ITEM | {"colour": 1}, _ITEM | {"id": "b", "colour": 2, "size": 3}])
    assert (await import_file(pool, file)).ignored_keys == {"colour": 2, "size": 1}


async def test_a_rejects_file_is_never_somebody_elses(pool: Pool, tmp_path: Path) -> None:
    file = _write(tmp_path / "x.jsonl", [b"{"])
    other = _write(tmp_path / "notes.txt", [b"my notes"])
    with pytest.raises(ImportFailed, match="no file of refused lines"):
        await import_file(pool, file, rejects=other)
    assert other.read_bytes() == b"my notes\n"


async def test_several_files_share_a_rejects_file(pool: Pool, tmp_path: Path) -> None:
    shared = tmp_path / "refused"
    for name in ("a", "b", "a"):
        await import_file(pool, _write(tmp_path / name, [b"{", _ITEM | {"id": name}]), rejects=shared)
    entries = [orjson.loads(line) for line in shared.read_bytes().splitlines()]
    assert sorted((entry["file"], entry["line"]) for entry in entries) == [("a", 1), ("b", 1)]


async def test_a_truncated_gzip_says_so_and_keeps_what_came_before(pool: Pool, tmp_path: Path) -> None:
    text = b"".join(orjson.dumps(_ITEM | {"id": str(n), "prompt": str(n**20)}) + b"\n" for n in range(2000))
    file = tmp_path / "cut.jsonl.gz"
    file.write_bytes(gzip.compress(text)[:-5000])
    with pytest.raises(ImportFailed, match="cannot be read beyond line"):
        await import_file(pool, file)
    kept = await pool.fetchval("SELECT count(*) FROM content_items")
    assert 0 < kept < 2000
    # The whole file is another file; it is imported from its start.
    file.write_bytes(gzip.compress(text))
    assert _counts(await import_file(pool, file)) == (2000 - kept, 0, kept, 0)


async def test_empty_and_odd_files(pool: Pool, tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    assert _counts(await import_file(pool, tmp_path / "empty")) == (0, 0, 0, 0)
    (tmp_path / "bom").write_bytes(b"\xef\xbb\xbf" + orjson.dumps(_ITEM))
    assert _counts(await import_file(pool, tmp_path / "bom")) == (1, 0, 0, 0)
    (tmp_path / "binary").write_bytes(bytes(range(256)) * 10)
    report = await import_file(pool, tmp_path / "binary")
    assert report.counts.created == 0
    assert report.counts.rejected > 0
    with pytest.raises(ImportFailed, match="cannot be read"):
        await import_file(pool, tmp_path / "absent")


def _lines(count: int) -> list[dict[str, Any] | bytes]:
    """Items of both sources with tags, some known already, some refused."""
    lines: list[dict[str, Any] | bytes] = []
    for n in range(count):
        tags = [f"tag {n % 7}", f"tag {n % 101}", "all"]
        source = "auto" if n % 3 else "regular"
        date = f"20{n % 20 + 10}-01-01T00:00:00Z"
        lines.append(
            b"{"
            if n % 997 == 5
            else _ITEM
            | {
                "id": f"i{n % (count - 50)}",
                "source_type": source,
                "title": f"Item {n}",
                "tags": tags,
                "creator": f"user {n % 13}",
                "created_at": date,
                "updated_at": date,
            }
        )
    return lines


_IMPORT = """
import asyncio, sys
from pathlib import Path
from pinakes.settings import load_settings
from pinakes.store.pool import open_pool
from pinakes.store.transfer.importer import import_file

async def main():
    pool = await open_pool(load_settings(database_url=sys.argv[1]), max_size=6)
    await import_file(pool, Path(sys.argv[2]), bulk=sys.argv[3])

asyncio.run(main())
"""


@pytest.mark.parametrize("bulk", ["never", "always"])
async def test_killed_and_resumed_equals_uninterrupted(
    pool: Pool, database_url: str, tmp_path: Path, bulk: str
) -> None:
    schema = await describe(pool)
    lines = _lines(40_000)
    file = _write(tmp_path / "many.jsonl", lines)
    (tmp_path / "import.py").write_text(_IMPORT)
    killed_at = 0
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(tmp_path / "import.py"), database_url, str(file), bulk
    )
    async with asyncio.timeout(120):
        while not killed_at:
            assert process.returncode is None, "the import was over before it could be killed"
            killed_at = await pool.fetchval("SELECT coalesce(max(lines), 0) FROM import_progress") or 0
    process.send_signal(signal.SIGKILL)
    await process.wait()
    # The kill is noticed when the last statement ends; until then the file is held.
    moved = file.rename(tmp_path / "moved.jsonl")
    report = await _resumed(pool, moved)
    assert report.resumed_at >= killed_at
    assert await pool.fetchval("SELECT finished AND lines = 40000 FROM import_progress")
    await _assert_counts_hold(pool)
    assert await describe(pool) == schema
    resumed = await _state(pool)
    await pool.execute("TRUNCATE content_items, content_items_auto, content_tags, tags, users CASCADE")
    whole = await import_file(pool, _write(tmp_path / "again.jsonl", lines), from_start=True)
    assert whole.resumed_at == 0
    assert whole.counts.lines == 40_000
    assert await _state(pool) == resumed


async def _resumed(pool: Pool, file: Path) -> ImportReport:
    async with asyncio.timeout(60):
        while True:
            try:
                return await import_file(pool, file)
            except ImportFailed as error:
                if "being imported by another command" not in error.detail:
                    raise
                await pool.fetch("SELECT pg_sleep(0.02)")


async def test_a_large_file_is_read_by_a_process(pool: Pool, tmp_path: Path) -> None:
    file = _write(tmp_path / "large.jsonl", [_ITEM | {"id": str(n), "prompt": "x" * 20_000} for n in range(100)])
    assert _counts(await import_file(pool, file)) == (100, 0, 0, 0)


async def test_progress_of_a_killed_import_is_forgotten_from_start(pool: Pool, tmp_path: Path) -> None:
    file = _write(tmp_path / "x.jsonl", [_ITEM | {"id": str(n)} for n in range(10)])
    await import_file(pool, file)
    await pool.execute("UPDATE import_progress SET finished = false, lines = 6")
    assert (await import_file(pool, file)).counts.lines == 4
    await pool.execute("UPDATE import_progress SET finished = false, lines = 6")
    assert (await import_file(pool, file, from_start=True)).counts.lines == 10


_NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8).map(str.strip).filter(bool)
_TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0") | st.sampled_from('\\\t\n\r"N'), max_size=12
)
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=6,
)
_OBJECTS = st.none() | st.dictionaries(_TEXTS, _JSON, max_size=3)
_MOMENTS = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=st.just(UTC)).map(datetime.isoformat)  # noqa: DTZ001
_ITEMS = st.fixed_dictionaries(
    {
        "id": _TEXTS.filter(bool),
        "source_type": st.sampled_from(["regular", "auto"]),
        "title": _TEXTS,
        "content_type": st.sampled_from(["image", "video/mp4"]),
        "prompt": st.none() | _TEXTS,
        "creator": st.none() | _TEXTS.filter(bool),
        "tags": st.lists(_NAMES, max_size=5),
        "is_private": st.booleans(),
        "quality_score": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "created_at": _MOMENTS,
        "updated_at": _MOMENTS,
        "path_thumb": st.none() | _TEXTS,
    },
    optional={"content_data": st.none() | _TEXTS, "path_thumbs_alt_res": _OBJECTS, "item_metadata": _OBJECTS},
)


@hypothesis_settings(max_examples=25)
@given(items=st.lists(_ITEMS, max_size=12))
async def test_import_of_an_export_changes_nothing(pool: Pool, tmp_path: Path, items: list[dict[str, Any]]) -> None:
    await pool.execute("TRUNCATE content_items, content_items_auto, content_tags, tags, users CASCADE")
    report = await import_file(pool, _write(tmp_path / "items.jsonl", items), from_start=True)
    assert report.counts.rejected == 0
    state = await _state(pool)
    exported = tmp_path / "exported.jsonl"
    exported.write_bytes(b"".join(line + b"\n" for line in state))
    assert _counts(await import_file(pool, exported, from_start=True)) == (0, 0, len(state), 0)
    await pool.execute("TRUNCATE content_items, content_items_auto, content_tags, tags, users CASCADE")
    assert _counts(await import_file(pool, exported, from_start=True)) == (len(state), 0, 0, 0)
    assert await _state(pool) == state
    await _assert_counts_hold(pool)


async def test_export_of_one_source(pool: Pool, tmp_path: Path) -> None:
    await import_file(pool, _write(tmp_path / "x.jsonl", [_ITEM, _FULL]))
    out = BytesIO()
    assert await export(pool, out, SOURCES[1:2]) == 1
    assert orjson.loads(out.getvalue())["id"] == "full"


@pytest.mark.parametrize("name", ["tate", "british-library"])
async def test_real_collections(pool: Pool, shared_data: Path, tmp_path: Path, name: str) -> None:
    schema = await describe(pool)
    head = tmp_path / f"{name}.jsonl"
    with gzip.open(shared_data / f"{name}.jsonl.gz") as source:
        lines = list(itertools.islice(source, 20_000))
    head.write_bytes(b"".join(lines))
    report = await import_file(pool, head, bulk="always")
    assert _counts(report) == (20_000, 0, 0, 0)
    assert await describe(pool) == schema
    await _assert_counts_hold(pool)
    said = {(item["source_type"], item["id"]): item for item in map(orjson.loads, lines)}
    for line in await _state(pool):
        found = orjson.loads(line)
        item = said[found["source_type"], found["id"]]
        assert found["title"] == item["title"]
        assert found["creator"] == (item["creator"] or "unknown")
        assert sorted(found["tags"]) == sorted({tag.strip() for tag in item["tags"]})
    assert _counts(await import_file(pool, head)) == (0, 0, 20_000, 0)


async def test_the_commands(pool: Pool, database_url: str, tmp_path: Path) -> None:
    file = _write(tmp_path / "x.jsonl", [_ITEM, _FULL, b"{"])
    url = ("--database-url", database_url)
    printed = await _pinakes("import", str(file), "--json", *url)
    figures = orjson.loads(printed)
    assert figures["counts"] == {"lines": 3, "created": 2, "updated": 0, "unchanged": 0, "rejected": 1}
    exported = tmp_path / "all.jsonl.gz"
    await _pinakes("export", str(exported), *url)
    assert gzip.decompress(exported.read_bytes()) == await _pinakes("export", *url)
    printed = await _pinakes("import", str(exported), *url)
    assert b"0 created, 0 updated, 2 unchanged, 0 rejected" in printed


async def _pinakes(*arguments: str) -> bytes:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pinakes.cli.main", *arguments, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out
