"""Words: how title and prompt are cut for search, the same in Python and in PostgreSQL.

The rule: lower-case, then every character outside the word class separates; words longer than
255 characters are cut every 255. The word class is `0-9 a-z` and every character beyond ASCII
except punctuation, spaces, arrows and drawing blocks, listed by code point in `WORD_CLASS`.

No locale takes part, so the answer is the same on every PostgreSQL and survives a move of the
database to another system. Lower-casing covers ASCII and the bicameral alphabets of `FOLD_FROM`
by a fixed table. The SQL twin is `pinakes_words()`; a test holds the two equal.
"""

from __future__ import annotations

import re

MAX_WORD = 255

# Code points that belong to words, besides 0-9 and a-z. A regular expression class body that
# PostgreSQL and Python read alike.
WORD_CLASS = (
    r"0-9a-z\u00aa\u00b5\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u1fff\u2070-\u209f\u2100-\u218f"
    r"\u2c00-\u2dff\u3040-\ud7ff\ue000-\ufeff\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\uff66-\ufffd"
    r"\U00010000-\U0010ffff"
)

_FOLD_RANGES = ((0xC0, 0x250), (0x370, 0x530), (0x1E00, 0x2000))


def _fold_table() -> dict[int, str]:
    """Capital -> small for the alphabets of `_FOLD_RANGES`, one character to one."""
    pairs: dict[int, str] = {}
    for start, stop in _FOLD_RANGES:
        for point in range(start, stop):
            small = chr(point).lower()
            if len(small) == 1 and small != chr(point):
                pairs[point] = small
    return pairs


_FOLD = _fold_table()
FOLD_FROM = "".join(map(chr, _FOLD))
FOLD_TO = "".join(_FOLD.values())

_ASCII_FOLD = {point: chr(point + 32) for point in range(ord("A"), ord("Z") + 1)}
_LOWER = _FOLD | _ASCII_FOLD
_WORD = re.compile(f"[{WORD_CLASS}]+")


def lower(text: str) -> str:
    """`text` in small letters, by the fixed table."""
    # Of ASCII the table folds A to Z and nothing else, as `lower` does, which is ten times as quick.
    return text.lower() if text.isascii() else text.translate(_LOWER)


def words(text: str) -> tuple[str, ...]:
    """The words of `text` in order, each at most `MAX_WORD` characters."""
    found = _WORD.findall(lower(text))
    if max(map(len, found), default=0) <= MAX_WORD:
        return tuple(found)
    return tuple(word[i : i + MAX_WORD] for word in found for i in range(0, len(word), MAX_WORD))


# Scripts that put no space between words, and Korean, which writes particles onto them.
_UNSPACED = re.compile(
    r"[\u0e00-\u0fff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff\u3400-\u9fff"
    r"\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)


def unspaced(text: str) -> str | None:
    """The first word of `text` in a script that puts no spaces between words, so that only the whole of it is found."""
    if text.isascii():
        return None
    return next((word for word in words(text) if _UNSPACED.search(word)), None)


def contains_phrase(haystack: tuple[str, ...], phrase: tuple[str, ...]) -> bool:
    """Whether `phrase` stands in `haystack` as adjacent words in this order."""
    width = len(phrase)
    return any(haystack[i : i + width] == phrase for i in range(len(haystack) - width + 1))
