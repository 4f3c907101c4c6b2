"""After any sequence of writes, by anyone and in any commit order, the read model equals its definition.

Several writers hold transactions open and commit them in any order; the applier works between any
two of their steps, in small bites. Beside equality, every epoch keeps three promises: the change
log names the terms of both versions of every row that changed, a document number is never given
twice in one incarnation, and epochs grow by one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from pinakes.query.sources import SOURCES, Source
from pinakes.view.applier import Applier
from pinakes.view.build import build, switch
from pinakes.view.epoch import POLICIES, Policy, read_epoch
from pinakes.view.facts import RowChange, terms
from pinakes.view.refresh import refresh
from read_models import changed_facts, differences, documents, seed, stored_facts

WRITERS = 3
ids = st.integers(1, 6)
users = st.integers(1, 4)
tag_ids = st.integers(1, 6)
sources = st.sampled_from(SOURCES)
writers = st.integers(0, WRITERS - 1)

# What PostgreSQL says to writers who collide; the statement, or the writer's transaction, is given up.
REFUSED = (
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.QueryCanceledError,
)


class ReadModel(RuleBasedStateMachine):
    """Writers, an applier, and the read model between them."""

    database_url: str
    loop: asyncio.Runner

    @initialize(policy=st.sampled_from(POLICIES), batch=st.sampled_from((1, 3, 1000)))
    def begin_with(self, policy: Policy, batch: int) -> None:
        self.applier = Applier(batch=batch)
        self.open: set[int] = set()
        self.run(self._begin(policy))

    async def _begin(self, policy: Policy) -> None:
        async def connect() -> asyncpg.Connection[Any]:
            limits = {"lock_timeout": "40ms", "timezone": "UTC"}
            return await asyncpg.connect(self.database_url, server_settings=limits)

        self.keeper = await connect()
        self.writers = [await connect() for _ in range(WRITERS)]
        await self.keeper.execute("TRUNCATE content_tags, content_items, content_items_auto, tags, users CASCADE")
        await seed(self.keeper)
        await build(self.keeper, policy)
        self.highest = -1
        self.docs: dict[int, tuple[int, int]] = {}

    def run(self, work: Awaitable[Any]) -> Any:
        return self.loop.run(_awaited(work))

    def teardown(self) -> None:
        if hasattr(self, "keeper"):
            self.run(self._end())

    async def _end(self) -> None:
        for writer in self.writers:
            await writer.close()
        await self._drained()
        await self.keeper.close()

    # Writers

    def write(self, writer: int, *statements: tuple[Any, ...]) -> None:
        async def body() -> None:
            connection = self.writers[writer]
            try:
                for sql, *values in statements:
                    await connection.execute(sql, *values)
            except REFUSED:
                if writer in self.open:
                    await connection.execute("ROLLBACK")
                    self.open.discard(writer)

        self.run(body())

    @rule(writer=writers)
    def begin(self, writer: int) -> None:
        if writer not in self.open:
            self.write(writer, ("BEGIN",))
            self.open.add(writer)

    @rule(writer=writers, end=st.sampled_from(("COMMIT", "COMMIT", "ROLLBACK")))
    def end(self, writer: int, end: str) -> None:
        if writer in self.open:
            self.open.discard(writer)
            self.write(writer, (end,))

    @rule(writer=writers, source=sources, item=ids, creator=users, tags=st.lists(tag_ids, max_size=3, unique=True))
    def insert(self, writer: int, source: Source, item: int, creator: int, tags: list[int]) -> None:
        self.write(
            writer,
            (f"INSERT INTO {source.table} (id, title, creator_id) VALUES ($1, 'item', $2)", item, creator),
            ("INSERT INTO content_tags SELECT $1, $2, unnest($3::integer[])", source.code, item, tags),
        )

    @rule(writer=writers, source=sources, creator=users, direct=st.booleans())
    def copy(self, writer: int, source: Source, creator: int, direct: bool) -> None:
        """What a bulk load does: COPY of rows and of taggings."""

        async def body() -> None:
            connection = self.writers[writer]
            try:
                found = await connection.fetchval(f"SELECT max(id) FROM {source.table}") or 0
                rows = [(found + n, f"copied {n}", creator) for n in range(1, 4)]
                await connection.copy_records_to_table(
                    source.table, records=rows, columns=("id", "title", "creator_id")
                )
                taggings = [(source.code, row[0], tag) for row in rows for tag in (1, 2)]
                await connection.copy_records_to_table(
                    source.tags_table if direct else "content_tags", records=taggings
                )
            except REFUSED:
                if writer in self.open:
                    await connection.execute("ROLLBACK")
                    self.open.discard(writer)

        self.run(body())

    @rule(
        writer=writers,
        source=sources,
        item=ids,
        change=st.sampled_from(
            (
                "title = title || '+'",
                "prompt = 'castle by the sea'",
                "is_private = NOT is_private",
                "quality_score = -coalesce(quality_score, 0.0)",
                "item_metadata = '{\"a\": 1.0}'",
                "item_metadata = '{\"a\": 1}'",
                "creator_id = creator_id % 4 + 1",
                "content_type = 'video'",
                "updated_at = now()",
                "title = title",
            )
        ),
        everywhere=st.booleans(),
    )
    def update(self, writer: int, source: Source, item: int, change: str, everywhere: bool) -> None:
        self.write(writer, (f"UPDATE {source.table} SET {change} WHERE $2 OR id = $1", item, everywhere))

    @rule(writer=writers, source=sources, item=ids, other=st.integers(7, 9))
    def renumber(self, writer: int, source: Source, item: int, other: int) -> None:
        self.write(
            writer,
            ("DELETE FROM content_tags WHERE source_type = $1 AND content_id = $2", source.code, item),
            (f"UPDATE {source.table} SET id = $2 WHERE id = $1", item, other),
        )

    @rule(writer=writers, source=sources, item=ids, again=st.booleans())
    def delete(self, writer: int, source: Source, item: int, again: bool) -> None:
        statements: list[Any] = [(f"DELETE FROM {source.table} WHERE id = $1", item)]
        if again:
            statements.append((f"INSERT INTO {source.table} (id, title, creator_id) VALUES ($1, 'again', 1)", item))
        self.write(writer, *statements)

    @rule(writer=writers, source=sources, item=ids, tag=tag_ids, direct=st.booleans(), add=st.booleans())
    def tag(self, *, writer: int, source: Source, item: int, tag: int, direct: bool, add: bool) -> None:
        table = source.tags_table if direct else "content_tags"
        sql = (
            f"INSERT INTO {table} VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
            if add
            else f"DELETE FROM {table} WHERE source_type = $1 AND content_id = $2 AND tag_id = $3"
        )
        self.write(writer, (sql, source.code, item, tag))

    @rule(writer=writers, source=sources, item=ids, direct=st.booleans())
    def retag(self, writer: int, source: Source, item: int, direct: bool) -> None:
        table = source.tags_table if direct else "content_tags"
        sql = f"UPDATE {table} SET tag_id = tag_id % 6 + 1 WHERE source_type = $1 AND content_id = $2"
        self.write(writer, (sql, source.code, item))

    @rule(writer=writers, item=ids)
    def move_taggings(self, writer: int, item: int) -> None:
        """An UPDATE of the partition key moves rows between partitions."""
        sql = "UPDATE content_tags SET source_type = 3 - source_type WHERE content_id = $1"
        self.write(writer, (sql, item))

    @rule(writer=writers, user=users, number=st.integers(0, 99))
    def rename_user(self, writer: int, user: int, number: int) -> None:
        self.write(writer, ("UPDATE users SET username = $2 WHERE id = $1", user, f"renamed {number}"))

    @rule(writer=writers, user=users, number=st.integers(100, 199))
    def replace_user(self, writer: int, user: int, number: int) -> None:
        """Another user in the place of one, in a single statement: the foreign keys hold throughout."""
        sql = "WITH gone AS (DELETE FROM users WHERE id = $1 RETURNING id) INSERT INTO users (id, username) "
        self.write(writer, (sql + "SELECT id, $2 FROM gone", user, f"replaced {number}"))

    @rule(writer=writers, tag=tag_ids, number=st.integers(0, 99))
    def rename_tag(self, writer: int, tag: int, number: int) -> None:
        self.write(writer, ("UPDATE tags SET name = $2 WHERE id = $1", tag, f"renamed {number}"))

    @rule(
        writer=writers,
        table=st.sampled_from(
            ("content_items", "content_items_auto", "content_tags", "content_tags_regular", "content_tags_auto")
        ),
    )
    def truncate(self, writer: int, table: str) -> None:
        self.write(writer, (f"TRUNCATE {table} CASCADE",))

    # The applier

    @rule()
    def one_epoch(self) -> None:
        self.run(self._epoch())

    @rule()
    def all_epochs(self) -> None:
        self.run(self._drained())

    @rule(policy=st.sampled_from(POLICIES))
    def switch_policy(self, policy: Policy) -> None:
        async def body() -> None:
            await self._given_up_on_lock(lambda: switch(self.keeper, policy))
            self.docs, self.highest = {}, -1

        self.run(body())

    async def _given_up_on_lock(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """A writer that truncates keeps the base tables to itself; the applier tries again later."""
        try:
            return await work()
        except asyncpg.LockNotAvailableError:
            return "blocked"

    async def _epoch(self) -> bool:
        """One epoch with its promises checked; whether there was anything to do."""
        state = await read_epoch(self.keeper)
        before = await stored_facts(self.keeper)
        apply = self.applier.apply if state.policy == "incremental" else refresh
        done = await self._given_up_on_lock(lambda: apply(self.keeper))
        after = await stored_facts(self.keeper)
        if done is None or done == "blocked":
            assert before == after
            assert (await read_epoch(self.keeper)).epoch == state.epoch
            return False
        assert done.epoch == state.epoch + 1
        changed = await changed_facts(before, after)
        needed = terms(RowChange(*key, None, old, new) for key, old, new in changed)
        logged = set(await self.keeper.fetchval("SELECT terms FROM change_log WHERE epoch = $1", done.epoch))
        assert "*" in logged or logged >= set(needed)
        if state.policy == "incremental":
            assert {(c.source, c.id) for c in done.changes} >= {key for key, _, _ in changed}
            await self._check_documents()
        return True

    async def _check_documents(self) -> None:
        now = await documents(self.keeper)
        for doc, key in now.items():
            assert self.docs.get(doc, key) == key or doc > self.highest, "a document number was given twice"
        self.docs.update(now)
        self.highest = max([self.highest, *now])
        assert (await read_epoch(self.keeper)).next_doc > self.highest

    async def _drained(self) -> None:
        while await self._epoch():
            pass
        if not await self.keeper.fetchval("SELECT EXISTS (SELECT FROM dirty) OR EXISTS (SELECT FROM dirty_marks)"):
            try:
                assert await differences(self.keeper) == []
            except asyncpg.LockNotAvailableError:
                return  # a writer has a table truncated and is not done

    @precondition(lambda self: hasattr(self, "keeper"))
    @invariant()
    def nothing_dirty_means_nothing_differs(self) -> None:
        async def body() -> None:
            async with self.keeper.transaction(isolation="repeatable_read"):
                if not await self.keeper.fetchval(
                    "SELECT EXISTS (SELECT FROM dirty) OR EXISTS (SELECT FROM dirty_marks)"
                ):
                    assert await differences(self.keeper) == []

        self.run(self._given_up_on_lock(body))


async def _awaited(work: Awaitable[Any]) -> Any:
    return await work


@pytest.mark.parametrize("examples", [60])
def test_read_model_equals_its_definition_after_any_writes(database_url: str, examples: int) -> None:
    with asyncio.Runner() as runner:
        machine = type("Machine", (ReadModel,), {"database_url": database_url, "loop": runner})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=examples,
                stateful_step_count=30,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
