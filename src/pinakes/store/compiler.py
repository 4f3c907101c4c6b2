"""The one place where SQL is put together at run time: formulas become WHERE conditions.

A `Compiler` belongs to one statement: it collects the bound values while it prints conditions.
Identifiers come from `Columns`, written in this package; every value is bound. Conditions are
two-valued: where a column may be missing, a negated condition says `IS NOT TRUE`, so an item
without a score is outside every range and inside every negated one, as in `matches`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pinakes.query.formula import And, Everything, Formula, Not, Nothing, Or, Phrase, Range, Tagged, Term
from pinakes.query.sources import Source


@dataclass(frozen=True, slots=True)
class Columns:
    """Where a relation keeps an item's facts. `tags` is the array column, or None when tags stand in
    `tags_table`; `source` is the source column, or None when the relation holds one source only.
    """

    alias: str
    source: str | None = None
    tags: str | None = None
    tags_table: str | None = None

    def of(self, column: str) -> str:
        """`column` of this relation."""
        return f"{self.alias}.{column}"


def all_words(words: Iterable[str]) -> str:
    """The text of a tsquery for all of `words`, which hold no quote or backslash by the rule of what a word is."""
    return " & ".join(f"'{word}'" for word in dict.fromkeys(words))


def table_columns(source: Source, alias: str = "c") -> Columns:
    """The columns of one source's own table."""
    return Columns(alias, tags_table=source.tags_table)


VIEW_COLUMNS = Columns("c", source="c.source_type", tags="c.tags")


class Compiler:
    """Prints formulas as SQL and collects their values, numbered from 1."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def bind(self, value: Any, kind: str) -> str:
        """A placeholder for `value`, cast to the PostgreSQL type `kind`."""
        self.values.append(value)
        return f"${len(self.values)}::{kind}"

    def condition(  # noqa: C901 (one case a kind of node)
        self, formula: Formula, columns: Columns, *, probe: bool = False
    ) -> str:
        """`formula` as a condition. With `probe`, tags are looked up row by row and never joined, so
        that the planner keeps walking the sort order it was given.
        """
        match formula:
            case Everything():
                return "true"
            case Nothing():
                return "false"
            case Term("tag", int(tag)):
                return self._tags([tag], columns, probe)
            case Term():
                return self._term(formula, columns)
            case Phrase(words):
                return self._phrase(words, columns)
            case Range():
                return self._range(formula, columns)
            case Tagged():
                return self._tag_count(formula, columns)
            case Not(part):
                return f"({self.condition(part, columns, probe=probe)}) IS NOT TRUE"
            case And(parts):
                return "(" + " AND ".join(self.condition(p, columns, probe=probe) for p in parts) + ")"
            case Or(parts):
                return self._any(parts, columns, probe)

    def _any(self, parts: tuple[Formula, ...], columns: Columns, probe: bool) -> str:
        """An Or; its tags are asked in one lookup."""
        tags = [p.value for p in parts if isinstance(p, Term) and p.field == "tag" and isinstance(p.value, int)]
        rest = [p for p in parts if not (isinstance(p, Term) and p.field == "tag")]
        printed = [self._tags(tags, columns, probe)] if tags else []
        printed += [self.condition(p, columns, probe=probe) for p in rest]
        return "(" + " OR ".join(printed) + ")"

    def _tags(self, tags: list[int], columns: Columns, probe: bool) -> str:
        """Whether the item carries any of `tags`."""
        if columns.tags is not None:
            return f"{columns.tags} && {self.bind(tags, 'integer[]')}"
        lookup = f"FROM {columns.tags_table} AS t WHERE t.content_id = {columns.of('id')} AND t.tag_id = "
        lookup += self.bind(tags[0], "integer") if len(tags) == 1 else f"ANY ({self.bind(tags, 'integer[]')})"
        # A LIMIT keeps the planner from flattening the lookup into a join over all of the tag's items.
        return f"coalesce((SELECT true {lookup} LIMIT 1), false)" if probe else f"EXISTS (SELECT 1 {lookup})"

    def _term(self, term: Term, columns: Columns) -> str:
        match term.field:
            case "source":
                if columns.source is None:
                    raise AssertionError("source terms are decided by `assume` before a table is asked")
                return f"{columns.source} = {self.bind(term.value, 'smallint')}"
            case "type":
                return f"{columns.of('content_type')} = {self.bind(term.value, 'text')}"
            case "creator":
                return f"{columns.of('creator_id')} = {self.bind(term.value, 'bigint')}"
            case "vis":
                private = columns.of("is_private")
                return private if term.value == "private" else f"NOT {private}"
            case _:
                return f"{self._lexemes(columns)} @@ {self._all_words((str(term.value),))}"

    def _phrase(self, words: tuple[str, ...], columns: Columns) -> str:
        """All the words by index, then the phrase itself in the words of title or prompt."""
        phrase = self.bind(f" {' '.join(words)} ", "text")
        title, prompt = columns.of("title"), columns.of("prompt")
        stands = (
            f"(strpos(pinakes_words({title}), {phrase}) > 0"
            f" OR strpos(pinakes_words(coalesce({prompt}, '')), {phrase}) > 0)"
        )
        return f"({self._lexemes(columns)} @@ {self._all_words(words)} AND {stands})"

    def _all_words(self, words: tuple[str, ...]) -> str:
        """A tsquery for all of `words`."""
        return self.bind(all_words(words), "text") + "::tsquery"

    @staticmethod
    def _lexemes(columns: Columns) -> str:
        return f"pinakes_lexemes({columns.of('title')}, {columns.of('prompt')})"

    def _tag_count(self, asked: Tagged, columns: Columns) -> str:
        """How many tags; a table's taggings are counted no further than the answer needs."""
        if columns.tags is not None:
            carried = f"cardinality({columns.tags})"
        else:
            enough = self.bind((asked.low if asked.high is None else asked.high + 1), "bigint")
            lookup = f"FROM {columns.tags_table} AS t WHERE t.content_id = {columns.of('id')} LIMIT {enough}"
            some = f"FROM (SELECT 1 {lookup}) AS carried"
            carried = f"(SELECT count(*) {some})"
        if asked.high is None:
            return f"{carried} >= {self.bind(asked.low, 'bigint')}"
        return f"{carried} BETWEEN {self.bind(asked.low, 'bigint')} AND {self.bind(asked.high, 'bigint')}"

    def _range(self, asked: Range, columns: Columns) -> str:
        column = columns.of(asked.field)
        kind = "double precision" if asked.field == "quality_score" else "timestamptz"
        ends = []
        if asked.low is not None:
            ends.append(f"{column} >= {self.bind(asked.low, kind)}")
        if asked.high is not None:
            ends.append(f"{column} {'<' if asked.open_high else '<='} {self.bind(asked.high, kind)}")
        return "(" + " AND ".join(ends) + ")" if ends else f"{column} IS NOT NULL"
