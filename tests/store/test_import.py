"""Import: what a file says is in the database, whatever else is in the file."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import lzma
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from import_files import FULL, ITEM, assert_counts_hold, counts, state, write
from pinakes.errors import ImportFailed
from pinakes.store.pool import Pool
from pinakes.store.transfer.batch import MAX_LINE_BYTES
from pinakes.store.transfer.importer import import_file


async def test_every_field_arrives(pool: Pool, tmp_path: Path) -> None:
    report = await import_file(pool, write(tmp_path / "one.jsonl", [FULL]))
    assert counts(report) == (1, 0, 0, 0)
    row = await pool.fetchrow(
        "SELECT item.*, username FROM content_items_auto AS item JOIN users ON users.id = creator_id"
    )
    assert row is not None
    same = ("title", "content_type", "prompt", "is_private", "quality_score", "path_thumb")
    for key in (*same, "path_thumbs_alt_res", "content_data", "item_metadata"):
        assert row[key] == FULL[key], key
    assert row["external_id"] == "full"
    assert row["username"] == "Ada"
    assert row["created_at"] == datetime(1545, 1, 1, tzinfo=UTC)
    assert row["updated_at"] == datetime(2024, 2, 29, 10, 0, 0, 1, tzinfo=UTC)
    tags = await pool.fetch("SELECT name FROM tags JOIN content_tags_auto ON tag_id = tags.id ORDER BY name")
    # "Sea" is the tag "sea", in the spelling that came first.
    assert [tag["name"] for tag in tags] == ["man, old", "sea"]
    await assert_counts_hold(pool)


async def test_importing_again_changes_nothing_and_touches_no_row(pool: Pool, tmp_path: Path) -> None:
    file = write(tmp_path / "items.jsonl", [FULL, ITEM])
    await import_file(pool, file)
    versions = (
        "SELECT external_id, xmin::text, ctid::text FROM content_items UNION ALL "
        "SELECT content_id::text || '/' || tag_id, xmin::text, ctid::text FROM content_tags ORDER BY 1"
    )
    before = await pool.fetch(versions)
    assert counts(await import_file(pool, file)) == (0, 0, 2, 0)
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
        ("tags", ["sea", "man, old", "SEA", "new"]),
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
    await import_file(pool, write(tmp_path / "one.jsonl", [FULL]))
    changed = write(tmp_path / "two.jsonl", [FULL | {key: value}])
    assert counts(await import_file(pool, changed)) == (0, 1, 0, 0)
    assert counts(await import_file(pool, changed)) == (0, 0, 1, 0)
    (line,) = await state(pool)
    expected = value if key != "creator" else "unknown"
    found = orjson.loads(line)[key]
    if key in {"created_at", "updated_at"}:
        assert datetime.fromisoformat(found) == datetime.fromisoformat(str(value)).replace(tzinfo=UTC)
    elif key == "tags":
        assert sorted(found) == sorted(name for name in value if name != "SEA")  # type: ignore[attr-defined]
    else:
        assert found == expected
    await assert_counts_hold(pool)


async def test_keys_a_line_lacks_stay_as_they_are(pool: Pool, tmp_path: Path) -> None:
    await import_file(pool, write(tmp_path / "one.jsonl", [FULL]))
    before = orjson.loads((await state(pool))[0])
    short = {"id": "full", "source_type": "auto", "title": "Only this"}
    assert counts(await import_file(pool, write(tmp_path / "two.jsonl", [short]))) == (0, 1, 0, 0)
    after = orjson.loads((await state(pool))[0])
    assert after.pop("updated_at") > before.pop("updated_at")
    assert after == before | {"title": "Only this"}


async def test_defaults_of_a_new_item(pool: Pool, tmp_path: Path) -> None:
    await import_file(pool, write(tmp_path / "one.jsonl", [ITEM]))
    (line,) = await state(pool)
    found = orjson.loads(line)
    assert found["creator"] == "unknown"
    assert found["content_type"] == "image"
    assert found["is_private"] is False
    assert found["tags"] == []
    assert found["created_at"] == found["updated_at"]


async def test_of_two_lines_with_one_id_the_later_updates_the_earlier(pool: Pool, tmp_path: Path) -> None:
    lines = [
        ITEM | {"prompt": "kept"},
        ITEM | {"title": "2"},
        ITEM | {"source_type": "auto"},
        ITEM | {"title": "3"},
    ]
    report = await import_file(pool, write(tmp_path / "twice.jsonl", lines))
    assert counts(report) == (2, 2, 0, 0)
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
    (ITEM | {"id": ""}, "id must be"),
    (ITEM | {"id": "x" * 256}, "id must be"),
    (ITEM | {"source_type": "video"}, "source_type must be one of regular, auto"),
    (ITEM | {"source_type": ["regular"]}, "source_type must be one of"),
    ({"id": "x", "source_type": "regular"}, "title is missing"),
    (ITEM | {"id": 7.5}, "id must be"),
    (ITEM | {"id": True}, "id must be"),
    (b'{"id":100000000000000000000.0,"source_type":"regular","title":"t"}', "id must be"),
    (ITEM | {"id": "a\0"}, "U+0000"),
    (ITEM | {"title": None}, "title must be"),
    (ITEM | {"title": "x" * 2001}, "title must be"),
    (ITEM | {"title": "\U0001f3db" * 700}, "title must be at most 2,600 bytes"),
    (ITEM | {"content_type": "Image"}, "content_type must be"),
    (ITEM | {"content_type": "image\n"}, "content_type must be"),
    (ITEM | {"prompt": "x" * 20_001}, "prompt must be"),
    (ITEM | {"prompt": 5}, "prompt must be"),
    (ITEM | {"path_thumb": "x" * 2001}, "path_thumb must be"),
    (ITEM | {"content_data": "x" * 1_000_001}, "content_data must be"),
    (ITEM | {"path_thumbs_alt_res": []}, "path_thumbs_alt_res must be"),
    (ITEM | {"item_metadata": "x"}, "item_metadata must be"),
    (b'{"id":"x","source_type":"auto","title":"t","item_metadata":' + b'{"a":' * 150 + b"1" + b"}" * 151, "nested"),
    (b'{"id":"x","source_type":"auto","title":"t","item_metadata":{"a":9223372036854775808}}', "whole numbers"),
    (b'{"id":"x","source_type":"auto","title":"t","item_metadata":{"a":[-9223372036854775809]}}', "whole numbers"),
    (b'{"id":"x","source_type":"auto","title":"t","item_metadata":{"a":' + b"1" * 300 + b"}}", "whole numbers"),
    (ITEM | {"is_private": 1}, "is_private must be"),
    (ITEM | {"is_private": None}, "is_private must be"),
    (ITEM | {"quality_score": "1"}, "quality_score must be"),
    (ITEM | {"quality_score": True}, "quality_score must be"),
    (ITEM | {"created_at": "yesterday"}, "created_at must be"),
    (ITEM | {"created_at": None}, "created_at must be"),
    (ITEM | {"created_at": 1700000000}, "created_at must be"),
    (ITEM | {"created_at": "0001-01-01T00:00:00Z"}, "created_at must be"),
    (ITEM | {"updated_at": "9999-12-31T23:59:59Z"}, "updated_at must be"),
    (ITEM | {"updated_at": "2023-02-29"}, "updated_at must be"),
    (ITEM | {"creator": "x" * 256}, "creator must be"),
    (ITEM | {"creator": 4}, "creator must be"),
    (ITEM | {"tags": "sea"}, "tags must be a list"),
    (ITEM | {"tags": None}, "tags must be a list"),
    (ITEM | {"tags": ["sea", 1]}, "tags must be texts"),
    (ITEM | {"tags": [["sea"]]}, "tags must be texts"),
    (ITEM | {"tags": ["x" * 256]}, "tags must be at most 255"),
    (ITEM | {"tags": [str(n) for n in range(1001)]}, "1,000 tags"),
    (b'{"id":"big","title":"' + b"x" * MAX_LINE_BYTES + b'"}', "the line is longer"),
]


async def test_refused_lines_are_noted_and_the_others_are_not_lost(pool: Pool, tmp_path: Path) -> None:
    lines: list[dict[str, Any] | bytes] = []
    for number, (bad, _) in enumerate(_BAD):
        lines += [ITEM | {"id": f"good {number}", "tags": ["sea", str(number)]}, bad]
    file = write(tmp_path / "mixed.jsonl", [*lines, b"", b"  ", ITEM | {"id": "last"}])
    report = await import_file(pool, file)
    assert counts(report) == (len(_BAD) + 1, 0, 0, len(_BAD))
    assert report.rejects == str(tmp_path / "mixed.jsonl.rejects.jsonl")
    entries = [orjson.loads(line) for line in Path(report.rejects).read_bytes().splitlines()]
    assert [entry["line"] for entry in entries] == [2 * number + 2 for number in range(len(_BAD))]
    for entry, (_, reason) in zip(entries, _BAD, strict=True):
        assert reason in entry["reason"], entry["reason"]
        assert len(entry["text"]) <= 2000
    assert await pool.fetchval("SELECT count(*) FROM content_items") == len(_BAD) + 1
    # Again: the same refusals, once.
    assert counts(await import_file(pool, file)) == (0, 0, len(_BAD) + 1, len(_BAD))
    assert [orjson.loads(line) for line in Path(report.rejects).read_bytes().splitlines()] == entries
    # Mended: the file of refusals goes.
    write(file, [ITEM])
    assert (await import_file(pool, file)).rejects is None
    assert not (tmp_path / "mixed.jsonl.rejects.jsonl").exists()


async def test_a_refused_line_brings_no_tags(pool: Pool, tmp_path: Path) -> None:
    lines = [ITEM | {"tags": ["sea", " sea ", "new"]}, ITEM | {"id": "bad", "tags": ["sea", "newer", "x" * 256]}]
    assert counts(await import_file(pool, write(tmp_path / "tags.jsonl", lines))) == (1, 0, 0, 1)
    assert await pool.fetchval("SELECT array_agg(name ORDER BY name) FROM tags") == ["new", "sea"]
    assert await pool.fetchval("SELECT count(*) FROM content_tags") == 2


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
    lines = [ITEM | edge, ITEM | {"id": "empty", "title": "", "prompt": "", "tags": []}]
    file = write(tmp_path / "edge.jsonl", lines)
    assert counts(await import_file(pool, file)) == (2, 0, 0, 0)
    assert counts(await import_file(pool, file)) == (0, 0, 2, 0)


async def test_unknown_keys_are_ignored_and_counted(pool: Pool, tmp_path: Path) -> None:
    file = write(tmp_path / "x.jsonl", [ITEM | {"colour": 1}, ITEM | {"id": "b", "colour": 2, "size": 3}])
    assert (await import_file(pool, file)).ignored_keys == {"colour": 2, "size": 1}


async def test_a_rejects_file_is_never_somebody_elses(pool: Pool, tmp_path: Path) -> None:
    file = write(tmp_path / "x.jsonl", [b"{"])
    other = write(tmp_path / "notes.txt", [b"my notes"])
    with pytest.raises(ImportFailed, match="no file of refused lines"):
        await import_file(pool, file, rejects=other)
    assert other.read_bytes() == b"my notes\n"


async def test_several_files_share_a_rejects_file(pool: Pool, tmp_path: Path) -> None:
    shared = tmp_path / "refused"
    for name in ("a", "b", "a"):
        await import_file(pool, write(tmp_path / name, [b"{", ITEM | {"id": name}]), rejects=shared)
    entries = [orjson.loads(line) for line in shared.read_bytes().splitlines()]
    assert sorted((entry["file"], entry["line"]) for entry in entries) == [("a", 1), ("b", 1)]


async def test_what_can_be_repaired_is_stored_and_counted(pool: Pool, tmp_path: Path) -> None:
    lines = [
        ITEM | {"id": 7, "tags": ["line1\nline2", "sea", "\u200b", "  "], "title": "a\0b", "creator": "Ada\1"},
        ITEM | {"id": "b", "tags": ["line1\nline2", "sea"], "creator": "\u200b", "item_metadata": {"x\0": ["\0y"]}},
        ITEM | {"id": "c", "tags": ["line1 line2"], "prompt": "cafe\u0301\r\n"},
    ]
    file = write(tmp_path / "odd.jsonl", lines)
    report = await import_file(pool, file)
    assert counts(report) == (3, 0, 0, 0)
    assert report.repaired == {"tags": 3, "title": 1, "creator": 2, "item_metadata": 1, "prompt": 1}
    found = {item["id"]: item for item in map(orjson.loads, await state(pool))}
    assert [sorted(found[key]["tags"]) for key in "7bc"] == [
        ["line1 line2", "sea"],
        ["line1 line2", "sea"],
        ["line1 line2"],
    ]
    assert [found[key]["creator"] for key in "7bc"] == ["Ada", "unknown", "unknown"]
    assert (found["7"]["title"], found["b"]["item_metadata"]) == ("ab", {"x": ["y"]})
    assert found["c"]["prompt"] == "café\r\n"
    assert counts(await import_file(pool, file)) == (0, 0, 3, 0)


async def test_whole_numbers_are_kept_exactly(pool: Pool, tmp_path: Path) -> None:
    numbers = [2**53 + 1, 2**63 - 1, -(2**63), 0, 1e29, -1.2345678901234568e29, 1.7976931348623157e308]
    file = write(tmp_path / "big.jsonl", [ITEM | {"item_metadata": {"n": numbers}}])
    assert counts(await import_file(pool, file)) == (1, 0, 0, 0)
    (line,) = await state(pool)
    assert orjson.loads(line)["item_metadata"] == {"n": numbers}
    assert counts(await import_file(pool, write(tmp_path / "again.jsonl", [line]))) == (0, 0, 1, 0)


async def test_a_truncated_gzip_says_so_and_keeps_what_came_before(pool: Pool, tmp_path: Path) -> None:
    text = b"".join(orjson.dumps(ITEM | {"id": str(n), "prompt": str(n**20)}) + b"\n" for n in range(2000))
    file = tmp_path / "cut.jsonl.gz"
    file.write_bytes(gzip.compress(text)[:-5000])
    with pytest.raises(ImportFailed, match=r"cannot be read beyond line.* its gzip data end too early") as failed:
        await import_file(pool, file)
    assert "run the same command again" not in failed.value.advice
    kept = await pool.fetchval("SELECT count(*) FROM content_items")
    assert 0 < kept < 2000
    # The whole file is another file; it is imported from its start.
    file.write_bytes(gzip.compress(text))
    assert counts(await import_file(pool, file)) == (2000 - kept, 0, kept, 0)


@pytest.mark.parametrize(
    ("damaged", "why"),
    [
        (lambda zipped: zipped + b"rubbish", "something else follows"),
        (lambda zipped: zipped[:400] + b"\0\0\0\0\0\0" + zipped[406:], "are damaged"),
        (lambda zipped: zipped[:-8] + b"\0" * 8, "are damaged"),
        (lambda zipped: zipped[:5], "end too early"),
    ],
)
async def test_damaged_gzip_is_told_as_such(
    pool: Pool, tmp_path: Path, damaged: Callable[[bytes], bytes], why: str
) -> None:
    text = b"".join(orjson.dumps(ITEM | {"id": str(n), "prompt": str(n**20)}) + b"\n" for n in range(500))
    file = tmp_path / "bad.jsonl.gz"
    file.write_bytes(damaged(gzip.compress(text)))
    for _ in range(2):
        with pytest.raises(ImportFailed, match=why) as failed:
            await import_file(pool, file)
        assert "Get the file again" in failed.value.advice


_LINES = [orjson.dumps(ITEM | {"id": str(n), "tags": ["é"]}) for n in range(3)]
_FOREIGN = {
    "JSON array": [
        b"[" + b",".join(_LINES) + b"]",
        b"[\n" + b",\n".join(_LINES) + b"\n]\n",
        b"\xef\xbb\xbf \n[{",
        b"[]",
    ],
    "several lines": [orjson.dumps(ITEM, option=orjson.OPT_INDENT_2)],
    "CSV": [b"id,title,tags\n1,x,y\n", b'"id";"title"\r\n1;x\r\n', "id\ttitle\n1\té\n".encode()],
    "ZIP": [b"PK\x03\x04" + bytes(100)],
    "UTF-16": [
        b"\n".join(_LINES).decode().encode("utf-16"),
        b"\n".join(_LINES).decode().encode("utf-16-be"),
        b"\xfe\xff" + b"\n".join(_LINES).decode().encode("utf-16-be"),
    ],
    "bzip2": [bz2.compress(b"\n".join(_LINES))],
    "xz": [lzma.compress(b"\n".join(_LINES))],
    "web page": [b"<!DOCTYPE html>\n<p>404\n"],
    "SQLite": [b"SQLite format 3\0" + bytes(50)],
}


@pytest.mark.parametrize(("kind", "content"), [(kind, each) for kind, several in _FOREIGN.items() for each in several])
@pytest.mark.parametrize("zipped", [False, True])
async def test_what_is_no_json_lines_is_refused_whole_by_its_name(
    pool: Pool, tmp_path: Path, kind: str, content: bytes, zipped: bool
) -> None:
    file = tmp_path / "foreign"
    file.write_bytes(gzip.compress(content) if zipped else content)
    with pytest.raises(ImportFailed, match=kind) as failed:
        await import_file(pool, file)
    assert "run the same command again" not in failed.value.advice
    assert await pool.fetchval("SELECT count(*) FROM content_items") == 0
    assert not (tmp_path / "foreign.rejects.jsonl").exists()


async def test_a_pipe_is_read_once_to_its_end(pool: Pool, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    text = b"".join(orjson.dumps(ITEM | {"id": str(n)}) + b"\n" for n in range(3000)) + b"{\n"
    for content, expected in ((text, (3000, 0, 0, 1)), (gzip.compress(text), (0, 0, 3000, 1))):
        writing = asyncio.create_task(asyncio.to_thread(pipe.write_bytes, content))
        report = await import_file(pool, pipe)
        await writing
        assert counts(report) == expected
        assert report.first_refused[0].startswith("line 3,001: not JSON")
    assert await pool.fetchval("SELECT count(*) FROM import_progress") == 0


async def test_empty_and_odd_files(pool: Pool, tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    assert counts(await import_file(pool, tmp_path / "empty")) == (0, 0, 0, 0)
    (tmp_path / "bom").write_bytes(b"\xef\xbb\xbf" + orjson.dumps(ITEM))
    assert counts(await import_file(pool, tmp_path / "bom")) == (1, 0, 0, 0)
    (tmp_path / "binary").write_bytes(bytes(range(256)) * 10)
    report = await import_file(pool, tmp_path / "binary")
    assert report.counts.created == 0
    assert report.counts.rejected > 0
    with pytest.raises(ImportFailed, match="cannot be read"):
        await import_file(pool, tmp_path / "absent")
