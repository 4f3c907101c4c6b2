"""Colours as `#rrggbb` texts: mixed, and seen in a light."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(4096)
def mix(one: str, other: str, part: float) -> str:
    """`one` with `part` (0 to 1) of `other` in it."""
    mixed = (round(a + (b - a) * part) for a, b in zip(_parts(one), _parts(other), strict=True))
    return "#{:02x}{:02x}{:02x}".format(*mixed)


def lit(color: str, light: str) -> str:
    """`color` as it looks by day, in a sunset or at night."""
    if light == "night":
        return mix(color, "#0a1030", 0.55)
    if light == "sunset":
        return mix(color, "#6a2a44", 0.34)
    return color


def _parts(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
