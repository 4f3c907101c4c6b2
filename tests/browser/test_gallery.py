"""The gallery in a browser: searching, filtering, paging, scrolling, going back."""

from __future__ import annotations

import re

from playwright.async_api import expect

from browser.conftest import Demo, Visits
from browser.looking import WATCH_SHIFTS, expect_address, keys, shifts, total


async def test_completion_offers_tags_with_counts_and_aliases(visits: Visits, demo: Demo) -> None:
    await demo.pinakes("tags", "alias", "seashore", "waves")
    page = await visits("/")
    box = page.locator("#q")
    await box.press_sequentially("nigh", delay=10)
    options = page.locator(".completion li")
    await expect(options.first).to_contain_text("night")
    count = int((await options.first.locator(".count").inner_text()).replace(",", ""))
    assert re.fullmatch(r"c[0-7]", await options.first.locator("bdi").first.get_attribute("class") or "")
    await box.press("ArrowDown")
    await expect(options.first).to_have_attribute("aria-selected", "true")
    await box.press("Enter")
    await expect(box).to_have_value("night ")
    await box.press("Enter")
    await expect_address(page, r"/\?q=night$")
    assert await total(page) == count
    await box.fill("")
    await box.press_sequentially("seash", delay=10)
    await expect(options.first).to_contain_text("seashore→waves")
    await options.first.click()
    await expect(box).to_have_value("waves ")
    await box.fill("-")
    await box.press_sequentially("out", delay=10)
    await options.first.click()
    await expect(box).to_have_value("-outdoors ")


async def test_toggles_choose_whose_items_and_which(visits: Visits) -> None:
    page = await visits("/", who="ada")
    everything = await total(page)
    halves = 0
    for name in ("user-regular", "user-auto", "community-regular", "community-auto"):
        await page.goto(f"/?content_source_types={name}")
        halves += await total(page)
    assert halves == everything
    await page.goto("/")
    await page.get_by_label("Community, auto").uncheck(force=True)
    await expect_address(page, "content_source_types=community-regular")
    await expect(page.get_by_label("Community, auto")).not_to_be_checked()
    assert 0 < await total(page) < everything
    await page.get_by_label("Remove the filter your regular, your auto, community regular").click()
    await expect(page.get_by_label("Community, auto")).to_be_checked()
    assert await total(page) == everything


async def test_facets_count_what_choosing_them_finds(visits: Visits) -> None:
    page = await visits("/")
    everything = await total(page)
    line = page.locator("#facets li").filter(has=page.get_by_role("link", name="outdoors", exact=True))
    count = int((await line.locator(".count").inner_text()).replace(",", ""))
    await page.get_by_role("link", name="Only with outdoors").click()
    await expect_address(page, "tags_all=outdoors")
    assert await total(page) == count
    await expect(page.locator(".chip.with")).to_contain_text("outdoors")
    await page.goto("/")
    await page.get_by_role("link", name="Without outdoors").click()
    await expect_address(page, "tags_none=outdoors")
    assert await total(page) == everything - count
    await page.get_by_role("link", name="Remove the filter outdoors").click()
    await expect_address(page, r"/$")
    assert await total(page) == everything


async def test_dates_are_chosen_by_dragging_over_the_histogram(visits: Visits) -> None:
    page = await visits("/")
    drawing = page.locator(".histogram svg")
    await expect(drawing).to_be_visible()
    everything = await total(page)
    box = await drawing.bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 20)
    await page.mouse.down()
    await page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 20, steps=4)
    await page.mouse.up()
    await expect_address(page, r"created_after=\d{4}-\d\d-\d\d&created_before=\d{4}-\d\d-\d\d")
    assert 0 < await total(page) < everything
    await expect(page.locator(".histogram .bucket:not(.in)").first).to_be_attached()
    await expect(page.locator("#since")).not_to_have_value("")


async def test_pages_lead_to_the_true_last_one(visits: Visits) -> None:
    page = await visits("/?page_size=50")
    everything = await total(page)
    last = -(-everything // 50)
    await page.get_by_role("link", name=f"Page {last}, the last").click()
    await expect_address(page, f"page={last}")
    assert len(await keys(page)) == everything - (last - 1) * 50
    await page.get_by_role("link", name="Previous", exact=False).first.click()
    await expect_address(page, f"page={last - 1}")
    await page.get_by_label("Page", exact=True).fill("2")
    await page.get_by_role("button", name="Go", exact=True).click()
    await expect_address(page, "page=2")
    second = await keys(page)
    await page.get_by_role("link", name="Next").click()
    await expect_address(page, "page=3")
    assert not set(second) & set(await keys(page))
    await page.go_back()
    assert await keys(page) == second


async def test_the_next_page_is_fetched_ahead(visits: Visits) -> None:
    page = await visits("about:blank")
    async with page.expect_request(lambda request: "page=2" in request.url) as ahead:
        await page.goto("/")
    request = await ahead.value
    assert "prefetch" in (await request.all_headers()).get("sec-purpose", "")


async def test_scrolling_meets_every_item_once_and_the_way_back_leads_to_the_same_place(visits: Visits) -> None:
    page = await visits("/?view=scroll&per=60")
    await page.goto("/?tags_all=outdoors")
    everything = await total(page)
    assert everything > 60
    await expect(page.locator(".more")).to_be_attached()
    while len(found := await keys(page)) < everything:
        await page.mouse.wheel(0, 4000)
        await page.wait_for_function("count => document.querySelectorAll('.card').length > count", arg=len(found))
    assert len(set(found)) == len(found) == everything
    await expect(page.locator(".more")).to_have_text("That is all.")
    card = page.locator(f"#{found[-3]}")
    await card.scroll_into_view_if_needed()
    before = await page.evaluate("scrollY")
    await card.locator("a").click()
    await expect(page.locator("article.work")).to_be_visible()
    await page.go_back()
    await page.wait_for_function("count => document.querySelectorAll('.card').length === count", arg=everything)
    await page.wait_for_function("before => Math.abs(scrollY - before) < 80", arg=before)


async def test_an_address_says_everything(visits: Visits) -> None:
    address = "/?q=outdoors&tags_none=castle&sort_field=title&sort_order=asc&page_size=30&page=2"
    page = await visits(address)
    again = await visits(address)
    assert await keys(page) == await keys(again)
    assert await keys(page)
    await expect(again.locator("#q")).to_have_value("outdoors")
    await expect(again.locator("#sort")).to_have_value("title.asc")
    await again.locator("#sort").select_option("quality_score.desc")
    await expect_address(again, "q=outdoors.*sort_field=quality_score&sort_order=desc")


async def test_nothing_moves_while_the_page_comes_in(visits: Visits) -> None:
    page = await visits("about:blank")
    await page.add_init_script(WATCH_SHIFTS)
    for where in ("/", "/?thumbs=l", "/tags"):
        await page.goto(where)
        await page.wait_for_load_state("networkidle")
        if where != "/tags":
            await expect(page.locator(".histogram svg")).to_be_visible()
            await page.mouse.wheel(0, 3000)
            await page.wait_for_load_state("networkidle")
        assert await shifts(page) < 0.01, where
    await page.locator(".names a").first.click()
    await page.wait_for_load_state("networkidle")
    await page.locator(".card a").first.click()
    await page.wait_for_load_state("networkidle")
    assert await shifts(page) < 0.01


async def test_keys_search_page_walk_and_help(visits: Visits) -> None:
    page = await visits("/")
    first = await keys(page)
    await page.keyboard.press("/")
    await expect(page.locator("#q")).to_be_focused()
    await page.keyboard.press("Escape")
    await page.keyboard.press("d")
    await expect_address(page, "page=2")
    await page.keyboard.press("a")
    await expect_address(page, "page=1")
    for key, place in (("j", 0), ("j", 1), ("j", 2), ("k", 1)):
        await page.keyboard.press(key)
        await expect(page.locator(f"#{first[place]} a")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("article.work")).to_be_visible()
    await expect_address(page, first[1].replace("-", "/"))
    await page.keyboard.press("ArrowRight")
    await expect_address(page, first[2].replace("-", "/"))
    await page.keyboard.press("ArrowLeft")
    await expect_address(page, first[1].replace("-", "/"))
    await page.keyboard.press("g")
    await expect_address(page, f"#{first[1]}$")
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.keyboard.press("Escape")
    await page.keyboard.press("t")
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    await page.reload()
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")


async def test_a_part_that_fails_says_so_with_a_way_on(visits: Visits) -> None:
    page = await visits("about:blank")
    await page.route("**/page/histogram*", lambda route: route.abort())
    await page.goto("/")
    await expect(page.locator(".histogram .refused")).to_contain_text("The server does not answer.")
    await page.unroute("**/page/histogram*")
    await page.locator(".histogram").get_by_role("button", name="Try again").click()
    await expect(page.locator(".histogram svg")).to_be_visible()
    assert all("ERR_FAILED" in each for each in visits.wrong)
    visits.wrong.clear()


async def test_on_a_phone_everything_fits_and_filters_open(visits: Visits) -> None:
    page = await visits("/", viewport={"width": 390, "height": 780}, has_touch=True)
    for where in ("/", "/tags", "/ops", "/sign-in", "/?q=nothing_like_it&tags_all=castle"):
        await page.goto(where)
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), where
    await page.goto("/")
    assert (
        await page.locator(".card").evaluate_all(
            "cards => new Set(cards.slice(0, 4).map(card => card.offsetLeft)).size"
        )
        == 2
    )
    await expect(page.locator("#side")).not_to_be_visible()
    await page.get_by_role("link", name="Filters", exact=True).click()
    await expect(page.locator("#side")).to_be_visible()
    await page.get_by_role("link", name="Only with outdoors").click()
    await expect_address(page, "tags_all=outdoors")
    await page.locator(".card a").first.click()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
