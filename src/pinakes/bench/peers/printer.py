"""Formulas as SQL conditions, in the way a peer would write them: how tags are asked is the peer's.

Not the compiler of the product: were both printed by the same code, one mistake would be in both and
no comparison would show it. Knows the leaves that workloads ask: tags, sources, creators, privacy,
types and words.
"""

from __future__ import annotations

from typing import Any, Protocol

from pinakes.query.formula import And, Everything, Formula, Not, Nothing, Or, Term


class Ways(Protocol):
    """How a relation is asked for tags and words."""

    def all_of(self, printer: Printer, tags: list[int]) -> str:
        """Whether the row carries all of `tags`."""
        ...

    def any_of(self, printer: Printer, tags: list[int]) -> str:
        """Whether it carries any of them."""
        ...

    def word(self, printer: Printer, word: str) -> str:
        """Whether `word` stands in its title or prompt."""
        ...


class Lexemes:
    """Words by the index PostgreSQL has on every relation with title and prompt."""

    def word(self, printer: Printer, word: str) -> str:
        """A tsquery of one lexeme; by the rule of what a word is it holds no quote."""
        lexeme = printer.bind(f"'{word}'", "text")
        return f"pinakes_lexemes(c.title, c.prompt) @@ {lexeme}::tsquery"


class Printer:
    """Prints for one statement; `values` are its parameters. The relation is called `c`."""

    def __init__(self, ways: Ways) -> None:
        self.values: list[Any] = []
        self._ways = ways

    def bind(self, value: Any, kind: str) -> str:
        """A placeholder for `value`."""
        self.values.append(value)
        return f"${len(self.values)}::{kind}"

    def condition(self, formula: Formula) -> str:
        """`formula` as a condition."""
        match formula:
            case Everything():
                return "true"
            case Nothing():
                return "false"
            case Not(part):
                return f"NOT {self.condition(part)}"
            case And(parts):
                tags, rest = _split(parts)
                printed = [self._ways.all_of(self, tags)] if tags else []
                return "(" + " AND ".join([*printed, *map(self.condition, rest)]) + ")"
            case Or(parts):
                tags, rest = _split(parts)
                printed = [self._ways.any_of(self, tags)] if tags else []
                return "(" + " OR ".join([*printed, *map(self.condition, rest)]) + ")"
            case Term("tag", int(tag)):
                return self._ways.any_of(self, [tag])
            case Term():
                return self._term(formula)
            case _:
                raise NotImplementedError(f"no workload asks for {formula}")

    def _term(self, term: Term) -> str:
        match term.field:
            case "source":
                return f"c.source_type = {self.bind(term.value, 'smallint')}"
            case "creator":
                return f"c.creator_id = {self.bind(term.value, 'bigint')}"
            case "type":
                return f"c.content_type = {self.bind(term.value, 'text')}"
            case "vis":
                return "c.is_private" if term.value == "private" else "NOT c.is_private"
            case _:
                return self._ways.word(self, str(term.value))


def _split(parts: tuple[Formula, ...]) -> tuple[list[int], list[Formula]]:
    """The tags among `parts`, and the rest."""
    tags = [part.value for part in parts if isinstance(part, Term) and isinstance(part.value, int) and _is_tag(part)]
    return tags, [part for part in parts if not _is_tag(part)]


def _is_tag(part: Formula) -> bool:
    return isinstance(part, Term) and part.field == "tag"
