"""What a query could have said: the parser's terminals in words, and guesses at what was meant."""

from __future__ import annotations

from collections.abc import Iterable

from pinakes.query.language.grammar import FIELDS, FLAGS

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
_ORDERS = ("created", "updated", "quality", "title")
_CONDITION = {"WORD", "QUOTED", "LPAR"}

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


def expected(terminals: Iterable[str]) -> list[str]:
    """The terminals that fit, in a few words; the many ways to begin a condition count as one."""
    given = set(terminals)
    told = []
    if given >= _CONDITION:
        told.append("a condition")
        given = {name for name in given if name in {"RPAR", "_OR", "$END"}}
    told += sorted(_WORDS[name] for name in given if name in _WORDS)
    return told or ["something else"]


def misspelled(name: str) -> str | None:
    """The field or flag that `name` was probably meant to be, or None where it may be a tag's own prefix."""
    lowered = name.lower()
    known = (*FIELDS, *FLAGS)
    if lowered in known:
        return lowered
    if lowered in _SYNONYMS:
        return _SYNONYMS[lowered]
    near = [each for each in known if len(each) > 3 and _one_apart(lowered, each)]
    return near[0] if near else None


def suggestion(text: str, position: int, accepted: set[str]) -> tuple[str | None, str | None]:
    """A hint, and the query that may have been meant."""
    rest = text[position:]
    if rest.startswith('"'):
        return "A quotation mark is not closed.", f'{text}"'
    if rest.startswith(("-", "~")):
        return "A - or ~ stands directly before what it belongs to; as text it goes into quotes.", None
    if rest.startswith(")") and "RPAR" not in accepted:
        return "This bracket closes nothing.", (text[:position] + text[position + 1 :]).strip()
    if not rest and "RPAR" in accepted:
        return "A bracket is not closed.", f"{text})"
    if "KIND" in accepted and rest != rest.lower():
        return "Types of content are written in small letters.", text[:position] + rest.lower()
    if "SORT" in accepted and (order := _nearest(rest.split(" ")[0].lower())) is not None:
        return None, text[:position] + order + rest[len(rest.split(" ")[0]) :]
    shorter = text.rstrip().removesuffix("|")
    if not rest and (shorter != text.rstrip() or text.rstrip().lower().endswith(" or")):
        return "Nothing follows this or.", (shorter if shorter != text.rstrip() else shorter[:-3]).rstrip()
    return None, None


def _nearest(given: str) -> str | None:
    """The order that `given` was probably meant to be."""
    return next((each for each in _ORDERS if _one_apart(given, each)), None)


def _one_apart(given: str, known: str) -> bool:
    """Whether one letter more, less or other, or two exchanged, makes `known` of `given`."""
    if abs(len(given) - len(known)) > 1:
        return False
    at = next((i for i, (a, b) in enumerate(zip(given, known, strict=False)) if a != b), min(len(given), len(known)))
    rests = ((given[at + 1 :], known[at + 1 :]), (given[at + 1 :], known[at:]), (given[at:], known[at + 1 :]))
    exchanged = given[at : at + 2] == known[at : at + 2][::-1] and given[at + 2 :] == known[at + 2 :]
    return exchanged or any(a == b for a, b in rests)
