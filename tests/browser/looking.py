"""What browser tests read off a page."""

from __future__ import annotations

import re
from typing import Any

from playwright.async_api import Page, expect


async def total(page: Page) -> int:
    """The number of results in the line above the grid."""
    text = await page.locator("#truth b").inner_text()
    return int(text.replace(",", "").rstrip("+"))


async def keys(page: Page) -> list[str]:
    """The items in the grid, in order."""
    found: list[str] = await page.locator("#grid > .card").evaluate_all("cards => cards.map(card => card.id)")
    return found


async def shifts(page: Page) -> float:
    """How much moved without anybody having done anything, as `watch_shifts` has seen."""
    await page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    moved: Any = await page.evaluate("window.moved")
    return float(moved)


WATCH_SHIFTS = """
window.moved = 0;
new PerformanceObserver((list) => {
  for (const shift of list.getEntries()) if (!shift.hadRecentInput) window.moved += shift.value;
}).observe({ type: "layout-shift", buffered: true });
"""


async def expect_address(page: Page, pattern: str) -> None:
    """Waits until the page is at an address with `pattern` in it, and its script listens to keys."""
    await expect(page).to_have_url(re.compile(pattern))
    await page.wait_for_load_state()
