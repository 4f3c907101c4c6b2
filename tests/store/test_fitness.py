"""What a gallery cannot be kept with is refused by name at the start; odd but harmless settings work."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from click.testing import CliRunner, Result

from api.application import ADA, Gallery, Tokens, running
from conftest import with_database
from pinakes.cache import report
from pinakes.cli.main import main
from pinakes.doctor.examine import examine
from pinakes.embedded import EmbeddedServers
from pinakes.errors import UnfitDatabase, UnfitRedis
from pinakes.index.build import build
from pinakes.settings import Settings
from pinakes.store import fitness
from pinakes.store.migrate import migrate
from pinakes.store.pool import Pool, open_pool
from pinakes.worker.loop import running as worker

OPENING: tuple[tuple[str, ...], ...] = (
    ("migrate",),
    ("serve", "--port", "0"),
    ("worker",),
    ("import", "in.jsonl"),
    ("export", "out.jsonl"),
    ("view", "status"),
    ("view", "refresh"),
    ("index", "status"),
    ("index", "build"),
    ("tags", "export", "tags", "tags.csv"),
    ("cache", "stats"),
    ("check", "--part", "orphans"),
    ("advise",),
    ("token", "--user", "ada"),
)
"""Commands that open the database."""


def execute(url: str | None, *statements: str) -> None:
    async def body() -> None:
        connection = await asyncpg.connect(url)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(body())


@pytest.fixture
def handlers(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[None]:
    """The tests' own handlers of signals, back after commands that set theirs; and a folder to write into."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.jsonl").write_text("{}\n")
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def run(settings: Settings, *command: str) -> Result:
    """One command on these databases."""
    return CliRunner().invoke(main, command, env=settings.environment())


def refused(settings: Settings, said: str, code: str, commands: tuple[tuple[str, ...], ...]) -> None:
    """Every command ends with this message, its code and a hint, and no traceback."""
    for command in commands:
        told = run(settings, *command)
        assert isinstance(told.exception, SystemExit), (command, told.exception)
        assert told.exit_code == 1, (command, told.output)
        assert said in told.stderr, (command, told.stderr)
        assert f"[{code}]" in told.stderr, (command, told.stderr)
        assert "Hint: " in told.stderr, (command, told.stderr)


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_of_another_encoding_is_refused_by_every_command(
    servers: EmbeddedServers, settings: Settings, encoding: str
) -> None:
    name = f"in_{encoding.lower()}"
    make = f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE_PROVIDER libc LOCALE 'C'"
    execute(servers.database_url, make)
    try:
        url = with_database(servers.database_url, name)
        there = settings.model_copy(update={"database_url": url})
        refused(there, f"encoding {encoding}; UTF8 is needed", UnfitDatabase.code, (*OPENING, ("doctor",)))
    finally:
        execute(servers.database_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize(
    ("name", "value", "owners_only"),
    [
        ("standard_conforming_strings", "off", False),
        ("session_replication_role", "replica", False),
        ("gin_fuzzy_search_limit", "100", False),
        ("default_transaction_read_only", "on", True),
    ],
)
def test_a_setting_that_makes_answers_wrong_is_refused_by_name(
    settings: Settings, name: str, value: str, owners_only: bool
) -> None:
    database = execute_value(settings.database_url, "SELECT current_database()")
    execute(settings.database_url, f"ALTER DATABASE {database} SET {name} = {value}")
    owners = (("migrate",), ("worker",), ("import", "in.jsonl"), ("view", "refresh"), ("index", "build"))
    tells = tuple(command for command in OPENING if command[0] != "token")
    refused(settings, f"{name} is {value} for this role", UnfitDatabase.code, owners if owners_only else tells)
    if owners_only:
        assert run(settings, "view", "status").exit_code == 0


def execute_value(url: str | None, sql: str) -> Any:
    async def body() -> Any:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(body())


@pytest.mark.usefixtures("handlers")
def test_tables_that_the_search_path_does_not_lead_to_are_named(settings: Settings) -> None:
    database = execute_value(settings.database_url, "SELECT current_database()")
    execute(settings.database_url, "CREATE SCHEMA other", f"ALTER DATABASE {database} SET search_path = other")
    refused(
        settings,
        "in schema public, which the search_path",
        UnfitDatabase.code,
        (("migrate",), ("serve",), ("view", "status")),
    )
    execute(settings.database_url, f"ALTER DATABASE {database} SET search_path = other, public")
    refused(
        settings,
        "would make new ones in other",
        UnfitDatabase.code,
        (("migrate",), ("worker",), ("import", "in.jsonl")),
    )
    assert run(settings, "view", "status").exit_code == 0


@pytest.mark.usefixtures("handlers")
def test_missing_rights_are_named_with_what_they_are_missing_on(settings: Settings) -> None:
    url = settings.database_url or ""
    execute(url, "DROP ROLE IF EXISTS test_little", "CREATE ROLE test_little LOGIN")
    little = settings.model_copy(update={"database_url": url.replace("pinakes@", "test_little@")})
    try:
        said = "The role test_little may not read alembic_version, change_log, content_items, "
        refused(
            little, said, UnfitDatabase.code, (("serve",), ("view", "status"), ("export", "out.jsonl"), ("worker",))
        )
        execute(url, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO test_little")
        assert run(little, "view", "status").exit_code == 0
        said = "The role test_little may not insert into, update and delete from change_log, "
        refused(little, said, UnfitDatabase.code, (("serve",), ("tags", "export", "tags", "tags.csv")))
        execute(url, "GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO test_little")
        execute(url, "REVOKE UPDATE ON tags FROM test_little")
        refused(little, "update and delete from tags.", UnfitDatabase.code, (("serve",),))
        execute(url, "GRANT UPDATE ON tags TO test_little")
        said = "The role test_little is not the owner, nor a member of the owner, of alembic_version, "
        refused(
            little, said, UnfitDatabase.code, (("worker",), ("migrate",), ("import", "in.jsonl"), ("view", "rebuild"))
        )
        execute(url, "REVOKE EXECUTE ON FUNCTION fold_tag_counts() FROM PUBLIC")
        refused(little, "may not call the functions fold_tag_counts.", UnfitDatabase.code, (("view", "status"),))
    finally:
        execute(url, "DROP OWNED BY test_little", "DROP ROLE test_little")


@pytest.mark.usefixtures("handlers")
def test_servers_that_are_too_old_are_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The servers are real; what is needed is raised above them."""
    with monkeypatch.context() as raised:
        raised.setattr(report, "OLDEST", (90, 0))
        refused(settings, "; 90.0 or newer is needed.", UnfitRedis.code, (("serve",), ("cache", "stats"), ("check",)))
    monkeypatch.setattr(fitness, "OLDEST", 90)
    refused(settings, "; 90 or newer is needed.", UnfitDatabase.code, OPENING)


async def test_a_running_service_and_the_doctor_tell_of_a_setting_that_came_later(
    settings: Settings, gallery: Gallery, pool: Pool
) -> None:
    database = await pool.fetchval("SELECT current_database()")
    async with running(settings) as client:
        assert (await client.get("/readyz")).status_code == 200
        await pool.execute(f"ALTER DATABASE {database} SET gin_fuzzy_search_limit = 5")
        later = await open_pool(settings, max_size=1)
        try:
            said = {finding.said for finding in (await examine(later, settings)).findings}
        finally:
            await later.close()
        assert any("gin_fuzzy_search_limit is 5" in text for text in said)


HARMLESS = {
    "datestyle": "'German, DMY'",
    "timezone": "'Pacific/Kiritimati'",
    "intervalstyle": "sql_standard",
    "extra_float_digits": "-15",
    "bytea_output": "escape",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "transform_null_equals": "on",
    "array_nulls": "off",
    "backslash_quote": "on",
    "quote_all_identifiers": "on",
    "synchronous_commit": "off",
    "default_text_search_config": "german",
    "enable_indexscan": "off",
    "enable_seqscan": "off",
    "jit": "on",
    "client_min_messages": "error",
    "row_security": "off",
    "check_function_bodies": "off",
    "xmloption": "document",
    "default_statistics_target": "1",
    "plan_cache_mode": "force_generic_plan",
    "geqo": "off",
    "from_collapse_limit": "1",
    "join_collapse_limit": "1",
    "escape_string_warning": "on",
    "debug_parallel_query": "on",
}
QUESTIONS = (
    "search_term=café",
    "q=sunset",
    "created_after=2020-01-01",
    "min_quality=0.3",
    "sort_field=title&sort_order=asc",
)


@asynccontextmanager
async def _odd(settings: Settings, pool: Pool) -> AsyncIterator[str]:
    database = await pool.fetchval("SELECT current_database()")
    for name, value in HARMLESS.items():
        if await pool.fetchval("SELECT true FROM pg_settings WHERE name = $1", name):
            await pool.execute(f"ALTER DATABASE {database} SET {name} = {value}")
    yield str(database)


async def test_odd_settings_that_do_no_harm_change_no_answer_of_any_engine(
    settings: Settings, pool: Pool, token: Tokens
) -> None:
    """Everything is done under them: the gallery is migrated, written, kept, indexed and asked."""
    async with _odd(settings, pool):
        await migrate(settings.database_url or "", "base")
        await migrate(settings.database_url or "")
        await pool.execute("INSERT INTO users (id, username) VALUES ($1, 'ada')", ADA)
        owner = token(ADA, "content:write")
        async with worker(settings), running(settings) as client:
            async with asyncio.timeout(120):
                while (await client.get("/readyz")).status_code != 200:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            drafts = (
                {
                    "title": "Café at sunset",
                    "tags": ["sunset"],
                    "quality_score": 0.1 + 0.2,
                    "created_at": "2021-05-04T03:02:01.123456Z",
                },
                {
                    "title": "Ein Haus",
                    "prompt": "vor dem café",
                    "tags": ["haus"],
                    "item_metadata": {"a": [None, "\\x"]},
                },
                {"title": "\\ 'quoted'", "tags": ["sunset", "haus"], "quality_score": 1e-300, "is_private": True},
            )
            for source in ("regular", "auto"):
                for draft in drafts:
                    made = await client.post(
                        f"/api/v1/content/{source}", json=draft, headers=owner, params={"refresh": "wait_for"}
                    )
                    assert made.status_code == 201, made.text
            await build(settings.database_url or "", processes=0)
            asked = [f"/api/v1/content/unified?{question}&engine=" for question in QUESTIONS]
            totals = []
            for url in asked:
                told = {}
                for engine in ("base", "matview", "index"):
                    answer = await client.get(url + engine, headers=token(ADA, "admin"))
                    assert answer.status_code == 200, answer.text
                    assert answer.json()["engine"] == engine
                    told[engine] = (answer.json()["pagination"]["total_count"], answer.json()["items"])
                assert told["base"] == told["matview"] == told["index"], url
                totals.append(told["base"][0])
            assert totals == [4, 4, 6, 2, 6]
