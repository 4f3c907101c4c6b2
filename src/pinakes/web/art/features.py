"""Features: what the words of an item say about a picture of it, as one short text from closed lists.

    scene_light_weather_medium[_motif[+motif]]        sea_sunset_clear_watercolor_ship

Every word votes for what it names; words that come first count more, because a title tells more than its
tags. Without any vote the seed chooses. There are some ten thousand such texts with a meaning.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise

from pinakes.memory import remembered
from pinakes.web.art.motifs import MOTIFS, WORDS

_SPLIT = re.compile(r"[^\w'-]+")
_TITLE_WEIGHT = 3
# Scenes that words like `tree` or `smile` call for are mostly not what a picture is of.
_MOST_MOTIFS = 2
_MOTIFS = "motifs"


def _load() -> dict[str, dict[str, tuple[str, ...]]]:
    """Table -> word -> what it calls for."""
    told = tomllib.loads(files("pinakes.web.art").joinpath("data/words.toml").read_text("utf-8"))
    tables: dict[str, dict[str, tuple[str, ...]]] = {}
    for table, lists in told.items():
        words: dict[str, tuple[str, ...]] = {}
        for name, listed in lists.items():
            for word in (each.strip() for each in listed.replace("\n", " ").split(",")):
                words[word] = (*words.get(word, ()), name)
        tables[table] = words
    return tables


_TABLES = _load()
SCENES = tuple(sorted({name for names in _TABLES["scenes"].values() for name in names}))
LIGHTS = ("day", "sunset", "night")
WEATHERS = ("clear", "clouds", "rain", "snow", "fog")
MEDIA = ("clean", *sorted({name for names in _TABLES["media"].values() for name in names}))


@dataclass(frozen=True, slots=True)
class Features:
    """What is drawn."""

    scene: str
    light: str
    weather: str
    medium: str
    motifs: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = (self.scene, self.light, self.weather, self.medium, "+".join(self.motifs))
        return "_".join(part for part in parts if part)

    @classmethod
    def read(cls, text: str) -> Features:
        """The features in an address.

        Raises:
            ValueError: it is none of ours.
        """
        parts = text.split("_")
        if len(parts) not in {4, 5}:
            raise ValueError(text)
        scene, light, weather, medium = parts[:4]
        motifs = tuple(parts[4].split("+")) if len(parts) == 5 else ()
        known = scene in SCENES and light in LIGHTS and weather in WEATHERS and medium in MEDIA
        if not known or len(motifs) > _MOST_MOTIFS or not all(motif in MOTIFS for motif in motifs):
            raise ValueError(text)
        return cls(scene, light, weather, medium, motifs)


def read_features(words: Iterable[str], seed: int) -> Features:
    """The features that `words`, title first, call for; `seed` (0 to 255) decides what they leave open."""
    votes: dict[str, Counter[str]] = {table: Counter() for table in (*_TABLES, _MOTIFS)}
    for place, text in enumerate(words):
        weight = _TITLE_WEIGHT if place == 0 else 1
        for table, name in _calls_for(text):
            votes[table][name] += weight
    scene = _most(votes["scenes"]) or SCENES[seed % len(SCENES)]
    light = _most(votes["lights"]) or ("day", "day", "sunset")[seed % 3]
    if scene == "space":
        light = "night"
    weather = _most(votes["weathers"]) or "clear"
    if scene == "winter" and weather == "clear":
        weather = ("snow", "clear")[seed % 2]
    medium = _most(votes["media"]) or "clean"
    ranked = sorted(votes[_MOTIFS].items(), key=lambda vote: (-vote[1], vote[0]))
    chosen = tuple(sorted(name for name, _ in ranked[:_MOST_MOTIFS]))
    return Features(scene, light, weather, medium, chosen)


@remembered("words of pictures", 4 * 2**20)
def _calls_for(text: str) -> tuple[tuple[str, str], ...]:
    """What a text names, as (table, name), once for each of its words; tags come again and again."""
    found = []
    for word in _names(text.lower()):
        found += [(table, name) for table, words in _TABLES.items() for name in words.get(word, ())]
        if word in WORDS:
            found.append((_MOTIFS, WORDS[word]))
    return tuple(found)


def _names(text: str) -> tuple[str, ...]:
    """A text as the names to look up: the whole, its pairs, its words, and those without a plural s."""
    parts = [part for part in _SPLIT.split(text) if part]
    pairs = [f"{one} {two}" for one, two in pairwise(parts)]
    singular = [part[:-1] for part in parts if part.endswith("s") and len(part) > 3]
    return tuple(dict.fromkeys((text, *pairs, *parts, *singular)))


def _most(counter: Counter[str]) -> str:
    """The name with most votes, the first by name among equals; empty without any."""
    return min(counter, key=lambda name: (-counter[name], name), default="")
