"""Themes: what the generated items are about, and which tags can meet.

A *theme* is a subject (sea, portrait, food) with its words. A *scene* is one way a theme looks: a
setting, a light, the phrases that describe it and a few tags of its own. Every item has exactly one
scene, and a tag is bound to a set of
scenes. So tags without a common scene never meet, however frequent both are: `sunset` and
`indoors`, `outdoors` and `still life`. A scene may borrow another theme's words (a harbour is sea
and city), which is how themes overlap.

There are about twenty themes with two or three scenes each, in `data/themes.toml`. Nothing here
depends on the seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast

from pinakes.bench.generator.words import listed, read

Setting = Literal["outdoors", "indoors", ""]
Light = Literal["day", "sunset", "night", ""]


@dataclass(frozen=True, slots=True)
class Scene:
    """One way a theme looks. `weight` is its share within the theme, `phrases` go into prompts."""

    name: str
    weight: int
    setting: Setting
    light: Light
    phrases: tuple[str, ...]
    tags: tuple[str, ...]
    borrows: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Theme:
    """One subject.

    `subjects` and `details` are tags, commonest first; `adjectives` and `nouns` make compound tags by the thousand.
    `nature` and `people` say what common tags go with it.
    """

    name: str
    weight: int
    nature: bool
    people: bool
    subjects: tuple[str, ...]
    details: tuple[str, ...]
    adjectives: tuple[str, ...]
    nouns: tuple[str, ...]
    scenes: tuple[Scene, ...]


def _scene(row: dict[str, Any]) -> Scene:
    if row["setting"] not in {"outdoors", "indoors", ""} or row["light"] not in {"day", "sunset", "night", ""}:
        raise ValueError(f"scene {row['name']}: setting or light is unknown")
    return Scene(**row | {key: listed(row[key]) for key in ("phrases", "tags", "borrows")})


def _theme(row: dict[str, Any]) -> Theme:
    scenes = tuple(map(_scene, row.pop("scene")))
    lists = ("subjects", "details", "adjectives", "nouns")
    return Theme(**row | {key: listed(row[key]) for key in lists}, scenes=scenes)


THEMES: tuple[Theme, ...] = tuple(map(_theme, cast("list[dict[str, Any]]", read("themes.toml")["theme"])))

THEME_BY_NAME: dict[str, Theme] = {theme.name: theme for theme in THEMES}

# Every scene with its theme, in a fixed order: a scene's number is its place here.
SCENES: tuple[tuple[Theme, Scene], ...] = tuple((theme, scene) for theme in THEMES for scene in theme.scenes)
