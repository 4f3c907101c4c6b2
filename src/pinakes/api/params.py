"""Query strings: read by the tables of `parameters`, and turned into gallery queries.

Nothing is guessed: an unknown name, a second value where one is meant, a value out of bounds are
errors naming the parameter and what is allowed.

A query string is up to `max-query-bytes` long and up to `max-terms` terms rich. Parsing costs some
ten microseconds a parameter, so short strings (`MEMO_BYTES`) are remembered, `MEMORY` bytes in all: few
questions are asked often. The texts of `q` in long ones are read beforehand, in steps (`prepare`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from typing import Any
from urllib.parse import unquote_to_bytes

from pinakes.api import values
from pinakes.api.parameters import UNIFIED, Parameter
from pinakes.api.problem import shown
from pinakes.errors import InvalidParameter, QueryError, TooManyTerms, UnknownParameter
from pinakes.memory import Memory, of_text
from pinakes.query.gallery_query import GalleryQuery, TagRef
from pinakes.query.language.parser import parse, parsing
from pinakes.query.language.syntax import leaves
from pinakes.query.text import words
from pinakes.settings import Settings

MEMORY = 8 * 2**20
MEMO_BYTES = 2048
LONG = 500
"""Bytes of a query string whose `q` is worth reading in steps."""


@dataclass(slots=True)
class Given:
    """The values of one query string, by parameter, and how many terms they are."""

    lists: dict[str, list[Any]] = field(default_factory=dict)
    terms: int = 0

    def one(self, name: str, default: Any = None) -> Any:
        """The only value of a parameter."""
        found = self.lists.get(name)
        return found[0] if found else default

    def many(self, name: str) -> tuple[Any, ...]:
        """The values of a parameter, each once."""
        return tuple(dict.fromkeys(self.lists.get(name, ())))

    def choice(self, name: str) -> tuple[Any, ...] | None:
        """The values of a parameter; None where it is absent, which is not the same as empty."""
        return self.many(name) if name in self.lists else None


class QueryParser:
    """Raw query strings to gallery queries, within the ceilings of the settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._remembered: Memory[tuple[bytes, int | None], GalleryQuery] = Memory("queries", MEMORY, _weight)

    def parse(self, raw: bytes, viewer: int | None) -> GalleryQuery:
        """What `viewer` asks with the query string `raw`.

        Raises:
            UnknownParameter, InvalidParameter: it cannot be understood.
            TooManyTerms: it is over a ceiling.
        """
        if len(raw) > MEMO_BYTES:
            return self._parse(raw, viewer)
        known = self._remembered.get((raw, viewer))
        if known is None:
            known = self._parse(raw, viewer)
            self._remembered.put((raw, viewer), known)
        return known

    async def prepare(self, raw: bytes) -> None:
        """Reads the texts of `q` in the query string `raw`, if they are long, letting others go on in between.

        What `parse` needs is remembered then. What is wrong with them is left for it to find.
        """
        if not LONG < len(raw) <= self._settings.max_query_bytes:
            return
        for text in _questions(raw):
            with suppress(QueryError):
                ceilings = {"max_bytes": self._settings.max_query_bytes, "max_terms": self._settings.max_terms}
                for _ in parsing(text, **ceilings):
                    await asyncio.sleep(0)

    def _parse(self, raw: bytes, viewer: int | None) -> GalleryQuery:
        return self.query_of(read(raw, UNIFIED, self._settings), viewer)

    def query_of(self, given: Given, viewer: int | None) -> GalleryQuery:
        """The gallery query in the values of a route that takes filters, and perhaps order and pages.

        Raises:
            InvalidParameter: values contradict each other.
        """
        any_of, all_of = _tags(given)
        page_size = given.one("page_size", self._settings.default_page_size)
        if page_size > self._settings.max_page_size:
            raise InvalidParameter(
                f"page_size is {page_size}.", parameter="page_size", allowed=f"1 to {self._settings.max_page_size}"
            )
        if "page" in given.lists and "cursor" in given.lists:
            raise InvalidParameter(
                "A cursor says where to go on, so page has no meaning.",
                parameter="page",
                allowed="either page or cursor",
            )
        _in_order(given, "min_quality", "max_quality")
        _in_order(given, "created_after", "created_before")
        _one_order(given)
        return GalleryQuery(
            tags_all=all_of,
            tags_any=any_of,
            tags_none=given.many("tags_none"),
            content_types=given.choice("content_types"),
            content_source_types=given.choice("content_source_types"),
            creator_filter=given.one("creator_filter", "all"),
            user_id=given.one("user_id", viewer),
            search_term=given.one("search_term", ""),
            created_after=given.one("created_after"),
            created_before=given.one("created_before"),
            min_quality=given.one("min_quality"),
            max_quality=given.one("max_quality"),
            q=given.one("q", ""),
            descendants=None if "descendants" not in given.lists else given.one("descendants") == "true",
            sort_field=given.one("sort_field", "created_at"),
            sort_order=given.one("sort_order", "desc"),
            page=given.one("page", 1),
            page_size=page_size,
            fields=tuple(chain.from_iterable(given.many("fields"))) or None,
            cursor=given.one("cursor"),
            viewer=viewer,
        )


def _weight(key: tuple[bytes, int | None], query: GalleryQuery) -> int:
    return len(key[0]) + of_text(query.q, (key, query))


def read(raw: bytes, table: tuple[Parameter, ...], settings: Settings) -> Given:
    """The values in the query string `raw` of a route that takes the parameters of `table`.

    Raises:
        UnknownParameter, InvalidParameter: it cannot be understood.
        TooManyTerms: it is over a ceiling.
    """
    known = {parameter.name: parameter for parameter in table}
    if len(raw) > settings.max_query_bytes:
        raise too_long(raw, len(raw), table, settings)
    given = Given()
    for raw_name, raw_value in _split(raw):
        name = _decode(raw_name, "")
        parameter = known.get(name)
        if parameter is None:
            raise UnknownParameter(f"There is no parameter {shown(name)}.", parameter=name[:100], allowed=list(known))
        text = _decode(raw_value, name)
        if parameter.terms == "query":
            given.terms += _query_terms(text, settings)
        if parameter.terms == "words" and (size := len(text.encode())) > settings.max_search_bytes:
            raise TooManyTerms(
                f"{name} is {size:,} bytes long.",
                parameter=name,
                allowed=f"at most {settings.max_search_bytes:,} bytes",
            )
        _add(given, parameter, text)
        if given.terms > settings.max_terms:
            raise TooManyTerms(
                "The query has too many terms.",
                parameter=name,
                allowed=f"at most {settings.max_terms:,} terms: tags, types, sources and words together",
            )
    return given


def too_long(raw: bytes, length: int, table: tuple[Parameter, ...], settings: Settings) -> TooManyTerms:
    """The refusal of a question of `length` bytes that begins with `raw`: it names the parameter longest there."""
    longest = max(_split(raw), key=lambda pair: len(pair[1]), default=(b"", b""))[0].decode("ascii", "replace")
    return TooManyTerms(
        f"The question is {length:,} bytes long.",
        parameter=longest if any(parameter.name == longest for parameter in table) else None,
        allowed=f"at most {settings.max_query_bytes:,} bytes",
    )


def _questions(raw: bytes) -> Iterator[str]:
    """The first `q` in the query string `raw`, and the one within the filter of a suggestion."""
    with suppress(QueryError):
        within = _decode(_first(raw, b"within"), "within").encode()
        for text in (_first(raw, b"q"), _first(within, b"q")):
            yield _decode(text, "q")


def _first(raw: bytes, wanted: bytes) -> bytes:
    """The first value of a parameter in the query string `raw`, still encoded; empty where there is none."""
    return next((value for name, value in _split(raw) if name == wanted), b"")


def _split(raw: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and value of each piece of a query string, still encoded."""
    for piece in raw.split(b"&"):
        if piece:
            name, _, value = piece.partition(b"=")
            yield name, value


def _decode(raw: bytes, parameter: str) -> str:
    """A percent-encoded name or value as text.

    Raises:
        InvalidParameter: it is not UTF-8, or has a NUL character.
    """
    try:
        text = unquote_to_bytes(raw.replace(b"+", b" ")).decode()
    except UnicodeDecodeError as error:
        raise InvalidParameter(
            "The text is not encoded in UTF-8.", parameter=parameter, allowed="percent-encoded UTF-8"
        ) from error
    if "\0" in text:
        raise InvalidParameter("The text has a NUL character.", parameter=parameter, allowed="text without U+0000")
    return text


def _add(given: Given, parameter: Parameter, text: str) -> None:
    """Reads one value of `parameter`."""
    name = parameter.name
    before = given.lists.get(name)
    if before is not None and not parameter.repeatable:
        raise InvalidParameter(f"{name} is given twice.", parameter=name, allowed="one value")
    if text == "" and parameter.empty and parameter.repeatable and before is None:
        given.lists[name] = []
        return
    if before == []:
        raise InvalidParameter(
            f"{name} is empty and has values, too.", parameter=name, allowed="one empty value, or values"
        )
    try:
        if text == "" and not parameter.empty:
            raise ValueError("empty")  # noqa: TRY301 (an empty value is refused like any other)
        value = parameter.read(text)
    except ValueError as error:
        hint = str(error) if isinstance(error, values.Hint) else None
        raise InvalidParameter(
            f"{name} cannot be {shown(text)}.", hint=hint, parameter=name, allowed=parameter.allowed
        ) from error
    given.lists.setdefault(name, []).append(value)
    given.terms += _terms(parameter, text)


def _terms(parameter: Parameter, text: str) -> int:
    if parameter.terms == "words":
        return len(words(text))
    return 1 if parameter.terms == "one" else 0


def _tags(given: Given) -> tuple[tuple[TagRef, ...], tuple[TagRef, ...]]:
    """(any, all): the simple form joined with the full one."""
    simple: tuple[TagRef, ...] = (*given.many("tag"), *given.many("tag_names"))
    any_of, all_of = given.many("tags_any"), given.many("tags_all")
    if given.one("tag_match", "any") == "all":
        return any_of, tuple(dict.fromkeys((*all_of, *simple)))
    if simple and any_of:
        raise InvalidParameter(
            "tags_any and tag_match=any are two ways to say the same.",
            hint="Put all names into tags_any, or all into tag_names.",
            parameter="tags_any",
            allowed="either tags_any, or tag and tag_names with tag_match=any",
        )
    return any_of or simple, all_of


def _query_terms(text: str, settings: Settings) -> int:
    """How many terms `q` has; what is wrong with it is found here."""
    condition = parse(text, max_bytes=settings.max_query_bytes, max_terms=settings.max_terms).condition
    return 0 if condition is None else sum(1 for _ in leaves(condition))


def _one_order(given: Given) -> None:
    """That `q` and the parameters do not name two orders."""
    question = parse(given.one("q", ""), max_bytes=2**24, max_terms=2**20)
    field = {"created": "created_at", "updated": "updated_at", "quality": "quality_score"}
    for name, told in (
        ("sort_field", field.get(question.order or "", question.order)),
        ("sort_order", question.direction),
    ):
        if told is not None and given.one(name, told) != told:
            raise InvalidParameter(
                f"q says {told}, and {name} says {given.one(name)}.", parameter=name, allowed=f"{told}, or nothing"
            )


def _in_order(given: Given, least: str, most: str) -> None:
    low, high = given.one(least), given.one(most)
    if low is not None and high is not None and low > high:
        raise InvalidParameter(
            f"{least} is greater than {most}.", parameter=least, allowed=f"at most the value of {most}"
        )
