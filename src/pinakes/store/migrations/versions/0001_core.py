"""Users, tags, content of every source, taggings and their counts.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

from pinakes.query.sources import SOURCES
from pinakes.query.text import FOLD_FROM, FOLD_TO, WORD_CLASS
from pinakes.store.migrations import scripts

revision = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None


_BLOCK = 64
# The separators that occur most in titles and prompts, besides the space.
_SEPARATORS = ".,-'|:;()/\"[]"


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


def upgrade() -> None:
    core = scripts.read("0001_core.sql")
    # Only these: other braces in the file belong to SQL.
    for name, text in (("fold", _fold()), ("separated", _separated()), ("word_class", WORD_CLASS)):
        core = core.replace(f"{{{name}}}", text)
    scripts.run(core)
    template = scripts.read("0001_source.sql")
    for source in SOURCES:
        scripts.run(template.format(code=source.code, name=source.name, table=source.table))


def downgrade() -> None:
    tables = ", ".join(source.table for source in SOURCES)
    scripts.run(scripts.read("0001_down.sql").replace("{tables}", tables))
