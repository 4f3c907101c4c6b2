"""Picture: the SVG for features and a seed. A few kilobytes, half a millisecond; the same bytes every time."""

from __future__ import annotations

from pinakes.memory import remembered
from pinakes.web.art import rooms, scenes
from pinakes.web.art.canvas import HEIGHT, WIDTH, Canvas
from pinakes.web.art.color import lit, mix
from pinakes.web.art.features import Features
from pinakes.web.art.medium import MEDIUMS
from pinakes.web.art.motifs import MOTIFS, Colors, put, unasked
from pinakes.web.art.sky import weather

_SCENES = {**scenes.SCENES, **rooms.SCENES}
_PAIRS = (
    ("#d1495b", "#edae49"), ("#2a9d8f", "#e9c46a"), ("#e07a5f", "#3d5a80"), ("#8f5bb5", "#f2c14e"), ("#577590", "#f3722c"),
    ("#b5446e", "#86bbbd"), ("#5f8a4a", "#d9a05b"), ("#c8553d", "#588b8b"), ("#4a6fa5", "#e8a87c"),
)  # fmt: skip
_BEFORE_A_HALL = frozenset(("person", "tree", "horse", "dog", "cat", "bird", "car", "lamp", "balloon"))
_UNDER_A_ROOF = frozenset(("portrait", "abstract", "table", "room", "machines", "space"))
KEPT = 16 * 2**20
"""Bytes of pictures a process remembers, some 2,500 of them: what is new is looked at by many."""


@remembered("pictures", KEPT)
def draw(features: Features, seed: int) -> bytes:
    """The picture."""
    canvas = Canvas(seed)
    one, other = canvas.chance.choice(_PAIRS)
    light = features.light
    skin = canvas.chance.choice(("#f1d0b0", "#c68a5e", "#8d5a3c"))
    tint = light if features.scene not in _UNDER_A_ROOF else "day"
    colors = Colors(*(_lit(color, tint) for color in ("#2b2733", one, other, "#f6efe0", skin)))
    stage = _SCENES[features.scene](canvas, features, colors)
    _people(canvas, features, stage, colors)
    if features.scene not in _UNDER_A_ROOF:
        weather(canvas, features.weather, light)
    named, marks = MEDIUMS[features.medium](canvas)
    inner = "".join(canvas.drawn)
    # A little larger than the frame: filters fray the edge.
    large = f'<g transform="translate(-14 -10.5) scale(1.07)">{inner}</g>'
    painted = f'<g filter="url(#{named})">{large}</g>' if named else inner
    paper = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#efe9dc"/>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="xMidYMid slice">'
        f"<defs>{''.join(canvas.defs)}</defs>{paper}{painted}{marks}</svg>"
    ).encode()


def _lit(color: str, light: str) -> str:
    """As land is lit, only less: what a picture is of stays in sight."""
    return mix(lit(color, light), color, 0.45)


def _people(canvas: Canvas, features: Features, stage: scenes.Stage, colors: Colors) -> None:
    """Puts the motifs on the stage, side by side, those asked for before those that only belong."""
    if features.scene == "abstract":
        return
    chance = canvas.chance
    names = list(features.motifs)
    if features.scene == "portrait":
        return
    if features.scene == "hall":
        names = [name for name in names if name in _BEFORE_A_HALL]
    if not names:
        belonging = unasked(features.scene)
        most = 3 if features.scene in {"table", "garden"} else 1
        names = [chance.choice(belonging) for _ in range(most)] if belonging else []
    elif features.scene == "table" and len(names) == 1:
        names.append(chance.choice(unasked("table")))
    share = (stage.right - stage.left) / max(len(names), 1)
    for k, name in enumerate(names):
        x = stage.left + share * (k + 0.5) + chance.uniform(-0.2, 0.2) * share
        motif = MOTIFS[name]
        y = stage.air + chance.uniform(0, 30) if motif.in_the_air else stage.ground
        scale = (
            stage.scale * chance.uniform(0.9, 1.1) * (0.62 if motif.in_the_air and name in {"bird", "butterfly"} else 1)
        )
        put(canvas, name, x, y, scale, colors)
