"""From text to question: runs the grammar and says what is wrong where it does not fit.

An error names the `position` (characters from 0), what was `expected` there, and a `suggestion`
where there is one. Nothing else is ever raised, whatever the text.

The work is linear in the pieces of a text: some 20 µs each for the grammar. They are counted first, by a
regular expression at some 0.2 µs each, and a text of more than `PIECES_A_TERM` pieces a term allowed never
reaches the grammar. What was understood is remembered, whatever ceilings it was asked with.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from lark import Lark
from lark.exceptions import UnexpectedInput

from pinakes.errors import QuerySyntax, TooManyTerms
from pinakes.memory import Memory
from pinakes.query.language.builder import builder
from pinakes.query.language.grammar import spelled_out
from pinakes.query.language.refusal import Misread, in_whole, refusal, wrong
from pinakes.query.language.syntax import (
    MAX_DEPTH,
    Question,
    Text,
    leaves,
)
from pinakes.query.text import words

MEMORY = 8 * 2**20
DEFAULT_BYTES = 65_536
DEFAULT_TERMS = 1000

PIECES_A_TERM = 2
"""Two pieces a term: each may have an `or` or a minus before it. Brackets count too."""

STEP = 100
"""Pieces read between two steps of `parsing`: some two milliseconds."""

MENDED = 5
"""So many things wrong with a text are mended for one suggestion."""

LONGEST_SUGGESTED = 300
"""Longer texts get no suggestion: to see that one is right, it is parsed too."""

_BRACKETS = re.compile(r'"(?:\\.|[^"\\])*"|[()]', re.DOTALL)
_PIECES = re.compile(r'"(?:\\.|[^"\\])*"?|[()|~-]|[^\s()"|~-][^\s()"|]*(?:\([^\s()"|]*\)[^\s()"|]*)*', re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Parsed:
    """A question and how many terms it has."""

    question: Question
    terms: int


@dataclass(frozen=True, slots=True)
class _Refused:
    """What was wrong with a text."""

    detail: str
    hint: str
    extra: Mapping[str, Any]

    def error(self) -> QuerySyntax:
        """It, to be raised: each time anew, since what is raised collects where it was."""
        return QuerySyntax(self.detail, hint=self.hint, **self.extra)


_known: Memory[str, _Parsed | _Refused] = Memory("questions", MEMORY)


def parse(text: str, *, max_bytes: int = DEFAULT_BYTES, max_terms: int = DEFAULT_TERMS) -> Question:
    """What `text` asks.

    Raises:
        QuerySyntax: it does not fit the grammar.
        TooManyTerms: it is over a ceiling.
    """
    steps = parsing(text, max_bytes=max_bytes, max_terms=max_terms)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return cast("Question", done.value)


def parsing(
    text: str, *, max_bytes: int = DEFAULT_BYTES, max_terms: int = DEFAULT_TERMS
) -> Generator[None, None, Question]:
    """The same, done a step of `STEP` pieces at a time: who must not stop for long does something else in between.

    Raises:
        QuerySyntax: it does not fit the grammar.
        TooManyTerms: it is over a ceiling.
    """
    known = _known.get(text)
    if known is None or len(text) > max_bytes // 4:
        _check_characters(text)
        size = len(text.encode())
        if size > max_bytes:
            raise TooManyTerms(f"q is {size:,} bytes long.", parameter="q", allowed=f"at most {max_bytes:,} bytes")
    if known is None:
        _check_pieces(text, max_terms)
        _check_depth(text)
        known = yield from _reading(text)
        _known.put(text, known)
        if isinstance(known, _Parsed):
            _known.put(str(known.question), known)
    if isinstance(known, _Refused):
        raise known.error()
    if known.terms > max_terms:
        allowed = f"at most {max_terms:,} terms"
        raise TooManyTerms(f"q has {known.terms:,} terms.", parameter="q", allowed=allowed)
    return known.question


def _reading(text: str) -> Generator[None, None, _Parsed | _Refused]:
    """What the grammar makes of `text`."""
    try:
        run = _parser().parse_interactive(text)
        for number, _ in enumerate(run.iter_parse(), start=1):
            if number % STEP == 0:
                yield
        question = cast("Question", run.feed_eof())  # type: ignore[no-untyped-call]
    except UnexpectedInput as error:
        return _refused(refusal(text, error))
    except Misread as error:
        return _refused(in_whole(text, error))
    except QuerySyntax as error:
        return _refused(error)
    count = 0
    if question.condition is not None:
        count = sum(len(leaf.words) or 1 if isinstance(leaf, Text) else 1 for leaf in leaves(question.condition))
        _check_depth(str(question))
    return _Parsed(question, count)


def pieces(text: str) -> Iterator[int]:
    """For each piece of `text`, as what it counts: 1, or the words in it where it is quoted."""
    for found in _PIECES.finditer(text):
        piece = found[0]
        yield max(len(words(piece)), 1) if piece[0] == '"' else 1


def _check_pieces(text: str, max_terms: int) -> None:
    most, count = PIECES_A_TERM * max_terms, 0
    if len(text) <= most:
        return
    for each in pieces(text):
        count += each
        if count > most:
            raise TooManyTerms(
                "q has too many pieces.",
                parameter="q",
                allowed=f"at most {most:,} words, names, signs and brackets, and {max_terms:,} terms in them",
            )


def _refused(error: QuerySyntax) -> _Refused:
    """`error`, with a suggestion that can be asked: one that has something wrong in it is mended in its turn."""
    extra, meant = dict(error.extra), error.extra.get("suggestion")
    for _ in range(MENDED):
        if meant is None or len(meant) > LONGEST_SUGGESTED:
            break
        wrong_in_it = _complaint(meant)
        if wrong_in_it is None:
            return _Refused(error.detail, error.advice, extra | {"suggestion": meant})
        meant = wrong_in_it.extra.get("suggestion")
    return _Refused(error.detail, error.advice, extra | {"suggestion": None})


def _complaint(text: str) -> QuerySyntax | None:
    """What is wrong with `text`."""
    try:
        _parser().parse(text)
    except UnexpectedInput as error:
        return refusal(text, error)
    except Misread as error:
        return in_whole(text, error)
    except QuerySyntax as error:
        return error
    return None


def _check_characters(text: str) -> None:
    nul = text.find("\0")
    if nul >= 0:
        raise wrong("The query has a NUL character.", nul, ("text without U+0000",))
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise wrong("The query is no valid Unicode.", error.start, ("valid Unicode",)) from error


def _check_depth(text: str) -> None:
    """Brackets nest so deep and no deeper: everything that reads the tree descends it."""
    depth = 0
    for found in _BRACKETS.finditer(text):
        depth += 1 if found[0] == "(" else -1 if found[0] == ")" else 0
        if depth > MAX_DEPTH:
            raise TooManyTerms(
                "The query's brackets are nested too deep.", parameter="q", allowed=f"at most {MAX_DEPTH} levels"
            )


@cache
def _parser() -> Lark:
    return Lark(spelled_out(), parser="lalr", lexer="contextual", transformer=builder(), maybe_placeholders=False)
