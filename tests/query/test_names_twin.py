"""The key of names: one law in Python and in PostgreSQL, over all of Unicode 14; and what it makes one."""

from __future__ import annotations

import unicodedata
from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinakes.query.names import MAX_KEY, key
from pinakes.store.pool import Pool

_BLOCK = 0x800
_SURROGATES = range(0xD800, 0xE000)
# Letters that came with Unicode 15 to 17: whoever is newer folds them.
_NEWER = {"Cn"} if unicodedata.unidata_version == "14.0.0" else set[str]()

SAME = [
    ("Leute", "leute", "LEUTE"),
    ("Wählen", "wählen", "WÄHLEN", "Wa\u0308hlen"),
    ("Straße", "STRASSE", "strasse", "STRAẞE"),
    ("İstanbul", "istanbul", "ISTANBUL", "ıstanbul"),
    ("ᲗᲑᲘᲚᲘᲡᲘ", "თბილისი"),
    ("ΟΔΟΣ", "οδος", "οδοσ"),
    ("ﬁne art", "fine art", "FINE_ART"),
    ("ｆｕｌｌｗｉｄｔｈ", "FullWidth"),
    ("ﾊﾝｶｸ", "ハンカク"),
    ("ｶﾞ", "ガ"),
    ("①", "1"),
    ("½", "1⁄2"),
    ("blue_sky", "blue sky", "Blue＿Sky"),
    ("ⅷ", "Ⅷ", "viii"),
    ("می\u200cخواهم", "میخواهم"),
    ("❤\ufe0f", "❤"),
    ("ԵՒ", "և"),
]


async def _sql(pool: Pool, names: list[str]) -> list[str]:
    found: list[str] = await pool.fetchval(
        "SELECT array_agg(pinakes_name_key(name) ORDER BY place)"
        " FROM unnest($1::text[]) WITH ORDINALITY AS n (name, place)",
        names,
    )
    return found


@pytest.mark.parametrize("names", SAME, ids=lambda names: names[0])
def test_spellings_of_one_name_have_one_key(names: tuple[str, ...]) -> None:
    assert len(set(map(key, names))) == 1


def test_different_names_stay_different() -> None:
    names = [
        "o",
        "ö",
        "o_o",
        "oo",
        "^_^",
        "^__^",
        ":)",
        ":(",
        "c",
        "c++",
        "c#",
        "🏴",
        "ハ",
        "バ",
        "は",
        "resume",
        "résumé",
    ]
    assert len(set(map(key, names))) == len(names)


async def test_both_agree_on_every_character(pool: Pool) -> None:
    """Alone, between letters, and before a mark that composes."""
    for start in range(0, 0x30000, _BLOCK):
        points = [chr(point) for point in range(max(start, 1), start + _BLOCK) if point not in _SURROGATES]
        points = [point for point in points if unicodedata.category(point) not in _NEWER]
        texts = [text for point in points for text in (point, f"A{point}z", f"{point}\u0301")]
        if not texts:
            continue
        for text, twin in zip(texts, await _sql(pool, texts), strict=True):
            assert twin == key(text), [hex(ord(each)) for each in text]


def test_the_key_of_a_key_is_itself() -> None:
    for point in range(1, 0x30000):
        if point not in _SURROGATES:
            once = key(chr(point))
            assert key(once) == once, hex(point)
            assert normalize("NFC", once) == once


@settings(max_examples=50)
@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs", "Cn"], exclude_characters="\0"), min_size=1, max_size=300))
)
async def test_both_agree_on_every_name(pool: Pool, names: list[str]) -> None:
    found = await _sql(pool, names) if names else []
    assert found == list(map(key, names))
    assert all(len(each) <= MAX_KEY for each in found)


async def test_a_long_key_is_bounded(pool: Pool) -> None:
    names = ["ﷺ" * 255, "ﷺ" * 254]
    assert await _sql(pool, names) == list(map(key, names))
    assert len(set(map(key, names))) == 2
