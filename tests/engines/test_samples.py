"""Samples of hits are right only while no hit changed, private ones of who asks among them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pinakes.engines.overlap import Sample
from pinakes.engines.samples import Samples
from pinakes.index.touched import Touched
from pinakes.query.formula import Term, conj
from pinakes.query.gallery_query import visible_to


@pytest.mark.parametrize(
    ("viewer", "term", "right"),
    [
        (None, "tag:5", False), (None, "tag:6", True), (None, "owner:1", True), (None, "owner:*", True),
        (1, "tag:5", False), (1, "tag:6", True), (1, "owner:1", False), (1, "owner:2", True), (1, "owner:*", False),
    ],
)  # fmt: skip
def test_a_sample_ends_when_a_hit_may_have_changed(viewer: int | None, term: str, *, right: bool) -> None:
    touched = Touched()
    reader: Any = SimpleNamespace(touched=touched)
    samples, sample = Samples(reader), Sample({}, whole=True)
    formula = conj((Term("tag", 5), visible_to(viewer)))
    samples._known.put(formula, (sample, "now", 1))
    touched.note(2, [term, "vis:public"])
    later: Any = SimpleNamespace(incarnation="now", epoch=2)
    assert (samples.get(formula, later) is sample) is right
