"""Mediums: what a picture is made with, as SVG filters over the drawn scene and marks on top of it.

Filters are what a browser takes longest for: a texture of one or two octaves over 400 by 300 is some
milliseconds, and a page shows dozens of pictures, so no medium has more than two textures.
"""

from __future__ import annotations

from collections.abc import Callable

from pinakes.web.art.canvas import HEIGHT, WIDTH, Canvas, n

_ALL = 'x="0" y="0" width="100%" height="100%" color-interpolation-filters="sRGB"'


def _noise(seed: int, frequency: str, octaves: int, result: str) -> str:
    return f'<feTurbulence type="fractalNoise" baseFrequency="{frequency}" numOctaves="{octaves}" seed="{seed}" result="{result}"/>'


def _moved(scale: float, source: str = "SourceGraphic") -> str:
    return f'<feDisplacementMap in="{source}" in2="n" scale="{n(scale)}" xChannelSelector="R" yChannelSelector="G" result="m"/>'


def watercolor(canvas: Canvas) -> tuple[str, str]:
    """Washes that run, on paper that shows at the edge."""
    seed = canvas.chance.randrange(999)
    pale = '<feColorMatrix in="m" type="matrix" values=".8 0 0 0 .2 0 .8 0 0 .2 0 0 .8 0 .19 0 0 0 1 0" result="p"/>'
    grain = '<feColorMatrix in="n" type="matrix" values="0 0 0 0 1 0 0 0 0 1 0 0 0 0 .97 1.2 0 0 0 -.6" result="g"/>'
    blend = '<feComposite in="g" in2="p" operator="over"/>'
    canvas.defs.append(f'<filter id="m" {_ALL}>{_noise(seed, ".022", 3, "n")}{_moved(15)}{pale}{grain}{blend}</filter>')
    edge = f'<rect x="-6" y="-6" width="{WIDTH + 12}" height="{HEIGHT + 12}" fill="none" stroke="#fbf7ee" stroke-width="34" filter="url(#e)"/>'
    canvas.defs.append(f'<filter id="e" {_ALL}>{_noise(seed + 1, ".05", 2, "n")}{_moved(18)}</filter>')
    return "m", edge


def oil(canvas: Canvas) -> tuple[str, str]:
    """Strokes of a broad brush, lit from one side."""
    seed = canvas.chance.randrange(999)
    light = (
        '<feDiffuseLighting in="n" surfaceScale="2.2" diffuseConstant="1.05" lighting-color="#fff8ec" result="l">'
        '<feDistantLight azimuth="225" elevation="58"/></feDiffuseLighting>'
        '<feComposite in="m" in2="l" operator="arithmetic" k1="1.08" k2=".08"/>'
    )
    canvas.defs.append(f'<filter id="m" {_ALL}>{_noise(seed, ".03 .09", 2, "n")}{_moved(11)}{light}</filter>')
    return "m", ""


def pencil(canvas: Canvas) -> tuple[str, str]:
    """Edges as lines on paper, and hatching."""
    edges = (
        '<feColorMatrix in="SourceGraphic" type="saturate" values="0" result="s"/>'
        '<feConvolveMatrix in="s" order="3" kernelMatrix="-1 -1 -1 -1 8 -1 -1 -1 -1" preserveAlpha="true" result="k"/>'
        '<feColorMatrix in="k" type="matrix" values="-1.9 0 0 0 1 0 -1.9 0 0 1 0 0 -1.9 0 1 0 0 0 1 0" result="i"/>'
        '<feColorMatrix in="s" type="matrix" values=".4 0 0 0 .58 0 .4 0 0 .57 0 0 .4 0 .53 0 0 0 1 0" result="t"/>'
        '<feBlend in="i" in2="t" mode="multiply" result="b"/>'
    )
    noise = _noise(canvas.chance.randrange(999), ".07", 1, "n")
    canvas.defs.append(f'<filter id="m" {_ALL}>{edges}{noise}{_moved(4, "b")}</filter>')
    return "m", _hatched("#3a3632", 0.15)


def ink(canvas: Canvas) -> tuple[str, str]:
    """Black lines of a pen, with cross-hatching."""
    edges = (
        '<feColorMatrix in="SourceGraphic" type="saturate" values="0" result="s"/>'
        '<feConvolveMatrix in="s" order="3" kernelMatrix="-1 -1 -1 -1 8 -1 -1 -1 -1" preserveAlpha="true" result="k"/>'
        '<feColorMatrix in="k" type="matrix" values="-4 0 0 0 1 0 -4 0 0 1 0 0 -4 0 1 0 0 0 1 0" result="i"/>'
        '<feComponentTransfer in="s" result="t"><feFuncR type="discrete" tableValues=".35 .72 .96 .97"/>'
        '<feFuncG type="discrete" tableValues=".34 .7 .94 .95"/><feFuncB type="discrete" tableValues=".33 .66 .87 .88"/></feComponentTransfer>'
        '<feBlend in="i" in2="t" mode="multiply"/>'
    )
    canvas.defs.append(f'<filter id="m" {_ALL}>{edges}</filter>')
    return "m", _hatched("#1a1814", 0.2) + _hatched("#1a1814", 0.12, turned=True)


def _hatched(color: str, opacity: float, *, turned: bool = False) -> str:
    step = range(-300, 400, 7)
    lines = "".join(f"M{x + 300 if turned else x},0l{-300 if turned else 300},300" for x in step)
    return f'<path d="{lines}" stroke="{color}" stroke-width=".6" opacity="{opacity}"/>'


def pixel(canvas: Canvas) -> tuple[str, str]:
    """Squares of one colour each."""
    cell, half = 8, 4
    tiles = (
        f'<feFlood x="{half}" y="{half}" width="2" height="2"/><feComposite width="{cell}" height="{cell}"/><feTile result="d"/>'
        f'<feComposite in="SourceGraphic" in2="d" operator="in"/><feMorphology operator="dilate" radius="{half}"/>'
    )
    canvas.defs.append(f'<filter id="m" {_ALL} primitiveUnits="userSpaceOnUse">{tiles}</filter>')
    return "m", ""


def mosaic(canvas: Canvas) -> tuple[str, str]:
    """Small stones with joints between them."""
    cell, half = 10, 5
    tiles = (
        f'<feFlood x="{half}" y="{half}" width="2" height="2"/><feComposite width="{cell}" height="{cell}"/><feTile result="d"/>'
        f'<feComposite in="SourceGraphic" in2="d" operator="in"/><feMorphology operator="dilate" radius="{half}"/>'
    )
    canvas.defs.append(f'<filter id="m" {_ALL} primitiveUnits="userSpaceOnUse">{tiles}</filter>')
    lines = "".join(f"M0,{y}h400" for y in range(0, 300, cell)) + "".join(f"M{x},0v300" for x in range(0, 400, cell))
    return "m", f'<path d="{lines}" stroke="#f3eee2" stroke-width="1.2" opacity=".5"/>'


def printed(canvas: Canvas) -> tuple[str, str]:
    """Few flat inks, as from a block or a screen."""
    table = 'type="discrete" tableValues=".08 .42 .74 .97"'
    filters = (
        f"<feComponentTransfer><feFuncR {table}/><feFuncG {table}/><feFuncB {table}/></feComponentTransfer>"
        '<feColorMatrix type="saturate" values="1.35"/>'
    )
    canvas.defs.append(f'<filter id="m" {_ALL}>{filters}</filter>')
    dots = "".join(f"M{x},{y}h.01" for y in range(4, 300, 9) for x in range(4 if y % 2 else 9, 400, 9))
    return "m", f'<path d="{dots}" stroke="#14101c" stroke-width="2.200" stroke-linecap="round" opacity=".14"/>'


def pastel(canvas: Canvas) -> tuple[str, str]:
    """Soft chalk on rough paper."""
    seed = canvas.chance.randrange(999)
    soft = (
        '<feColorMatrix in="m" type="matrix" values=".72 0 0 0 .26 0 .72 0 0 .25 0 0 .72 0 .25 0 0 0 1 0" result="p"/>'
        '<feColorMatrix in="n" type="matrix" values="0 0 0 0 1 0 0 0 0 .98 0 0 0 0 .95 2.2 0 0 0 -1.12" result="g"/>'
        '<feComposite in="g" in2="p" operator="over"/>'
    )
    canvas.defs.append(f'<filter id="m" {_ALL}>{_noise(seed, ".35", 1, "n")}{_moved(7)}{soft}</filter>')
    return "m", ""


def photo(canvas: Canvas) -> tuple[str, str]:
    """A lens's darker corners."""
    return "", _vignette(canvas)


def mono(canvas: Canvas) -> tuple[str, str]:
    """Grey, with contrast."""
    canvas.defs.append(
        f'<filter id="m" {_ALL}><feColorMatrix type="saturate" values="0"/><feComponentTransfer><feFuncR type="linear" '
        'slope="1.25" intercept="-.1"/><feFuncG type="linear" slope="1.25" intercept="-.1"/><feFuncB type="linear" '
        'slope="1.22" intercept="-.08"/></feComponentTransfer></filter>'
    )
    return "m", _vignette(canvas)


def polaroid(canvas: Canvas) -> tuple[str, str]:
    """Faded colours in a white frame."""
    canvas.defs.append(
        f'<filter id="m" {_ALL}><feColorMatrix type="matrix" values=".72 .14 .06 0 .1 .1 .74 .08 0 .07 .08 .16 .58 0 .08 0 0 0 1 0"/></filter>'
    )
    frame = f'<path d="M-1-1h{WIDTH + 2}v{HEIGHT + 2}h-{WIDTH + 2}zM20 18v222h360v-222z" fill="#f8f5ec" fill-rule="evenodd"/>'
    return "m", frame


def _vignette(canvas: Canvas) -> str:
    canvas.defs.append(
        '<radialGradient id="v" r=".75"><stop offset=".55" stop-opacity="0"/><stop offset="1" stop-opacity=".45"/></radialGradient>'
    )
    return f'<rect width="{WIDTH}" height="{HEIGHT}" fill="url(#v)"/>'


Medium = Callable[[Canvas], tuple[str, str]]

MEDIUMS: dict[str, Medium] = {
    "clean": lambda _: ("", ""),
    "watercolor": watercolor,
    "oil": oil,
    "pencil": pencil,
    "ink": ink,
    "pixel": pixel,
    "photo": photo,
    "mono": mono,
    "print": printed,
    "mosaic": mosaic,
    "pastel": pastel,
    "polaroid": polaroid,
}
"""By name: what makes the name of the filter, empty for none, and the marks on top."""
