"""What a query could have said: the parser's terminals in words, and guesses at what was meant."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pinakes.query.language.grammar import FIELDS, FLAGS, values
from pinakes.query.language.values import EXAMPLES, one_apart, repaired
from pinakes.query.text import words

_WORDS: dict[str, str] = {
    "WORD": "a word",
    "QUOTED": 'words in quotes ("…")',
    "NAME": "a name",
    "KIND": "a type of content, such as image",
    "SORT": "created, updated, quality or title",
    "NUMBERS": "a number such as 0.5, >=0.5 or 0.5..0.7",
    "COUNTS": "a count such as 5, >5 or 2..5",
    "MOMENTS": "a time such as 2023, >2023-06 or 2023-01..2023-06",
    "LPAR": "(",
    "RPAR": ")",
    "_OR": "or",
    "$END": "the end",
}
_CONDITION = {"WORD", "QUOTED", "LPAR"}
_ORDER = re.compile(r'(order|asc|desc):[^\s()"]*', re.IGNORECASE)
_PIECE = re.compile(r'"[^\s()"]*"|[^\s()"]+')

# A piece between spaces and the minus before it; it may be a name where it has more in it than signs of the grammar.
_BRACKETED = re.compile(r'(?<!\S)([-~]?)([^\s"]{2,})(?!\S)')
_SIGNS = re.compile(r"[()|]")
_OTHERS = re.compile(r"[^()|~-]")

_SYNONYMS = {
    "date": "created",
    "posted": "created",
    "user": "by",
    "creator": "by",
    "author": "by",
    "artist": "by",
    "owner": "by",
    "sort": "order",
    "sorted": "order",
    "rating": "score",
    "quality": "score",
    "kind": "type",
    "tagcount": "tags",
}

_VALUES = {
    "score": "NUMBERS",
    "tags": "COUNTS",
    "created": "MOMENTS",
    "updated": "MOMENTS",
    "type": "KIND",
    "order": "SORT",
}


def expected(terminals: Iterable[str]) -> list[str]:
    """The terminals that fit, in a few words; the many ways to begin a condition count as one."""
    given = set(terminals)
    told = []
    if given >= _CONDITION:
        told.append("a condition")
        given = {name for name in given if name in {"RPAR", "_OR", "$END"}}
    told += sorted(_WORDS[name] for name in given if name in _WORDS)
    return told or ["something else"]


def with_value(field: str, value: str) -> str | None:
    """`field` with `value`, or with an example of one where there is none; None where no example would help."""
    if field in FLAGS:
        return f"{field}:"
    terminal = _VALUES.get(field)
    if terminal is not None and (terminal == "KIND" or not values(terminal).fullmatch(value)):
        value = repaired(terminal, value) or ""
    return f"{field}:{value}" if value else None


def misspelled(name: str) -> str | None:
    """The field or flag that `name` was probably meant to be, or None where it may be a tag's own prefix."""
    lowered = name.lower()
    known = (*FIELDS, *FLAGS)
    if lowered in known:
        return lowered
    if lowered in _SYNONYMS:
        return _SYNONYMS[lowered]
    near = [each for each in known if len(each) > 3 and one_apart(lowered, each)]
    return near[0] if near else None


def suggestion(text: str, position: int, accepted: set[str]) -> tuple[str | None, str | None]:
    """A hint, and the query that may have been meant."""
    rest = text[position:]
    value = next(iter(accepted & EXAMPLES.keys()), None)
    if value is not None:
        return _with_other_value(value, text[:position], rest)
    if named := _bracketed_name(text, position):
        return "A name with brackets that is no word goes into quotes, behind tag:.", named
    if ordered := _ORDER.match(rest):
        without = text[:position].rstrip() + rest[ordered.end() :]
        return f"{ordered[1].lower()}: stands outside of brackets.", f"{without} {ordered[0]}"
    if rest.startswith('"'):
        return "A quotation mark is not closed.", f'{text}"'
    if rest.startswith(("-", "~")):
        return "A - or ~ stands directly before what it belongs to; as text it goes into quotes.", None
    if rest.startswith(")") and "RPAR" not in accepted:
        return "This bracket closes nothing.", (text[:position] + text[position + 1 :]).strip()
    if not rest and "RPAR" in accepted:
        return "A bracket is not closed.", text + ")" * max(text.count("(") - text.count(")"), 1)
    shorter = text.rstrip().removesuffix("|")
    if not rest and (shorter != text.rstrip() or text.rstrip().lower().endswith(" or")):
        return "Nothing follows this or.", (shorter if shorter != text.rstrip() else shorter[:-3]).rstrip()
    return None, None


def _bracketed_name(text: str, position: int) -> str | None:
    """`text` with a piece such as `:)` or `>:(` as the name of a tag, where one can be what is wrong at `position`."""
    for found in _BRACKETED.finditer(text):
        sign, name = found.groups()
        if words(name) or not _SIGNS.search(name) or not _OTHERS.search(name):
            continue
        if found.start() <= position <= found.end() or position == len(text):
            quoted = name.replace("\\", "\\\\")
            return f'{text[: found.start()]}{sign}tag:"{quoted}"{text[found.end() :]}'
    return None


def _with_other_value(terminal: str, before: str, rest: str) -> tuple[str | None, str | None]:
    """The hint and the query where `rest` begins with a value that does not fit, or with none."""
    if before != before.rstrip():
        return None, f"{before.rstrip()}{EXAMPLES[terminal]} {rest}".rstrip()
    piece = _PIECE.match(rest)
    given = piece[0] if piece else ""
    instead = repaired(terminal, given.strip('"'))
    if instead is None:
        return None, None
    small = "Types of content are written in small letters." if terminal == "KIND" and given else None
    return small, before + instead + rest[len(given) :]
