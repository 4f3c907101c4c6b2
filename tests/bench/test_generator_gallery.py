"""The generated items: the same everywhere, and with the irregularities a real gallery has."""

from __future__ import annotations

import hashlib
from itertools import islice, pairwise

import numpy as np
import orjson
import pytest

from pinakes.bench.generator.gallery import EDITED_SHARE, REGULAR, Batch, Gallery
from pinakes.bench.generator.mixture import UNTAGGED
from pinakes.bench.generator.names import DEMO_USERS
from pinakes.bench.generator.prompts import MOST_NAMED, with_article
from pinakes.bench.generator.themes import THEME_BY_NAME
from pinakes.bench.generator.vocabulary import MAX_TAGS, MIN_TAGS, Vocabulary, scenes_of

ITEMS = 30_000


@pytest.fixture(scope="module")
def gallery() -> Gallery:
    return Gallery(11)


@pytest.fixture(scope="module")
def batch(gallery: Gallery) -> Batch:
    return gallery.batch(0, ITEMS)


def _digest(*batches: Batch) -> str:
    """A fingerprint of everything in the batches but how they are cut."""
    columns = ("source", "scene", "creator", "is_private", "quality", "created", "updated", "tags")
    texts = ("content_type", "title", "prompt", "metadata")
    digest = hashlib.sha256()
    for name in columns:
        digest.update(np.concatenate([getattr(batch, name) for batch in batches]).tobytes())
    digest.update(np.concatenate([np.diff(batch.offsets) for batch in batches]).tobytes())
    for name in texts:
        digest.update(orjson.dumps([text for batch in batches for text in getattr(batch, name)]))
    return digest.hexdigest()


@pytest.mark.parametrize("size", [1, 7, 1_000, 2_500])
def test_items_do_not_depend_on_the_batch(gallery: Gallery, size: int) -> None:
    items = 2_500 if size > 1 else 60

    assert _digest(*gallery.batches(items, size)) == _digest(gallery.batch(0, items))


def test_items_do_not_depend_on_what_was_made_before() -> None:
    one, other = Gallery(5), Gallery(5)
    one.batch(0, 5_000)

    assert _digest(one.batch(9_000, 9_500)) == _digest(other.batch(9_000, 9_500))


def test_items_are_the_same_on_every_machine() -> None:
    """A fixed fingerprint: when it changes, galleries made before and after differ, so say so in the changelog."""
    lines = b"\n".join(map(orjson.dumps, Gallery(1).lines(2_000)))

    assert hashlib.sha256(lines).hexdigest() == "c7b48c1eb9e45748c4405d56b76e3237d9ad038eec1dd4b881e5ae68fd186756"


def test_seeds_differ(gallery: Gallery) -> None:
    assert _digest(Gallery(12).batch(0, 100)) != _digest(gallery.batch(0, 100))


def test_both_sources_have_about_half(batch: Batch) -> None:
    assert (batch.source == REGULAR.code).mean() == pytest.approx(0.45, abs=0.02)


def test_shares_of_irregular_items(batch: Batch) -> None:
    regular = batch.source == REGULAR.code
    unscored = np.isnan(batch.quality)

    assert batch.is_private.mean() == pytest.approx(0.07, abs=0.01)
    assert unscored[regular].mean() == pytest.approx(0.10, abs=0.01)
    assert unscored[~regular].mean() == pytest.approx(0.25, abs=0.015)
    assert (np.diff(batch.offsets) == 0).mean() == pytest.approx(UNTAGGED, abs=0.005)
    assert batch.content_type.count("image") / ITEMS == pytest.approx(0.88, abs=0.01)
    assert set(batch.content_type) == {"image", "text", "video", "audio"}


def test_scores_lie_in_the_unit_interval_and_some_are_equal(batch: Batch) -> None:
    scores = batch.quality[~np.isnan(batch.quality)]

    assert scores.min() >= 0
    assert scores.max() <= 1
    assert scores.mean() == pytest.approx(0.6, abs=0.01)
    assert len(np.unique(scores)) < 0.9 * len(scores)


def test_timestamps_are_shared_also_across_sources(batch: Batch) -> None:
    _, first, counts = np.unique(batch.created, return_inverse=True, return_counts=True)
    shared = counts[first] > 1
    sources = np.zeros((len(counts), 3), np.int64)
    np.add.at(sources, (first, batch.source), 1)

    assert shared.mean() > 0.2
    assert ((sources[:, 1] > 0) & (sources[:, 2] > 0)).sum() > 1_000


def test_updates_follow_creation(batch: Batch) -> None:
    assert np.all(batch.updated >= batch.created)
    assert (batch.updated > batch.created).mean() == pytest.approx(EDITED_SHARE, abs=0.02)


def test_no_item_repeats_a_tag(batch: Batch) -> None:
    tags = batch.tags.tolist()

    for start, stop in pairwise(batch.offsets.tolist()):
        assert len(set(tags[start:stop])) == stop - start


def test_demo_users_have_public_and_private_items(gallery: Gallery, batch: Batch) -> None:
    names = gallery.user_names(10)
    for place, name in DEMO_USERS.items():
        mine = batch.creator == place
        assert names[place] == name
        assert mine.sum() > 500
        assert 50 < batch.is_private[mine].sum() < mine.sum() / 2


def test_prompts_and_titles_name_the_tags(gallery: Gallery, batch: Batch) -> None:
    named = 0
    for k, (start, stop) in enumerate(pairwise(batch.offsets[:2_000].tolist())):
        prompt = batch.prompt[k]
        tags = [gallery.vocabulary.names[tag] for tag in batch.tags[start:stop]]
        if prompt is not None:
            assert all(tag in prompt for tag in tags[:MOST_NAMED])
            named += len(tags) > 0
        if start < stop and gallery.vocabulary.tags[batch.tags[start]].subject:
            assert tags[0] in batch.title[k].lower()
    assert named > 1_700


def test_texts_fit_their_columns(batch: Batch) -> None:
    assert all(0 < len(title) <= 200 for title in batch.title)
    assert all(prompt is None or 0 < len(prompt) <= 1_000 for prompt in batch.prompt)
    assert None in batch.prompt


def test_slim_galleries_have_the_same_items_with_short_texts(gallery: Gallery) -> None:
    slim, full = Gallery(11, slim=True).batch(0, 1_000), gallery.batch(0, 1_000)

    assert np.array_equal(slim.tags, full.tags)
    assert np.array_equal(slim.created, full.created)
    assert sum(map(len, slim.title)) < sum(map(len, full.title))
    assert sum(len(prompt or "") for prompt in slim.prompt) < 0.5 * sum(len(prompt or "") for prompt in full.prompt)


def test_theme_of_an_item_can_be_told_alone(gallery: Gallery, batch: Batch) -> None:
    themes = {gallery.theme_of(item).name for item in range(300)}

    assert themes == set(THEME_BY_NAME)


def test_lines_have_the_import_format(gallery: Gallery) -> None:
    lines = list(islice(gallery.lines(200), 200))

    assert [line["id"] for line in lines[:2]] == ["gen:11:0", "gen:11:1"]
    assert {line["source_type"] for line in lines} == {"regular", "auto"}
    assert set(lines[0]) == {
        "id", "source_type", "title", "content_type", "prompt", "creator", "tags", "is_private", "quality_score",
        "created_at", "updated_at", "path_thumb",
    }  # fmt: skip
    assert all(line["created_at"].endswith("Z") for line in lines)
    assert orjson.loads(orjson.dumps(lines)) == lines


def test_frequent_tags_of_different_scenes_never_meet(gallery: Gallery, batch: Batch) -> None:
    pairs = gallery.vocabulary.never_meet(60)
    place = {name: i for i, name in enumerate(gallery.vocabulary.names)}
    items = np.repeat(np.arange(ITEMS), np.diff(batch.offsets))
    on = {name: set(items[batch.tags == place[name]].tolist()) for name in {name for pair in pairs for name in pair}}

    assert {("outdoors", "indoors"), ("indoors", "sunset"), ("night", "sunset"), ("sky", "indoors")} <= set(pairs)
    assert len(pairs) > 100
    assert not any(on[one] & on[other] for one, other in pairs)
    assert all(len(on[name]) > 0.02 * ITEMS for name in ("outdoors", "indoors", "sunset", "night"))


def test_some_tags_always_meet(gallery: Gallery, batch: Batch) -> None:
    pairs = gallery.vocabulary.always_meet()
    place = {name: i for i, name in enumerate(gallery.vocabulary.names)}
    items = np.repeat(np.arange(ITEMS), np.diff(batch.offsets))

    assert ("waves", "ocean") in pairs
    for one, other in pairs:
        assert np.array_equal(items[batch.tags == place[one]], items[batch.tags == place[other]])


def test_tags_of_a_theme_keep_company(gallery: Gallery, batch: Batch) -> None:
    """Tags of one theme meet far more often than independent tags of their frequency would."""
    place = {name: i for i, name in enumerate(gallery.vocabulary.names)}
    items = np.repeat(np.arange(ITEMS), np.diff(batch.offsets))
    dragon, castle = (set(items[batch.tags == place[name]].tolist()) for name in ("dragon", "castle"))

    assert len(dragon & castle) > 4 * len(dragon) * len(castle) / ITEMS


def test_a_vocabulary_begins_every_larger_one() -> None:
    small, large = Vocabulary(1_000), Vocabulary(140_000)

    assert large.tags[:1_000] == small.tags
    assert len(set(large.names)) == 140_000
    assert {tag.category for tag in small.tags} == {"general", "style", "medium", "artist", "character", "meta"}
    assert all(0 < len(name) <= 255 and name == name.lower().strip() and "," not in name for name in large.names)


@pytest.mark.parametrize("size", [0, MIN_TAGS - 1, MAX_TAGS + 1])
def test_impossible_vocabularies_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"not {size}"):
        Gallery(1, tags=size)


def test_unknown_places_are_refused() -> None:
    with pytest.raises(ValueError, match="nowhere"):
        scenes_of("nowhere")


@pytest.mark.parametrize(
    ("noun", "spoken"),
    [
        ("ship", "a ship"),
        ("old ship", "an old ship"),
        ("noodles", "noodles"),
        ("cactus", "a cactus"),
        ("unicorn", "a unicorn"),
        ("red ship with flowers", "a red ship with flowers"),
        ("fresh bread", "fresh bread"),
    ],
)
def test_articles(noun: str, spoken: str) -> None:
    assert with_article(noun) == spoken
