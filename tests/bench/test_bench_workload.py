"""Workload files: what they may say, and that the questions drawn follow them."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import pytest

from pinakes.bench.draw import Ask, draw, placed
from pinakes.bench.facts import Facts
from pinakes.bench.workload import KINDS, PLACES, SORTS, VIEWERS, Workload, load_workload, shipped
from pinakes.errors import SettingsError, StoreError
from pinakes.query.formula import Term, leaves

FACTS = Facts(
    tags=tuple(range(1, 1001)),
    together=((1, 2, 3, 4, 5), (7, 8)),
    creators=(10, 11, 12),
    owners=(12,),
    words=(("castle", "sea"), ("red",)),
    apart=((1, 9), (2, 8)),
)


def _drawn(workload: Workload, count: int = 400, seed: int = 1) -> list[Ask]:
    return draw(workload, FACTS, seed, count)


def test_the_default_workload_names_every_kind_sort_place_and_viewer() -> None:
    workload = load_workload()
    assert set(workload.kinds) == set(KINDS)
    assert set(workload.sorts) == set(SORTS)
    assert set(workload.places) == set(PLACES)
    assert set(workload.viewers) == set(VIEWERS)


def test_every_workload_that_is_shipped_can_be_asked_for_by_name() -> None:
    assert shipped() == ["default", "tags"]
    for name in shipped():
        assert load_workload(name).name == name
        assert len(_drawn(load_workload(name), 40)) == 40


def test_the_workload_of_tags_asks_for_one_to_eight_of_them() -> None:
    asked = _drawn(load_workload("tags"), 300)
    assert {len(ask.query.tags_all + ask.query.tags_any + ask.query.tags_none) for ask in asked} == set(range(1, 9))


def test_one_seed_draws_the_same_questions_and_another_does_not() -> None:
    workload = load_workload()
    assert _drawn(workload) == _drawn(workload)
    assert _drawn(workload) != _drawn(workload, seed=2)
    assert _drawn(workload)[:50] == _drawn(workload, 50)


def test_every_kind_asks_what_it_says() -> None:  # noqa: C901 (a case a kind)
    workload = load_workload()
    seen: Counter[str] = Counter()
    for ask in _drawn(workload, 600):
        query = ask.query
        seen[ask.kind] += 1
        match ask.kind:
            case "single":
                assert len(query.tags_all) == 1
            case "all":
                assert 2 <= len(set(query.tags_all)) <= 8
            case "any":
                assert 2 <= len(set(query.tags_any)) <= 8
            case "none":
                assert len(query.tags_all) == 1
                assert 1 <= len(query.tags_none) <= 3
                assert not set(query.tags_all) & set(query.tags_none)
            case "rare-common":
                rare, common = query.tags_all
                assert rare in FACTS.tags[500:]
                assert common in FACTS.tags[:20]
            case "never-meet":
                assert query.tags_all in FACTS.apart
            case "not-common":
                assert not query.tags_all
                assert len(query.tags_none) == 1
            case "creator":
                assert (query.creator_filter, query.user_id in FACTS.creators) == ("user", True)
            case "text":
                assert any(isinstance(leaf, Term) and leaf.field == "word" for leaf in leaves(ask.formula))
            case "nothing":
                assert not query.tag_refs
        assert query.viewer in (None, *FACTS.creators)
    assert set(seen) == set(KINDS)


def test_weights_decide_what_is_drawn() -> None:
    workload = dataclasses.replace(
        load_workload(), kinds={"single": 1.0}, sorts={"title asc": 1.0}, viewers={"owner": 1.0}
    )
    for ask in _drawn(workload, 50):
        assert (ask.kind, ask.query.sort_field, ask.query.sort_order, ask.query.viewer) == (
            "single",
            "title",
            "asc",
            12,
        )


def test_by_popularity_the_first_tags_are_met_more_often_than_uniformly() -> None:
    single = dataclasses.replace(load_workload(), kinds={"single": 1.0})
    uniform = dataclasses.replace(single, draw_tags_by="uniform")

    def common(workload: Workload) -> int:
        return sum(int(ask.query.tags_all[0]) <= 30 for ask in _drawn(workload))

    assert common(single) > 3 * common(uniform)


@pytest.mark.parametrize(("total", "pages"), [(0, 1), (1, 1), (25, 1), (26, 2), (1000, 40)])
def test_pages_follow_the_total(total: int, pages: int) -> None:
    for ask in _drawn(load_workload(), 100):
        page = placed(ask, total, 1).query.page
        assert 1 <= page <= pages
        if ask.place != "random":
            assert page == {"first": 1, "last": pages}[ask.place]


def test_a_gallery_without_tags_is_refused() -> None:
    with pytest.raises(StoreError, match="8 tags"):
        draw(load_workload(), dataclasses.replace(FACTS, tags=tuple(range(8))), 1, 1)


WHOLE = """
[kinds]
single = 1
[sorts]
"title asc" = 1
[places]
first = 1
[viewers]
anonymous = 1
"""


def test_a_file_may_say_everything(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("page-size = 7\ndraw-tags-by = 'uniform'\n" + WHOLE)
    workload = load_workload(str(file))
    assert (workload.name, workload.page_size, workload.draw_tags_by) == ("mine", 7, "uniform")
    assert workload.kinds == {"single": 1.0}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[kinds", "not valid TOML"),
        ("colour = 1\n" + WHOLE, "unknown keys: colour"),
        (WHOLE.replace("single", "double"), r"\[kinds\] cannot name double"),
        (WHOLE.replace("single = 1", "single = 0"), "not all of them 0"),
        (WHOLE.replace("single = 1", "single = -1"), "weights in"),
        (WHOLE.replace("single = 1", "single = 'x'"), "weights in"),
        (WHOLE.replace("single = 1", "single = true"), "weights in"),
        ("page-size = 0\n" + WHOLE, "page-size is 1 to"),
        ("draw-tags-by = 'chance'\n" + WHOLE, "draw-tags-by cannot be"),
        ("[kinds]\nsingle = 1\n", r"needs a table \[sorts\]"),
    ],
)
def test_a_wrong_file_is_refused_by_name(text: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=says):
        load_workload(str(file))


def test_a_file_that_is_not_there_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load_workload(str(tmp_path / "absent.toml"))
