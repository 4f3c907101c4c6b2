"""Skies: the light, what shines in it, clouds, and the weather in front of everything."""

from __future__ import annotations

import math

from pinakes.web.art.canvas import WIDTH, Canvas, n, smooth
from pinakes.web.art.color import mix

_SKIES = {
    "day": (
        ("#3f8ac9", "#9fd0ec", "#eaf6f8"),
        ("#5b9fd3", "#b9dcea", "#fbf3df"),
        ("#6aa5c9", "#c3dfe0", "#f6ead2"),
        ("#2f7fb8", "#84c3e6", "#d9f0f3"),
    ),
    "sunset": (
        ("#2c2a63", "#c4517a", "#ffb25e"),
        ("#3b2a5a", "#e0605a", "#ffd27a"),
        ("#27375f", "#d9795d", "#ffe0a0"),
        ("#4a2350", "#f06a4d", "#ffc46b"),
    ),
    "night": (
        ("#050a1e", "#14234f", "#3a4d86"),
        ("#080818", "#1e1f4d", "#51407c"),
        ("#04101c", "#0f3350", "#2f6a82"),
    ),
}


def sky(canvas: Canvas, light: str, weather: str, horizon: float) -> str:
    """Fills the sky; returns the colour of the air at the horizon."""
    chance = canvas.chance
    top, middle, low = chance.choice(_SKIES[light])
    if weather in {"rain", "snow", "fog"}:
        grey = {"day": "#a9b4bd", "sunset": "#9a7f86", "night": "#232a3c"}[light]
        top, middle, low = (mix(color, grey, 0.55) for color in (top, middle, low))
    fill = canvas.gradient("sky", ((0, top), (0.55, middle), (1, low)))
    canvas.rect(0, 0, WIDTH, horizon + 12, fill)
    if light == "night":
        stars(canvas, 70, horizon)
        if weather in {"clear", "clouds"}:
            moon(canvas, chance.uniform(60, 340), chance.uniform(40, 85), chance.uniform(15, 24))
    elif weather not in {"rain", "snow"}:
        sun(canvas, light, horizon)
    if weather in {"clouds", "rain"} or chance.random() < 0.45:
        clouds(canvas, light, horizon, 6 if weather in {"clouds", "rain"} else 3)
    return low


def sun(canvas: Canvas, light: str, horizon: float) -> None:
    """High and pale by day; large and low in a sunset."""
    chance = canvas.chance
    x = chance.uniform(90, 310)
    if light == "sunset":
        radius, y = chance.uniform(24, 38), horizon - chance.uniform(4, 34)
        canvas.circle(x, y, radius * 4.6, canvas.glow("glow", "#ffd9a0", 0.75))
        canvas.circle(x, y, radius, canvas.gradient("sun", ((0, "#fff3c4"), (0.6, "#ffcf6b"), (1, "#ff9a56"))))
    else:
        y = chance.uniform(36, 74)
        canvas.circle(x, y, 78, canvas.glow("glow", "#fffbe2", 0.85))
        canvas.circle(x, y, chance.uniform(13, 18), "#fff8dc")


def moon(canvas: Canvas, x: float, y: float, radius: float) -> None:
    """Full, or a crescent."""
    canvas.circle(x, y, radius * 4, canvas.glow("moonlight", "#dfe6ff", 0.4))
    canvas.circle(x, y, radius, "#f3efdc")
    if canvas.chance.random() < 0.45:
        canvas.circle(x + radius * 0.42, y - radius * 0.18, radius * 0.88, "#16234d")
    else:
        for dx, dy, size in ((-0.3, -0.2, 0.22), (0.3, 0.25, 0.16), (-0.1, 0.45, 0.12)):
            canvas.circle(x + dx * radius, y + dy * radius, size * radius, "#dcd6bd")


def stars(canvas: Canvas, count: int, horizon: float) -> None:
    """Small ones, and some that sparkle."""
    chance = canvas.chance
    for _ in range(count):
        x, y = chance.uniform(0, WIDTH), chance.uniform(0, horizon) * chance.uniform(0.3, 1)
        canvas.circle(x, y, chance.choice((0.6, 0.8, 1.1, 1.5)), "#fff", f'opacity="{chance.uniform(0.4, 1):.1f}"')
    for _ in range(4):
        x, y, r = chance.uniform(10, 390), chance.uniform(8, horizon * 0.6), chance.uniform(3, 5)
        d = f"M{n(x - r)},{n(y)} Q{n(x)},{n(y)} {n(x)},{n(y - r)} Q{n(x)},{n(y)} {n(x + r)},{n(y)} "
        canvas.path(f"{d}Q{n(x)},{n(y)} {n(x)},{n(y + r)} Q{n(x)},{n(y)} {n(x - r)},{n(y)}Z", "#fff")


def clouds(canvas: Canvas, light: str, horizon: float, count: int) -> None:
    """Heaps of circles on a flat base."""
    chance = canvas.chance
    color = {"day": "#ffffff", "sunset": "#f7b79a", "night": "#39466e"}[light]
    for _ in range(count):
        x, y, size = chance.uniform(-20, 420), chance.uniform(20, horizon * 0.62), chance.uniform(12, 26)
        puffs = [(k * size * 0.8, chance.uniform(0.55, 1) * size) for k in range(-2, 3)]
        inner = "".join(f'<circle cx="{n(x + dx)}" cy="{n(y - r * 0.35)}" r="{n(r)}"/>' for dx, r in puffs)
        base = f'<rect x="{n(x - size * 2.2)}" y="{n(y - size * 0.2)}" width="{n(size * 4.4)}" height="{n(size * 0.75)}" rx="{n(size * 0.37)}"/>'
        opacity = chance.uniform(0.35, 0.8)
        canvas.add(f'<g fill="{color}" opacity="{opacity:.2f}">{inner}{base}</g>')


def aurora(canvas: Canvas) -> None:
    """Curtains of light in a polar night."""
    chance = canvas.chance
    for k, color in enumerate(("#4df0b5", "#5bd1ff", "#b48cff")):
        line = [(x, 95 + 26 * math.sin(x / 60 + k * 1.7) - k * 22 + chance.uniform(-6, 6)) for x in range(-40, 461, 40)]
        fill = canvas.gradient(f"aurora{k}", ((0, mix(color, "#0a1030", 0.9)), (1, color)))
        back = "".join(f" L{n(x)},{n(y - 70)}" for x, y in reversed(line))
        canvas.path(f"M{smooth(line)}{back}Z", fill, 'opacity=".3"')


def weather(canvas: Canvas, kind: str, light: str) -> None:
    """Rain, snow or fog before the scene."""
    chance = canvas.chance
    if kind == "rain":
        drops = "".join(
            f"M{n(x)},{n(y)}l-3,{n(chance.uniform(9, 18))}"
            for x, y in ((chance.uniform(0, 410), chance.uniform(-10, 290)) for _ in range(90))
        )
        canvas.path(drops, "none", 'stroke="#e6eef5" stroke-opacity=".5" stroke-width="1"')
    elif kind == "snow":
        for _ in range(80):
            canvas.circle(
                chance.uniform(0, 400), chance.uniform(0, 300), chance.uniform(0.8, 2.6), "#fff", 'opacity=".85"'
            )
    elif kind == "fog":
        color = {"day": "#f4f6f4", "sunset": "#f3cdb8", "night": "#6f7d9e"}[light]
        for k in range(4):
            y = 120 + k * 45 + chance.uniform(-12, 12)
            canvas.ellipse(
                chance.uniform(80, 320), y, chance.uniform(190, 300), chance.uniform(14, 26), color, 'opacity=".3"'
            )
