"""Facets against counting by hand."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from pyroaring import BitMap

from pinakes.bitmap.evaluate import at_once
from pinakes.bitmap.facets import TagCount, most, top_tags
from pinakes.bitmap.source import MemorySource

tag_lists = st.lists(st.sets(st.integers(1, 12), max_size=6), max_size=60)


def truth(lists: list[set[int]], hits: set[int], limit: int) -> tuple[TagCount, ...]:
    counted = Counter(tag for doc in hits for tag in lists[doc])
    ranked = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(TagCount(tag, count) for tag, count in ranked[:limit])


@given(tag_lists, st.data(), st.integers(1, 8), st.integers(1, 5))
def test_both_ways_give_the_exact_list(lists: list[set[int]], data: st.DataObject, limit: int, batch: int) -> None:
    hits = data.draw(st.sets(st.integers(0, len(lists) - 1))) if lists else set()
    hints = data.draw(st.lists(st.integers(1, 14), max_size=5))
    bitmaps = {f"tag:{tag}": BitMap(d for d, tags in enumerate(lists) if tag in tags) for tag in range(1, 13)}
    ranked = sorted(
        (TagCount(tag, len(bitmaps[f"tag:{tag}"])) for tag in range(1, 13)), key=lambda each: (-each.count, each.tag)
    )
    expected = truth(lists, hits, limit)
    assert most(Counter(tag for doc in hits for tag in lists[doc]), limit).counts == expected
    first = [each for tag in hints for each in ranked if each.tag == tag]
    found = at_once(top_tags(MemorySource(bitmaps, {}), BitMap(hits), ranked, limit, hints=first, batch=batch))
    assert (found.counts, found.kind) == (expected, "exact")


def test_bounded_work_says_that_it_was_bounded() -> None:
    bitmaps = {f"tag:{tag}": BitMap(range(tag, 1_000)) for tag in range(300)}
    ranked = [TagCount(tag, 1_000 - tag) for tag in range(300)]
    found = at_once(top_tags(MemorySource(bitmaps, {}), BitMap(range(900, 1_000)), ranked, 20, budget=64, batch=32))
    assert found.kind == "sampled"
    assert found.intersected == 64
    assert all(each.count == 100 for each in found.counts)


def test_the_search_stops_when_no_tag_can_do_better() -> None:
    bitmaps = {f"tag:{tag}": BitMap(range(1_000 - 3 * tag)) for tag in range(300)}
    ranked = [TagCount(tag, 1_000 - 3 * tag) for tag in range(300)]
    found = at_once(top_tags(MemorySource(bitmaps, {}), BitMap(range(1_000)), ranked, 5, batch=8))
    assert [each.tag for each in found.counts] == [0, 1, 2, 3, 4]
    assert (found.kind, found.intersected <= 8) == ("exact", True)


def test_a_category_leaves_other_tags_out() -> None:
    assert most({1: 1, 2: 2, 3: 1}, 5, frozenset({1, 3})).counts == (TagCount(1, 1), TagCount(3, 1))
