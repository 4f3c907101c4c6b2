"""From text to question: runs the grammar and says what is wrong where it does not fit.

An error names the `position` (characters from 0), what was `expected` there, and a `suggestion`
where there is one. Nothing else is ever raised, whatever the text. Parsing takes some 20 µs a
piece; the last `MEMO` texts are remembered.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import cast

from lark import Lark
from lark.exceptions import UnexpectedInput

from pinakes.errors import TooManyTerms
from pinakes.query.language.builder import builder
from pinakes.query.language.grammar import spelled_out
from pinakes.query.language.refusal import Misread, in_whole, refusal, wrong
from pinakes.query.language.syntax import (
    MAX_DEPTH,
    Question,
    Text,
    leaves,
)

MEMO = 1024
DEFAULT_BYTES = 65_536
DEFAULT_TERMS = 1000

_BRACKETS = re.compile(r'"(?:\\.|[^"\\])*"|[()]', re.DOTALL)


@lru_cache(MEMO)
def parse(text: str, *, max_bytes: int = DEFAULT_BYTES, max_terms: int = DEFAULT_TERMS) -> Question:
    """What `text` asks.

    Raises:
        QuerySyntax: it does not fit the grammar.
        TooManyTerms: it is over a ceiling.
    """
    _check_characters(text)
    size = len(text.encode())
    if size > max_bytes:
        raise TooManyTerms(f"q is {size:,} bytes long.", parameter="q", allowed=f"at most {max_bytes:,} bytes")
    _check_depth(text)
    try:
        question = cast("Question", _parser().parse(text))
    except UnexpectedInput as error:
        raise refusal(text, error) from None
    except Misread as error:
        raise in_whole(text, error) from None
    if question.condition is not None:
        count = sum(len(leaf.words) or 1 if isinstance(leaf, Text) else 1 for leaf in leaves(question.condition))
        if count > max_terms:
            allowed = f"at most {max_terms:,} terms"
            raise TooManyTerms(f"q has {count:,} terms.", parameter="q", allowed=allowed)
        _check_depth(str(question))
    return question


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
        depth += {"(": 1, ")": -1}.get(found[0], 0)
        if depth > MAX_DEPTH:
            raise TooManyTerms(
                "The query's brackets are nested too deep.", parameter="q", allowed=f"at most {MAX_DEPTH} levels"
            )


@cache
def _parser() -> Lark:
    return Lark(spelled_out(), parser="lalr", lexer="contextual", transformer=builder(), maybe_placeholders=False)
