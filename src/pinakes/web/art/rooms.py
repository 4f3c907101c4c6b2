"""Rooms: the scenes under a roof or without a place, drawn like those of `scenes`."""

from __future__ import annotations

import math
from itertools import pairwise

from pinakes.web.art import sky as skies
from pinakes.web.art.canvas import HEIGHT, WIDTH, Canvas, n
from pinakes.web.art.color import lit, mix
from pinakes.web.art.features import Features
from pinakes.web.art.motifs import Colors
from pinakes.web.art.scenes import Scene, Stage

_SKINS = ("#f1d0b0", "#e0ac80", "#c68a5e", "#8d5a3c", "#5c3a28", "#f6dfc8")
_HAIRS = ("#2a1c16", "#5a3520", "#9a5a28", "#c9973f", "#1c1c24", "#7a7570", "#a8382a")
_CLOTHES = ("#8d3b4a", "#2f5d73", "#5a6b3a", "#3b3357", "#c9803f", "#e6dccb", "#20303a")
_GROUNDS = (
    ("#c8a27a", "#6b4a3a"),
    ("#8fa3a8", "#3b4d57"),
    ("#b98a86", "#54324a"),
    ("#d9cdb4", "#8a7a5c"),
    ("#6f8a7a", "#24403a"),
)


def portrait(canvas: Canvas, features: Features, colors: Colors) -> Stage:
    """Head and shoulders before a plain ground."""
    chance = canvas.chance
    near, far = chance.choice(_GROUNDS)
    near, far = lit(near, features.light), lit(far, features.light)
    canvas.rect(0, 0, WIDTH, HEIGHT, canvas.gradient("ground", ((0, near), (1, far)), radial=True))
    skin = (
        lit(chance.choice(_SKINS), features.light)
        if features.light != "night"
        else mix(chance.choice(_SKINS), "#2a2f5a", 0.3)
    )
    hair, cloth = chance.choice(_HAIRS), lit(chance.choice(_CLOTHES), features.light)
    x = 200 + chance.uniform(-24, 24)
    shade = mix(skin, "#5a2a22", 0.28)
    long = chance.random() < 0.5
    if long:
        canvas.path(
            f"M{n(x - 62)},262Q{n(x - 78)},70 {n(x)},66Q{n(x + 78)},70 {n(x + 62)},262Z", mix(hair, "#000000", 0.15)
        )
    canvas.path(
        f"M{n(x - 128)},309Q{n(x - 118)},236 {n(x - 40)},222Q{n(x)},240 {n(x + 40)},222Q{n(x + 118)},236 {n(x + 128)},309Z",
        cloth,
    )
    canvas.path(f"M{n(x - 24)},190V226Q{n(x)},248 {n(x + 24)},226V190Z", shade)
    canvas.ellipse(x, 146, 50, 64, skin)
    canvas.path(
        f"M{n(x + 4)},84Q{n(x + 54)},96 {n(x + 49)},160Q{n(x + 40)},204 {n(x + 4)},210Q{n(x + 34)},170 {n(x + 4)},84Z",
        shade,
        'opacity=".45"',
    )
    for side in (-1, 1):
        eye = x + side * 19
        canvas.ellipse(eye, 142, 7.5, 4.2, "#fdf8f0")
        canvas.circle(eye + 1, 142, 3.6, chance.choice(("#3a2a1a", "#2f5d73", "#4a6b3a")))
        canvas.path(
            f"M{n(eye - 11)},131Q{n(eye)},{n(125 - chance.uniform(0, 4))} {n(eye + 11)},131",
            "none",
            f'stroke="{hair}" stroke-width="3"',
        )
    canvas.path(
        f"M{n(x)},140Q{n(x - 7)},164 {n(x - 5)},168Q{n(x)},172 {n(x + 6)},168",
        "none",
        f'stroke="{shade}" stroke-width="2.5"',
    )
    bend = chance.uniform(-3, 7)
    canvas.path(
        f"M{n(x - 15)},186Q{n(x)},{n(188 + bend)} {n(x + 15)},186Q{n(x)},{n(196 + bend)} {n(x - 15)},186Z", "#a8484a"
    )
    canvas.path(
        f"M{n(x - 54)},150Q{n(x - 60)},72 {n(x)},72Q{n(x + 60)},72 {n(x + 54)},150Q{n(x + 44)},112 {n(x + 14)},104Q{n(x - 30)},116 {n(x - 54)},150Z",
        hair,
    )
    if chance.random() < 0.3:
        canvas.path(
            f"M{n(x - 84)},100Q{n(x)},78 {n(x + 84)},100Q{n(x + 40)},92 {n(x + 40)},84Q{n(x + 34)},36 {n(x)},38Q{n(x - 34)},36 {n(x - 40)},84Q{n(x - 40)},92 {n(x - 84)},100Z",
            cloth,
        )
    return Stage(52, 72, 292, 0.6, 80)


def abstract(canvas: Canvas, features: Features, colors: Colors) -> Stage:
    """One of five compositions in five colours."""
    chance = canvas.chance
    palettes = (
        ("#f25f5c", "#ffe066", "#247ba0", "#70c1b3", "#fdf6e3"), ("#1d3557", "#e63946", "#f1faee", "#a8dadc", "#457b9d"),
        ("#264653", "#2a9d8f", "#e9c46a", "#f4a261", "#e76f51"), ("#2b2d42", "#8d99ae", "#edf2f4", "#ef233c", "#ffb703"),
        ("#5f0f40", "#9a031e", "#fb8b24", "#e36414", "#0f4c5c"),
    )  # fmt: skip
    tones = list(chance.choice(palettes))
    chance.shuffle(tones)
    canvas.rect(0, 0, WIDTH, HEIGHT, tones[0])
    (_circles, _bauhaus, _stripes, _flow, _facets)[chance.randrange(5)](canvas, tones)
    return Stage(0, 0, 0, 0)


def _circles(canvas: Canvas, tones: list[str]) -> None:
    chance = canvas.chance
    for _ in range(4):
        x, y, radius = chance.uniform(40, 360), chance.uniform(30, 270), chance.uniform(50, 110)
        for k in range(5):
            canvas.circle(x, y, radius * (1 - k / 5), tones[k % 4 + 1], 'opacity=".9"')


def _bauhaus(canvas: Canvas, tones: list[str]) -> None:
    chance = canvas.chance
    for column in range(4):
        for row in range(3):
            x, y, tone = column * 100, row * 100, chance.choice(tones[1:])
            canvas.rect(x, y, 100, 100, chance.choice(tones))
            match chance.randrange(5):
                case 0:
                    canvas.circle(x + 50, y + 50, 42, tone)
                case 1:
                    canvas.path(f"M{x},{y}h100a100,100 0 0 1 -100,100z", tone)
                case 2:
                    canvas.shape([(x, y), (x + 100, y + 100), (x, y + 100)], tone)
                case 3:
                    canvas.path(f"M{x},{y}a50,50 0 0 1 100,0zM{x},{y + 100}a50,50 0 0 1 100,0z", tone)
                case _:
                    canvas.circle(x + 50, y + 50, 42, tone)
                    canvas.circle(x + 50, y + 50, 20, tones[0])


def _stripes(canvas: Canvas, tones: list[str]) -> None:
    chance = canvas.chance
    x = -80.0
    while x < 460:
        wide = chance.uniform(8, 46)
        canvas.shape([(x, 0), (x + wide, 0), (x + wide - 70, 300), (x - 70, 300)], chance.choice(tones))
        x += wide
    canvas.circle(chance.uniform(110, 290), chance.uniform(90, 210), chance.uniform(48, 84), tones[1])


def _flow(canvas: Canvas, tones: list[str]) -> None:
    chance = canvas.chance
    phase = chance.uniform(0, 6)
    for k in range(14):
        y = -20 + k * 26
        points = [(x, y + 24 * math.sin(x / 70 + phase + k * 0.35)) for x in range(-40, 441, 40)]
        line = " ".join(f"{n(a)},{n(b)}" for a, b in points)
        canvas.add(f'<polygon points="-40,340 {line} 440,340" fill="{tones[k % 5]}" opacity=".92"/>')


def _facets(canvas: Canvas, tones: list[str]) -> None:
    chance = canvas.chance
    dots = [
        [(c * 80 + chance.uniform(-26, 26), r * 75 + chance.uniform(-24, 24)) for c in range(-1, 7)]
        for r in range(-1, 6)
    ]
    for above, below in pairwise(dots):
        for k in range(len(above) - 1):
            tone = chance.choice(tones)
            canvas.shape([above[k], above[k + 1], below[k]], mix(tone, "#ffffff", chance.uniform(0, 0.3)))
            canvas.shape([above[k + 1], below[k + 1], below[k]], mix(tone, "#000000", chance.uniform(0, 0.25)))


def hall(canvas: Canvas, features: Features, colors: Colors) -> Stage:
    """A facade with columns and arches, or the inside of one."""
    chance = canvas.chance
    air = skies.sky(canvas, features.light, features.weather, 250)
    stone = lit(chance.choice(("#d8c8a8", "#c9b294", "#b9aea0", "#d9b89a")), features.light)
    shade = mix(stone, "#2a2430", 0.35)
    bays = chance.choice((3, 5))
    wide = 300 / bays
    canvas.rect(42, 110, 316, 150, stone)
    if chance.random() < 0.5:
        canvas.shape([(30, 112), (200, 44), (370, 112)], mix(stone, air, 0.12))
        canvas.shape([(66, 106), (200, 54), (334, 106)], shade, 'opacity=".35"')
        canvas.circle(200, 86, 12, shade)
    else:
        canvas.path("M130,112Q134,40 200,36Q266,40 270,112Z", lit("#7f9c98", features.light))
        canvas.rect(196, 14, 8, 24, shade)
    canvas.rect(30, 108, 340, 12, mix(stone, "#ffffff", 0.25))
    glow = "#ffdf9a" if features.light != "day" else mix(shade, "#101018", 0.4)
    for k in range(bays):
        x = 50 + k * wide
        canvas.path(
            f"M{n(x + wide * 0.22)},262V{n(170)}Q{n(x + wide / 2)},{n(126)} {n(x + wide * 0.78)},170V262Z", glow
        )
        canvas.rect(x - 6, 122, 12, 140, mix(stone, "#ffffff", 0.12))
        canvas.rect(x - 9, 120, 18, 7, mix(stone, "#ffffff", 0.3))
        canvas.rect(x - 9, 254, 18, 8, shade)
    canvas.rect(344, 122, 12, 140, mix(stone, "#ffffff", 0.12))
    for k in range(4):
        canvas.rect(30 - k * 12, 260 + k * 11, 340 + k * 24, 12, mix(stone, "#2a2430", 0.08 + k * 0.09))
    return Stage(70, 330, 292, 0.5, 70)


def table(canvas: Canvas, features: Features, colors: Colors) -> Stage:
    """A wall, a table, a cloth, things on it in one light."""
    chance = canvas.chance
    wall, wood = chance.choice(
        (
            ("#3a2c28", "#7a4a2b"),
            ("#44524f", "#8a5d3a"),
            ("#d9c6a5", "#9a6a42"),
            ("#2a2f3a", "#5f4030"),
            ("#b9a58c", "#7a5236"),
        )
    )
    wall, wood = lit(wall, features.light), lit(wood, features.light)
    canvas.rect(
        0, 0, WIDTH, 230, canvas.gradient("wall", ((0, mix(wall, "#000000", 0.25)), (1, mix(wall, "#ffffff", 0.12))))
    )
    canvas.ellipse(chance.uniform(90, 200), 90, 190, 130, canvas.glow("lit", "#ffe9c0", 0.35))
    canvas.rect(
        0, 216, WIDTH, 90, canvas.gradient("wood", ((0, mix(wood, "#ffffff", 0.18)), (1, mix(wood, "#000000", 0.35))))
    )
    if chance.random() < 0.6:
        cloth = chance.choice(("#f1e8d8", "#c9d6d3", "#b04a3f", "#6f7f9a"))
        cloth = lit(cloth, features.light)
        canvas.path(
            "M60,222Q200,208 344,222L372,270Q330,260 300,276Q260,262 220,280Q180,264 140,280Q104,262 36,274Z", cloth
        )
        canvas.path(
            "M150,226L140,280M230,224L220,278M300,226L302,274",
            "none",
            f'stroke="{mix(cloth, "#000000", 0.2)}" stroke-width="2" opacity=".6"',
        )
    for x in (130, 270):
        canvas.ellipse(x, 250, 60, 8, "#000000", 'opacity=".18"')
    return Stage(105, 295, 256, 1.32, 250)


def room(canvas: Canvas, features: Features, colors: Colors) -> Stage:
    """A wall with a window, a floor, a rug."""
    chance = canvas.chance
    wall = lit(chance.choice(("#e3d3bd", "#b9c7c0", "#d9b8a4", "#9fb0c0", "#cfc3d6")), features.light)
    canvas.rect(0, 0, WIDTH, 240, wall)
    for k in range(0, 400, 26):
        canvas.rect(k, 0, 1, 226, mix(wall, "#000000", 0.06))
    x = chance.choice((44, 226))
    outside = {"day": "#bfe3f5", "sunset": "#ffb27a", "night": "#16234d"}[features.light]
    canvas.rect(x, 40, 130, 130, "#fbf7ee")
    canvas.rect(x + 8, 48, 114, 114, canvas.gradient("pane", ((0, outside), (1, mix(outside, "#ffffff", 0.35)))))
    if features.light == "night":
        for _ in range(9):
            canvas.circle(x + chance.uniform(14, 116), chance.uniform(54, 120), 1.2, "#ffffff")
    canvas.rect(x + 62, 48, 6, 114, "#fbf7ee")
    canvas.rect(x + 8, 100, 114, 6, "#fbf7ee")
    curtain = lit(chance.choice(("#a8514a", "#4a6b7a", "#8a7a4a", "#6a4a73")), features.light)
    for left in (x - 26, x + 118):
        canvas.path(f"M{left},30h38q-8,80 2,156h-40q8,-80 0,-156z", curtain, 'opacity=".95"')
    canvas.rect(x - 36, 26, 202, 6, mix(curtain, "#000000", 0.4))
    frame_x = 300 if x < 100 else 70
    canvas.rect(frame_x - 34, 50, 68, 54, mix(wall, "#3a2a1a", 0.7))
    canvas.rect(frame_x - 28, 56, 56, 42, canvas.gradient("picture", ((0, colors.one), (1, colors.other))))
    floor = lit(chance.choice(("#9a6b42", "#7a5236", "#b58a5f")), features.light)
    canvas.rect(0, 226, WIDTH, 80, floor)
    canvas.rect(0, 222, WIDTH, 7, mix(floor, "#ffffff", 0.35))
    for k in range(3):
        canvas.rect(0, 246 + k * 20, WIDTH, 1.2, mix(floor, "#000000", 0.25))
    canvas.ellipse(200, 276, 130, 20, colors.other, 'opacity=".8"')
    canvas.ellipse(200, 276, 108, 15, colors.one, 'opacity=".7"')
    if features.light == "day":
        canvas.shape([(x + 8, 170), (x + 122, 170), (x + 190, 300), (x + 40, 300)], "#fff7d6", 'opacity=".2"')
    return Stage(130, 280, 282, 1.4, 200)


def garden(canvas: Canvas, features: Features, colors: Colors) -> Stage:
    """Beds of flowers before a hedge."""
    chance = canvas.chance
    air = skies.sky(canvas, features.light, features.weather, 190)
    green = lit(chance.choice(("#4f8a4a", "#3f7a52", "#6a9a4a")), features.light)
    for k in range(14):
        canvas.circle(k * 32 - 8, 178 + chance.uniform(-10, 8), chance.uniform(24, 38), mix(green, air, 0.3))
    canvas.rect(0, 190, WIDTH, 120, mix(green, "#102a10", 0.15))
    tones = [
        lit(tone, features.light)
        for tone in chance.sample(("#f25f7a", "#f7b4c6", "#fbe38e", "#c792ea", "#ffffff", "#ff8a5c", "#7fa8f2"), 3)
    ]
    for row in range(6):
        y = 200 + row * 18
        for k in range(15):
            x, size = k * 29 + chance.uniform(-12, 12), 2.6 + row * 1.15
            tone = tones[(row // 2) % 3] if chance.random() < 0.8 else chance.choice(tones)
            canvas.rect(x - 0.6, y, 1.4 + row * 0.2, 10 + row * 2, mix(green, "#0c240c", 0.4))
            for petal in range(5):
                turn = petal * 1.257
                canvas.circle(x + size * math.cos(turn), y + size * math.sin(turn), size * 0.72, tone)
            canvas.circle(x, y, size * 0.6, "#f6d365" if tone != "#fbe38e" else "#b5652a")
    return Stage(130, 270, 294, 1.6, 140)


def machines(canvas: Canvas, features: Features, colors: Colors) -> Stage:
    """A hall of pipes, dials and wheels."""
    chance = canvas.chance
    dark, glow = chance.choice((("#18222e", "#00c2d1"), ("#2b211d", "#ff9a3c"), ("#1c2420", "#7ddf64")))
    canvas.rect(0, 0, WIDTH, HEIGHT, canvas.gradient("wall", ((0, mix(dark, "#ffffff", 0.16)), (1, dark))))
    metal = mix(dark, "#b9c4cc", 0.35)
    for _ in range(3):
        x, y, radius = chance.uniform(30, 370), chance.uniform(40, 190), chance.uniform(30, 62)
        teeth = "".join(
            f'<rect x="{n(x - 6)}" y="{n(y - radius - 8)}" width="12" height="{n(radius * 2 + 16)}" transform="rotate({k * 30} {n(x)} {n(y)})"/>'
            for k in range(6)
        )
        canvas.add(f'<g fill="{mix(metal, dark, 0.4)}">{teeth}<circle cx="{n(x)}" cy="{n(y)}" r="{n(radius)}"/></g>')
        canvas.circle(x, y, radius * 0.55, dark)
        canvas.circle(x, y, radius * 0.18, metal)
    for _ in range(5):
        x = chance.uniform(0, 400)
        canvas.rect(x, -5, chance.uniform(6, 14), 260, mix(metal, dark, chance.uniform(0.1, 0.5)))
        canvas.rect(x - 3, chance.uniform(40, 200), 20, 8, metal)
    for _ in range(8):
        x, y = chance.uniform(20, 380), chance.uniform(20, 210)
        canvas.circle(x, y, 12, canvas.glow(f"dial{n(x)}", glow, 0.5))
        canvas.circle(x, y, 3.4, glow)
    canvas.rect(0, 248, WIDTH, 60, mix(dark, "#000000", 0.3))
    canvas.rect(0, 246, WIDTH, 4, metal)
    canvas.ellipse(200, 272, 150, 16, glow, 'opacity=".16"')
    return Stage(140, 260, 278, 1.65, 150)


def festival(canvas: Canvas, features: Features, colors: Colors) -> Stage:
    """Garlands of lights, bunting, confetti, fireworks in the dark."""
    chance = canvas.chance
    air = skies.sky(
        canvas, "night" if features.light == "day" and chance.random() < 0.3 else features.light, features.weather, 230
    )
    bright = ("#f26a8d", "#ffd166", "#06d6a0", "#4cc9f0", "#ff8fab")
    if features.light != "day":
        for _ in range(3):
            x, y, radius, tone = (
                chance.uniform(50, 350),
                chance.uniform(36, 110),
                chance.uniform(24, 52),
                chance.choice(bright),
            )
            rays = "".join(
                f"M{n(x)},{n(y)}L{n(x + radius * math.cos(k * 0.42))},{n(y + radius * math.sin(k * 0.42))}"
                for k in range(15)
            )
            canvas.path(rays, "none", f'stroke="{tone}" stroke-width="2" stroke-dasharray="2 5" stroke-linecap="round"')
    canvas.ridge(236, 12, 40, mix(lit("#4a5a6a", features.light), air, 0.25), rough=0.1)
    for y in (22, 58):
        sag = chance.uniform(26, 46)
        canvas.path(f"M-10,{y}Q200,{n(y + sag * 2)} 410,{y}", "none", 'stroke="#3a2a3a" stroke-width="1.5"')
        for k in range(17):
            x = k * 25.0
            drop = y + sag * 2 * (1 - ((x - 200) / 210) ** 2) * 0.5
            tone = chance.choice(bright)
            if y == 22:
                canvas.shape([(x, drop), (x + 18, drop), (x + 9, drop + 18)], tone)
            else:
                canvas.circle(x + 8, drop + 6, 9, tone, 'opacity=".28"')
                canvas.circle(x + 8, drop + 6, 4, mix(tone, "#ffffff", 0.5))
    canvas.rect(0, 252, WIDTH, 60, lit("#7a5a4a", features.light))
    for _ in range(36):
        canvas.rect(
            chance.uniform(0, 400),
            chance.uniform(90, 300),
            4,
            2.6,
            chance.choice(bright),
            f'transform="rotate({chance.randint(0, 90)} 200 180)"',
        )
    return Stage(130, 270, 290, 1.55, 170)


SCENES: dict[str, Scene] = {
    "portrait": portrait, "abstract": abstract, "hall": hall, "table": table, "room": room, "garden": garden,
    "machines": machines, "festival": festival,
}  # fmt: skip
