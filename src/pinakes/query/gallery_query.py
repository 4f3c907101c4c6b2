"""GalleryQuery: what can be asked of a gallery, as one frozen value.

Everything a caller can choose is a field here; `viewer` is who asks and comes from
authentication, never from a parameter. The value is plain: tags stand as they were given, by
number or by name. `to_formula` turns it into a formula once the tags are known.

Semantics that are easy to get wrong, and are tested by name:

* Visible = public, or created by the viewer.
* `content_source_types`: user-X is source X and creator = `user_id`; community-X is source X and
  creator ≠ `user_id`; both, or plain X, is source X. A source not named is not touched. An empty
  list is an empty answer; None is every source.
* `creator_filter` narrows on top of that: user (creator = `user_id`), community (≠), all.
* An unknown tag matches nothing: in `tags_all` the answer is empty, in `tags_any` it adds
  nothing, in `tags_none` it removes nothing.
* `created_after` is inclusive, `created_before` exclusive, so intervals join without overlap;
  both quality bounds are inclusive. An item without a score is in no quality range.
* `q` is a text of the search box (`pinakes.query.language`) and combines with the rest by And. It is
  kept as canonical text; an order it names replaces `sort_field` and `sort_order`.
* `fields`: the fields of an item that are shown; None is all of them, without large values
  (`pinakes.query.fieldset`).
* `typed_together`: adjacent plain words of `q` as it was typed, which may be one tag's name; its canonical text
  has forgotten the order. Read from `q` where it is not given.
* `descendants`: whether a tag also finds what is tagged with one below it in the hierarchy; None
  means yes for tags named in `q` and no for the other parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias, get_args

from pinakes.errors import InvalidParameter
from pinakes.query import formula as f
from pinakes.query.fieldset import normal
from pinakes.query.formula import Formula, Range, Term
from pinakes.query.language import meaning
from pinakes.query.language.adjacent import Adjacent, adjacent
from pinakes.query.language.parser import parse
from pinakes.query.language.syntax import Name, Question, names
from pinakes.query.search import parse_search
from pinakes.query.sources import SOURCES

TagRef: TypeAlias = int | str
Ref: TypeAlias = TagRef | Name | Adjacent
"""What must be looked up: tags by number or name, the names in `q`, and adjacent words that may be one name."""
SortField: TypeAlias = Literal["created_at", "updated_at", "quality_score", "title"]
SortOrder: TypeAlias = Literal["asc", "desc"]
CreatorFilter: TypeAlias = Literal["all", "user", "community"]

SORT_FIELDS: tuple[SortField, ...] = get_args(SortField)
SORT_ORDERS: tuple[SortOrder, ...] = get_args(SortOrder)
CREATOR_FILTERS: tuple[CreatorFilter, ...] = get_args(CreatorFilter)
CONTENT_SOURCE_TYPES: tuple[str, ...] = tuple(
    f"{prefix}{source.name}" for prefix in ("user-", "community-", "") for source in SOURCES
)

DEFAULT_PAGE_SIZE = 25
MAX_PAGE_SIZE = 1000
LARGE = 1000
"""Characters of `q` or of a search term; a tenth as many tags."""

# Offsets stay within bigint: MAX_PAGE * MAX_PAGE_SIZE < 2**63.
MAX_PAGE = 10**12
# Beyond every ceiling that can be set for requests: whoever makes a query in Python has no other.
_MAX_Q_BYTES = 2**24
_MAX_Q_TERMS = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class GalleryQuery:
    """A question to a gallery; see the module for what each field means.

    Raises:
        InvalidParameter: a value is outside its closed list or its bounds. Checked here too, and not only
            where requests are read, because sort fields become column names.
        QuerySyntax: `q` does not fit its grammar.
    """

    tags_all: tuple[TagRef, ...] = ()
    tags_any: tuple[TagRef, ...] = ()
    tags_none: tuple[TagRef, ...] = ()
    content_types: tuple[str, ...] | None = None
    content_source_types: tuple[str, ...] | None = None
    creator_filter: CreatorFilter = "all"
    user_id: int | None = None
    search_term: str = ""
    created_after: datetime | None = None
    created_before: datetime | None = None
    min_quality: float | None = None
    max_quality: float | None = None
    q: str = ""
    descendants: bool | None = None
    sort_field: SortField = "created_at"
    sort_order: SortOrder = "desc"
    page: int = 1
    page_size: int = DEFAULT_PAGE_SIZE
    fields: tuple[str, ...] | None = None
    cursor: str | None = None
    viewer: int | None = None
    typed_together: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        _one_of("sort_field", self.sort_field, SORT_FIELDS)
        _one_of("sort_order", self.sort_order, SORT_ORDERS)
        _one_of("creator_filter", self.creator_filter, CREATOR_FILTERS)
        for chosen in self.content_source_types or ():
            _one_of("content_source_types", chosen, CONTENT_SOURCE_TYPES)
        _within("page", self.page, 1, MAX_PAGE)
        _within("page_size", self.page_size, 1, MAX_PAGE_SIZE)
        object.__setattr__(self, "fields", normal(self.fields))
        if self.q:
            question = self.question
            if self.typed_together is None:
                object.__setattr__(self, "typed_together", adjacent(self.q))
            object.__setattr__(self, "q", str(question))
            object.__setattr__(self, "sort_field", _SORT_FIELD.get(question.order or "", self.sort_field))
            object.__setattr__(self, "sort_order", question.direction or self.sort_order)

    @property
    def question(self) -> Question:
        """What `q` says."""
        return parse(self.q, max_bytes=_MAX_Q_BYTES, max_terms=_MAX_Q_TERMS)

    @property
    def is_large(self) -> bool:
        """Whether answering may take long before any hit is looked at: patterns, or a great many conditions."""
        tags = len(self.tags_all) + len(self.tags_any) + len(self.tags_none)
        return "*" in self.q or len(self.q) > LARGE or len(self.search_term) > LARGE or tags > LARGE // 10

    @property
    def refs(self) -> frozenset[Ref]:
        """Everything the query names that must be looked up."""
        if not self.q:
            return self.tag_refs
        return self.tag_refs | names(self.question.condition) | frozenset(map(Adjacent, self.typed_together or ()))

    @property
    def tag_refs(self) -> frozenset[TagRef]:
        """Every tag the parameters name, by number or name."""
        return frozenset((*self.tags_all, *self.tags_any, *self.tags_none))


def _one_of(parameter: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InvalidParameter(f"{parameter} cannot be {value!r}", parameter=parameter, allowed=list(allowed))


def _within(parameter: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise InvalidParameter(
            f"{parameter} is {value}, outside {low} to {high}", parameter=parameter, allowed=f"{low} to {high}"
        )


_SORT_FIELD: dict[str, SortField] = {
    "created": "created_at",
    "updated": "updated_at",
    "quality": "quality_score",
    "title": "title",
}

Vocabulary: TypeAlias = Callable[[Ref], Formula]
"""A name as asked -> the formula it stands for: a tag's term, those of a family, or `NOTHING`."""


def to_formula(query: GalleryQuery, vocabulary: Vocabulary) -> Formula:
    """The formula `query` asks, visibility included."""
    return f.conj(_conditions(query, vocabulary))


def _conditions(query: GalleryQuery, vocabulary: Vocabulary) -> Iterable[Formula]:
    yield visible_to(query.viewer)
    yield from map(vocabulary, query.tags_all)
    if query.tags_any:
        yield f.disj(map(vocabulary, query.tags_any))
    yield from (f.negate(vocabulary(tag)) for tag in query.tags_none)
    if query.content_types is not None:
        yield f.disj(Term("type", name) for name in query.content_types)
    if query.content_source_types is not None:
        yield _sources(query.content_source_types, query.user_id)
    yield _creators(query.creator_filter, query.user_id)
    yield parse_search(query.search_term)
    if query.created_after is not None or query.created_before is not None:
        yield Range("created_at", query.created_after, query.created_before, open_high=query.created_before is not None)
    if query.min_quality is not None or query.max_quality is not None:
        yield Range("quality_score", query.min_quality, query.max_quality)
    if query.q and (condition := query.question.condition) is not None:
        yield meaning.to_formula(condition, vocabulary, query.user_id)


def visible_to(viewer: int | None) -> Formula:
    """What `viewer` (None: anonymous) may see: public items and their own."""
    public = Term("vis", "public")
    return public if viewer is None else f.disj((public, Term("creator", viewer)))


def _sources(chosen: tuple[str, ...], user_id: int | None) -> Formula:
    """The sources of `content_source_types`; both halves of one source are that source."""
    branches: list[Formula] = []
    for source in SOURCES:
        mine, others = f"user-{source.name}" in chosen, f"community-{source.name}" in chosen
        if source.name in chosen or (mine and others):
            branches.append(Term("source", source.code))
        elif mine or others:
            narrowed = _creators("user" if mine else "community", user_id)
            branches.append(f.conj((Term("source", source.code), narrowed)))
    return f.NOTHING if not branches else _all_sources(f.disj(branches))


def _all_sources(formula: Formula) -> Formula:
    """`formula`, or `Everything` where it names every source without condition."""
    every = f.disj(Term("source", source.code) for source in SOURCES)
    return f.EVERYTHING if formula == every else formula


def _creators(creator_filter: CreatorFilter, user_id: int | None) -> Formula:
    """Creator = `user_id`, ≠ `user_id`, or no condition. Nobody's own items are none; all are the community's."""
    match creator_filter, user_id:
        case "all", _:
            return f.EVERYTHING
        case "user", None:
            return f.NOTHING
        case "community", None:
            return f.EVERYTHING
        case "user", int(user):
            return Term("creator", user)
        case "community", int(user):
            return f.negate(Term("creator", user))
        case _:
            raise AssertionError(creator_filter)
