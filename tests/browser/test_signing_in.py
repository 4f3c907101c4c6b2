"""Every way to sign in and out, and every form, in a real browser, whose word on where a form comes from counts."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, expect

from browser.conftest import Demo, Visits


async def token(demo: Demo) -> str:
    """A token of ada's, as `pinakes token` prints it."""
    return (await demo.pinakes("token", "--user", "ada", "--scope", "content:write")).strip().splitlines()[-1]


async def give(page: Page, text: str) -> None:
    await page.get_by_label("Token").fill(text)
    await page.get_by_role("main").get_by_role("button", name="Sign in").click()


async def test_a_token_signs_in(visits: Visits, demo: Demo) -> None:
    page = await visits("/sign-in")
    await give(page, await token(demo))
    await page.wait_for_url(f"{demo.url}/")
    await expect(page.get_by_role("link", name="New item")).to_be_visible()


async def test_a_wrong_token_is_told_and_a_right_one_then_signs_in(visits: Visits, demo: Demo) -> None:
    page = await visits("/sign-in?back=/tags")
    await give(page, "x.y.z")
    await expect(page.get_by_role("alert")).to_be_visible()
    await give(page, f"Bearer {await token(demo)}")
    await page.wait_for_url(f"{demo.url}/tags")
    visits.wrong[:] = [each for each in visits.wrong if "401" not in each]


async def test_who_was_sent_to_sign_in_comes_back_to_the_page(visits: Visits, demo: Demo) -> None:
    page = await visits("/new")
    await page.get_by_role("main").get_by_role("link", name="Sign in").click()
    await give(page, await token(demo))
    await page.wait_for_url(f"{demo.url}/new")
    await page.get_by_label("Title").fill("Made after signing in by token")
    await page.get_by_role("button", name="Create").click()
    await expect(page.locator("article.work h1")).to_have_text("Made after signing in by token")
    await page.get_by_role("link", name="Edit").click()
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator("article.work")).to_be_visible()
    await page.locator("summary", has_text="Delete").click()
    await page.get_by_role("button", name="Delete this item").click()
    await page.wait_for_url(f"{demo.url}/")
    await page.locator(".menu summary").click()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("link", name="Sign in", exact=True)).to_be_visible()
    visits.wrong[:] = [each for each in visits.wrong if "401" not in each]


async def test_a_link_of_the_demo_signs_in_from_a_page_of_another_site(visits: Visits, demo: Demo) -> None:
    page = await visits("/")
    await page.goto("about:blank")
    await page.set_content(f'<a href="{demo.links["ada"]}">go</a>')
    await page.get_by_role("link", name="go").click()
    await page.get_by_role("button", name="Go on as ada").click()
    await page.wait_for_url(f"{demo.url}/")
    await expect(page.get_by_role("link", name="New item")).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_token_signs_in_where_a_proxy_hides_where_pages_come_from(
    visits: Visits, demo: Demo, *, scripts: bool
) -> None:
    """`Referrer-Policy: no-referrer` on every page, as many set-ups of proxies have it: `Origin: null`."""
    page = await visits("/tags", java_script_enabled=scripts)

    async def hidden(route) -> None:  # type: ignore[no-untyped-def]
        answer = await route.fetch(max_redirects=0)
        await route.fulfill(response=answer, headers={**answer.headers, "referrer-policy": "no-referrer"})

    await page.route(
        re.compile(r"/sign-in"), lambda route: hidden(route) if route.request.method == "GET" else route.continue_()
    )
    await page.goto("/sign-in")
    await give(page, await token(demo))
    await page.wait_for_url(f"{demo.url}/")
    await expect(page.get_by_role("link", name="New item")).to_be_visible()
