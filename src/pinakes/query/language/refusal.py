"""What is said of a text that cannot be understood: where, what could stand there, and what may have been meant."""

from __future__ import annotations

from collections.abc import Sequence

from lark import Token
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken

from pinakes.errors import QuerySyntax
from pinakes.query.language.expected import expected, suggestion


def wrong(
    detail: str, position: int, expected_there: Sequence[str], hint: str | None = None, *, instead: str | None = None
) -> QuerySyntax:
    """The error at `position`. `instead`: what the query may have been meant to be."""
    return QuerySyntax(
        detail, hint=hint, parameter="q", position=position, expected=list(expected_there), suggestion=instead
    )


class Misread(Exception):
    """One piece of a text is wrong; `instead` may stand for it."""

    def __init__(
        self, piece: Token, detail: str, *expected_there: str, hint: str | None = None, instead: str | None = None
    ) -> None:
        super().__init__(detail)
        self.start, self.end = int(piece.start_pos or 0), int(piece.end_pos or 0)
        self.detail, self.expected, self.hint, self.instead = detail, expected_there, hint, instead


def in_whole(text: str, error: Misread) -> QuerySyntax:
    """What is wrong with a piece, said of the whole text."""
    instead = None if error.instead is None else text[: error.start] + error.instead + text[error.end :]
    return wrong(error.detail, error.start, error.expected, error.hint, instead=instead)


def refusal(text: str, error: UnexpectedInput) -> QuerySyntax:
    """The parser's complaint in our words."""
    if isinstance(error, UnexpectedToken):
        accepted = set(error.accepts or error.expected or ())
        ended = error.token.type == "$END"
        position = len(text) if ended else int(error.token.start_pos or 0)
    elif isinstance(error, UnexpectedCharacters):
        accepted, ended = set(error.allowed or ()), False
        position = error.pos_in_stream or 0
    else:
        accepted, position, ended = set(), len(text), isinstance(error, UnexpectedEOF)
    there = expected(accepted)
    found = "the query ends" if ended else f"{text[position : position + 20]!r} is not understood"
    hint, instead = suggestion(text, position, accepted)
    return wrong(f"At {position}: {found}; expected {', '.join(there)}.", position, there, hint, instead=instead)
