"""What a person may say about an item: bounds, and refusals that name the field. No database is asked."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pinakes.errors import InvalidContent
from pinakes.store.content import Change, Draft

API_PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("title", {}),
    ("title", {"title": None}),
    ("title", {"title": 5}),
    ("title", {"title": "x" * 2001}),
    ("title", {"title": "🎨" * 700}),
    ("colour", {"title": "t", "colour": "red"}),
    ("id", {"title": "t", "id": 5}),
    ("updated_at", {"title": "t", "updated_at": "2024-01-01"}),
    ("external_id", {"title": "t", "external_id": ""}),
    ("external_id", {"title": "t", "external_id": "x" * 256}),
    ("content_type", {"title": "t", "content_type": "Image"}),
    ("content_type", {"title": "t", "content_type": "image\n"}),
    ("content_type", {"title": "t", "content_type": "a" * 65}),
    ("content_data", {"title": "t", "content_data": "x" * 1_000_001}),
    ("path_thumb", {"title": "t", "path_thumb": "x" * 2001}),
    ("prompt", {"title": "t", "prompt": "x" * 20_001}),
    ("is_private", {"title": "t", "is_private": "yes"}),
    ("is_private", {"title": "t", "is_private": 1}),
    ("quality_score", {"title": "t", "quality_score": float("nan")}),
    ("quality_score", {"title": "t", "quality_score": float("inf")}),
    ("quality_score", {"title": "t", "quality_score": "1"}),
    ("quality_score", {"title": "t", "quality_score": 10**400}),
    ("creator_id", {"title": "t", "creator_id": 0}),
    ("creator_id", {"title": "t", "creator_id": 2**63}),
    ("creator_id", {"title": "t", "creator_id": "1"}),
    ("created_at", {"title": "t", "created_at": "yesterday"}),
    ("created_at", {"title": "t", "created_at": 1700000000}),
    ("created_at", {"title": "t", "created_at": "0001-01-01"}),
    ("created_at", {"title": "t", "created_at": datetime.max.replace(tzinfo=UTC)}),
    ("item_metadata", {"title": "t", "item_metadata": [1]}),
    ("item_metadata", {"title": "t", "item_metadata": {"a": float("nan")}}),
    ("item_metadata", {"title": "t", "item_metadata": {"a": 2**64}}),
    ("item_metadata", {"title": "t", "item_metadata": {"a": 123456789012345678901234567890}}),
    ("item_metadata", {"title": "t", "item_metadata": {"a": 10**309}}),
    ("item_metadata", {"title": "t", "item_metadata": {"a": object()}}),
    ("item_metadata", {"title": "t", "item_metadata": {1: "a"}}),
    ("path_thumbs_alt_res", {"title": "t", "path_thumbs_alt_res": "x"}),
    ("tags", {"title": "t", "tags": None}),
    ("tags", {"title": "t", "tags": "castle"}),
    ("tags", {"title": "t", "tags": {"a": 1}}),
    ("tags", {"title": "t", "tags": [1]}),
    ("external_id", {"title": "t", "external_id": "a\0"}),
    ("item_metadata", {"title": "t", "item_metadata": {"a": 2**63}}),
    ("item_metadata", {"title": "t", "item_metadata": {"a": -(2**63) - 1}}),
    ("tags", {"title": "t", "tags": [" "]}),
    ("tags", {"title": "t", "tags": ["\u200b"]}),
    ("tags", {"title": "t", "tags": ["a", "\u3164\xad"]}),
    ("tags", {"title": "t", "tags": ["x" * 256]}),
    ("tags", {"title": "t", "tags": ["same"] * 1001}),
]


@pytest.mark.parametrize(("field", "values"), REFUSED, ids=lambda value: value if isinstance(value, str) else "")
def test_a_draft_out_of_bounds_is_refused_by_field(field: str, values: dict[str, Any]) -> None:
    with pytest.raises(InvalidContent) as refused:
        Draft(**values)
    assert refused.value.extra["field"] == field
    assert refused.value.extra["allowed"]


def test_a_deeply_nested_object_is_refused() -> None:
    nested: dict[str, Any] = {}
    for _ in range(200):
        nested = {"a": nested}
    with pytest.raises(InvalidContent):
        Draft(title="t", item_metadata=nested)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("title", {"title": None}),
        ("external_id", {"external_id": None}),
        ("content_type", {"content_type": None}),
        ("is_private", {"is_private": None}),
        ("creator_id", {"creator_id": None}),
        ("created_at", {"created_at": None}),
        ("tags", {"tags": ["a"], "tags_add": ["b"]}),
        ("tags", {"tags": [], "tags_remove": ["b"]}),
        ("tags_remove", {"tags_add": ["a"], "tags_remove": [" a"]}),
        ("tags_add", {"tags_add": ["x" * 256]}),
        ("updated_at", {"updated_at": "then"}),
        ("id", {"id": 4}),
    ],
)
def test_a_change_out_of_bounds_is_refused_by_field(field: str, values: dict[str, Any]) -> None:
    with pytest.raises(InvalidContent) as refused:
        Change(**values)
    assert refused.value.extra["field"] == field


def test_tag_names_are_trimmed_and_folded_in_order() -> None:
    assert Draft(title="t", tags=[" b", "a", "b "]).tags == ("b", "a")  # type: ignore[arg-type]


def test_what_can_be_repaired_is_repaired_and_told() -> None:
    draft = Draft(
        title="a\0b\nc",
        prompt="cafe\u0301",
        path_thumb="/a\r\n.jpg",
        item_metadata={"k\0": ["\ud800"]},
        tags=["line1\nline2", "a\1", " fine "],  # type: ignore[arg-type]
    )
    assert (draft.title, draft.prompt, draft.path_thumb) == ("ab\nc", "café", "/a.jpg")
    assert draft.item_metadata == {"k": ["\ufffd"]}
    assert draft.tags == ("line1 line2", "a", "fine")
    assert [told.split()[0] for told in draft.repairs] == [
        "title",
        "prompt",
        "path_thumb",
        "item_metadata",
        "the",
        "the",
    ]
    assert "the tag 'line1\\nline2' is kept as 'line1 line2'" in draft.repairs
    assert Draft(title="as it was\n\tand 漢字", tags=[" fine "]).repairs == ()  # type: ignore[arg-type]
    assert Change(tags_add=["a\1"]).repairs  # type: ignore[arg-type]


def test_times_are_kept_in_utc() -> None:
    values: dict[str, Any] = {"created_at": "2024-01-02T00:30:00+01:00"}
    assert Draft(title="t", **values).created_at == datetime(2024, 1, 1, 23, 30, tzinfo=UTC)
    values = {"created_at": datetime(2024, 1, 2)}  # noqa: DTZ001 (without a time zone it is UTC)
    assert Draft(title="t", **values).created_at == datetime(2024, 1, 2, tzinfo=UTC)


def test_a_change_knows_what_was_given() -> None:
    assert Change(title="t", prompt=None, tags_add=("a",)).columns() == {"title": "t", "prompt": None}
    assert Change().columns() == {}


def test_the_api_page_lists_every_field() -> None:
    section = API_PAGE.read_text("utf-8").partition("## Items")[2].partition("## Tags")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert not [name for name in Change.model_fields if not any(f"`{name}`" in row for row in rows)]
