"""What is typed: completion by the rules of the grammar, input methods, other keyboards, and the way back."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from browser.conftest import Visits
from browser.looking import total
from browser.test_people import make

NAMES = "zz oil painting, mona_lisa_(zzpainting), re:zzero, zz digital art"


async def pick(page: Page, typed: str, name: str) -> str:
    """What stands in the box after typing this and picking this name."""
    await page.locator("#q").fill("")
    await page.locator("#q").press_sequentially(typed, delay=15)
    await page.locator(".completion li", has_text=name).first.click()
    return await page.locator("#q").input_value()


async def test_completion_replaces_what_was_typed(visits: Visits) -> None:
    page = await visits("/", who="ada")
    await make(page, "Something to complete", NAMES)
    await page.goto("/")
    for typed, name, told in (
        ("zz oil pai", "zz oil painting", "zz_oil_painting "),
        ("-zz oil pai", "zz oil painting", "-zz_oil_painting "),
        ("castle zz oil pai", "zz oil painting", "castle zz_oil_painting "),
        ("zz dig", "zz digital art", "zz_digital_art "),
        ("(castle or zz oil pai", "zz oil painting", "(castle or zz_oil_painting "),
        ("castle -digital ar", "zz digital art", "castle -zz_digital_art "),
        ("mona_lisa_(zzpai", "mona_lisa_(zzpainting)", "mona_lisa_(zzpainting) "),
        ("re:zze", "re:zzero", 'tag:"re:zzero" '),
        ('tag:"zz oil pa', "zz oil painting", "zz_oil_painting "),
    ):
        assert await pick(page, typed, name) == told, typed
    await pick(page, "zz oil pai", "zz oil painting")
    await page.locator("#q").press("Enter")
    await page.wait_for_url("**/?q=zz_oil_painting")
    assert await total(page) == 1


async def test_while_an_input_method_composes_its_keys_are_its_own(visits: Visits) -> None:
    page = await visits("/")
    await page.locator("#q").press_sequentially("cas", delay=15)
    await expect(page.locator(".completion li").first).to_be_visible()
    send = """key => document.getElementById("q").dispatchEvent(
        new KeyboardEvent("keydown", { key, isComposing: true, bubbles: true, cancelable: true }))"""
    assert await page.evaluate(send, "ArrowDown")
    assert await page.evaluate(send, "Enter")
    assert await page.locator('.completion [aria-selected="true"]').count() == 0
    assert await page.locator("#q").input_value() == "cas"


async def test_on_the_way_back_controls_say_what_is_shown(visits: Visits) -> None:
    page = await visits("/")
    everything = await total(page)
    await page.locator("#q").fill("left behind")
    await page.get_by_label("Community, regular").uncheck(force=True)
    await page.wait_for_url("**content_source_types**")
    await page.go_back()
    await expect(page.get_by_label("Community, regular")).to_be_checked()
    await expect(page.locator("#q")).to_have_value("")
    assert await total(page) == everything
    await page.locator("#sort").select_option("title.asc")
    await page.wait_for_url("**sort_field=title**")
    await page.go_back()
    await expect(page.locator("#sort")).to_have_value("created_at.desc")


async def test_saving_an_unchanged_form_changes_nothing(visits: Visits) -> None:
    page = await visits("/", who="ada")
    await page.goto("/new")
    await page.get_by_label("Title").fill("Two lines below")
    await page.locator("#prompt").fill("one\ntwo")
    await page.get_by_role("button", name="Create").click()
    await expect(page.locator("article.work")).to_be_visible()
    api = page.url.replace("/regular/", "/api/v1/content/regular/")
    before = await (await page.request.get(api)).json()
    assert before["prompt"] == "one\ntwo"
    await page.get_by_role("link", name="Edit").click()
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator("article.work")).to_be_visible()
    assert await (await page.request.get(api)).json() == before


async def test_a_question_that_is_wrong_stays_in_its_box(visits: Visits) -> None:
    page = await visits("/?q=castle+(boat")
    await expect(page.locator("#q")).to_have_value("castle (boat")
    visits.wrong[:] = [each for each in visits.wrong if "400" not in each]


@pytest.mark.parametrize("key", [("D", "KeyD"), ("в", "KeyD"), ("d", "KeyD")])
async def test_keys_work_with_caps_lock_and_on_other_keyboards(visits: Visits, key: tuple[str, str]) -> None:
    page = await visits("/")
    await page.evaluate(
        "([key, code]) => document.body.dispatchEvent(new KeyboardEvent('keydown', { key, code, bubbles: true }))", key
    )
    await page.wait_for_url("**page=2")


async def test_back_from_an_item_that_was_walked_to_leads_to_its_page(visits: Visits) -> None:
    page = await visits("/?per=30")
    await page.locator(".card a").nth(29).click()
    await page.get_by_role("link", name="Next →").click()
    await expect(page.locator(".rank")).to_contain_text("31 of")
    key = page.url.partition("?")[0].rsplit("/", 2)
    await page.locator('[data-key="back"]').click()
    await page.wait_for_url("**page=2*")
    await expect(page.locator(f"#{key[1]}-{key[2]}")).to_be_visible()


async def test_a_name_turns_no_text_around_it(visits: Visits) -> None:
    page = await visits("/?tags_none=castle&tags_all=sky")
    assert "without castle" in await page.title()
    await page.locator(".card a").first.click()
    await expect(page.locator(".tags .tag bdi").first).to_be_visible()
    for place in (".tags .tag", "h1"):
        assert await page.locator(place).first.evaluate("e => getComputedStyle(e).unicodeBidi") == "isolate"
    await page.emulate_media(media="print")
    await expect(page.locator(".bar")).to_be_hidden()
    await expect(page.locator("article.work .frame")).to_be_visible()
