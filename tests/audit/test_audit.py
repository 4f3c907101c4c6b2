"""`pinakes check`: what is right is called right, each thing that is wrong is found where it is, and put right."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import orjson
import pytest
import pytest_asyncio

from pinakes.audit import answers
from pinakes.audit.part import Subject
from pinakes.audit.run import NAMES, Audit, Verdict
from pinakes.bitmap.segments import decode
from pinakes.cache.clocks import Clocks, Reading
from pinakes.cache.core import ResultCache
from pinakes.cache.link import CacheUnavailable
from pinakes.cache.options import Options
from pinakes.errors import CacheUnusable, SettingsError
from pinakes.index.build import build
from pinakes.service import ContentService
from pinakes.settings import Settings
from pinakes.store.pool import Pool
from pinakes.worker.loop import running as worker
from read_models import seed

ITEMS = 120
DIRTY = "SELECT EXISTS (SELECT FROM dirty)"


async def fill(pool: Pool) -> None:
    """Two users' items in both sources, some private, each with one to three of six tags."""
    async with pool.acquire() as connection:
        await seed(connection)
        for table, code in (("content_items", 1), ("content_items_auto", 2)):
            await connection.execute(
                f"""
                INSERT INTO {table} (id, title, prompt, content_type, creator_id, is_private, quality_score)
                SELECT n, 'title ' || n, 'words of ' || n, 'image', 1 + n % 2, n % 7 = 0, n / 1000.0
                FROM generate_series(1, $1) AS n
                """,
                ITEMS,
            )
            await connection.execute(
                """
                INSERT INTO content_tags (source_type, content_id, tag_id)
                SELECT DISTINCT $2::smallint, n, 1 + (n * k) % 6
                FROM generate_series(1, $1) AS n, generate_series(1, 3) AS k
                """,
                ITEMS,
                code,
            )


@pytest_asyncio.fixture
async def subject(settings: Settings, pool: Pool) -> AsyncIterator[Subject]:
    """An installation that is right: kept, indexed, with a cache that is trusted."""
    patient = settings.model_copy(update={"cache_timeout_ms": 1000, "cache_budget_ms": 4000, "cache_strategy": "event"})
    await fill(pool)
    async with worker(patient):
        async with asyncio.timeout(120):
            while await pool.fetchval("SELECT policy FROM epoch") is None:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await build(patient.database_url or "", processes=0)
        cache = ResultCache(patient.redis_url or "", patient.database_url, Options.of(patient))
        await cache.start()
        try:
            async with asyncio.timeout(120):
                while not cache.mirror.trusted() or await pool.fetchval(DIRTY):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            service = ContentService(pool, patient, cache)
            yield Subject(patient, pool, service, full=False, rng=random.Random(1))
        finally:
            await cache.stop()


async def wrong(subject: Subject, *parts: str, repair: bool = False) -> dict[str, list[str]]:
    """What is found, by part."""
    verdicts = await Audit(subject, parts or NAMES, repair=repair).run()
    assert [verdict.part for verdict in verdicts] == [name for name in NAMES if name in (parts or NAMES)]
    return {verdict.part: [f"{f.where}: {f.what}" for f in verdict.findings] for verdict in verdicts if verdict.wrong}


async def planted(pool: Pool, *statements: str) -> None:
    """Damage that no trigger and no key sees."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        for statement in statements:
            await connection.execute(statement)


async def test_an_installation_that_is_right_is_called_right(subject: Subject) -> None:
    verdicts = await Audit(subject).run()
    assert {verdict.part: (verdict.wrong, verdict.skipped) for verdict in verdicts} == dict.fromkeys(NAMES, (0, None))
    checked = {verdict.part: verdict.checked for verdict in verdicts}
    assert checked["read-model"] == checked["orphans"] == 2 * ITEMS
    assert checked["tag-counts"] == 6
    assert checked["engines"] > 50
    assert all(checked.values())


async def test_it_is_right_while_somebody_writes(subject: Subject) -> None:
    """Changes that wait to be applied are no mistake, and a checked range never sees half of a write."""
    going = True

    async def write() -> None:
        number = 0
        while going:
            number += 1
            await subject.pool.execute("UPDATE content_items SET title = $1 WHERE id = $2", f"t{number}", number % 50)
            await subject.pool.execute(
                "INSERT INTO content_tags VALUES (1, $1, $2) ON CONFLICT DO NOTHING", 1 + number % ITEMS, 1 + number % 6
            )
            await subject.pool.execute(
                "DELETE FROM content_tags WHERE source_type = 1 AND content_id = $1 AND tag_id = $2",
                1 + (number * 7) % ITEMS,
                1 + number % 6,
            )

    writer = asyncio.create_task(write())
    try:
        assert await wrong(subject) == {}
    finally:
        going = False
        await writer


# Part, damage, and how the finding begins.
DAMAGE: tuple[tuple[str, str, str], ...] = (
    (
        "read-model",
        "UPDATE unified_content_with_tags SET title = 'other' WHERE source_type = 1 AND id = 5",
        "regular/5: different row",
    ),
    (
        "read-model",
        "UPDATE unified_content_with_tags SET tags = '{}' WHERE source_type = 2 AND id = 9",
        "auto/9: different row",
    ),
    (
        "read-model",
        "DELETE FROM unified_content_with_tags WHERE source_type = 1 AND id = 7",
        "regular/7: missing row",
    ),
    (
        "read-model",
        "UPDATE unified_content_with_tags SET id = 5000 WHERE source_type = 2 AND id = 11",
        "auto/5000: extra row",
    ),
    ("tag-counts", "INSERT INTO tag_count_deltas VALUES (1, 3, 2)", "tag 3 in regular: the count says"),
    ("tag-counts", "INSERT INTO tag_counts VALUES (2, 999, 1)", "tag 999 in auto: the count says"),
    (
        "index",
        "UPDATE term_segment SET cardinality = cardinality + 1 WHERE term = 'tag:2'",
        "tag:2 in segment 0: cardinality says",
    ),
    ("index", "DELETE FROM term_segment WHERE term = 'word:words'", "word:words in segment 0: lacks"),
)


async def test_damage_is_found_where_it_is_and_what_is_derived_is_made_anew(subject: Subject) -> None:
    found: dict[str, list[str]] = {}
    for part in ("index", "tag-counts", "read-model"):  # the index last would differ in every term of the rows
        for which, statement, _ in DAMAGE:
            if which == part:
                await planted(subject.pool, statement)
        found |= await wrong(subject, part)
    for part, _, said in DAMAGE:
        assert [text for text in found[part] if text.startswith(said)], (said, found[part])
    assert len(found["read-model"]) == 5  # the moved row is missing where it was, too
    assert len(found["tag-counts"]) == 2
    verdicts = await Audit(subject, ("tag-counts", "read-model", "index", "engines"), repair=True).run()
    assert [(verdict.part, verdict.wrong) for verdict in verdicts] == [
        ("tag-counts", 0), ("read-model", 0), ("index", 0), ("engines", 0),
    ]  # fmt: skip
    assert [verdict.repaired is not None for verdict in verdicts] == [True, True, True, False]


async def test_members_swapped_between_terms_are_found_and_engines_then_disagree(subject: Subject) -> None:
    """The cardinality is right and the members are not: only looking at members finds it."""
    live = "(SELECT generation FROM index_generation WHERE status = 'live')"
    where = f"WHERE term = 'tag:2' AND segment = 0 AND generation = {live}"
    row = await subject.pool.fetchrow(f"SELECT bits FROM term_segment {where}")
    assert row is not None
    bitmap = decode(row["bits"])
    stranger = next(doc for doc in range(2 * ITEMS) if doc not in bitmap)
    bitmap.remove(bitmap[0])
    bitmap.add(stranger)
    await subject.pool.execute(f"UPDATE term_segment SET bits = $1 {where}", bitmap.serialize())
    assert any(text.startswith("tag:2 in segment 0: lacks") for text in (await wrong(subject, "index"))["index"])
    whole = Subject(subject.settings, subject.pool, subject.service, full=True, rng=random.Random(1))
    assert "index" in await wrong(whole, "index")
    assert any("engines disagree" in text for text in (await wrong(subject, "engines"))["engines"])


async def test_orphans_are_reported_and_left_alone(subject: Subject) -> None:
    await planted(
        subject.pool,
        "INSERT INTO content_tags VALUES (1, 100000, 1), (2, 5, 31000)",
        "UPDATE content_items SET creator_id = 77 WHERE id = 3",
    )
    found = (await wrong(subject, "orphans", repair=True))["orphans"]
    assert {text.partition(":")[0] for text in found} == {"regular/100000", "auto/5", "regular/3"}
    assert await subject.pool.fetchval("SELECT count(*) FROM content_tags WHERE content_id = 100000") == 1


async def test_a_stored_answer_that_no_clock_speaks_against_is_found_and_forgotten(subject: Subject) -> None:
    """A change without its epoch: the read model is changed by hand, so no clock was told of it."""
    assert await wrong(subject, "cache") == {}  # which stores what it asks
    await planted(subject.pool, "UPDATE unified_content_with_tags SET title = title || '!' WHERE tags @> '{1}'")
    found = await wrong(subject, "cache")
    assert "given as right, and not what epoch" in found["cache"][0]
    assert await wrong(subject, "cache", repair=True) == {}


async def test_a_clock_that_stayed_behind_the_log_is_found(subject: Subject) -> None:
    cache = subject.service.cache
    assert cache is not None
    before = newest = cache.mirror.newest
    await subject.pool.execute("UPDATE content_items SET title = 'new' WHERE id = 1")
    async with asyncio.timeout(60):
        while newest <= before or cache.mirror.newest < newest:
            newest = await subject.pool.fetchval("SELECT coalesce(max(epoch), 0) FROM change_log WHERE items > 0")
            await asyncio.sleep(0.02)
    assert await wrong(subject, "clocks") == {}
    terms = await subject.pool.fetchval("SELECT terms FROM change_log WHERE epoch = $1", newest)
    await cache.link.call("ZADD", cache.clocks.key, 0, terms[0])
    assert (await wrong(subject, "clocks"))["clocks"][0].startswith(f"{terms[0]}: the clock says")


async def test_an_import_of_many_words_is_checked_in_bounded_questions(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many clocks are asked in one command, and as many terms of the log held at a time, whatever was imported."""
    cache = subject.service.cache
    assert cache is not None
    for batch in range(10):
        await subject.pool.execute(
            """
            INSERT INTO content_items (title, creator_id)
            SELECT 'word' || n || ' another' || n || ' third' || n || ' fourth' || n, 1
            FROM generate_series(400 * $1::integer, 400 * $1::integer + 399) AS n
            """,
            batch,
        )
        async with asyncio.timeout(120):
            while await subject.pool.fetchval(DIRTY):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    newest = await subject.pool.fetchval("SELECT max(epoch) FROM change_log")
    async with asyncio.timeout(120):
        while cache.mirror.newest < newest:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    monkeypatch.setattr(answers, "TERMS", 1000)
    asked: list[int] = []
    read = Clocks.read

    async def counted(self: Clocks, terms: Iterable[str]) -> Reading | None:
        asked.append(len(list(terms)))
        return await read(self, terms)

    monkeypatch.setattr(Clocks, "read", counted)
    steps = [step async for step in answers.clocks(subject, 0)]
    assert [step.findings for step in steps if step.findings] == []
    assert sum(step.checked for step in steps) > 16_000
    assert sum(asked) == sum(step.checked for step in steps)
    assert max(asked) <= answers.ASKED
    assert len(steps) > 1


async def test_a_redis_that_does_not_answer_ends_the_check_with_a_message(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(self: Clocks, terms: Iterable[str]) -> Reading | None:
        raise CacheUnavailable("no reply within 40 ms")

    monkeypatch.setattr(Clocks, "read", lost)
    monkeypatch.setattr(answers, "TRUST_S", 0.3)
    with pytest.raises(CacheUnusable, match="no reply within 40 ms"):
        await wrong(subject, "clocks")


async def test_a_check_that_was_ended_goes_on_where_it_was(subject: Subject, tmp_path: Path) -> None:
    noted = tmp_path / "progress.json"
    await planted(subject.pool, "INSERT INTO tag_count_deltas VALUES (1, 3, 2)")

    class Enough(Exception):
        pass

    seen: list[str] = []

    def step(part: str, _done: int, _total: int) -> None:
        seen.append(part)
        if part == "read-model":
            raise Enough

    with pytest.raises(Enough):
        await Audit(subject, progress_file=noted, on_step=step).run()
    first = list(seen)
    seen.clear()
    again: list[Verdict] = await Audit(
        subject, progress_file=noted, on_step=lambda part, _d, _t: seen.append(part)
    ).run()
    assert first[0] == "schema"
    assert "schema" not in seen
    assert "orphans" not in seen
    assert "tag-counts" not in seen
    assert "read-model" in seen
    assert {verdict.part: verdict.wrong for verdict in again if verdict.wrong} == {"tag-counts": 1}
    assert not noted.exists()
    noted.write_text("{}")
    with pytest.raises(SettingsError):
        await Audit(subject, progress_file=noted).run()


async def test_the_command_tells_monitoring_by_exit_code_and_json(subject: Subject) -> None:
    await planted(subject.pool, "INSERT INTO tag_count_deltas VALUES (1, 3, 2)")

    async def run(*options: str) -> tuple[int | None, dict[str, object]]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "pinakes.cli.main", "check", "--json", *options,
            env={**os.environ, **subject.settings.environment()}, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        told: dict[str, object] = orjson.loads((await process.communicate())[0])
        return process.returncode, told

    code, told = await run("--part", "tag-counts", "--part", "orphans")
    assert (code, told["wrong"]) == (1, 1)
    code, told = await run("--part", "tag-counts", "--repair", "--pace", "0.5")
    assert (code, told["wrong"]) == (0, 0)
