"""Query strings into gallery queries: what is understood, and what is refused by name."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinakes.api.parameters import UNIFIED
from pinakes.api.params import MEMO_BYTES, QueryParser
from pinakes.errors import InvalidParameter, QueryError, TooManyTerms, UnknownParameter
from pinakes.query.gallery_query import GalleryQuery
from pinakes.query.language.parser import STEP, parsing
from pinakes.settings import Settings, load_settings

SETTINGS = load_settings()


def parse(text: str, viewer: int | None = None, settings: Settings = SETTINGS) -> GalleryQuery:
    return QueryParser(settings).parse(text.encode(), viewer)


def test_nothing_asked_is_the_first_page_newest_first() -> None:
    assert parse("") == GalleryQuery()
    assert parse("&&") == GalleryQuery()


def test_every_parameter_is_read() -> None:
    asked = (
        "page=3&page_size=50&content_source_types=user-auto&content_source_types=regular&content_types=image"
        "&content_types=video/mp4&creator_filter=community&user_id=7&search_term=big+%22red+castle%22"
        "&sort_field=title&sort_order=asc&tag=5&tag_names=a+b&tag_match=all&tags_all=x&tags_any=y&tags_any=z"
        "&tags_none=%C3%A4&created_after=2024-01-02&created_before=2024-01-03T01:00:00%2B01:00"
        "&min_quality=-1.5&max_quality=2e3"
    )
    assert parse(asked, 9) == GalleryQuery(
        page=3,
        page_size=50,
        content_source_types=("user-auto", "regular"),
        content_types=("image", "video/mp4"),
        creator_filter="community",
        user_id=7,
        search_term='big "red castle"',
        sort_field="title",
        sort_order="asc",
        tags_all=("x", 5, "a b"),
        tags_any=("y", "z"),
        tags_none=("ä",),
        created_after=datetime(2024, 1, 2, tzinfo=UTC),
        created_before=datetime(2024, 1, 3, tzinfo=UTC),
        min_quality=-1.5,
        max_quality=2000.0,
        viewer=9,
    )


def test_viewer_never_comes_from_a_parameter_and_is_the_default_user() -> None:
    assert parse("", 9) == GalleryQuery(viewer=9, user_id=9)
    assert parse("user_id=7", 9).viewer == 9
    with pytest.raises(UnknownParameter):
        parse("viewer=1")


def test_simple_tags_match_any_unless_all_is_said() -> None:
    assert parse("tag=1&tag_names=b").tags_any == (1, "b")
    assert parse("tag=1&tag_names=b&tag_match=all").tags_all == (1, "b")
    assert parse("tag=1&tag_match=all&tags_any=b&tags_any=c") == GalleryQuery(tags_all=(1,), tags_any=("b", "c"))


def test_two_ways_to_say_any_at_once_are_refused() -> None:
    with pytest.raises(InvalidParameter, match="two ways") as refused:
        parse("tag=1&tags_any=b")
    assert refused.value.extra["parameter"] == "tags_any"


def test_present_but_empty_is_not_absent() -> None:
    assert parse("content_source_types=").content_source_types == ()
    assert parse("content_source_types").content_source_types == ()
    assert parse("content_types=").content_types == ()
    assert parse("").content_source_types is None


def test_repetition_of_tags_is_folded() -> None:
    assert parse("tags_all=a&tags_all=a&tags_all=+a+").tags_all == ("a",)


def test_a_blank_search_asks_nothing() -> None:
    assert parse("search_term=").search_term == ""


# Query string -> the parameter that is named.
REFUSED = {
    "colour=red": "colour",
    "Page=1": "Page",
    "=1": "",
    "page=1&page=2": "page",
    "search_term=a&search_term=b": "search_term",
    "sort_field=price": "sort_field",
    "sort_field=title;drop table users": "sort_field",
    "sort_field=": "sort_field",
    "sort_order=down": "sort_order",
    "page=0": "page",
    "page=-1": "page",
    "page=1.5": "page",
    "page=": "page",
    "page=1_000": "page",
    "page=%D9%A1": "page",
    "page=99999999999999999999999": "page",
    "page=9999999999999": "page",
    "page_size=0": "page_size",
    "page_size=5000": "page_size",
    "page_size=ten": "page_size",
    "page=2&cursor=abc": "page",
    "cursor=": "cursor",
    "content_source_types=secret": "content_source_types",
    "content_source_types=&content_source_types=auto": "content_source_types",
    "content_source_types=auto&content_source_types=": "content_source_types",
    "content_types=Image%20": "content_types",
    "creator_filter=me": "creator_filter",
    "user_id=ada": "user_id",
    "user_id=9223372036854775808": "user_id",
    "tag=sunset": "tag",
    "tag=": "tag",
    "tag=2147483648": "tag",
    "tag=%2B1": "tag",
    "tag_match=some": "tag_match",
    "tag_names=": "tag_names",
    "tags_all=%20": "tags_all",
    "tags_none=" + "x" * 256: "tags_none",
    "tags_any=%00": "tags_any",
    "tags_any=%FF": "tags_any",
    "search_term=%ED%A0%80": "search_term",
    "search_term=a%00b": "search_term",
    "created_after=yesterday": "created_after",
    "created_after=2024-13-01": "created_after",
    "created_after=2024-02-30": "created_after",
    "created_after=": "created_after",
    "created_after=1700000000000": "created_after",
    "created_after=2024-01-01x10:00": "created_after",
    "created_after=0001-01-01": "created_after",
    "created_before=9999-12-31T23:59:59-12:00": "created_before",
    "created_before=2024-01-01T00:00:00+01:00": "created_before",
    "created_after=2024-02-01&created_before=2024-01-01": "created_after",
    "min_quality=nan": "min_quality",
    "min_quality=inf": "min_quality",
    "min_quality=1e999": "min_quality",
    "min_quality=1_0": "min_quality",
    "max_quality=high": "max_quality",
    "min_quality=2&max_quality=1": "min_quality",
}


@pytest.mark.parametrize("text", REFUSED)
def test_refused_naming_the_parameter_and_what_is_allowed(text: str) -> None:
    with pytest.raises(QueryError) as refused:
        parse(text)
    assert refused.value.status == 400
    assert refused.value.extra["parameter"] == REFUSED[text]
    assert refused.value.extra["allowed"]


def test_a_lost_plus_is_explained() -> None:
    with pytest.raises(InvalidParameter) as refused:
        parse("created_after=2024-01-01T00:00:00+01:00")
    assert "%2B" in refused.value.advice


@pytest.mark.parametrize(
    ("text", "parameter"),
    [
        ("&".join(f"tag={n}" for n in range(1, 2001)), "tag"),
        ("&".join(f"tags_all=t{n}" for n in range(2000)), "tags_all"),
        ("&".join(["tags_none=same"] * 2000), "tags_none"),
        ("&".join(f"content_types=t{n}" for n in range(2000)), "content_types"),
        ("search_term=" + "+".join("a" for _ in range(1500)), "search_term"),
        ("search_term=%22" + "+".join("a" for _ in range(1500)) + "%22", "search_term"),
        ("search_term=" + "x" * 5000, "search_term"),
        ("search_term=" + quote("ä" * 2500), "search_term"),
        ("search_term=" + "x" * 1_000_000, "search_term"),
        ("page=1&cursor=" + "x" * 1_000_000, "cursor"),
    ],
)
def test_too_much_is_422_naming_the_parameter_and_the_ceiling(text: str, parameter: str) -> None:
    with pytest.raises(TooManyTerms) as refused:
        parse(text)
    assert refused.value.status == 422
    assert refused.value.extra["parameter"] == parameter
    assert "at most" in refused.value.extra["allowed"]


def test_ceilings_come_from_the_settings() -> None:
    small = load_settings(max_terms=3, max_page_size=10, default_page_size=5, max_search_bytes=16)
    assert parse("tags_all=a&tags_all=b&tags_all=c", settings=small).page_size == 5
    for text in ("tags_all=a&tags_all=b&tags_all=c&search_term=d", "page_size=11", "search_term=" + "x" * 17):
        with pytest.raises(QueryError):
            parse(text, settings=small)


def test_what_was_sent_is_repeated_shortened() -> None:
    with pytest.raises(InvalidParameter) as refused:
        parse("tags_all=" + "x" * 5000)
    assert len(refused.value.detail) < 200


def test_a_remembered_query_is_remembered_for_its_viewer_only() -> None:
    parser = QueryParser(SETTINGS)
    assert parser.parse(b"tag=1", 1) is parser.parse(b"tag=1", 1)
    assert parser.parse(b"tag=1", 1).viewer == 1
    assert parser.parse(b"tag=1", 2).viewer == 2
    long = b"tags_all=" + b"&tags_all=".join(b"%d" % n for n in range(300))
    assert len(long) > MEMO_BYTES
    assert parser.parse(long, 1) == parser.parse(long, 1)


def outcome(raw: bytes) -> int:
    """200 where the query string is understood, or the status of the refusal."""
    try:
        QueryParser(SETTINGS).parse(raw, None)
    except QueryError as refused:
        return refused.status
    return 200


names = st.sampled_from([parameter.name for parameter in UNIFIED]) | st.text(max_size=5)
values = (
    st.sampled_from(
        ["", "1", "0", "-1", "nan", "1e400", "asc", "title", "auto", "2024-01-01", "any", "%00", "%ff", "+"]
    )
    | st.text(max_size=20).map(lambda text: quote(text, errors="replace"))
    | st.integers().map(str)
    | st.floats().map(str)
    | st.datetimes().map(lambda moment: quote(moment.isoformat()))
)


@given(st.lists(st.tuples(names, values), max_size=6))
def test_anything_is_understood_or_refused_as_a_bad_query(pairs: list[tuple[str, str]]) -> None:
    text = "&".join(f"{quote(name, errors='replace')}={value}" for name, value in pairs)
    assert outcome(text.encode()) in {200, 400, 422}


@given(st.binary(max_size=60))
def test_any_bytes_are_understood_or_refused(raw: bytes) -> None:
    assert outcome(raw) in {200, 400, 422}


@pytest.mark.parametrize("form", ["q={}", "limit=5&q=a&within=q%3D{}"])
async def test_others_go_on_while_a_long_question_is_read(form: str) -> None:
    """They get their turn after every so many pieces; what was read is remembered for the route."""
    settings = load_settings(cursor_secret="x" * 32)
    parser = QueryParser(settings)
    text = "+or+".join(f"{len(form)}word{number}" for number in range(900))
    raw = form.format(quote(text) if "within" in form else text).encode()
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    going = asyncio.create_task(others())
    await parser.prepare(raw)
    going.cancel()
    assert turns >= 1799 // STEP
    assert not list(parsing(text.replace("+", " "))), "it is remembered"


async def test_nothing_is_raised_before_the_route_is_asked() -> None:
    parser = QueryParser(load_settings(cursor_secret="x" * 32))
    for raw in (b"q=" + b"(" * 600, b"q=%FF" + b"a" * 600, b"within=" * 8000, b"q=" + b"-" * 60_000, b"&" * 60_000):
        await parser.prepare(raw)
