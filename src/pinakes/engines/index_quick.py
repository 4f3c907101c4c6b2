"""The quick way of engine `index`: a page in one statement, without a transaction.

A process that has followed the read model to epoch e and has every bitmap it needs in memory does
not have to ask which epoch it is before it evaluates. It evaluates as of e and reads the rows together
with the epoch of that same statement's snapshot. Where the two epochs agree, bitmaps and rows are of
one state and the answer is exactly that of e; where they do not, where a bitmap is missing, or where
rows have to be looked at first, there is no quick answer and the caller takes the long way.

Names of tags are the process's own (`index.names`). A cursor takes a second statement, since the
place in the window follows from its keys; it too must be of epoch e.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from pinakes.bitmap.evaluate import Steps, evaluating
from pinakes.bitmap.source import TermsMissing
from pinakes.engines.index import NAME, IndexEngine
from pinakes.engines.index_page import Found, items_of, locate, standing, statement
from pinakes.engines.selection import Selection, finish
from pinakes.engines.trace import Trace
from pinakes.errors import ReadModelNotReady, StatementTimeout
from pinakes.index.reader import RequestSource, State
from pinakes.query.cursor import Cursor
from pinakes.query.fieldset import Rules, rules
from pinakes.query.formula import Formula
from pinakes.query.gallery_query import GalleryQuery
from pinakes.query.item import Item, Page
from pinakes.query.order import SortValue, sort_value
from pinakes.settings import Settings
from pinakes.store.pool import Connection
from pinakes.view.reading import followed_staleness_s


@dataclass(frozen=True, slots=True)
class Quick:
    """A page and the row of `page_now` that says of which state it is."""

    page: Page
    moment: Any


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question on its way."""

    connection: Connection
    state: State
    query: GalleryQuery
    formula: Formula
    cursor: Cursor | None
    timeout_s: float


class QuickIndex:
    """Answers out of memory and one statement, where that is possible."""

    def __init__(self, engine: IndexEngine, settings: Settings) -> None:
        self._engine = engine
        self._reader = engine.reader
        self._settings = settings

    async def answer(
        self,
        connection: Connection,
        query: GalleryQuery,
        formula: Formula,
        *,
        timeout_s: float,
        at_any_age: bool,
        trace: Trace,
    ) -> Quick | None:
        """The page, or None where it takes more. `connection` is in no transaction.

        Raises:
            InvalidCursor: the cursor is not ours or belongs to another query.
            StatementTimeout: a statement took longer than `timeout_s`.
        """
        state = self._reader.remembered(trace.work)
        if state is None:
            return None
        asked = _Asked(connection, state, query, formula, self._engine.cursor_of(query, formula), timeout_s)
        found = await self._find(asked)
        trace.mark("evaluate")
        if found is None:
            return None
        docs, first = list(found.window.docs), found.start
        skip = max(first - found.window.first, 0)
        if trace.detailed:
            self._reader.count_operands(state)
        try:
            if asked.cursor is not None:
                placed = await _placed(asked, asked.cursor, found, docs)
                if placed is None:
                    return None
                docs, first = placed
                skip = 0
            sql = statement("page_now", query.sort_field, query.sort_order, rules(query.fields))
            moment, *rows = await connection.fetch(sql, docs, skip, query.page_size, timeout=timeout_s)
        except TimeoutError as error:
            raise StatementTimeout from error
        trace.mark("rows")
        if not _is_of(moment, state) or not (at_any_age or self._is_young(moment)):
            return None
        page = await self._page(asked, found.total, moment, rows, first)
        trace.mark("page")
        trace.facts |= {"total": found.total, "window": len(found.window.docs), "quick": True}
        return Quick(page, moment)

    async def _find(self, asked: _Asked) -> Found | None:
        """Where the page is, from memory alone."""
        source = RequestSource(self._reader, asked.state)

        def work() -> Steps[Found | None]:
            bounds = yield from evaluating(asked.formula, source)
            return locate(source, bounds.possible, asked.query, asked.cursor) if bounds.exact else None

        try:
            found = await self._reader.paced(asked.state, work())
        except (TermsMissing, ReadModelNotReady):
            return None
        self._reader.patience.strain(source.strains)
        return found

    async def _page(self, asked: _Asked, total: int, moment: Any, rows: Sequence[Any], first: int) -> Page:
        query = asked.query
        shown = chain.from_iterable([row["tags"] for row in rows])
        tags = await self._reader.names.of(asked.connection, shown)
        items = items_of(rows, tags)
        keys: list[tuple[int, int, SortValue]] = [
            (item.source, item.id, sort_value(item, query.sort_field)) for item in items
        ]
        selection = Selection(keys, first + query.page_size < total, first > 0, total, "exact")

        async def read(_connection: Connection, _wanted: Sequence[tuple[int, int]], _rules: Rules) -> list[Item]:
            return items

        return await finish(
            asked.connection, query, asked.formula, selection, self._engine.codec,
            backward=False, engine=NAME, as_of=moment["at"], epoch=moment["epoch"], read=read,
        )  # fmt: skip

    def _is_young(self, moment: Any) -> bool:
        allowed = followed_staleness_s(self._settings)
        age_s: float = (moment["now"] - moment["at"]).total_seconds()
        return age_s <= allowed


async def _placed(asked: _Asked, cursor: Cursor, found: Found, docs: list[int]) -> tuple[list[int], int] | None:
    """The page's documents, from the window's keys, and the rank it begins at."""
    query = asked.query
    sql = statement("keys_now", query.sort_field, query.sort_order)
    rows = await asked.connection.fetch(sql, docs, timeout=asked.timeout_s)
    if not _is_of(rows[0], asked.state):
        return None
    keys = [(row["source"], row["id"], row["key"]) for row in rows if row["doc"] is not None]
    skip = standing(keys, cursor, query) - (query.page_size if cursor.side == "before" else 0)
    chosen = rows[max(skip, 0) : max(skip + query.page_size, 0)] if keys else []
    return [row["doc"] for row in chosen], found.window.first + skip


def _is_of(row: Any, state: State) -> bool:
    """Whether the row's snapshot is of the state that was evaluated."""
    return bool(row["epoch"] == state.epoch and row["incarnation"] == state.incarnation and row["intact"])
