"""Draft and Change: what a person may say about an item, checked before it comes near the database.

The bounds are those of the tables' CHECK constraints, so what passes here is stored. Values are
not coerced: "1" is no number. Anything refused raises `InvalidContent` naming the `field` and what
is `allowed`, whether the values came over HTTP or from Python.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Self, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationError,
    model_validator,
)

from pinakes.errors import InvalidContent
from pinakes.query import repair
from pinakes.store import moment, stored_json
from pinakes.store.limits import MAX_NAME, MAX_TAGS, MAX_TITLE, MAX_TITLE_BYTES

MAX_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Author:
    """Who writes. `admin`: may change everybody's items and name other creators."""

    user_id: int
    admin: bool = False


def _storable(text: str) -> str:
    if not repair.is_storable(text):
        raise ValueError("must be valid Unicode without U+0000")
    return text


def _short_enough(title: str) -> str:
    if len(title) > MAX_TITLE:
        raise ValueError(f"must be at most {MAX_TITLE:,} characters")
    if len(title.encode()) > MAX_TITLE_BYTES:
        raise ValueError(f"must be at most {MAX_TITLE_BYTES:,} bytes in UTF-8")
    return title


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


def _named(names: Iterable[str]) -> tuple[str, ...]:
    """Names as they are stored, each once; a list of too many is not read further."""
    named = tuple(dict.fromkeys(map(repair.name, names)))
    if not all(1 <= len(name) <= MAX_NAME for name in named):
        raise ValueError(f"must be names of 1 to {MAX_NAME} characters that can be seen")
    return named


def _listed(value: Any) -> Any:
    """JSON has lists where Python has tuples."""
    return tuple(value) if isinstance(value, list) else value


Text: TypeAlias = Annotated[str, AfterValidator(_storable)]
ExternalId: TypeAlias = Annotated[Text, Field(min_length=1, max_length=255)]
Title: TypeAlias = Annotated[str, AfterValidator(repair.text), AfterValidator(_short_enough)]
ContentType: TypeAlias = Annotated[Text, Field(pattern=r"^[a-z0-9][a-z0-9_.+/-]{0,63}$")]
ContentData: TypeAlias = Annotated[str, AfterValidator(repair.data), Field(max_length=1_000_000)]
Path: TypeAlias = Annotated[str, AfterValidator(repair.path), Field(max_length=2000)]
Prompt: TypeAlias = Annotated[str, AfterValidator(repair.text), Field(max_length=20_000)]
Object: TypeAlias = Annotated[dict[str, Any], AfterValidator(stored_json.checked_object)]
Score: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]
UserId: TypeAlias = Annotated[int, Field(ge=1, le=MAX_ID)]
Moment: TypeAlias = Annotated[datetime, BeforeValidator(_moment), AfterValidator(_bounded_moment)]
TagNames: TypeAlias = Annotated[
    tuple[str, ...], BeforeValidator(_listed), Field(max_length=MAX_TAGS), AfterValidator(_named)
]


class _Fields(BaseModel):
    """What Draft and Change share: no unknown fields, no coercion, errors of ours."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    _repairs: tuple[str, ...] = PrivateAttr(default=())

    @model_validator(mode="wrap")
    @classmethod
    def _checked(cls, values: Any, check: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            made = check(values)
        except ValidationError as error:
            raise _refusal(error, sorted(cls.model_fields)) from None
        if isinstance(values, dict):
            made._repairs = tuple(_told(values, made))
        return made

    @property
    def repairs(self) -> tuple[str, ...]:
        """What is kept otherwise than it was given, in words."""
        return self._repairs

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
            raise _both(min(both))
        return self

    def named_tags(self) -> tuple[str, ...]:
        """The names of tags the item is to carry because of this change."""
        return (self.tags or ()) + self.tags_add

    def tags_after(self, before: Iterable[int], numbers: Mapping[str, int]) -> frozenset[int]:
        """The tags an item carries after this change, given those before and the numbers of all names in it.

        Raises:
            InvalidContent: a tag is both added and removed, in two spellings.
        """
        if self.tags is not None:
            return frozenset(numbers[name] for name in self.tags)
        added = {numbers[name] for name in self.tags_add}
        removed = {numbers[name]: name for name in self.tags_remove if name in numbers}
        both = added & removed.keys()
        if both:
            raise _both(removed[min(both)])
        return (frozenset(before) | added) - removed.keys()


def _both(name: str) -> InvalidContent:
    return InvalidContent(
        f"The tag {name!r} is both added and removed.", field="tags_remove", allowed="tags that are not in tags_add"
    )


_REPAIRED = ("title", "prompt", "path_thumb", "content_data", "path_thumbs_alt_res", "item_metadata")
_TAG_FIELDS = ("tags", "tags_add", "tags_remove")


def _told(given: dict[str, Any], made: BaseModel) -> Iterator[str]:
    """What was repaired; space around a name is nothing to tell of."""
    for field in _REPAIRED:
        if field in given and given[field] != getattr(made, field):
            yield f"{field} is kept without characters that cannot be stored or shown, in Unicode NFC"
    for field in _TAG_FIELDS:
        for name in given.get(field) or ():
            if (shown := repair.name(name)) != name.strip():
                yield f"the tag {name[:60]!a} is kept as {shown[:60]!r}"


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
