"""Words typed next to each other that are one tag's name: the answer says so."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinakes.query.gallery_query import GalleryQuery
from pinakes.query.language.adjacent import MOST_CANDIDATES, adjacent
from pinakes.query.language.parser import parse
from pinakes.query.language.syntax import Word, typed
from pinakes.query.names import key
from pinakes.query.sources import SOURCE_BY_NAME
from pinakes.service import ContentService
from pinakes.settings import Settings
from pinakes.store import content
from pinakes.store.content import Author, Draft
from pinakes.store.pool import Pool


@pytest.mark.parametrize(
    ("text", "together"),
    [
        ("blue sky", ("blue sky",)),
        ("  blue   sky ", ("blue sky",)),
        ("sky blue", ("sky blue",)),
        ("very blue sky", ("blue sky", "very blue", "very blue sky")),
        ("blue -red sky", ()),
        ("blue ~red sky", ()),
        ("blue or sky", ()),
        ("blue score:>0.5 sky", ()),
        ('blue "red" sky', ()),
        ("blu* sky", ()),
        ("sun (blue sky) moon", ("blue sky",)),
        ("-(blue sky)", ()),
        ("mona lisa_(painting)", ("mona lisa_(painting)",)),
        ("re:zero kara", ("re:zero kara",)),
        ("untagged: blue", ()),
        ("", ()),
    ],
)
def test_words_with_only_spaces_between_are_adjacent(text: str, together: tuple[str, ...]) -> None:
    assert adjacent(text) == together


@given(st.text(alphabet='ab ()"-~|:*or', max_size=40))
def test_any_text_has_few_candidates(text: str) -> None:
    assert len(adjacent(text)) <= MOST_CANDIDATES


def test_a_long_text_has_no_more_candidates() -> None:
    assert len(adjacent("a b c d " * 10_000)) <= MOST_CANDIDATES


@given(st.text(min_size=1, max_size=20).filter(lambda name: name.isprintable() and name.strip() == name))
def test_a_name_as_it_is_typed_is_read_as_that_name(name: str) -> None:
    condition = parse(typed(name)).condition
    assert condition is not None
    assert key(condition.text if isinstance(condition, Word) else condition.name) == key(name)  # type: ignore[union-attr]


def test_the_order_of_typing_survives_a_change_of_the_query() -> None:
    query = dataclasses.replace(GalleryQuery(q="sky blue"), page=2)
    assert query.q == "blue sky"
    assert query.typed_together == ("sky blue",)


REGULAR = SOURCE_BY_NAME["regular"]


async def test_adjacent_words_that_are_a_visible_tag_are_offered(pool: Pool, settings: Settings) -> None:
    async with pool.acquire() as connection:
        await connection.execute("INSERT INTO users (id, username) VALUES (1, 'ada'), (2, 'ben')")
        for draft in (
            Draft(title="one", tags=("Blue Sky",)),
            Draft(title="two", tags=("blue", "sky")),
            Draft(title="three", tags=("deep sea",), is_private=True),
        ):
            await content.create(connection, REGULAR, draft, Author(1))
    service = ContentService(pool, settings)

    async def warned(q: str, viewer: int | None = None) -> list[str]:
        page = await service.get_unified_content_paginated(GalleryQuery(q=q, viewer=viewer))
        return [warning for warning in page.warnings if "also a tag" in warning]

    offer = "'blue sky' was read as separate words; it is also a tag: Blue_Sky"
    assert await warned("blue sky") == [offer]
    assert await warned("blue sky") == [offer], "from the cache too"
    assert await warned("sky blue") == []
    assert await warned("blue_sky") == []
    assert (await service.get_unified_content_paginated(GalleryQuery(q="Blue_Sky"))).total_count == 1
    assert await warned("deep sea") == [], "a tag that cannot be seen is not offered"
    assert len(await warned("deep sea", viewer=1)) == 1
    await service.close()
