"""Plain words typed next to each other that may be the name of one tag, as `blue sky`.

A space in `q` means "and", so `blue sky` asks for two tags. People who do not know that names are written with
`_` type it and mean `blue_sky`. The question is answered as it stands, and where the words together are a tag, a
warning offers it.

Words count as adjacent where nothing but spaces is between them and neither has a sign before it. Runs of up to
`MOST_WORDS` words are candidates, `MOST_CANDIDATES` of them; the work is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pinakes.query.language.grammar import FIELDS, FLAGS

MOST_WORDS = 4
MOST_CANDIDATES = 32

_PIECE = re.compile(r'"(?:\\.|[^"\\])*"?|[^\s"]+', re.DOTALL)
_WORD = re.compile(r"[^\s()\"|~*-][^\s()\"|*]*(?:\([^\s()\"|*]*\)[^\s()\"|*]*)*")
_FIELD = re.compile(rf"(?:{'|'.join((*FIELDS, *FLAGS))}):", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Adjacent:
    """Words typed next to each other, with a space between them."""

    text: str

    def __str__(self) -> str:
        return self.text


def adjacent(text: str) -> tuple[str, ...]:
    """The runs of adjacent plain words in `text`, each with single spaces, sorted; at most `MOST_CANDIDATES`."""
    found: dict[str, None] = {}
    for run in _runs(text):
        for size in range(2, MOST_WORDS + 1):
            for start in range(len(run) - size + 1):
                if len(found) >= MOST_CANDIDATES:
                    return tuple(sorted(found))
                found[" ".join(run[start : start + size])] = None
    return tuple(sorted(found))


def _runs(text: str) -> Iterator[list[str]]:
    run: list[str] = []
    for piece in _PIECE.finditer(text):
        word = piece[0]
        plain = _WORD.fullmatch(word) and word.lower() != "or" and not _FIELD.match(word)
        if plain:
            run.append(word)
            continue
        # A bracket that only opens or closes around the word ends the run behind it, or begins one with it.
        opened, closed = word.lstrip("("), word.rstrip(")")
        if opened != word and _WORD.fullmatch(opened):
            yield run
            run = [opened]
        elif closed != word and _WORD.fullmatch(closed):
            yield [*run, closed]
            run = []
        else:
            yield run
            run = []
    yield run
