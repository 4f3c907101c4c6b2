"""From frequencies to chances: how likely each scene is to draw each tag.

Wanted: the tag of rank r is on p(r) of all items, and only on items of its scenes. An item makes
some number N of draws with replacement from the chances of its scene; drawing a tag again, or a
blank, adds nothing. So a tag with chance q per draw is on 1 - G(1 - q) of the scene's items, where
G is the generating function of N, and that is solved for q, tag by tag.

How p(r) divides among a tag's scenes is free, and is used to give every scene about the same mean
number of tags (iterative proportional fitting over scenes × places). What the chances of a scene
leave of 1 is the blank.

The result is one sorted array of 64-bit edges, the scene's number in the upper half and the
cumulative chance in the lower, so that one binary search finds the tag of a draw. It has an entry
for each tag and scene that allow each other: about 14 a tag, 170 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pinakes.bench.generator.law import tag_shares
from pinakes.bench.generator.themes import SCENES
from pinakes.bench.generator.vocabulary import Vocabulary, scenes_of

Floats = NDArray[np.float64]

UNTAGGED = 0.04
FEWEST_DRAWS = 4
# No tag is on more than this part of a scene's tagged items; only tiny vocabularies come near.
MOST = 0.85
_FULL = 2.0**32


@dataclass(frozen=True, slots=True)
class Mixture:
    """Scene shares, the number of draws, and the tag of a draw, all as cumulative 32-bit integers."""

    scene_edges: NDArray[np.uint64]
    draw_edges: NDArray[np.uint64]
    tag_edges: NDArray[np.uint64]
    tag_places: NDArray[np.int64]  # place in the vocabulary, -1 for a blank
    twins: NDArray[np.int64]  # for each place the place of its twin, or -1
    expected: Floats  # for each place the share of items that carry it


def scene_shares() -> Floats:
    """The share of items of each scene."""
    weights = np.array([theme.weight * scene.weight / sum(s.weight for s in theme.scenes) for theme, scene in SCENES])
    return np.asarray(weights / weights.sum())


def build(vocabulary: Vocabulary, mean_tags: float) -> Mixture:
    """The mixture that gives `vocabulary` its frequencies at `mean_tags` tags an item."""
    shares = scene_shares()
    wanted = tag_shares(len(vocabulary)) * mean_tags / (1 - UNTAGGED)
    twins = np.full(len(vocabulary), -1, np.int64)
    for place, tag in enumerate(vocabulary.tags):
        if tag.twin:
            wanted[place - 1 : place + 1] = wanted[place - 1 : place + 1].mean()
            twins[place - 1] = place
    places = sorted({tag.place for tag in vocabulary.tags})
    number = {place: i for i, place in enumerate(places)}
    kind = np.array([number[tag.place] for tag in vocabulary.tags])
    allowed = np.zeros((len(SCENES), len(places)))
    for i, name in enumerate(places):
        allowed[list(scenes_of(name)), i] = 1
    factors = _balance(allowed, shares, np.bincount(kind, wanted, len(places)).astype(np.float64))
    drawn = np.array([not tag.twin for tag in vocabulary.tags])
    targets = [np.minimum(wanted * factors[scene][kind], MOST) for scene in range(len(SCENES))]
    counts, chances = _chances([target * drawn for target in targets], mean_tags)
    edges, tags = [], []
    for scene, chance in enumerate(chances):
        used = np.flatnonzero(chance)
        ends = np.rint(np.cumsum(chance[used]) * _FULL).astype(np.uint64)
        # The blank's own edge is the first number of the next scene.
        edges.append(np.append(ends, np.uint64(_FULL)) + np.uint64(scene << 32))
        tags.append(np.append(used, -1))
    expected = np.tensordot(shares, np.array([target * (1 - UNTAGGED) for target in targets]), 1)
    draws = np.append(UNTAGGED, np.cumsum(counts) * (1 - UNTAGGED) + UNTAGGED)
    return Mixture(
        _edges(np.cumsum(shares)), _edges(draws), np.concatenate(edges), np.concatenate(tags), twins, expected
    )


def _edges(cumulative: Floats) -> NDArray[np.uint64]:
    return np.rint(np.minimum(cumulative, 1) * _FULL).astype(np.uint64)


def _balance(allowed: Floats, shares: Floats, mass: Floats) -> Floats:
    """For each scene and place the factor on a tag's frequency; its mean over scenes is 1 for each place."""
    lift = np.ones(len(shares))
    for _ in range(40):
        factors = allowed * lift[:, None]
        factors = factors / (shares @ factors)
        lift = np.clip(lift * mass.sum() / (factors @ mass), 0.5, 2.0)
    return np.asarray(factors)


def _chances(targets: list[Floats], mean_tags: float) -> tuple[Floats, list[Floats]]:
    """Shares of 1, 2, 3, … draws, and each scene's chances; draws grow until no scene asks for more than 1."""
    mean = mean_tags * 1.15 / (1 - UNTAGGED)
    while True:
        number = np.arange(1, int(mean * 6) + 8, dtype=np.float64)
        # A gamma law of shape 3.5: a hump and a long tail, as tagged collections have.
        spread = np.maximum(mean - FEWEST_DRAWS, 1) / 3.5
        beyond = np.maximum(number - FEWEST_DRAWS + 0.5, 0)
        counts = beyond**2.5 * np.exp(-beyond / spread) * (number >= FEWEST_DRAWS)
        counts /= counts.sum()
        grid = np.append(0.0, np.geomspace(1e-12, 1, 4000))
        missed = np.zeros_like(grid)
        for count in counts[::-1]:  # Horner's rule for G(1 - q)
            missed = (missed + count) * (1 - grid)
        reached = 1 - missed
        reached[grid < 1e-7] = grid[grid < 1e-7] * (counts @ number)  # 1 - x loses its digits there
        chances = [np.interp(target, reached, grid) for target in targets]
        if max(chance.sum() for chance in chances) <= 1:
            return counts, chances
        mean *= 1.03
