"""Names by the thousand, made from our own word lists: tags, artists, characters, users.

Each maker is an endless (or long) stream without repetition in a fixed order: simple words first,
then compounds of two, then of three. `scattered` walks all pairs of two lists so that neighbours
in the stream share no word. Nothing depends on the seed, so the tag of a rank has one name in all
galleries.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TypeVar

from pinakes.bench.generator import words
from pinakes.bench.generator.themes import Scene, Theme

T = TypeVar("T")

DEMO_USERS = {2: "ada", 5: "grace"}  # place in the users' order -> name: busy, not the busiest
ADMIN = "admin"


def scattered(*lists: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Every combination of the lists once, far from alphabetical order."""
    size = math.prod(map(len, lists))
    step = max(1, round(size * 0.618))
    while math.gcd(step, size) != 1:
        step += 1
    for i in range(size):
        place = i * step % size
        combination = []
        for choices in lists:
            place, choice = divmod(place, len(choices))
            combination.append(choices[choice])
        yield tuple(combination)


def theme_words(theme: Theme) -> Iterator[tuple[str, bool, Scene | None]]:
    """(name, whether a picture can be *of* it, the one scene it belongs to or None for all of the theme)."""
    own = _turns([[(tag, scene) for tag in scene.tags] for scene in theme.scenes])
    described = _turns([[(name, False) for name in theme.details], [(name, True) for name in theme.subjects]])
    for place, (name, is_subject) in enumerate(described):
        yield name, is_subject, None
        if place % 5 == 4:
            yield from ((tag, False, scene) for tag, scene in islice(own, 1))
    yield from ((tag, False, scene) for tag, scene in own)
    yield from ((name, True, None) for name in theme.nouns)
    for count, name in enumerate(_compounds(theme)):
        # Every fourth compound is the matter of one scene only.
        yield name, True, theme.scenes[count // 4 % len(theme.scenes)] if count % 4 == 3 else None


def _compounds(theme: Theme) -> Iterator[str]:
    """`stormy sea`, then `forgotten sea`, then `stormy sea at dawn`."""
    nouns = theme.subjects + theme.nouns
    for lists in (
        (theme.adjectives, nouns),
        (words.QUALITIES, nouns),
        (theme.adjectives, nouns, words.CIRCUMSTANCES),
        (words.QUALITIES, nouns, words.CIRCUMSTANCES),
    ):
        yield from map(" ".join, scattered(*lists))


def _turns(lists: Sequence[Sequence[T]]) -> Iterator[T]:
    """The lists' first elements, then their second ones, …; a list that has ended is passed over."""
    for place in range(max(map(len, lists))):
        yield from (each[place] for each in lists if place < len(each))


def styles() -> Iterator[str]:
    """Manners: the common ones, then variations of them."""
    yield from words.STYLES
    for tone, style in scattered(words.STYLE_TONES, words.STYLES):
        yield f"{tone} {style}"


def media() -> Iterator[str]:
    """Techniques: the common ones, then variations of them."""
    yield from words.MEDIA
    for tone, medium in scattered(words.STYLE_TONES, words.MEDIA):
        yield f"{tone} {medium}"


def metas() -> Iterator[str]:
    """About the file, not the picture: few, they run out."""
    yield from words.META


def clothes() -> Iterator[str]:
    """Garments people wear: `red scarf`, `red silk scarf`."""
    yield from map(" ".join, scattered(words.COLORS, words.GARMENTS))
    yield from map(" ".join, scattered(words.COLORS, words.MATERIALS, words.GARMENTS))


def palettes() -> Iterator[str]:
    """Pairs of colours: `crimson and gold tones`."""
    colors = words.COLORS
    for one, other in scattered(colors, colors):
        if one < other:
            yield f"{one} and {other} tones"


def artists() -> Iterator[str]:
    """Given name and surname; with an initial when they run out."""
    given, starts, ends = words.GIVEN_NAMES, words.NAME_STARTS, words.NAME_ENDS
    for name, start, end in scattered(given, starts, ends):
        yield f"{name} {start}{end}"
    for name, initial, start, end in scattered(given, "abcdefghijklmnoprstvwz", starts, ends):
        yield f"{name} {initial}. {start}{end}"


def characters() -> Iterator[str]:
    """Figures of stories: `captain solra`, then `captain solra the brave`."""
    titles, starts = words.TITLES, words.NAME_STARTS
    ends, epithets = words.CHARACTER_ENDS, words.EPITHETS
    for title, start, end in scattered(titles, starts, ends):
        yield f"{title} {start}{end}"
    for title, start, end, epithet in scattered(titles, starts, ends, epithets):
        yield f"{title} {start}{end} {epithet}"


def user_names(count: int) -> list[str]:
    """The first `count` users by rank, the demo's own among them."""
    names: list[str] = []
    tones, nouns = words.USER_TONES, words.USER_NOUNS
    turn = 0
    while len(names) < count:
        turn += 1
        suffix = "" if turn == 1 else str(turn)
        names.extend(f"{tone}_{noun}{suffix}" for tone, noun in scattered(tones, nouns))
    for place, name in DEMO_USERS.items():
        names.insert(place, name)
    return names[:count]
