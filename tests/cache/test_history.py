"""No reader is ever told what was not so: random histories on real servers, and mutants that must not pass."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from hypothesis import given, note, settings
from hypothesis import strategies as st

from cache.history import History, Reader, Wrong, operations
from pinakes.cache import reader as reader_module
from pinakes.cache.clocks import Clocks
from pinakes.cache.key import ask
from pinakes.cache.stamp import read_stamp
from pinakes.settings import Settings
from pinakes.store.pool import Pool
from pinakes.view import applier
from pinakes.view.build import build
from pinakes.view.facts import terms

LENGTH = 120


@pytest_asyncio.fixture
async def db(settings: Settings) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await asyncpg.connect(settings.database_url, server_settings={"timezone": "UTC"})
    await build(connection, "incremental")
    yield connection
    await connection.close()


def _unchanged(_reader: Reader) -> None:
    """As it is."""


async def run(
    settings: Settings,
    pool: Pool,
    db: asyncpg.Connection[Any],
    seed: int,
    change: Callable[[Reader], None] | None = None,
) -> History:
    settings = settings.model_copy(update={"engine": "base"})
    history = History(settings, pool, db, change or _unchanged)
    try:
        await history.begin()
        for operation in operations(seed, LENGTH):
            await history.do(operation)
    finally:
        await history.end()
    return history


@settings(max_examples=int(os.environ.get("PINAKES_TEST_HISTORIES", "25")), print_blob=True)
@given(seed=st.integers(0, 2**32))
async def test_every_answer_is_right(settings: Settings, pool: Pool, db: asyncpg.Connection[Any], seed: int) -> None:
    note(f"seed {seed}")
    await run(settings, pool, db, seed)


# Mutants. Each breaks one thing the design depends on; the histories above must notice.

Break = Callable[[pytest.MonkeyPatch, Pool], Callable[[Reader], None] | None]


def stamped_when_stored(_: pytest.MonkeyPatch, pool: Pool) -> Callable[[Reader], None]:
    """The version is read when the answer is stored, not in the snapshot that computed it."""

    def change(reader: Reader) -> None:
        async def late(reading: Any) -> Any:
            async with pool.acquire() as connection:
                now = await read_stamp(connection)
            return dataclasses.replace(reading, stamp=dataclasses.replace(now, exact=True))

        reader.service.after_read = late

    return change


def only_new_rows_clocked(patch: pytest.MonkeyPatch, _: Pool) -> None:
    """Only what a row became is clocked, not what it was."""
    patch.setattr(
        applier, "terms", lambda changes: terms(dataclasses.replace(c, before=None) for c in changes if c.after)
    )


def private_rows_clock_nothing(patch: pytest.MonkeyPatch, _: Pool) -> None:
    """What happens to private rows is not told to their owner's questions either."""
    _touching(patch, lambda touched: [(term, epoch) for term, epoch in touched if not term.startswith("owner:")])


def renames_clock_nothing(patch: pytest.MonkeyPatch, _: Pool) -> None:
    """A rename advances no clock."""
    _touching(patch, lambda touched: [(term, epoch) for term, epoch in touched if term != "names"])


def a_parameter_is_not_in_the_key(patch: pytest.MonkeyPatch, _: Pool) -> None:
    """Pages of both directions share an entry."""
    patch.setattr(
        reader_module,
        "ask",
        lambda query, formula, **rest: ask(
            dataclasses.replace(query, sort_order="desc", page_size=25), formula, **rest
        ),
    )


def viewers_share_entries(patch: pytest.MonkeyPatch, _: Pool) -> None:
    """Who asks is not in the key, neither as scope nor in the formula."""

    def blind(query: Any, formula: Any, **rest: Any) -> Any:
        question = ask(query, formula, **rest)
        text = re.sub(r"scope:\S+", "scope:public", question.text)
        return dataclasses.replace(question, text=re.sub(rf"creator:{query.viewer}\b", "creator:0", text))

    patch.setattr(reader_module, "ask", blind)


def publish_errors_are_swallowed(patch: pytest.MonkeyPatch, _: Pool) -> None:
    """The clocks of an epoch are lost on the way, and the head moves on as if they had arrived."""
    _touching(patch, lambda touched: [])


def waiting_changes_do_not_matter(_: pytest.MonkeyPatch, __: Pool) -> Callable[[Reader], None]:
    """Answers that are ahead of their epoch count as exactly of it."""

    def change(reader: Reader) -> None:
        async def exact(reading: Any) -> Any:
            understood = dataclasses.replace(
                reading.understood, stamp=dataclasses.replace(reading.understood.stamp, exact=True)
            )
            return dataclasses.replace(
                reading, stamp=dataclasses.replace(reading.stamp, exact=True), understood=understood
            )

        reader.service.after_read = exact

    return change


def _touching(patch: pytest.MonkeyPatch, change: Callable[[Any], Any]) -> None:
    publish = Clocks.publish

    async def changed(self: Clocks, since: int, head: int, confirmed: int, touched: Any, **rest: Any) -> int | None:
        return await publish(self, since, head, confirmed, change(touched), **rest)

    patch.setattr(Clocks, "publish", changed)


@pytest.mark.parametrize(
    "broken",
    [
        stamped_when_stored,
        only_new_rows_clocked,
        private_rows_clock_nothing,
        renames_clock_nothing,
        a_parameter_is_not_in_the_key,
        viewers_share_entries,
        publish_errors_are_swallowed,
        waiting_changes_do_not_matter,
    ],
)
async def test_a_mutant_is_caught(
    broken: Break, settings: Settings, pool: Pool, db: asyncpg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    change = broken(monkeypatch, pool)
    for seed in range(40):
        try:
            await run(settings, pool, db, seed, change)
        except Wrong:
            return
    pytest.fail("no history noticed")


async def test_histories_are_worth_checking(settings: Settings, pool: Pool, db: asyncpg.Connection[Any]) -> None:
    history = await run(settings, pool, db, 1)
    assert history.checked > 20
    assert history.hits > 5
