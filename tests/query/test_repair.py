"""Repair of names and texts: what goes, what stays, and that doing it twice is doing it once."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinakes.query import repair

# Characters that repairs are about, more often than chance would bring them.
_ODD = st.sampled_from(
    "\0\t\n\r\x01\x7f\x85\xa0\xad\u034f\u061c\u115f\u180e\u200b\u200c\u200d\u200e\u2028\u202e\u2060\u2066\u2800\u3164"
    "\ufe0f\ufeff\uffa0\ufffe\ud800\udc00\U0001f3f4\U000e0067\U000e007f\U000e0100\U0001f469\u2764e\u0301\u0645क् "
)
_TEXTS = st.text(_ODD | st.characters(codec=None), max_size=12)

NAMES = [
    ("line1\nline2", "line1 line2"),
    ("a\x01b\x7fc\x9f", "abc"),
    (" \t two  spaces\xa0 \u3000", "two spaces"),
    ("cafe\u0301", "café"),
    ("a\u200bb\xadc\u2060\ufeff", "abc"),
    ("rtl\u202eoverride\u2066\u200f", "rtloverride"),
    ("\u200b", ""),
    ("\xad\u3164\ufeff\u2800\u115f\uffa0", ""),
    ("\ufe0f", ""),
    ("a\ufffe\ufdd0\U0001ffff", "a"),
    ("\ud83d\ude00", "😀"),
    ("half \ud800", "half \ufffd"),
    # What joins letters or pictures, and selectors behind something, is seen.
    ("می\u200cخواهم", "می\u200cخواهم"),
    ("क्\u200dष", "क्\u200dष"),
    ("👩🏽\u200d🚀", "👩🏽\u200d🚀"),
    ("❤\ufe0f\u200d🔥", "❤\ufe0f\u200d🔥"),
    ("🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", None),
    ("葛\U000e0100", "葛\U000e0100"),
    ("a\u200db\u200c", "ab"),
    ("flag \U000e0067", "flag"),
    (":)", ":)"),
    ("^_^", "^_^"),
    ("ａＢ", "ａＢ"),
]


@pytest.mark.parametrize(("written", "kept"), NAMES, ids=[ascii(written) for written, _ in NAMES])
def test_a_name_is_one_line_of_what_can_be_seen(written: str, kept: str | None) -> None:
    assert repair.name(written) == (written if kept is None else kept)


def test_a_text_keeps_its_lines_and_loses_what_turns_it() -> None:
    assert repair.text("one\r\n\ttwo  ") == "one\r\n\ttwo  "
    assert repair.text("evil\u202etxt.gnp\0\x1b[31m") == "eviltxt.gnp[31m"
    assert repair.text("cafe\u0301 \ud800") == "café \ufffd"
    assert repair.path("/a\n/cafe\u0301\u202e.jpg") == "/a/cafe\u0301.jpg"
    assert repair.data("a\0\x01\ud800") == "a\x01\ufffd"


@given(_TEXTS)
def test_what_is_repaired_is_not_repaired_again(written: str) -> None:
    for rule in (repair.name, repair.text, repair.path, repair.data):
        once = rule(written)
        assert rule(once) == once
        assert repair.is_storable(once)
        once.encode()


@given(_TEXTS)
def test_no_name_holds_what_a_line_cannot_show(written: str) -> None:
    name = repair.name(written)
    assert name == name.strip()
    assert unicodedata.is_normalized("NFC", name)
    assert not any(unicodedata.category(each) in {"Cc", "Cs", "Zl", "Zp"} for each in name)
    assert not set(name) & set("\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\xad")


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_printable_ascii_is_kept(written: str) -> None:
    assert repair.text(written) == written
    assert repair.name(written) == " ".join(written.split(" ")).strip() or "  " in written
