"""Engine `index`: answers from term bitmaps; exact totals and any page of any order in milliseconds.

1. The formula becomes a set of documents, in memory (`bitmap.evaluate`); its size is the total.
2. What bitmaps cannot decide (phrases, the edges of ranges) is looked up among those documents.
3. The page's place in the order becomes a window of about a hundred documents (`bitmap.window`).
4. PostgreSQL sorts the window by the real values and gives the page's rows, in one statement.

All statements run in the request's one snapshot, and the bitmaps are those of its epoch, so the
answer is exactly the state of that epoch. Steps 1 and 3 take about a millisecond at ten million items and
no await unless the formula is large (`bitmap.evaluate`); steps 2 and 4 cost what their few rows cost.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyroaring import BitMap

from pinakes.bitmap.evaluate import Bounds, Steps, evaluating
from pinakes.engines.index_page import Found, locate, read_keys, read_page, standing
from pinakes.engines.selection import Selection, finish
from pinakes.engines.trace import Trace
from pinakes.errors import ReadModelNotReady
from pinakes.index.reader import IndexReader, RequestSource, State
from pinakes.query.cursor import Cursor, CursorCodec
from pinakes.query.fieldset import Rules
from pinakes.query.formula import Formula
from pinakes.query.gallery_query import GalleryQuery
from pinakes.query.item import Item, Page
from pinakes.query.order import SortValue, sort_value
from pinakes.settings import Settings
from pinakes.store.compiler import VIEW_COLUMNS, Compiler
from pinakes.store.pool import Connection
from pinakes.store.queries import load
from pinakes.view.reading import followed_staleness_s, hydrate, require_young

NAME = "index"

RECHECK = 10_000
"""Documents looked at in one statement, some hundred milliseconds."""

_SQL = load("rows", "pinakes.index.sql")


@dataclass(frozen=True, slots=True)
class _Request:
    """One question on its way."""

    connection: Connection
    state: State
    query: GalleryQuery
    cursor: Cursor | None
    trace: Trace


class IndexEngine:
    """Answers gallery queries from the bitmap index."""

    name = NAME

    def __init__(self, codec: CursorCodec, settings: Settings, reader: IndexReader) -> None:
        self.codec = codec
        self._settings = settings
        self._reader = reader

    async def answer(
        self,
        connection: Connection,
        query: GalleryQuery,
        formula: Formula,
        *,
        at_any_age: bool = True,
        trace: Trace | None = None,
    ) -> Page:
        """The page `query` asks for, `formula` being its meaning. `connection` is in a snapshot.

        Raises:
            InvalidCursor: the cursor is not ours or belongs to another query.
            ReadModelNotReady: there is no index for this snapshot, it is too old and not `at_any_age`,
                or looking at the documents in doubt would take too long.
        """
        trace = trace or Trace()
        cursor = self.cursor_of(query, formula)
        state = await self._reader.state(connection)
        if not at_any_age:
            require_young(state.age_s, followed_staleness_s(self._settings))
        trace.mark("state")
        state.work = trace.work
        asked = _Request(connection, state, query, cursor, trace)
        found = await self._find(asked, formula)
        if trace.detailed:
            self._reader.count_operands(state)
        page = await self._page(asked, formula, found)
        trace.mark("page")
        trace.facts |= {"total": found.total, "window": len(found.window.docs)}
        return page

    def cursor_of(self, query: GalleryQuery, formula: Formula) -> Cursor | None:
        """The cursor `query` was asked with. Raises: InvalidCursor."""
        if not query.cursor:
            return None
        return self.codec.decode(query.cursor, formula, query.sort_field, query.sort_order)

    @property
    def reader(self) -> IndexReader:
        """The process's memory of the index."""
        return self._reader

    async def follow(self, connection: Connection) -> bool:
        """Brings the process's memory to the epoch of the connection's snapshot; False where there is no index."""
        try:
            await self._reader.state(connection)
        except ReadModelNotReady:
            return False
        return True

    async def hits(self, connection: Connection, state: State, formula: Formula) -> BitMap:
        """Every document `formula` is true of, as of `state`; the caller's own to keep.

        Raises:
            ReadModelNotReady: looking at the documents in doubt would take too long.
        """

        def work(source: RequestSource) -> Steps[Bounds]:
            bounds = yield from evaluating(formula, source)
            possible = bounds.possible.copy()
            return Bounds(possible, possible) if bounds.exact else Bounds(bounds.certain.copy(), possible)

        bounds = await self._reader.run_in_steps(connection, state, work)
        return bounds.possible if bounds.exact else await self._settle(connection, formula, bounds)

    async def explain(self, connection: Connection, query: GalleryQuery, formula: Formula) -> dict[str, Any]:
        """What an answer takes: stages in milliseconds, operands, hits, the window, what had to be loaded."""
        trace = Trace(detailed=True)
        await self.answer(connection, query, formula, trace=trace)
        return {"formula": str(formula), **trace.figures(), "memory": self._reader.figures()}

    async def _find(self, asked: _Request, formula: Formula) -> Found:
        def directly(source: RequestSource) -> Steps[Found | Bounds]:
            bounds = yield from evaluating(formula, source)
            if bounds.exact:
                return locate(source, bounds.possible, asked.query, asked.cursor)
            # These outlive the evaluation, so they must be the request's own.
            return Bounds(bounds.certain.copy(), bounds.possible.copy())

        connection, state, trace = asked.connection, asked.state, asked.trace
        found = await self._reader.run_in_steps(connection, state, directly)
        trace.mark("evaluate")
        if isinstance(found, Found):
            return found
        trace.rechecked = len(found.doubtful())
        hits = await self._settle(connection, formula, found)
        trace.mark("recheck")
        located = await self._reader.run(connection, state, lambda s: locate(s, hits, asked.query, asked.cursor))
        trace.mark("evaluate")
        return located

    async def _settle(self, connection: Connection, formula: Formula, bounds: Bounds) -> BitMap:
        """The documents that really match: certain ones, and those in doubt whose rows say so.

        Looked at by `RECHECK` documents a statement, in the order of their rows, for no longer than half of
        what one statement may take.
        """
        doubtful = bounds.doubtful()
        until = time.monotonic() + self._settings.statement_timeout_ms / 2000
        found = bounds.certain.copy()
        for start in range(0, len(doubtful), RECHECK):
            if time.monotonic() > until:
                raise ReadModelNotReady(
                    f"{len(doubtful):,} documents would have to be looked at one by one.",
                    hint="Ask with engine=auto, or narrow the query.",
                )
            compiler = Compiler()
            docs = compiler.bind(list(doubtful[start : start + RECHECK]), "integer[]")
            condition = compiler.condition(formula, VIEW_COLUMNS)
            sql = _SQL["recheck"].replace("{docs}", docs).replace("{condition}", condition)
            rows = await connection.fetch(sql, *compiler.values)
            found |= BitMap([row["doc"] for row in rows])
        return found

    async def _page(self, asked: _Request, formula: Formula, found: Found) -> Page:
        """The page, from its window."""
        query, size = asked.query, asked.query.page_size
        items: list[Item] | None = None
        keys: list[tuple[int, int, SortValue]] = []
        start, docs = found.start, list(found.window.docs)
        if asked.cursor is None and docs:
            items = await read_page(asked.connection, query, docs, start - found.window.first)
            keys = [(item.source, item.id, sort_value(item, query.sort_field)) for item in items]
        elif asked.cursor is not None:
            keys = await read_keys(asked.connection, query, docs) if docs else []
            first = found.window.first
            start = first + standing(keys, asked.cursor, query) - (size if asked.cursor.side == "before" else 0)
            keys = keys[max(start - first, 0) : max(start + size - first, 0)]
        selection = Selection(keys, start + size < found.total, start > 0, found.total, "exact")

        async def read(connection: Connection, wanted: Sequence[tuple[int, int]], rules: Rules) -> list[Item]:
            return await hydrate(connection, wanted, rules) if items is None else items

        state = asked.state
        return await finish(
            asked.connection, query, formula, selection, self.codec,
            backward=False, engine=NAME, as_of=state.at, epoch=state.epoch, read=read,
        )  # fmt: skip
