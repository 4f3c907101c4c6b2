"""Motifs: the things that stand in pictures, read from `data/motifs.toml` and coloured for one picture."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files

from pinakes.web.art.canvas import Canvas, n


@dataclass(frozen=True, slots=True)
class Motif:
    """One thing. `scenes` are those it is drawn in unasked; `in_the_air`: it does not stand on the ground."""

    svg: str
    scenes: tuple[str, ...]
    in_the_air: bool


def _load() -> tuple[dict[str, Motif], dict[str, str]]:
    """Motif by name, and the name of the motif every word calls for."""
    told = tomllib.loads(files("pinakes.web.art").joinpath("data/motifs.toml").read_text("utf-8"))
    motifs = {
        name: Motif(row["svg"].replace("\n", ""), tuple(row.get("in", ())), row.get("sky", False))
        for name, row in told.items()
    }
    words = {word: name for name, row in told.items() for word in (*row.get("words", ()), name)}
    return motifs, words


MOTIFS, WORDS = _load()


@dataclass(frozen=True, slots=True)
class Colors:
    """What motifs are coloured with."""

    dark: str
    one: str
    other: str
    light: str
    skin: str


def unasked(scene: str) -> list[str]:
    """The motifs a scene has where no word asks for one."""
    return [name for name, motif in MOTIFS.items() for where in motif.scenes if where == scene]


def put(canvas: Canvas, name: str, x: float, y: float, scale: float, colors: Colors) -> None:
    """Draws a motif, standing on (x, y); every second one looks to the left."""
    svg = MOTIFS[name].svg.format(I=colors.dark, A=colors.one, B=colors.other, L=colors.light, S=colors.skin)
    across = -scale if canvas.chance.random() < 0.5 else scale
    canvas.add(f'<g transform="translate({n(x)} {n(y)}) scale({across:.2f} {scale:.2f})">{svg}</g>')
