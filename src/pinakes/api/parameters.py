"""The parameters of the routes, each in one table: name, what it takes, bounds, and what it means.

The tables are read twice: by `params.read`, which reads query strings, and by the OpenAPI page. So
what is documented is what is accepted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from pinakes.api import values
from pinakes.engines.choice import ENGINE_NAMES
from pinakes.engines.suggest import DEFAULT_LIMIT as DEFAULT_SUGGESTED
from pinakes.engines.suggest import MAX_LIMIT as MAX_SUGGESTED
from pinakes.query.aspect import DEFAULT_BUCKETS, DEFAULT_FACETS, HISTOGRAM_FIELDS, MAX_BUCKETS, MAX_FACETS
from pinakes.query.fieldset import FIELDS, LIST_BYTES
from pinakes.query.gallery_query import (
    CONTENT_SOURCE_TYPES,
    CREATOR_FILTERS,
    DEFAULT_PAGE_SIZE,
    MAX_PAGE,
    MAX_PAGE_SIZE,
    SORT_FIELDS,
    SORT_ORDERS,
)
from pinakes.query.sources import SOURCES

MAX_TAGS_LISTED = 1000
DEFAULT_TAGS_LISTED = 100

Schema: TypeAlias = Mapping[str, Any]
Terms: TypeAlias = Literal["none", "one", "words", "query"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: `read` turns its text into a value or raises ValueError; `allowed` says what it takes."""

    name: str
    doc: str
    read: Callable[[str], Any]
    allowed: str | list[str]
    schema: Schema
    repeatable: bool = False
    empty: bool = False
    """Whether a single empty value is meant: as blank text, or as an empty list where repeatable."""
    terms: Terms = "none"
    """What a value adds to the size of the query."""


def _choice(name: str, doc: str, choices: tuple[str, ...], default: str | None, **more: Any) -> Parameter:
    schema = {"type": "string", "enum": list(choices), **({"default": default} if default else {})}
    return Parameter(name, doc, values.one_of(choices), list(choices), schema, **more)


def _whole(name: str, doc: str, most: int, default: int | None = None, **more: Any) -> Parameter:
    schema = {"type": "integer", "minimum": 1, "maximum": most, **({"default": default} if default else {})}
    return Parameter(name, doc, values.whole(1, most), f"a whole number from 1 to {most}", schema, **more)


def _tag_names(name: str, doc: str) -> Parameter:
    schema = {"type": "string", "minLength": 1, "maxLength": 255}
    return Parameter(name, doc, values.tag_name, values.TAG_NAME, schema, repeatable=True, terms="one")


def _moment(name: str, doc: str) -> Parameter:
    schema = {"type": "string", "examples": ["2024-05-17", "2024-05-17T08:30:00Z"]}
    return Parameter(name, doc, values.moment, values.MOMENT, schema)


FILTERS: tuple[Parameter, ...] = (
    Parameter(
        "q",
        "The search box: tags, words and fields such as `score:>0.5`, `created:2023`, `by:name`. See docs/search.md.",
        values.text,
        "a text of the search language",
        {"type": "string", "default": "", "examples": ['landscape -people ~rain ~snow "morning light" score:>=0.7']},
        empty=True,
        terms="query",
    ),
    _choice(
        "descendants",
        "Whether tags also find what is tagged with one below them. Not given: those in `q` do, the others do not.",
        ("true", "false"),
        None,
    ),
    _choice(
        "content_source_types",
        "Sources, whole or the half that is yours (user) or others' (community). Empty: nothing; absent: everything.",
        CONTENT_SOURCE_TYPES,
        None,
        repeatable=True,
        empty=True,
        terms="one",
    ),
    Parameter(
        "content_types",
        "Types of content, such as `image`. Empty: nothing; absent: every type.",
        values.content_type,
        values.CONTENT_TYPE,
        {"type": "string", "pattern": values.CONTENT_TYPE_PATTERN},
        repeatable=True,
        empty=True,
        terms="one",
    ),
    _choice("creator_filter", "Items of `user_id` (user), of others (community), or all.", CREATOR_FILTERS, "all"),
    _whole("user_id", "Whom user and community are about. Default: you.", values.MAX_BIGINT),
    Parameter(
        "search_term",
        'Words of title and prompt: all of them; `or`, `-word` and `"a phrase"` as in web search. No wildcards.',
        values.text,
        "text",
        {"type": "string", "default": ""},
        empty=True,
        terms="words",
    ),
    _whole("tag", "A tag by its number; see `tag_match`.", values.MAX_INTEGER, repeatable=True, terms="one"),
    _tag_names("tag_names", "A tag by its name; see `tag_match`."),
    _choice("tag_match", "Whether items carry any or all of `tag` and `tag_names`.", ("any", "all"), "any"),
    _tag_names("tags_all", "Names of tags of which items carry all."),
    _tag_names("tags_any", "Names of tags of which items carry at least one. Not together with tag_match=any."),
    _tag_names("tags_none", "Names of tags of which items carry none."),
    _moment("created_after", "Created then or later. ISO 8601; a date is its first moment; UTC unless it says."),
    _moment("created_before", "Created earlier than that."),
    Parameter("min_quality", "Least quality score.", values.number, values.NUMBER, {"type": "number"}),
    Parameter("max_quality", "Greatest quality score.", values.number, values.NUMBER, {"type": "number"}),
)
"""What narrows the gallery; every route that takes the current filter takes these."""

_YES_NO = ("true", "false")

ANSWERING: tuple[Parameter, ...] = (
    _choice("engine", "The engine to ask, past the cache; needs the scope `admin`.", ENGINE_NAMES, None),
    _choice("use_cache", "Whether a stored answer will do, and this one may be stored.", _YES_NO, "true"),
)
"""Where an answer may come from."""

SORTING: tuple[Parameter, ...] = (
    _choice("sort_field", "What items are ordered by. Items without a value come last.", SORT_FIELDS, "created_at"),
    _choice("sort_order", "Direction of the order.", SORT_ORDERS, "desc"),
)

_FIELD_LIST = "^({0})(,({0}))*$".format("|".join(FIELDS))

UNIFIED: tuple[Parameter, ...] = (
    _whole("page", "Page number. Not together with `cursor`.", MAX_PAGE, 1),
    _whole("page_size", "Items on a page.", MAX_PAGE_SIZE, DEFAULT_PAGE_SIZE),
    Parameter(
        "cursor",
        "Continues where an answer's `next_cursor` or `prev_cursor` left off; the rest of the query must be the same.",
        values.text,
        "a cursor from an earlier answer",
        {"type": "string"},
    ),
    Parameter(
        "fields",
        "Fields of an item to show, separated by commas; `source_type` and `id` always are. Not given: all of them, "
        f"without values of more than {LIST_BYTES:,} bytes.",
        values.field_names,
        list(FIELDS),
        {"type": "string", "pattern": _FIELD_LIST, "examples": ["title,tags,content_data"]},
        repeatable=True,
    ),
    *SORTING,
    *FILTERS,
    _choice("include_facets", "Whether `facets` come with the page: the 20 tags on most hits.", _YES_NO, "false"),
    _choice(
        "explain", "Whether the answer says what it took; past the cache; needs the scope `admin`.", _YES_NO, "false"
    ),
    *ANSWERING,
)

WRITES: tuple[Parameter, ...] = (
    _choice(
        "refresh",
        "`wait_for`: the answer comes when every reader sees the write, with the epoch from which they do.",
        ("false", "wait_for"),
        "false",
    ),
)

TAGS: tuple[Parameter, ...] = (
    Parameter(
        "q",
        "What the names begin with, in any spelling.",
        values.prefix,
        values.PREFIX,
        {"type": "string", "default": "", "maxLength": 255},
        empty=True,
    ),
    Parameter(
        "after",
        "Only names that follow this one; an answer's `next_after` goes here.",
        values.prefix,
        values.PREFIX,
        {"type": "string", "default": "", "maxLength": 255},
        empty=True,
    ),
    _whole("limit", "Most tags in the answer.", MAX_TAGS_LISTED, DEFAULT_TAGS_LISTED),
)


def _limit(what: str, most: int, default: int) -> Parameter:
    return _whole("limit", f"Most {what} in the answer.", most, default)


def _name(name: str, doc: str) -> Parameter:
    schema = {"type": "string", "maxLength": 255}
    return Parameter(name, doc, values.prefix, values.PREFIX, schema, empty=name.startswith("after"))


SUGGEST: tuple[Parameter, ...] = (
    Parameter(
        "q",
        "What was typed: the beginning of a name or alias, from any of its words on. A typing error is forgiven.",
        values.prefix,
        values.PREFIX,
        {"type": "string", "default": "", "maxLength": 255},
        empty=True,
    ),
    Parameter(
        "within",
        "The current filter, as the encoded query string of the feed: only tags that leave results, with their counts.",
        values.text,
        "the filters of /api/v1/content/unified as a query string, encoded",
        {"type": "string", "default": "", "examples": ["q=landscape%20-people&min_quality=0.5"]},
        empty=True,
    ),
    _limit("tags", MAX_SUGGESTED, DEFAULT_SUGGESTED),
)

FACETS_ONLY: tuple[Parameter, ...] = (
    _limit("tags", MAX_FACETS, DEFAULT_FACETS),
    Parameter(
        "category",
        "Only tags of this category; empty: those without one.",
        values.prefix,
        values.PREFIX,
        {"type": "string", "maxLength": 255},
        empty=True,
    ),
)

FACETS: tuple[Parameter, ...] = (*FACETS_ONLY, *FILTERS, *ANSWERING)

RELATED: tuple[Parameter, ...] = (_limit("tags", MAX_SUGGESTED, DEFAULT_SUGGESTED), *ANSWERING)

RELATED_OF_SEARCH: tuple[Parameter, ...] = (*FILTERS, *RELATED)

HISTOGRAM: tuple[Parameter, ...] = (
    _choice("field", "What the hits spread over.", HISTOGRAM_FIELDS, "created_at"),
    _whole("buckets", "Most buckets, all of one width.", MAX_BUCKETS, DEFAULT_BUCKETS),
    *FILTERS,
    *ANSWERING,
)

AROUND: tuple[Parameter, ...] = (
    _choice("source_type", "The source of the item.", tuple(source.name for source in SOURCES), None),
    _whole("id", "The number of the item.", values.MAX_BIGINT),
    *SORTING,
    *FILTERS,
    *ANSWERING,
)

TAG_DELETE: tuple[Parameter, ...] = (
    _choice("taggings", "Whether items may lose the tag.", ("true", "false"), "false"),
)

LISTED: tuple[Parameter, ...] = (
    _name("after", "Only names that follow this one."),
    _limit("aliases", MAX_TAGS_LISTED, DEFAULT_TAGS_LISTED),
)

LISTED_PAIRS: tuple[Parameter, ...] = (
    _name("after_child", "Only pairs that follow this child and `after_parent`."),
    _name("after_parent", "See `after_child`."),
    _limit("pairs", MAX_TAGS_LISTED, DEFAULT_TAGS_LISTED),
)

ALIAS: tuple[Parameter, ...] = (_name("alias", "The alias."),)

PARENT: tuple[Parameter, ...] = (_name("child", "The tag below."), _name("parent", "The tag above."))

ITEM: tuple[Parameter, ...] = ()

VIEW_REFRESH: tuple[Parameter, ...] = (
    _choice("wait", "Whether to answer only when the refresh is done.", ("true", "false"), "false"),
)
