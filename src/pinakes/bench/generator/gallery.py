"""The generated gallery: item i of seed s, for any i, in batches of any size.

    gallery = Gallery(seed=1, tags=4_000, mean_tags=12)
    batch = gallery.batch(0, 10_000)       # columns
    for line in gallery.lines(50_000): …   # the same items in the import format

Item i depends on the seed, the vocabulary's size, the mean number of tags, what was said of privacy
and creators, and i, and on nothing else: not on the size of the gallery, of the batch, or on the
machine. So a larger gallery begins with the smaller one. About 7 µs an item (slim: 5 µs) and 25 MB
for a batch of 10,000.

What is made, and how often: 45 % regular, the rest auto; 4 % without tags; 7 % private (20 % of the
demo users' own); no score for 10 % of regular and 25 % of auto, else a median-like hump over
[0, 1] with a fifth rounded to two decimals, so that equal scores are many; a third of each eight
neighbours share a timestamp, across sources; 30 % were edited later; 88 % image, then text, video,
audio; 8 % of regular items have no prompt.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinakes.bench.generator import law, mixture
from pinakes.bench.generator.chance import Purpose, Words, below, hits, more, numbers, unit
from pinakes.bench.generator.names import DEMO_USERS, user_names
from pinakes.bench.generator.prompts import Writer
from pinakes.bench.generator.themes import SCENES, Theme
from pinakes.bench.generator.vocabulary import Vocabulary
from pinakes.query.sources import SOURCE_BY_NAME, SOURCES

DEFAULT_TAGS = 4_000
DEFAULT_MEAN_TAGS = 12.0

REGULAR, AUTO = SOURCE_BY_NAME["regular"], SOURCE_BY_NAME["auto"]

REGULAR_SHARE = 0.45
PRIVATE_SHARE, DEMO_PRIVATE_SHARE = 0.066, 0.2
UNSCORED = {REGULAR.code: 0.10, AUTO.code: 0.25}
ROUNDED_SHARE = 0.2
BURST = 8
BURST_SHARE = 0.33
EDITED_SHARE = 0.3
LONGEST_DELAY = timedelta(days=90)
PROMPTLESS_SHARE = 0.08
TYPES = (("image", 0.88), ("text", 0.06), ("video", 0.04), ("audio", 0.02))

_MODELS = ("lumen-2", "atelier-xl", "pigment-1.5", "camera-obscura", "lumen-3", "grisaille-9b")
_SIDES = ((1024, 1024), (1216, 832), (832, 1216), (1344, 768), (768, 1344), (512, 512))
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Batch:
    """Items `start` … as columns of equal length; tags of item k are `tags[offsets[k]:offsets[k + 1]]`.

    Tags are places in the vocabulary, creators places in the gallery's users, times microseconds
    after `law.START`; a missing score is NaN.
    """

    start: int
    source: NDArray[np.int64]
    scene: NDArray[np.int64]
    creator: NDArray[np.int64]
    is_private: NDArray[np.bool_]
    quality: NDArray[np.float64]
    created: NDArray[np.int64]
    updated: NDArray[np.int64]
    offsets: NDArray[np.int64]
    tags: NDArray[np.int64]
    content_type: list[str]
    title: list[str]
    prompt: list[str | None]
    metadata: list[dict[str, Any] | None]

    def __len__(self) -> int:
        return len(self.title)


class Gallery:
    """All items of one seed."""

    def __init__(
        self,
        seed: int,
        *,
        tags: int | None = None,
        mean_tags: float = DEFAULT_MEAN_TAGS,
        slim: bool = False,
        private_share: float | None = None,
        creators: int | None = None,
    ) -> None:
        """Builds the tables; about 0.2 s for 4,000 tags, 0.8 s for 20,000.

        `private_share`: one share for all creators; `creators`: at most so many. By default both follow the law.

        Raises:
            ValueError: `tags`, `mean_tags`, `private_share` or `creators` is out of bounds.
        """
        if not 1 <= mean_tags <= 100:
            raise ValueError(f"mean_tags is 1 to 100, not {mean_tags}")
        if private_share is not None and not 0 <= private_share <= 1:
            raise ValueError(f"private_share is 0 to 1, not {private_share}")
        if creators is not None and creators < 1:
            raise ValueError(f"creators is 1 or more, not {creators}")
        self._private_share = private_share
        self._most_creators = law.MAX_USERS if creators is None else creators
        self.seed = seed
        self.slim = slim
        self.vocabulary = Vocabulary(DEFAULT_TAGS if tags is None else tags)
        self.mixture = mixture.build(self.vocabulary, mean_tags)
        self._order = self.vocabulary.speech_order()
        self._speech = np.argsort(self._order)
        self._writer = Writer(self.vocabulary.spoken, [tag.subject for tag in self.vocabulary.tags])
        self._user_weights = law.user_weights()
        self._user_arrivals = law.user_arrivals()
        self._users: list[str] = []

    def user_names(self, count: int) -> list[str]:
        """The names of at least the first `count` users, in the order of `Batch.creator`."""
        if len(self._users) < count:
            self._users = user_names(min(law.MAX_USERS, count * 2))
        return self._users

    def theme_of(self, item: int) -> Theme:
        """What item `item` is about."""
        return SCENES[int(self._scenes(np.array([item], np.uint64))[0])][0]

    def batch(self, start: int, stop: int) -> Batch:
        """Items `start` to `stop`, the latter not included."""
        items = np.arange(start, stop, dtype=np.uint64)
        source = np.where(hits(self._draw(Purpose.SOURCE, items), REGULAR_SHARE), REGULAR.code, AUTO.code)
        scene = self._scenes(items)
        creator = self._creators(items)
        created = self._created(items)
        tags, offsets = self._tags(items, scene)
        title, prompt = self._texts(items, source, scene, tags, offsets)
        return Batch(
            start=start,
            source=source,
            scene=scene,
            creator=creator,
            is_private=self._private(items, creator),
            quality=self._quality(items, source),
            created=created,
            updated=created + self._delay(items),
            offsets=offsets,
            tags=tags,
            content_type=self._types(items),
            title=title,
            prompt=prompt,
            metadata=self._metadata(items, source),
        )

    def batches(self, items: int, size: int = 10_000) -> Iterator[Batch]:
        """The first `items` items in batches of `size`."""
        for start in range(0, items, size):
            yield self.batch(start, min(start + size, items))

    def external_id(self, item: int) -> str:
        """The name of an item that import and fill know it by."""
        return f"gen:{self.seed}:{item}"

    def lines(self, items: int) -> Iterator[dict[str, Any]]:
        """The first `items` items in the import format, one dictionary for each JSON line."""
        source_names = {source.code: source.name for source in SOURCES}
        for batch in self.batches(items):
            users = self.user_names(int(batch.creator.max()) + 1)
            offsets, tags = batch.offsets.tolist(), batch.tags.tolist()
            for k in range(len(batch)):
                quality = float(batch.quality[k])
                yield {
                    "id": self.external_id(batch.start + k),
                    "source_type": source_names[int(batch.source[k])],
                    "title": batch.title[k],
                    "content_type": batch.content_type[k],
                    "prompt": batch.prompt[k],
                    "creator": users[batch.creator[k]],
                    "tags": [self.vocabulary.names[tag] for tag in tags[offsets[k] : offsets[k + 1]]],
                    "is_private": bool(batch.is_private[k]),
                    "quality_score": None if quality != quality else quality,  # noqa: PLR0124 - NaN
                    "created_at": _iso(moment(int(batch.created[k]))),
                    "updated_at": _iso(moment(int(batch.updated[k]))),
                    "path_thumb": None,
                }

    def _draw(self, purpose: Purpose, items: Words) -> Words:
        return numbers(self.seed, purpose, items)

    def _scenes(self, items: Words) -> NDArray[np.int64]:
        draw = self._draw(Purpose.SCENE, items) >> np.uint64(32)
        return np.searchsorted(self.mixture.scene_edges, draw, side="right").clip(max=len(SCENES) - 1)

    def _tags(self, items: Words, scene: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Tags of all items one after the other, each item's in order of speech, and where each item's begin."""
        count = len(items)
        edges = self.mixture.draw_edges
        draws = np.searchsorted(edges, self._draw(Purpose.TAG_COUNT, items) >> np.uint64(32), side="right")
        draws = draws.clip(max=len(edges) - 1)
        row = np.repeat(np.arange(count), draws)
        turn = np.arange(len(row)) - np.repeat(np.cumsum(draws) - draws, draws)
        words = more(self._draw(Purpose.TAGS, items)[row], turn.astype(np.uint64)) >> np.uint64(32)
        words |= scene[row].astype(np.uint64) << np.uint64(32)
        place = self.mixture.tag_places[np.searchsorted(self.mixture.tag_edges, words, side="right")]
        row, place = row[place >= 0], place[place >= 0]
        twin = self.mixture.twins[place]
        row, place = np.append(row, row[twin >= 0]), np.append(place, twin[twin >= 0])
        # One number for each pair sorts items first, then tags in order of speech, and shows repetitions.
        size = len(self.vocabulary)
        pairs = row * size + self._speech[place]
        pairs.sort()
        pairs = pairs[np.append(True, pairs[1:] != pairs[:-1])] if len(pairs) else pairs
        row, speech = np.divmod(pairs, size)
        offsets = np.append(0, np.cumsum(np.bincount(row, minlength=count)))
        return self._order[speech], offsets

    def _creators(self, items: Words) -> NDArray[np.int64]:
        here = np.searchsorted(self._user_arrivals, items.astype(np.int64), side="right")
        here = np.minimum(here, self._most_creators)
        total = self._user_weights[here - 1]
        draw = ((self._draw(Purpose.CREATOR, items) >> np.uint64(32)) * total) >> np.uint64(32)
        return np.searchsorted(self._user_weights, draw, side="right")

    def _private(self, items: Words, creator: NDArray[np.int64]) -> NDArray[np.bool_]:
        draw = self._draw(Purpose.PRIVATE, items)
        if self._private_share is not None:
            return hits(draw, self._private_share)
        own = np.isin(creator, list(DEMO_USERS))
        return np.where(own, hits(draw, DEMO_PRIVATE_SHARE), hits(draw, PRIVATE_SHARE))

    def _quality(self, items: Words, source: NDArray[np.int64]) -> NDArray[np.float64]:
        low, high = self._draw(Purpose.QUALITY_LOW, items), self._draw(Purpose.QUALITY_HIGH, items)
        half = np.uint64(0xFFFFFFFF)
        four = np.stack([low >> np.uint64(32), low & half, high >> np.uint64(32), high & half])
        four.sort(axis=0)
        score = four[2].astype(np.float64) / 2.0**32  # third of four uniform numbers: Beta(3, 2)
        coarse = hits(self._draw(Purpose.ROUNDED, items), ROUNDED_SHARE)
        score = np.where(coarse, np.rint(score * 100) / 100, np.rint(score * 1e6) / 1e6)
        missing = self._draw(Purpose.SCORED, items)
        for code, share in UNSCORED.items():
            score[(source == code) & hits(missing, share)] = np.nan
        return np.asarray(score)

    def _created(self, items: Words) -> NDArray[np.int64]:
        """Times in about the order of items; those in a burst have the time of the first of their eight."""
        burst = hits(self._draw(Purpose.BURST, items), BURST_SHARE)
        leader = np.where(burst, items - items % np.uint64(BURST), items)
        return law.made_at(leader.astype(np.float64) + unit(self._draw(Purpose.JITTER, leader)) * 64)

    def _delay(self, items: Words) -> NDArray[np.int64]:
        """Microseconds between making and last change: mostly none, often short, at most LONGEST_DELAY."""
        part = unit(self._draw(Purpose.EDIT_DELAY, items))
        part *= part
        delay = np.floor(part * part * (LONGEST_DELAY / _MICROSECOND)).astype(np.int64)
        return np.where(hits(self._draw(Purpose.EDITED, items), EDITED_SHARE), delay, 0)

    def _types(self, items: Words) -> list[str]:
        shares = np.rint(np.cumsum([share for _, share in TYPES]) * 2**32).astype(np.uint64)
        kind = np.searchsorted(shares, self._draw(Purpose.TYPE, items) >> np.uint64(32), side="right")
        kinds = [name for name, _ in TYPES]
        return [kinds[k] for k in kind.tolist()]

    def _texts(
        self, items: Words, source: NDArray[np.int64], scene: NDArray[np.int64], tags: NDArray[np.int64],
        offsets: NDArray[np.int64],
    ) -> tuple[list[str], list[str | None]]:  # fmt: skip
        wording = below(self._draw(Purpose.WORDING, items), 2**31 - 1).tolist()
        without = (source == REGULAR.code) & hits(self._draw(Purpose.PROMPTED, items), PROMPTLESS_SHARE)
        write = self._writer.slim if self.slim else self._writer.full
        places, ends = tags.tolist(), offsets.tolist()
        titles: list[str] = []
        prompts: list[str | None] = []
        for k, (where, bare) in enumerate(zip(scene.tolist(), without.tolist(), strict=True)):
            title, prompt = write(where, places[ends[k] : ends[k + 1]], wording[k])
            titles.append(title)
            prompts.append(None if bare else prompt)
        return titles, prompts

    def _metadata(self, items: Words, source: NDArray[np.int64]) -> list[dict[str, Any] | None]:
        """How an auto item was made."""
        if self.slim:
            return [None] * len(items)
        return [
            {
                "width": _SIDES[number % 6][0],
                "height": _SIDES[number % 6][1],
                "model": _MODELS[number // 6 % 6],
                "seed": number // 36,
            }
            if code == AUTO.code
            else None
            for number, code in zip(
                below(self._draw(Purpose.MODEL, items), 2**31 - 1).tolist(), source.tolist(), strict=True
            )
        ]


def moment(microseconds: int) -> datetime:
    """The time of a batch's number."""
    return law.START + timedelta(microseconds=microseconds)


def _iso(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
