"""Signing in, making things and what others see of them, in a browser; and the same without scripts."""

from __future__ import annotations

from playwright.async_api import Page, expect

from browser.conftest import Demo, Visits
from browser.looking import expect_address, keys, total


async def make(page: Page, title: str, tags: str, *, private: bool = False) -> str:
    """Makes an item with the form; its path."""
    await page.goto("/new")
    await page.get_by_label("Title").fill(title)
    await page.locator("#tags").fill(tags)
    if private:
        await page.get_by_label("Private: only you see it").check()
    await page.get_by_role("button", name="Create").click()
    await expect(page.locator("article.work h1")).to_have_text(title)
    return page.url


async def test_what_somebody_makes_is_there_at_once(visits: Visits) -> None:
    page = await visits("/", who="ada")
    await make(page, "Heron over a quiet pond", "heron pond, sunset")
    await page.goto("/")
    assert page.url.endswith("/")
    await expect(page.locator("#grid .card").first).to_contain_text("Heron over a quiet pond")
    stranger = await visits("/?tags_all=heron+pond")
    assert await total(stranger) == 1
    await stranger.locator(".card a").click()
    await expect(stranger.get_by_role("link", name="Edit")).to_have_count(0)


async def test_a_private_item_is_its_owners_alone(visits: Visits) -> None:
    ada = await visits("/", who="ada")
    where = await make(ada, "My hidden sketchbook", "hidden sketchbook", private=True)
    await ada.goto("/?q=sketchbook")
    await expect(ada.locator(".card .lock")).to_have_text("private")
    for who in ("grace", None):
        other = await visits("/?q=sketchbook", who=who)
        assert await total(other) == 0
        await other.goto("/tags?q=hidden+sketchbook")
        await expect(other.locator(".names")).to_have_count(0)
        answer = await other.goto(where)
        assert answer is not None
        assert answer.status == 404
        assert any("404" in each for each in visits.wrong)
        visits.wrong.clear()


async def test_scripts_that_people_write_stay_text(visits: Visits) -> None:
    page = await visits("/", who="ada")
    title, tag = "<script>alert('x')</script>", '"><img src=x onerror=alert(1)>'
    quoted = '"' + tag.replace('"', '""') + '"'
    where = await make(page, title, f"{quoted}, sea")
    await expect(page.locator("article.work")).to_contain_text(tag)
    await page.get_by_role("link", name=tag).click()
    await expect(page.locator(".card .name")).to_have_text(title)
    await expect(page.locator(".chip span")).to_contain_text(tag)
    await expect(page.locator("#facets")).to_contain_text("sea")
    await page.goto("/tags?q=img")
    await expect(page.locator(".names")).to_contain_text(tag)
    await page.goto("/")
    await page.locator("#q").press_sequentially("img", delay=10)
    await expect(page.locator(".completion li").first).to_contain_text(tag)
    await page.goto(where)
    assert await page.evaluate("document.querySelectorAll('script:not([src]), img[onerror], img[src=x]').length") == 0


async def test_a_picture_that_is_not_there_leaves_the_drawn_one(visits: Visits, demo: Demo) -> None:
    page = await visits("/", who="ada")
    await page.goto("/new")
    await page.get_by_label("Title").fill("Its picture is gone")
    await page.locator("#path_thumb").fill("/nowhere/picture.png")
    await page.get_by_role("button", name="Create").click()
    await expect(page.locator("article.work")).to_be_visible()
    drawn = page.locator(".work .drawn")
    await page.wait_for_load_state("networkidle")
    assert await drawn.evaluate("image => image.complete && image.naturalWidth > 0")
    assert await page.locator(".work .photo").evaluate("image => image.naturalWidth") == 0
    await page.locator("summary", has_text="Delete").click()
    await page.get_by_role("button", name="Delete this item").click()
    await expect_address(page, r"/$")
    visits.wrong[:] = [each for each in visits.wrong if "404" not in each]


async def test_items_are_changed_and_deleted_by_their_owner(visits: Visits) -> None:
    page = await visits("/", who="grace")
    await make(page, "A first try", "draft")
    await page.get_by_role("link", name="Edit").click()
    await page.get_by_label("Title").fill("A second try")
    await page.locator("#tags").fill("draft, wate")
    await page.locator("#tags").press("End")
    await page.locator("#tags").press_sequentially("rcol", delay=10)
    await page.locator(".completion li").first.click()
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator("article.work h1")).to_have_text("A second try")
    await expect(page.locator(".tags").first).to_be_visible()
    await expect(page.get_by_role("link", name="watercolor")).to_be_visible()
    await page.locator("summary", has_text="Delete").click()
    await page.get_by_role("button", name="Delete this item").click()
    await expect_address(page, r"/$")
    await page.goto("/?q=%22a+second+try%22")
    assert await total(page) == 0


async def test_signing_out_ends_it(visits: Visits) -> None:
    page = await visits("/", who="ada")
    cookies = {cookie["name"]: cookie for cookie in await page.context.cookies()}
    assert cookies["pinakes-session"]["httpOnly"]
    assert cookies["pinakes-session"]["sameSite"] == "Lax"
    await page.locator(".menu summary").click()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    assert "pinakes-session" not in {cookie["name"] for cookie in await page.context.cookies()}


async def test_everything_works_without_scripts(visits: Visits, demo: Demo) -> None:
    page = await visits("/", who="ada", java_script_enabled=False)
    everything = await total(page)
    await page.locator("#q").fill("outdoors")
    await page.locator("#q").press("Enter")
    await expect_address(page, r"/\?q=outdoors$")
    found = await total(page)
    assert 0 < found < everything
    await page.get_by_label("Community, regular").uncheck(force=True)
    await page.locator("#before").fill("2030-01-01")
    await page.get_by_role("button", name="Show", exact=True).click()
    await expect_address(page, "content_source_types=community-auto.*created_before=2030-01-01")
    assert 0 < await total(page) < found
    await page.goto("/")
    await page.locator("#sort").select_option("title.asc")
    await page.get_by_role("button", name="Sort", exact=True).click()
    await expect_address(page, "sort_field=title")
    first = await keys(page)
    await page.get_by_role("link", name="Next").click()
    await expect_address(page, "page=2")
    assert not set(first) & set(await keys(page))
    await page.get_by_role("link", name="Only with sky").click()
    await expect_address(page, "tags_all=sky")
    await page.get_by_role("link", name="Large thumbnails").click()
    await expect(page.locator("html")).to_have_attribute("data-thumbs", "l")
    await page.locator(".card a").first.click()
    await page.get_by_role("link", name="Next →").click()
    await expect(page.locator(".rank")).to_contain_text("2 of")
    await page.get_by_role("link", name="Back to the search").click()
    await make(page, "Made without scripts", "plain")
    await page.goto("/?view=scroll")
    await page.get_by_role("link", name="Next").click()
    await expect_address(page, "page=2")
    await page.goto("/page/facets?q=night")
    await expect(page.locator("#facets li").first).to_be_visible()
    await page.goto("/ops")
    await expect(page.locator(".plot").first).to_be_visible()
