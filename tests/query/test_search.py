"""Search terms: web-search syntax, no wildcards, never an error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinakes.query import formula as f
from pinakes.query.search import parse_search
from pinakes.query.text import words


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("", "*"),
        ("   ", "*"),
        ("castle", "word:castle"),
        ("Castle SEA", "(word:castle word:sea)"),
        ("castle or sea", "(word:castle | word:sea)"),
        ("castle OR sea moon", "((word:moon word:sea) | word:castle)"),
        ("or castle or", "word:castle"),
        ("-castle", "-word:castle"),
        ("castle -sea", "(-word:sea word:castle)"),
        ('"morning light"', 'phrase:"morning light"'),
        ('-"morning light" sea', '(-phrase:"morning light" word:sea)'),
        ('"open end', 'phrase:"open end"'),
        ('"one"', "word:one"),
        ("don't", 'phrase:"don t"'),
        ("50%_off", 'phrase:"50 off"'),
        ("%", "∅"),
        ("castle %", "∅"),
        ("castle -%", "word:castle"),
        ('""', "∅"),
        ("-", "∅"),
        ("*", "∅"),
        ("cast*", "word:cast"),
    ],
)
def test_meaning(text: str, meaning: str) -> None:
    assert str(parse_search(text)) == meaning


@given(st.text())
def test_no_text_is_an_error(text: str) -> None:
    parse_search(text)


@given(st.lists(st.sampled_from(["sun", "Sea", "MOON"]), min_size=1, max_size=5))
def test_plain_words_are_all_required(parts: list[str]) -> None:
    expected = f.conj(f.phrase(words(part)) for part in parts)
    assert parse_search(" ".join(parts)) == expected
