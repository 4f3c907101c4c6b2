"""Words that belong to no single theme: the commonest tags in order, styles, garments, syllables.

The lists are in `data/words.toml`; a name not there is a KeyError when the generator is imported.
"""

from __future__ import annotations

import tomllib
from importlib.resources import files


def read(name: str) -> dict[str, object]:
    """One file of the generator's data."""
    return tomllib.loads((files("pinakes.bench.generator.data") / name).read_text(encoding="utf-8"))


def listed(text: object) -> tuple[str, ...]:
    """The parts of a comma-separated list."""
    return tuple(" ".join(part.split()) for part in str(text).split(",") if part.strip())


_WORDS = read("words.toml")

HEAD: str = str(_WORDS["head"]).strip()
STYLES = listed(_WORDS["styles"])
MEDIA = listed(_WORDS["media"])
META = listed(_WORDS["meta"])
STYLE_TONES = listed(_WORDS["style_tones"])
COLORS = listed(_WORDS["colors"])
GARMENTS = listed(_WORDS["garments"])
MATERIALS = listed(_WORDS["materials"])
QUALITIES = listed(_WORDS["qualities"])
CIRCUMSTANCES = listed(_WORDS["circumstances"])
GIVEN_NAMES = listed(_WORDS["given_names"])
NAME_STARTS = listed(_WORDS["name_starts"])
NAME_ENDS = listed(_WORDS["name_ends"])
TITLES = listed(_WORDS["titles"])
CHARACTER_ENDS = listed(_WORDS["character_ends"])
EPITHETS = listed(_WORDS["epithets"])
USER_TONES = listed(_WORDS["user_tones"])
USER_NOUNS = listed(_WORDS["user_nouns"])
NO_ARTICLE = frozenset(listed(_WORDS["no_article"]))
