"""The tag vocabulary: name, category and possible scenes of the tag of each rank.

The first ranks come from a list by hand; after it, sources of names (one for each theme, styles,
media, artists, characters, garments, …) take turns by weight, each in its own order, so common
words have low ranks and compounds high ones. A vocabulary is a prefix of every larger one. Up to
200,000 tags; building takes about 20 µs a tag.

Where a tag may occur is a set of scenes, named by a *place*:

    place = "all" | "outdoors" | "indoors" | "day" | "sunset" | "night"
          | "nature" (scenes outdoors of nature themes) | "people" | "lifeless" (of themes with and without)
          | theme (its scenes, and scenes that borrow the theme) | theme "/" scene
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from pinakes.bench.generator import names, words
from pinakes.bench.generator.themes import SCENES, THEMES, Theme

MIN_TAGS = 300
MAX_TAGS = 200_000

# How often each source has its turn, beside the themes with theirs (121 in all).
_TURNS = {"style": 8, "medium": 5, "meta": 3, "artist": 10, "character": 8, "clothes": 8, "palette": 4}
# Names of people and things that only combine colours are rarer than words: they join in late.
_HEAD_STARTS = {"artist": -600, "character": -500, "clothes": -800, "palette": -1200}

# The order in which a prompt speaks of tags.
_SPEECH = ("subject", "general", "character", "style", "medium", "artist", "meta")


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag: `subject` means a picture can be of it, `twin` that it is on the items of the tag before."""

    name: str
    category: str
    place: str
    subject: bool = False
    twin: bool = False


class Vocabulary:
    """The first `size` tags by rank; places are 0-based: `tags[0]` has rank 1."""

    def __init__(self, size: int) -> None:
        if not MIN_TAGS <= size <= MAX_TAGS:
            raise ValueError(f"a vocabulary has {MIN_TAGS} to {MAX_TAGS} tags, not {size}")
        stream = _tags()
        self.tags: list[Tag] = [next(stream) for _ in range(size)]
        self.names: list[str] = [tag.name for tag in self.tags]
        self.spoken: list[str] = [f"by {tag.name}" if tag.category == "artist" else tag.name for tag in self.tags]

    def __len__(self) -> int:
        return len(self.tags)

    def speech_order(self) -> NDArray[np.int64]:
        """Places in the order prompts speak of them: rare subjects first, then by category, common first."""
        kind = np.array([0 if tag.subject else _SPEECH.index(tag.category) for tag in self.tags])
        place = np.arange(len(self.tags))
        return np.lexsort((np.where(kind == 0, -place, place), kind))

    def never_meet(self, first: int) -> list[tuple[str, str]]:
        """Pairs among the `first` commonest tags that no scene allows together, commonest first."""
        head = [(tag.name, frozenset(scenes_of(tag.place))) for tag in self.tags[:first]]
        return [
            (name, other) for i, (other, others) in enumerate(head) for name, scenes in head[:i] if not scenes & others
        ]

    def always_meet(self) -> list[tuple[str, str]]:
        """Pairs of tags that are always on the same items."""
        return [(self.tags[i - 1].name, tag.name) for i, tag in enumerate(self.tags) if tag.twin]


@cache
def scenes_of(place: str) -> tuple[int, ...]:
    """The numbers of the scenes a place stands for."""
    found = tuple(number for number, (theme, scene) in enumerate(SCENES) if _stands_for(place, theme, number))
    if not found:
        raise ValueError(f"no scene is {place!r}")
    return found


def _stands_for(place: str, theme: Theme, number: int) -> bool:
    scene = SCENES[number][1]
    named, _, scene_name = place.partition("/")
    if scene_name:
        return theme.name == named and scene.name == scene_name
    return (
        place == "all"
        or place in (scene.setting, scene.light, theme.name, *scene.borrows)
        or (place == "nature" and theme.nature and scene.setting == "outdoors")
        or (place == "people" and theme.people)
        or (place == "lifeless" and not theme.people)
    )


def _tags() -> Iterator[Tag]:
    """All tags in the order of their ranks."""
    seen: set[str] = set()
    for tag in _head():
        seen.add(tag.name)
        yield tag
    sources: dict[str, Iterator[Tag]] = {theme.name: _of_theme(theme) for theme in THEMES} | {
        "style": (Tag(name, "style", "all") for name in names.styles()),
        "medium": (Tag(name, "medium", "all") for name in names.media()),
        "meta": (Tag(name, "meta", "all") for name in names.metas()),
        "artist": (Tag(name, "artist", "all") for name in names.artists()),
        "character": (Tag(name, "character", "people") for name in names.characters()),
        "clothes": (Tag(name, "general", "people") for name in names.clothes()),
        "palette": (Tag(name, "general", "all") for name in names.palettes()),
    }
    turns = {theme.name: theme.weight for theme in THEMES} | _TURNS
    credit = dict.fromkeys(sources, 0) | _HEAD_STARTS
    while sources:
        # Smooth weighted round robin: everyone earns, the richest takes the turn and pays for it.
        for name in sources:
            credit[name] += turns[name]
        chosen = max(sources, key=credit.__getitem__)
        credit[chosen] -= sum(turns[name] for name in sources)
        for tag in sources[chosen]:
            if tag.name not in seen:
                seen.add(tag.name)
                yield tag
                break
        else:
            del sources[chosen]


def _head() -> Iterator[Tag]:
    subjects = {name for theme in THEMES for name in theme.subjects}
    for line in words.HEAD.splitlines():
        name, category, place = (part.strip() for part in line.split("|"))
        plain = name.removeprefix("=")
        yield Tag(plain, category, place, plain in subjects, name != plain)


def _of_theme(theme: Theme) -> Iterator[Tag]:
    for name, subject, scene in names.theme_words(theme):
        yield Tag(name, "general", f"{theme.name}/{scene.name}" if scene else theme.name, subject)
