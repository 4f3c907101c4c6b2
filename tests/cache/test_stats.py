"""Counters as people read them."""

from __future__ import annotations

from collections import Counter

from pinakes.cache.stats import summary


def test_the_rows_of_the_kinds_add_up_and_none_of_them_is_called_like_the_whole() -> None:
    told = summary(Counter({"hit_l1:feed": 3, "miss:feed": 1, "hit_l2:tagged": 4, "not_modified:all": 2}))
    assert (told["hits"], told["hit_rate"], told["not_modified"]) == (7, 0.875, 2)
    assert told["by_kind"].keys() == {"feed", "tagged"}
    assert (told["by_kind"]["feed"]["hit_rate"], told["by_kind"]["tagged"]["hit_rate"]) == (0.75, 1.0)
