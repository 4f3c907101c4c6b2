"""pinakes_words(), the SQL twin, cuts every text into the words that query/text.py does."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pinakes.query.text import FOLD_FROM, MAX_WORD, words
from pinakes.store.pool import Pool

_BLOCK = 0x400
_SURROGATES = range(0xD800, 0xE000)

# Plenty of capitals, word characters next to separators, and anything else.
_LETTERS = st.sampled_from(FOLD_FROM + "aAzZ09éßñ") | st.characters(exclude_categories=["Cs"], exclude_characters="\0")
_TEXTS = st.text(_LETTERS | st.sampled_from(" -'_.\n\t"), max_size=60)


async def _sql_words(pool: Pool, texts: list[str]) -> list[tuple[str, ...]]:
    rows = await pool.fetch(
        "SELECT pinakes_words(body) AS found FROM unnest($1::text[]) WITH ORDINALITY AS given (body, place)"
        " ORDER BY place",
        texts,
    )
    # Only a space is between words: split() alone also cuts at U+1680, which is in them.
    return [tuple(row["found"].strip(" ").split(" ")) if row["found"].strip(" ") else () for row in rows]


def _same(texts: list[str], found: list[tuple[str, ...]]) -> None:
    for text, twin in zip(texts, found, strict=True):
        assert twin == words(text), [hex(ord(character)) for character in text]


async def test_every_code_point_below_u30000(pool: Pool) -> None:
    """Each alone, between letters, and all in a row."""
    for start in range(0, 0x30000, _BLOCK):
        points = [chr(point) for point in range(max(start, 1), start + _BLOCK) if point not in _SURROGATES]
        texts = ["".join(points), *points, *(f"A{point}Z" for point in points)]
        found = await pool.fetch(
            "SELECT pinakes_words(body) AS found FROM unnest($1::text[]) WITH ORDINALITY AS given (body, place)"
            " ORDER BY place",
            texts,
        )
        for text, row in zip(texts, found, strict=True):
            assert row["found"] == _as_sql(text), [hex(ord(character)) for character in text[:3]]


def _as_sql(text: str) -> str:
    """What pinakes_words() returns: each word after a space, a space at the end."""
    cut = words(text)
    return "".join(f" {word}" for word in cut) + " " if cut else " "


async def test_random_texts(pool: Pool) -> None:
    @settings(max_examples=150)
    @given(st.lists(_TEXTS, min_size=1, max_size=50))
    def collect(texts: list[str]) -> None:
        gathered.extend(texts)

    gathered: list[str] = []
    collect()
    _same(gathered, await _sql_words(pool, gathered))


async def test_only_a_space_is_between_words(pool: Pool) -> None:
    texts = ["\u169b\u1684\u1680\u1691 x", "a\u1680b"]
    assert await _sql_words(pool, texts) == [("\u169b\u1684\u1680\u1691", "x"), ("a\u1680b",)]
    _same(texts, await _sql_words(pool, texts))


async def test_long_words_are_cut_alike(pool: Pool) -> None:
    texts = [
        "x" * length + after
        for length in (MAX_WORD - 1, MAX_WORD, MAX_WORD + 1, 300, 2 * MAX_WORD, 2 * MAX_WORD + 1, 2000)
        for after in ("", " short", "-" + "y" * 300, " " + "É" * 300, "\U00020000" * 300)
    ]
    _same(texts, await _sql_words(pool, texts))
    _same([text.replace("x", "Ж") for text in texts], await _sql_words(pool, [t.replace("x", "Ж") for t in texts]))


async def test_lexemes_are_the_words_of_title_and_prompt(pool: Pool) -> None:
    pairs = [("A Cat", "on the ROOF"), ("", None), ("ÉTÉ d'hiver", "été"), ("a" * 300, None), ("end", "start")]
    for title, prompt in pairs:
        lexemes = await pool.fetchval("SELECT tsvector_to_array(pinakes_lexemes($1, $2))", title, prompt)
        assert set(lexemes) == set(words(title)) | set(words(prompt or ""))
