"""The parts of `pinakes_cut()` that follow from the rule of words, for the migrations that write it."""

from __future__ import annotations

from pinakes.query.text import FOLD_FROM, FOLD_TO, WORD_CLASS

_BLOCK = 64
# The separators that occur most in titles and prompts, besides the space.
_SEPARATORS = ".,-'|:;()/\"[]"


def filled(sql: str) -> str:
    """`sql` with its braces filled: only these, for other braces of a file belong to SQL."""
    parts = {"fold": _fold(), "separated": _separated(), "word_class": WORD_CLASS, "capitals": FOLD_FROM}
    for name, text in parts.items():
        sql = sql.replace(f"{{{name}}}", text)
    return sql


def _fold() -> str:
    """Statements that make capitals small, one for each block of them."""
    blocks = range(0, len(FOLD_FROM), _BLOCK)
    pairs = [(FOLD_FROM[start : start + _BLOCK], FOLD_TO[start : start + _BLOCK]) for start in blocks]
    lines = [
        f"IF cut ~ '[{capitals}]' THEN cut := translate(cut, '{capitals}', '{smalls}'); END IF;"
        for capitals, smalls in pairs
    ]
    return "\n".join(f"        {line}" for line in lines)


def _separated() -> str:
    """The text in small ASCII letters, with spaces for the most frequent separators."""
    text = 'lower(body COLLATE "C")'
    for separator in _SEPARATORS:
        quoted = separator.replace("'", "''")
        text = f"replace({text}, '{quoted}', ' ')"
    return text
