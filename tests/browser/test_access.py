"""Can everybody use it: axe-core's rules on every page in light and dark, and focus one can see."""

from __future__ import annotations

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import expect

from browser.conftest import Visits

PAGES = (
    "/",
    "/?q=night&tags_all=outdoors&tags_none=castle",
    "/?q=nothing_like_it",
    "/?q=(",
    "/tags",
    "/tags?q=night",
    "/tags/1",
    "/sign-in",
    "/ops",
    "/new",
    "/nowhere",
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_no_page_breaks_a_rule(visits: Visits, scheme: str) -> None:
    page = await visits("/", who="ada", color_scheme=scheme)
    await page.locator(".card a").first.click()
    await expect(page.locator("article.work")).to_be_visible()
    item = page.url
    broken = []
    for where in (*PAGES, item):
        await page.goto(where)
        await page.wait_for_load_state("networkidle")
        results = await Axe().run(page)
        broken += [
            f"{where}: {rule['id']}: {[node['target'] for node in rule['nodes']][:3]}"
            for rule in results.response["violations"]
        ]
    visits.wrong[:] = [each for each in visits.wrong if "400" not in each and "404" not in each]
    assert not broken, "\n".join(broken)


async def test_the_focus_is_seen_and_the_content_is_one_key_away(visits: Visits) -> None:
    page = await visits("/")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    inside = await page.evaluate("document.activeElement.closest('main') !== null")
    assert inside
    outlined = await page.evaluate(
        "() => { const seen = getComputedStyle(document.activeElement); return seen.outlineStyle !== 'none'; }"
    )
    assert outlined


async def test_operations_draw_themselves_anew(visits: Visits) -> None:
    page = await visits("/ops?range=15m")
    await expect(page.locator(".plot")).to_have_count(4)
    await page.locator("#operations").evaluate("element => element.setAttribute('data-old', '')")
    await expect(page.locator("#operations:not([data-old])")).to_be_attached(timeout=30_000)
    await page.get_by_role("link", name="24h").click()
    await expect(page.get_by_role("link", name="24h")).to_have_attribute("aria-current", "true")
    administrator = await visits("/ops", who="admin")
    await expect(administrator.get_by_role("heading", name="Slowest queries")).to_contain_text("never by whom")
