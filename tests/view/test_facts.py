"""Terms of changed rows, and the line through refresh times: pure."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinakes.view import facts
from pinakes.view.facts import Facts, RowChange, terms
from pinakes.view.projection import fit
from pinakes.view.wait import Ring

NOW = datetime(2024, 1, 1, tzinfo=UTC)


def known(tags: tuple[int, ...] = (), title: str = "Castle", *, private: bool = False, creator: int = 1) -> Facts:
    return Facts("image", creator, private, tags, title, None, None, NOW, NOW)


def test_terms_are_those_of_both_versions() -> None:
    change = RowChange(1, 7, None, known((1, 2), "Old tower"), known((2, 3), "New tower", creator=5))
    expected = "source:1 type:image creator:1 creator:5 vis:public tag:1 tag:2 tag:3"
    assert terms([change]) == sorted(f"{expected} word:old word:new word:tower".split())


def test_a_private_version_tells_whose_it_is_and_nothing_else() -> None:
    private, moved = known((2, 3), "Secret", private=True, creator=5), known((4,), "Hidden", private=True, creator=6)
    assert terms([RowChange(1, 7, None, None, private)]) == ["owner:5"]
    assert terms([RowChange(1, 7, None, private, moved)]) == ["owner:5", "owner:6"]
    assert terms([RowChange(2, 7, None, moved, None)]) == ["owner:6"]


@pytest.mark.parametrize("becomes_private", [True, False])
def test_what_becomes_private_is_told_by_its_public_version(*, becomes_private: bool) -> None:
    public, private = known((1,), "Open"), known((2, 3), "Secret", private=True, creator=5)
    change = RowChange(1, 7, None, *((public, private) if becomes_private else (private, public)))
    expected = {"source:1", "type:image", "creator:1", "tag:1", "word:open", "vis:public", "owner:5"}
    assert set(terms([change])) == expected | ({"vis:private"} if becomes_private else set())


def test_terms_are_written_as_formulas_write_them() -> None:
    change = RowChange(1, 7, None, None, known(title="été 東京"))
    assert {'word:"été"', 'word:"東京"'} <= set(terms([change]))


def test_a_field_with_too_many_terms_stands_for_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "MAX_TERMS", 3)
    found = terms([RowChange(1, 7, None, known((1, 2)), known((3, 4)))])
    assert "tag:*" in found
    assert not [term for term in found if term.startswith("tag:") and term != "tag:*"]
    assert "word:castle" in found


def test_projection_is_the_line_through_the_measurements() -> None:
    line = fit([(100_000, 1.1), (500_000, 5.1), (2_000_000, 20.1)])
    assert line is not None
    assert line.fixed_s == pytest.approx(0.1)
    assert line.at(50_000_000) == pytest.approx(500.1)
    assert "3 refreshes" in str(line)


def test_one_size_projects_in_proportion() -> None:
    line = fit([(1000, 2.0), (1000, 4.0)])
    assert line is not None
    assert line.at(10_000) == pytest.approx(30.0)
    assert fit([]) is None
    assert fit([(0, 1.0)]) is None


@given(low=st.integers(3, 50), span=st.integers(0, 20), data=st.data())
def test_a_ring_shows_what_its_snapshot_sees(low: int, span: int, data: st.DataObject) -> None:
    still_open = data.draw(st.sets(st.integers(low, low + span - 1))) if span else set()
    payload = f"7 {low}:{low + span}:{','.join(map(str, sorted(still_open)))}"
    ring = Ring.parse(payload)
    assert ring is not None
    assert ring.epoch == 7
    number = data.draw(st.integers(1, 90))
    expected = number < low + span and number not in still_open
    assert ring.shows(str(number)) == expected


def test_a_message_without_a_whole_snapshot_says_nothing() -> None:
    assert Ring.parse("7 ") is None
    assert Ring.parse("7 3:9:" + ",".join(["123456"] * 1200)) is None
    assert Ring.parse("") is None
