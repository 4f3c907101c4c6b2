"""Drawn pictures: what calls for what, and the same every time."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from pinakes.bench.generator.themes import THEMES
from pinakes.web import art
from pinakes.web.art.features import MEDIA, SCENES, Features, read_features
from pinakes.web.art.motifs import MOTIFS, unasked
from pinakes.web.art.picture import draw


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("Castle at sunset", "castle", "sunset"), "fantasy_sunset_clear_clean_castle"),
        (("Untitled", "ocean", "night", "watercolor"), "sea_night_clear_watercolor"),
        (("Young woman", "portrait", "oil painting"), "portrait_day_clear_oil"),
        (("x", "forest", "fog", "pencil drawing"), "forest_day_fog_pencil"),
        (("A bowl of fruit", "still life", "pixel art"), "table_day_clear_pixel_bowl"),
        (("Planets", "planets"), "space_night_clear_clean_planet"),
    ],
)
def test_words_call_for_what_they_name(words: tuple[str, ...], expected: str) -> None:
    found = str(read_features(words, 0))
    assert found.startswith(expected), found


def test_every_theme_of_the_generator_has_words_that_are_drawn() -> None:
    lost = [theme.name for theme in THEMES for word in theme.subjects[:1] if not _scene(word, theme.name)]
    assert not lost


def _scene(word: str, theme: str) -> bool:
    """Whether word and theme are known: the seed decides nothing."""
    return len({read_features((word, theme), seed).scene for seed in range(64)}) == 1


def test_an_item_always_has_the_same_picture_and_another_item_another() -> None:
    words = ("Boats", "sea", "boat")
    assert art.address(1, 7, words) == art.address(1, 7, words)
    assert art.address(1, 7, words) != art.address(2, 7, words)
    features = read_features(words, 3)
    draw.memory.clear()
    first = draw(features, 12)
    draw.memory.clear()
    assert draw(features, 12) == first
    assert draw(features, 13) != first


def test_the_order_of_tags_changes_nothing() -> None:
    one = art.address(1, 1, ("Title", "sea", "night", "watercolor", "ship", "castle"))
    assert one == art.address(1, 1, ("Title", "castle", "ship", "watercolor", "night", "sea"))


def test_features_survive_their_address() -> None:
    features = read_features(("Ship before a lighthouse", "sea", "rain", "woodcut"), 1)
    assert Features.read(str(features)) == features
    for wrong in (
        "",
        "sea",
        "sea_day_clear_clean_x",
        "sea_day_clear_clean_ship+cat+dog",
        "a_b_c_d",
        "sea_day_clear_clean__",
    ):
        with pytest.raises(ValueError, match=r".*"):
            Features.read(wrong)


def test_every_scene_in_every_light_and_medium_is_well_formed_and_small() -> None:
    drawn = [
        (scene, light, weather, "clean")
        for scene in SCENES
        for light in ("day", "sunset", "night")
        for weather in ("clear", "rain")
    ]
    drawn += [("sea", "sunset", "snow", medium) for medium in MEDIA] + [
        (scene, "day", "fog", "clean") for scene in SCENES
    ]
    for k, told in enumerate(drawn):
        picture = draw(Features(*told), k)
        assert ElementTree.fromstring(picture).tag == "{http://www.w3.org/2000/svg}svg", told
        assert len(picture) < 60_000, told


def test_every_motif_is_well_formed_and_stands_where_it_belongs() -> None:
    for k, name in enumerate(MOTIFS):
        ElementTree.fromstring(draw(Features("meadow", "day", "clear", "clean", (name,)), k))
    assert {scene for motif in MOTIFS.values() for scene in motif.scenes} <= set(SCENES)
    assert "castle" in unasked("fantasy")
