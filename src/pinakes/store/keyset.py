"""Walking an order: ORDER BY and keyset conditions for every sort field, both ways, from any place.

A sort field's values form two runs, present values and missing ones, and missing come last. Each
run is a contiguous piece of the btree on (field, id), so a page from anywhere costs its own rows.
Walking backwards (to the page before a cursor) is the same walk in the opposite direction with the
runs exchanged. Only `quality_score` can be missing.
"""

from __future__ import annotations

from dataclasses import dataclass

from pinakes.query.cursor import Cursor
from pinakes.query.gallery_query import SortField, SortOrder
from pinakes.store.compiler import Columns, Compiler

NULLABLE: frozenset[SortField] = frozenset({"quality_score"})
KINDS: dict[SortField, str] = {
    "created_at": "timestamptz",
    "updated_at": "timestamptz",
    "quality_score": "double precision",
    "title": 'text COLLATE "C"',
}


@dataclass(frozen=True, slots=True)
class Run:
    """A piece of the order: rows that satisfy `condition`, in the order `order_by`."""

    condition: str
    order_by: str


@dataclass(frozen=True, slots=True)
class Walk:
    """A direction through an order, from its beginning or from beside `start`."""

    field: SortField
    ascending: bool
    missing_first: bool = False
    start: Cursor | None = None
    include_start: bool = False

    @classmethod
    def of(cls, field: SortField, order: SortOrder, cursor: Cursor | None = None) -> Walk:
        """The walk that collects a page: forward, or backward to the page before a cursor."""
        backward = cursor is not None and cursor.side == "before"
        return cls(field, (order == "asc") != backward, backward, cursor)

    def opposite(self) -> Walk:
        """The walk to the other side of the same place, the place itself included."""
        return Walk(self.field, not self.ascending, not self.missing_first, self.start, not self.include_start)

    def merged(self, key: str = "key", item_id: str = "id", source: str = "source") -> str:
        """ORDER BY over rows of several runs or sources."""
        way = "ASC" if self.ascending else "DESC"
        missing = "FIRST" if self.missing_first else "LAST"
        return f"{key} {way} NULLS {missing}, {item_id} {way}, {source} {way}"

    def runs(self, compiler: Compiler, columns: Columns, source: int | None) -> list[Run]:
        """The runs of one relation, in walking order. `source` is its source's code if it has one only."""
        if self.field not in NULLABLE:
            return [self._present(compiler, columns, source)]
        present = self._present(compiler, columns, source)
        missing = self._missing(compiler, columns, source)
        found = [missing, present] if self.missing_first else [present, missing]
        return [run for run in found if run is not None]

    def after(self, compiler: Compiler) -> str:
        """The condition on merged rows (key, id, source) that they lie on this walk."""
        if self.start is None:
            return "true"
        beside = self._beyond(compiler, "id, source", [(self.start.id, "bigint"), (self.start.source, "smallint")])
        if self.start.value is None:
            tie = f"(key IS NULL AND {beside})"
            return f"({tie} OR key IS NOT NULL)" if self.missing_first else tie
        value = compiler.bind(self.start.value, KINDS[self.field])
        further = f"key {'>' if self.ascending else '<'} {value} OR (key = {value} AND {beside})"
        return f"({further})" if self.missing_first else f"({further} OR key IS NULL)"

    def _present(self, compiler: Compiler, columns: Columns, source: int | None) -> Run:
        conditions = [f"{columns.of(self.field)} IS NOT NULL"] if self.field in NULLABLE else []
        if self.start is not None:
            if self.start.value is not None:
                value = (self.start.value, KINDS[self.field])
                conditions.append(self._row(compiler, columns, source, [(columns.of(self.field), value)]))
            elif not self.missing_first:
                conditions.append("false")
        return Run(" AND ".join(conditions) or "true", self._order_by(columns))

    def _missing(self, compiler: Compiler, columns: Columns, source: int | None) -> Run:
        conditions = [f"{columns.of(self.field)} IS NULL"]
        if self.start is not None:
            if self.start.value is None:
                conditions.append(self._row(compiler, columns, source, []))
            elif self.missing_first:
                conditions.append("false")
        return Run(" AND ".join(conditions), self._order_by(columns))

    def _row(
        self, compiler: Compiler, columns: Columns, source: int | None, front: list[tuple[str, tuple[object, str]]]
    ) -> str:
        """Beyond the start by (front…, id[, source]); a relation of one source decides the tie by its code."""
        assert self.start is not None
        names = [name for name, _ in front] + [columns.of("id")]
        values = [value for _, value in front] + [(self.start.id, "bigint")]
        inclusive = self.include_start
        if source is None:
            names.append(str(columns.source))
            values.append((self.start.source, "smallint"))
        elif source != self.start.source:
            inclusive = (source > self.start.source) == self.ascending
        return self._beyond(compiler, ", ".join(names), values, inclusive=inclusive)

    def _beyond(
        self, compiler: Compiler, names: str, values: list[tuple[object, str]], *, inclusive: bool | None = None
    ) -> str:
        closed = self.include_start if inclusive is None else inclusive
        operator = (">" if self.ascending else "<") + ("=" if closed else "")
        return f"({names}) {operator} ({', '.join(compiler.bind(value, kind) for value, kind in values)})"

    def _order_by(self, columns: Columns) -> str:
        # No NULLS clause: within a run there is nothing to place, and so the plain btree serves both ways.
        way = "ASC" if self.ascending else "DESC"
        tail = f", {columns.source} {way}" if columns.source is not None else ""
        return f"{columns.of(self.field)} {way}, {columns.of('id')} {way}{tail}"
