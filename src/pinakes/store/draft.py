"""Draft and Change: what a person may say about an item, checked before it comes near the database.

The bounds are those of the tables' CHECK constraints, so what passes here is stored. Values are
not coerced: "1" is no number. Anything refused raises `InvalidContent` naming the `field` and what
is `allowed`, whether the values came over HTTP or from Python.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Annotated, Any, Self, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)

from pinakes.errors import InvalidContent
from pinakes.store import moment
from pinakes.store.limits import MAX_JSON_DEPTH, MAX_TAGS, MAX_TITLE_BYTES

MAX_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Author:
    """Who writes. `admin`: may change everybody's items and name other creators."""

    user_id: int
    admin: bool = False


def _storable(text: str) -> str:
    """PostgreSQL keeps any Unicode text but U+0000; half a surrogate pair is no Unicode."""
    if "\0" in text:
        raise ValueError("must not contain the character U+0000")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("must be valid Unicode") from error
    return text


def _short_enough(title: str) -> str:
    if len(title.encode()) > MAX_TITLE_BYTES:
        raise ValueError(f"must be at most {MAX_TITLE_BYTES:,} bytes in UTF-8")
    return title


def _storable_json(value: Any, depth: int = 0) -> Any:
    """What `jsonb` keeps and gives back: finite numbers, storable text, not nested without end."""
    if depth > MAX_JSON_DEPTH:
        raise ValueError(f"must not be nested deeper than {MAX_JSON_DEPTH}")
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise ValueError("must have text as keys")  # noqa: TRY004 (pydantic reports ValueError only)
            _storable(key)
            _storable_json(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _storable_json(inner, depth + 1)
    else:
        _storable_scalar(value)
    return value


def _storable_scalar(value: Any) -> None:
    match value:
        case str():
            _storable(value)
        case float() if not isfinite(value):
            raise ValueError("must hold finite numbers only")
        case int() if abs(value) > MAX_ID:
            raise ValueError(f"must hold whole numbers up to {MAX_ID} only")
        case None | int() | float():
            pass
        case _:
            raise ValueError("must hold JSON values only")


def _moment(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return moment.parse_moment(value)
        except ValueError as error:
            raise ValueError(f"must be {moment.ALLOWED}") from error
    return value


def _bounded_moment(value: datetime) -> datetime:
    try:
        return moment.bounded(value)
    except ValueError as error:
        raise ValueError(f"must be {moment.ALLOWED}") from error


def _trimmed(names: Iterable[str]) -> tuple[str, ...]:
    """Names without space around them, each once; a list of too many is not read further."""
    trimmed = tuple(dict.fromkeys(name.strip() for name in names))
    if not all(1 <= len(name) <= 255 for name in trimmed):
        raise ValueError("must be names of 1 to 255 characters")
    return trimmed


def _listed(value: Any) -> Any:
    """JSON has lists where Python has tuples."""
    return tuple(value) if isinstance(value, list) else value


Text: TypeAlias = Annotated[str, AfterValidator(_storable)]
ExternalId: TypeAlias = Annotated[Text, Field(min_length=1, max_length=255)]
Title: TypeAlias = Annotated[Text, Field(max_length=2000), AfterValidator(_short_enough)]
ContentType: TypeAlias = Annotated[Text, Field(pattern=r"^[a-z0-9][a-z0-9_.+/-]{0,63}$")]
ContentData: TypeAlias = Annotated[Text, Field(max_length=1_000_000)]
Path: TypeAlias = Annotated[Text, Field(max_length=2000)]
Prompt: TypeAlias = Annotated[Text, Field(max_length=20_000)]
Object: TypeAlias = Annotated[dict[str, Any], AfterValidator(_storable_json)]
Score: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]
UserId: TypeAlias = Annotated[int, Field(ge=1, le=MAX_ID)]
Moment: TypeAlias = Annotated[datetime, BeforeValidator(_moment), AfterValidator(_bounded_moment)]
TagNames: TypeAlias = Annotated[
    tuple[Text, ...], BeforeValidator(_listed), Field(max_length=MAX_TAGS), AfterValidator(_trimmed)
]


class _Fields(BaseModel):
    """What Draft and Change share: no unknown fields, no coercion, errors of ours."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="wrap")
    @classmethod
    def _checked(cls, values: Any, check: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return check(values)
        except ValidationError as error:
            raise _refusal(error, sorted(cls.model_fields)) from None

    def columns(self) -> dict[str, Any]:
        """The fields that were given, by column."""
        given = self.model_fields_set - {"tags", "tags_add", "tags_remove", "updated_at"}
        return {name: getattr(self, name) for name in sorted(given)}


class Draft(_Fields):
    """A new item. Only the title is needed; the creator is the author unless an administrator names another."""

    title: Title
    content_type: ContentType = "image"
    content_data: ContentData | None = None
    path_thumb: Path | None = None
    path_thumbs_alt_res: Object | None = None
    prompt: Prompt | None = None
    item_metadata: Object | None = None
    is_private: bool = False
    quality_score: Score | None = None
    external_id: ExternalId | None = None
    creator_id: UserId | None = None
    created_at: Moment | None = None
    tags: TagNames = ()


class Change(_Fields):
    """New values for some fields of an item; those not given stay. Null empties a field that may be empty.

    `tags` replaces all tags, `tags_add` and `tags_remove` change some. `updated_at` is not a new
    value: it says which version of the item the change was made for.
    """

    title: Title = ""
    content_type: ContentType = "image"
    content_data: ContentData | None = None
    path_thumb: Path | None = None
    path_thumbs_alt_res: Object | None = None
    prompt: Prompt | None = None
    item_metadata: Object | None = None
    is_private: bool = False
    quality_score: Score | None = None
    external_id: ExternalId = "-"
    creator_id: UserId = 1
    created_at: Moment = moment.FIRST
    updated_at: Moment | None = None
    tags: TagNames | None = None
    tags_add: TagNames = ()
    tags_remove: TagNames = ()

    @model_validator(mode="after")
    def _one_way_to_change_tags(self) -> Self:
        if self.tags is not None and (self.tags_add or self.tags_remove):
            raise InvalidContent(
                "`tags` replaces all tags, so nothing is left to add or remove.",
                field="tags",
                allowed="either tags, or tags_add and tags_remove",
            )
        both = set(self.tags_add) & set(self.tags_remove)
        if both:
            raise InvalidContent(
                f"The tag {min(both)!r} is both added and removed.",
                field="tags_remove",
                allowed="tags that are not in tags_add",
            )
        return self

    def named_tags(self) -> tuple[str, ...]:
        """The names of tags the item is to carry because of this change."""
        return (self.tags or ()) + self.tags_add

    def tags_after(self, before: Iterable[str]) -> frozenset[str]:
        """The names of tags an item carries after this change, given those before."""
        if self.tags is not None:
            return frozenset(self.tags)
        return (frozenset(before) | set(self.tags_add)) - set(self.tags_remove)


def _refusal(error: ValidationError, fields: list[str]) -> InvalidContent:
    """The first thing pydantic found, in our words."""
    problem = error.errors(include_url=False, include_input=False)[0]
    place = [str(step) for step in problem["loc"]]
    if not place:
        return InvalidContent("An item is an object of fields.", field="", allowed=fields)
    name = place[0][:100]
    match problem["type"]:
        case "extra_forbidden":
            return InvalidContent(f"There is no field {name!r}.", field=name, allowed=fields)
        case "missing":
            return InvalidContent(f"{name} is missing.", field=name, allowed="required")
        case "value_error":
            allowed = problem["msg"].removeprefix("Value error, ")
        case _:
            allowed = problem["msg"].replace("Input should", "must").replace("String should", "must")
    return InvalidContent(f"{name} is refused.", field=name, allowed=allowed)
