"""Scenes: what a picture shows besides its motifs, one function a scene.

Each draws from the back to the front and returns where motifs may stand: (left, right, ground, scale).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pinakes.web.art import sky as skies
from pinakes.web.art.canvas import HEIGHT, WIDTH, Canvas, n, smooth
from pinakes.web.art.color import lit, mix
from pinakes.web.art.features import Features
from pinakes.web.art.motifs import Colors, put


@dataclass(frozen=True, slots=True)
class Stage:
    """Where motifs stand: between `left` and `right` on `ground`, `scale` large; what flies is at `air`."""

    left: float
    right: float
    ground: float
    scale: float
    air: float = 120


Scene = Callable[[Canvas, Features, Colors], Stage]


def sea(canvas: Canvas, features: Features, colors: Colors) -> Stage:
    """Water to the horizon, a path of light on it, rows of waves."""
    chance = canvas.chance
    horizon = chance.uniform(138, 168)
    air = skies.sky(canvas, features.light, features.weather, horizon)
    if chance.random() < 0.5:
        canvas.ridge(horizon + 2, 26, 18, mix(lit("#3b5a6b", features.light), air, 0.55), rough=0.2)
    deep = lit(chance.choice(("#0d4d6e", "#0f5f73", "#124a7d")), features.light)
    water = canvas.gradient("water", ((0, mix(air, deep, 0.35)), (0.35, mix(air, deep, 0.75)), (1, deep)))
    canvas.rect(0, horizon, WIDTH, HEIGHT - horizon, water)
    if features.light != "day":
        shine = {"sunset": "#ffcf8a", "night": "#cdd8ff"}[features.light]
        x = chance.uniform(120, 280)
        for k in range(16):
            wide, y = chance.uniform(10, 46) * (1 + k / 12), horizon + 4 + k * k * 0.55
            canvas.ellipse(x + chance.uniform(-14, 14), y, wide, 1.2 + k * 0.12, shine, 'opacity=".55"')
    for k in range(7):
        y = horizon + 14 + k * k * 3.1
        high = 2 + k * 1.5
        step = 26 + k * 7
        shift = chance.uniform(0, step)
        line = "".join(f"q{n(step / 2)},{n(-high)} {n(step)},0" for _ in range(int(WIDTH / step) + 3))
        color = mix("#ffffff", air, 0.3)
        canvas.path(
            f"M{n(-shift - step)},{n(y)}{line}",
            "none",
            f'stroke="{color}" stroke-width="{n(0.8 + k * 0.35)}" opacity=".5"',
        )
    if chance.random() < 0.35 and not features.motifs:
        canvas.path(
            f"M-9,{HEIGHT + 9}V{n(HEIGHT - 36)}Q120,{n(HEIGHT - 52)} 210,{n(HEIGHT - 18)}T{WIDTH + 9},{n(HEIGHT - 14)}V{HEIGHT + 9}Z",
            lit("#e4c99a", features.light),
        )
    return Stage(90, 310, horizon + 48, 1.25, horizon * 0.55)


def mountain(canvas: Canvas, features: Features, colors: Colors) -> Stage:
    """Three ranges, the farthest with snow, and a meadow or lake before them."""
    chance = canvas.chance
    air = skies.sky(canvas, features.light, features.weather, 190)
    rock = lit(chance.choice(("#5b6f86", "#6d6474", "#55707c")), features.light)
    _peaks(canvas, 150, 78, mix(rock, air, 0.5), mix("#ffffff", air, 0.15 if features.light == "day" else 0.4))
    canvas.ridge(196, 34, 30, mix(rock, air, 0.25), rough=0.4)
    green = lit(chance.choice(("#4d7350", "#5c7a48", "#6b7a4c")), features.light)
    canvas.ridge(222, 20, 34, mix(green, air, 0.18), rough=0.15)
    if chance.random() < 0.5:
        lake = canvas.gradient("lake", ((0, mix(air, "#ffffff", 0.1)), (1, mix(air, rock, 0.5))))
        canvas.rect(0, 236, WIDTH, 70, lake)
        for k in range(7):
            canvas.rect(chance.uniform(0, 340), 242 + k * 8, chance.uniform(30, 90), 1.3, "#ffffff", 'opacity=".3"')
        canvas.path(f"M-9,{HEIGHT + 9}V272Q110,258 230,288T{WIDTH + 9},282V{HEIGHT + 9}Z", mix(green, "#101820", 0.3))
    else:
        canvas.ridge(256, 14, 40, mix(green, "#101820", 0.2), rough=0.1)
    for _ in range(chance.randint(4, 9)):
        x = chance.choice((chance.uniform(0, 130), chance.uniform(270, 400)))
        dark = Colors(colors.dark, mix(green, "#08120c", 0.55), green, colors.light, colors.skin)
        put(canvas, "pine", x, chance.uniform(266, 296), chance.uniform(0.35, 0.75), dark)
    return Stage(120, 280, 290, 1.15, 80)


def _peaks(canvas: Canvas, base: float, height: float, rock: str, snow: str) -> None:
    chance = canvas.chance
    for k in range(4):
        x, tall, wide = (
            20 + k * 120 + chance.uniform(-30, 30),
            height * chance.uniform(0.7, 1.15),
            chance.uniform(90, 130),
        )
        top, foot = base - tall, base + 70
        lean = chance.uniform(-12, 12)
        canvas.shape([(x - wide, foot), (x + lean, top), (x + wide, foot)], rock)
        canvas.shape(
            [(x + lean, top), (x + wide, foot), (x + wide * 0.15, foot), (x + lean + 4, top + tall * 0.5)],
            mix(rock, "#10141c", 0.22),
        )
        side = tall * 0.42
        left, right = x + lean - wide * side / (foot - top), x + lean + wide * side / (foot - top)
        zigzag = [
            (right, top + side),
            (x + lean + 14, top + side * 0.72),
            (x + lean + 2, top + side * 1.05),
            (x + lean - 12, top + side * 0.75),
        ]
        canvas.shape([(x + lean, top), *zigzag, (left, top + side)], snow)


def forest(canvas: Canvas, features: Features, colors: Colors) -> Stage:
    """Rows of trunks and crowns, lighter the farther, and sunbeams."""
    chance = canvas.chance
    air = skies.sky(canvas, features.light, "fog" if features.weather == "clear" else features.weather, 210)
    autumn = chance.random() < 0.4
    leaves = chance.choice(("#b8612a", "#c98a2f", "#a8452c") if autumn else ("#3d7042", "#527f3d", "#2f6a4f"))
    leaves = lit(leaves, features.light)
    for row in range(4):
        part = 0.72 - row * 0.22
        color = mix(leaves, air, max(part, 0.04))
        trunk = mix(lit("#4a3628", features.light), air, max(part, 0.02))
        ground = 190 + row * 26
        canvas.ridge(ground, 8, 30, mix(color, "#20301c", 0.25), rough=0.1)
        for _ in range(9 - row * 2):
            x = chance.uniform(-10, 410)
            if row == 3 and 120 < x < 280:
                x = chance.choice((chance.uniform(-10, 90), chance.uniform(310, 410)))
            _tree(canvas, x, ground + 6, 0.7 + row * 0.32, trunk, color)
    if features.light != "night":
        glow = {"day": "#fff6c8", "sunset": "#ffc27a"}[features.light]
        for k in range(4):
            x = 60 + k * 80 + chance.uniform(-20, 20)
            canvas.shape([(x, 0), (x + 22, 0), (x - 60, 300), (x - 120, 300)], glow, 'opacity=".13"')
    else:
        for _ in range(18):
            canvas.circle(
                chance.uniform(20, 380), chance.uniform(140, 280), chance.uniform(1, 2.2), "#fff3a0", 'opacity=".9"'
            )
    floor = mix(leaves, "#1a2416", 0.5)
    canvas.path(f"M-9,{HEIGHT + 9}V280Q100,262 200,274T{WIDTH + 9},270V{HEIGHT + 9}Z", floor)
    canvas.path("M170,309Q196,284 188,262L208,262Q222,284 250,309Z", mix(floor, "#e8d3a8", 0.35))
    return Stage(140, 260, 290, 1.3, 120)


def _tree(canvas: Canvas, x: float, y: float, scale: float, trunk: str, leaves: str) -> None:
    chance = canvas.chance
    high = chance.uniform(70, 110) * scale
    wide = chance.uniform(4, 6) * scale
    canvas.shape([(x - wide, y), (x - wide * 0.5, y - high), (x + wide * 0.5, y - high), (x + wide, y)], trunk)
    for k in range(4):
        radius = chance.uniform(15, 24) * scale
        where_x, where_y = x + chance.uniform(-18, 18) * scale, y - high + (k - 1.5) * 13 * scale
        canvas.circle(where_x, where_y, radius, mix(leaves, "#ffffff" if k % 2 else "#10200c", 0.1))


def city(canvas: Canvas, features: Features, colors: Colors) -> Stage:
    """A skyline in three rows, lit windows, a street."""
    chance = canvas.chance
    air = skies.sky(canvas, features.light, features.weather, 232)
    base = lit(chance.choice(("#48566e", "#5b5468", "#6b5b58")), features.light)
    for row in range(3):
        color = mix(base, air, 0.62 - row * 0.3)
        x = -20.0
        while x < WIDTH:
            wide, high = chance.uniform(24, 52), chance.uniform(40, 130) * (1.15 - row * 0.18)
            top = 244 - high
            canvas.rect(x, top, wide, 300 - top, mix(color, "#0a0c14", chance.uniform(0, 0.16)))
            if row == 0 and chance.random() < 0.3:
                canvas.rect(x + wide / 2 - 1, top - 18, 2, 18, color)
            if row:
                _windows(canvas, x, top, wide, features.light)
            x += wide + chance.uniform(-4, 10)
    street = lit("#565961", features.light)
    canvas.rect(0, 250, WIDTH, 60, street)
    canvas.rect(0, 250, WIDTH, 5, mix(street, "#ffffff", 0.25))
    for k in range(6):
        canvas.rect(k * 76 + 8, 281, 40, 3.5, "#f5e9c0", 'opacity=".7"')
    if features.light == "night" or features.weather == "rain":
        for _ in range(12):
            color = chance.choice(("#ff5f8f", "#57d7ff", "#ffd166", "#b48cff"))
            canvas.rect(
                chance.uniform(0, 390), 258, chance.uniform(3, 9), chance.uniform(14, 44), color, 'opacity=".35"'
            )
    return Stage(110, 290, 290, 1.0, 70)


def _windows(canvas: Canvas, x: float, top: float, wide: float, light: str) -> None:
    chance = canvas.chance
    color, share = {"day": ("#dcecf5", 0.5), "sunset": ("#ffd08a", 0.6), "night": ("#ffdf8a", 0.55)}[light]
    d = []
    y = top + 8
    while y < 240:
        across = x + 5
        while across < x + wide - 7:
            if chance.random() < share:
                d.append(f"M{n(across)},{n(y)}h4v6h-4z")
            across += 8.5
        y += 12
    canvas.path("".join(d), color, 'opacity=".85"')


def meadow(canvas: Canvas, features: Features, colors: Colors) -> Stage:
    """Rolling hills, grass and flowers."""
    chance = canvas.chance
    air = skies.sky(canvas, features.light, features.weather, 200)
    green = lit(chance.choice(("#6f9a4a", "#88a84f", "#a3a653", "#5d8f5a")), features.light)
    canvas.ridge(178, 26, 40, mix(green, air, 0.6), rough=0.1)
    canvas.ridge(204, 22, 40, mix(green, air, 0.35), rough=0.1)
    canvas.ridge(232, 14, 40, mix(green, air, 0.1), rough=0.1)
    front = mix(green, "#14220c", 0.22)
    canvas.ridge(262, 8, 40, front, rough=0.1)
    blades = "".join(f"M{n(x)},302l{n(chance.uniform(-5, 5))},{n(-chance.uniform(14, 34))}" for x in range(0, 404, 5))
    canvas.path(blades, "none", f'stroke="{mix(front, "#e8f0c0", 0.25)}" stroke-width="1.4"')
    for _ in range(16):
        color = chance.choice(("#f4d35e", "#f28482", "#ffffff", "#b79ced"))
        canvas.circle(
            chance.uniform(0, 400), chance.uniform(262, 296), chance.uniform(1.6, 3.4), lit(color, features.light)
        )
    return Stage(110, 290, 284, 1.7, 110)


def fantasy(canvas: Canvas, features: Features, colors: Colors) -> Stage:
    """Violet hills, a crag with something on it, a second moon."""
    chance = canvas.chance
    air = skies.sky(canvas, features.light, features.weather, 220)
    violet = lit(chance.choice(("#6a4c93", "#4f5d95", "#7a4a7a", "#3f6d7a")), features.light)
    if chance.random() < 0.5:
        canvas.circle(
            chance.uniform(40, 360),
            chance.uniform(40, 100),
            chance.uniform(22, 46),
            mix(air, "#ffffff", 0.3),
            'opacity=".7"',
        )
    _peaks(canvas, 170, 60, mix(violet, air, 0.6), mix(violet, air, 0.35))
    canvas.ridge(214, 26, 26, mix(violet, air, 0.3), rough=0.35)
    crag = mix(violet, "#120a20", 0.45)
    left, right = chance.uniform(90, 130), chance.uniform(270, 310)
    line = [
        (left - 60, 312.0),
        (left, 262.0),
        (left + 30, 240.0),
        (200, 234.0),
        (right - 30, 242.0),
        (right, 266.0),
        (right + 60, 312.0),
    ]
    canvas.path(f"M{smooth(line)}L{n(right + 90)},312Z", crag)
    canvas.ridge(286, 10, 40, mix(violet, "#080410", 0.62), rough=0.15)
    for _ in range(14):
        canvas.circle(
            chance.uniform(0, 400), chance.uniform(60, 280), chance.uniform(0.8, 2), "#ffe9a8", 'opacity=".75"'
        )
    return Stage(170, 230, 246, 1.3, 110)


def space(canvas: Canvas, features: Features, colors: Colors) -> Stage:
    """A field of stars, a nebula, a planet's edge."""
    chance = canvas.chance
    fill = canvas.gradient("sky", ((0, "#03040d"), (1, chance.choice(("#12103a", "#0b1f38", "#220f33")))), down=False)
    canvas.rect(0, 0, WIDTH, HEIGHT, fill)
    hues = chance.sample(("#7b4bd6", "#d24b9a", "#2f9fc9", "#e08a4b", "#3ac6a0"), 3)
    for k, hue in enumerate(hues):
        glow = canvas.glow(f"nebula{k}", hue, 0.55)
        for _ in range(3):
            canvas.ellipse(
                chance.uniform(40, 360),
                chance.uniform(40, 260),
                chance.uniform(60, 150),
                chance.uniform(30, 90),
                glow,
                f'transform="rotate({chance.randint(-40, 40)} 200 150)"',
            )
    skies.stars(canvas, 120, 290)
    if chance.random() < 0.6:
        edge = chance.choice(("#2d5d7b", "#8c4a5a", "#4a7a5c", "#a06a3a"))
        x, y, r = chance.choice(((60, 380, 190), (340, 390, 200), (200, 560, 330)))
        canvas.circle(x, y, r + 10, canvas.glow("rim", mix(edge, "#ffffff", 0.5), 0.9))
        canvas.circle(
            x, y, r, canvas.gradient("world", ((0, mix(edge, "#ffffff", 0.35)), (0.5, edge), (1, "#05060f")), down=True)
        )
    return Stage(130, 270, 220, 1.5, 200)


def desert(canvas: Canvas, features: Features, colors: Colors) -> Stage:
    """Dunes with a lit and a shaded side."""
    chance = canvas.chance
    air = skies.sky(canvas, features.light, features.weather, 200)
    sand = lit(chance.choice(("#e0a95f", "#d98e4a", "#e6bf85")), features.light)
    canvas.ridge(176, 20, 60, mix(sand, air, 0.55), rough=0.3)
    for k in range(4):
        y, top = 196 + k * 28, chance.uniform(60, 340)
        color = mix(sand, air, max(0.4 - k * 0.14, 0))
        high = 30 + k * 8
        canvas.path(
            f"M-40,{n(y + 60)}Q{n(top - 110)},{n(y - 4)} {n(top)},{n(y - high)}Q{n(top + 120)},{n(y)} 440,{n(y + 46)}V310H-40Z",
            color,
        )
        shade = mix(color, "#5a2a1a", 0.28)
        canvas.path(
            f"M{n(top)},{n(y - high)}Q{n(top + 120)},{n(y)} 440,{n(y + 46)}V310H{n(top - 30)}Q{n(top + 20)},{n(y + 30)} {n(top)},{n(y - high)}Z",
            shade,
        )
    return Stage(100, 300, 282, 1.4, 100)


def winter(canvas: Canvas, features: Features, colors: Colors) -> Stage:
    """Snowy hills and firs."""
    chance = canvas.chance
    air = skies.sky(canvas, features.light, features.weather, 205)
    if features.light == "night":
        skies.aurora(canvas)
    snow = lit("#f4f8fc", features.light)
    canvas.ridge(180, 30, 40, mix(lit("#a9c4d9", features.light), air, 0.35), rough=0.2)
    canvas.ridge(212, 20, 40, mix(snow, air, 0.3), rough=0.1)
    for _ in range(9):
        tree = Colors(
            colors.dark, mix(lit("#3c5f5a", features.light), air, 0.2), colors.other, colors.light, colors.skin
        )
        put(canvas, "pine", chance.uniform(0, 400), chance.uniform(214, 238), chance.uniform(0.28, 0.6), tree)
    canvas.ridge(242, 12, 40, snow, rough=0.1)
    canvas.ridge(272, 8, 40, mix(snow, "#7f9fc0", 0.16), rough=0.1)
    return Stage(120, 280, 286, 1.5, 90)


SCENES: dict[str, Scene] = {
    "sea": sea, "mountain": mountain, "forest": forest, "city": city, "meadow": meadow, "fantasy": fantasy,
    "space": space, "desert": desert, "winter": winter,
}  # fmt: skip
