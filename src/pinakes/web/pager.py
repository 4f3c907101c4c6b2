"""Pager: which page numbers are offered. First, last, and five around the one that is shown; gaps are None."""

from __future__ import annotations

from dataclasses import dataclass

from pinakes.query.item import Page

_BESIDE = 2


@dataclass(frozen=True, slots=True)
class Pager:
    """`numbers` to link to, None for a gap. `page` is None in a walk by cursor; `exact`: `last` is the last one."""

    page: int | None
    last: int
    exact: bool
    numbers: tuple[int | None, ...]
    previous: int | None
    next: int | None
    beyond: bool


def pager(page: Page) -> Pager:
    """The pager of `page`."""
    last = page.total_pages
    exact = page.total_kind == "exact"
    here = page.page
    if here is None:
        return Pager(None, last, exact, (), None, None, beyond=False)
    beyond = exact and here > max(last, 1)
    shown = {number for number in (1, last, *range(here - _BESIDE, here + _BESIDE + 1)) if 1 <= number <= last}
    if not exact:
        shown.add(here)
    numbers: list[int | None] = []
    for number in sorted(shown):
        before = numbers[-1] if numbers else 0
        if before is not None and number == before + 2:
            numbers.append(before + 1)
        elif before is not None and number > before + 1:
            numbers.append(None)
        numbers.append(number)
    following = here + 1 if page.has_next else None
    return Pager(here, last, exact, tuple(numbers), here - 1 if here > 1 else None, following, beyond)
