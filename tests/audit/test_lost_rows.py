"""Rows that must always be there, deleted: a clear error everywhere, found by the check, put back by its repair."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from click.testing import CliRunner, Result

from api.application import EVE, Gallery, Tokens, assert_problem, running
from api.test_every_route import CASES, filled, names_of
from pinakes.cli.main import main
from pinakes.doctor.examine import examine
from pinakes.errors import MissingRow
from pinakes.index.build import build
from pinakes.settings import Settings
from pinakes.store.migrate import revisions
from pinakes.store.pool import Pool
from pinakes.store.standing import put_back
from pinakes.worker.loop import running as worker

LOST = "The table epoch has lost its only row."
REPAIR = "pinakes check --part schema --repair"
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("view", "status"),
    ("view", "refresh"),
    ("view", "policy", "periodic"),
    ("view", "rebuild"),
    ("view", "restored"),
    ("index", "status"),
    ("index", "build"),
    ("index", "verify"),
    ("cache", "stats"),
    ("advise",),
    ("export", "out.jsonl"),
    ("import", "in.jsonl"),
    ("tags", "export", "tags", "tags.csv"),
    ("serve", "--port", "0"),
    ("worker",),
    ("check", "--part", "read-model"),
)


def execute(settings: Settings, sql: str) -> Any:
    """The one value `sql` gives, or None."""

    async def body() -> Any:
        connection = await asyncpg.connect(settings.database_url)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(body())


@pytest.fixture
def handlers() -> Iterator[None]:
    """The tests' own handlers of signals, back after commands that set theirs."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def run(settings: Settings, *command: str) -> Result:
    """One command on these databases."""
    return CliRunner().invoke(main, command, env=settings.environment())


@pytest.mark.usefixtures("handlers")
def test_every_command_names_the_lost_epoch_and_its_repair(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(settings, "DELETE FROM epoch")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.jsonl").write_text("{}\n")
    for command in COMMANDS:
        told = run(settings, *command)
        assert told.exit_code == 1, (command, told.output, told.exception)
        assert isinstance(told.exception, SystemExit), (command, told.exception)
        assert f"{LOST} [{MissingRow.code}]" in told.stderr, (command, told.stderr)
        assert REPAIR in told.stderr, command
    told = run(settings, "doctor")
    assert told.exit_code == 1
    assert LOST in told.stdout
    assert REPAIR in told.stdout


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize(
    ("damage", "where"),
    [
        ("DELETE FROM epoch", "epoch: has lost its only row"),
        ("DELETE FROM alembic_version", "alembic_version: has lost its only row"),
        ("DELETE FROM sources WHERE code = 2", "sources: lacks the source with code 2"),
        ("UPDATE sources SET table_name = 'elsewhere' WHERE code = 1", "sources: lacks the source with code 1"),
        ("INSERT INTO sources VALUES (9, 'nine', 'content_items_nine')", "sources: has a wrong row, 9"),
    ],
)
def test_lost_rows_are_found_and_put_back(settings: Settings, damage: str, where: str) -> None:
    assert run(settings, "check", "--part", "schema").exit_code == 0
    execute(settings, damage)
    told = run(settings, "check", "--part", "schema")
    assert told.exit_code == 1
    assert where in told.stdout
    told = run(settings, "check", "--part", "schema", "--repair")
    assert told.exit_code == 0, told.output
    assert "repaired: 1 wrong" in told.stdout
    assert run(settings, "view", "status").exit_code == 0


async def _kept(pool: Pool) -> None:
    """Waits for a read model that has caught up."""
    kept = "SELECT policy IS NOT NULL AND NOT EXISTS (SELECT FROM dirty) FROM epoch"
    async with asyncio.timeout(60):
        while not await pool.fetchval(kept):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("engine", ["auto", "matview", "index"])
async def test_a_running_service_says_so_to_everybody_and_goes_on_after_the_repair(
    pool: Pool, settings: Settings, gallery: Gallery, token: Tokens, engine: str
) -> None:
    """With everything of a warm process in memory; no route and no page ends in an error nobody expected."""
    names = await names_of(gallery, pool)
    url = "/api/v1/content/unified?q=sunset"
    async with worker(settings):
        await _kept(pool)
        await build(settings.database_url or "", processes=0)
        async with running(settings.model_copy(update={"engine": engine})) as client:
            total = (await client.get(url)).json()["pagination"]["total_count"]
            newest = await pool.fetchval("SELECT max(epoch) FROM change_log")
            await pool.execute("DELETE FROM epoch")
            problem = assert_problem(await client.get("/readyz"), 503, MissingRow.code)
            assert LOST in str(problem["detail"])
            assert REPAIR in str(problem["hint"])
            assert REPAIR in str(assert_problem(await client.get(f"{url}&page_size=7"), 503, MissingRow.code)["hint"])
            broken: list[tuple[object, str]] = []
            for case in CASES:
                asked, body, form = (filled(part, names) for part in (case.url, case.body, case.form))
                answer = await client.request(case.method, asked, json=body, data=form, headers=token(EVE, "admin"))
                broken += [(case, answer.text)] if answer.status_code == 500 else []
            for page in ("/", "/tags", "/ops", f"/item/regular/{gallery.public.id}", "/?part=facets"):
                answer = await client.get(page)
                broken += [(page, answer.text)] if answer.status_code == 500 else []
            assert broken == []
            assert LOST in {finding.said for finding in (await examine(pool, settings)).findings}
            async with pool.acquire() as connection:
                await put_back(connection, revisions()[-1])
            assert await pool.fetchval("SELECT epoch FROM epoch") > newest
            # The worker, which went on trying all the while, builds a read model by itself.
            await _kept(pool)
            if engine == "index":
                await build(settings.database_url or "", processes=0)
            assert (await client.get(url)).json()["pagination"]["total_count"] == total
            assert (await client.get("/readyz")).status_code == 200
