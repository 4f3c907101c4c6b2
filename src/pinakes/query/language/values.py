"""What a value that does not fit was probably meant to be: one as written elsewhere, mistyped, or an example."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pinakes.query.language.grammar import values

EXAMPLES = {"NUMBERS": ">=0.7", "COUNTS": ">5", "MOMENTS": "2024", "KIND": "image", "SORT": "created"}
"""Terminal -> a value that fits."""

_ORDERS = ("created", "updated", "quality", "title")
_OTHER_ORDERS = {
    "date": "created",
    "new": "created",
    "newest": "created",
    "recent": "created",
    "time": "created",
    "changed": "updated",
    "modified": "updated",
    "best": "quality",
    "rating": "quality",
    "top": "quality",
    "alphabet": "title",
    "name": "title",
}
_OTHER_SOURCES = {
    "ai": "auto",
    "generated": "auto",
    "machine": "auto",
    "human": "regular",
    "manual": "regular",
    "people": "regular",
}
_SIGN = re.compile("[<>]=?")
_BETWEEN = re.compile(r"(?<=\d)(?:[-–—…~]|\.{3,}|to)(?=[\d.])")


def repaired(terminal: str, given: str) -> str | None:
    """A value of `terminal` instead of `given`; None where nothing is known that is better than any other."""
    if not given:
        return EXAMPLES[terminal]
    if terminal == "SORT":
        return _nearest(given, _ORDERS, _OTHER_ORDERS)
    if terminal == "KIND":
        return given.lower() if values(terminal).fullmatch(given.lower()) else None
    fits = values(terminal).fullmatch
    found = next(filter(fits, _rewritten(terminal, given.lower())), None)
    if found is not None:
        return found
    sign = _SIGN.match(given)
    return sign[0] + _SIGN.sub("", EXAMPLES[terminal]) if sign else EXAMPLES[terminal]


def near_source(given: str, known: Iterable[str]) -> str | None:
    """The source that `given` was probably meant to be."""
    return _nearest(given, known, _OTHER_SOURCES)


def one_apart(given: str, known: str) -> bool:
    """Whether one letter more, less or other, or two exchanged, makes `known` of `given`."""
    if abs(len(given) - len(known)) > 1:
        return False
    at = next((i for i, (a, b) in enumerate(zip(given, known, strict=False)) if a != b), min(len(given), len(known)))
    rests = ((given[at + 1 :], known[at + 1 :]), (given[at + 1 :], known[at:]), (given[at:], known[at + 1 :]))
    exchanged = given[at : at + 2] == known[at : at + 2][::-1] and given[at + 2 :] == known[at + 2 :]
    return exchanged or any(a == b for a, b in rests)


def _rewritten(terminal: str, given: str) -> Iterator[str]:
    """`given` as other programs and people write it: =>5, 0,7, 70%, 5-9, 5+, 2023/06."""
    plain = given.replace("=>", ">=").replace("=<", "<=").lstrip("=:")
    yield plain
    yield _BETWEEN.sub("..", plain)
    yield ">=" + plain.removesuffix("+")
    if terminal == "NUMBERS":
        yield plain.replace(",", ".")
        sign, percent = re.fullmatch(r"([<>]=?)?(.*)", plain, re.DOTALL).groups("")  # type: ignore[union-attr]
        if re.fullmatch(r"[0-9]{1,3}%", percent):
            yield f"{sign}{int(percent[:-1]) / 100:g}"
    if terminal == "MOMENTS":
        yield re.sub("[/.]", "-", plain)
        yield re.sub(r"(?<=\d{4})-(?=\d{4})", "..", plain)


def _nearest(given: str, known: Iterable[str], others: dict[str, str]) -> str | None:
    lowered = given.lower()
    near = (each for each in known if each == lowered or one_apart(lowered, each))
    return others.get(lowered) or next(near, None)
