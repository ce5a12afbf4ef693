"""The portal in a real browser, on a phone and on a desk, in English and Chinese, with script turned off.

Screenshots of every page go to KEPT_SHOTS (a directory), so that whoever changes a page looks at it.
"""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.support.browser import DESK, PHONE, chromium, open_page, shot
from tests.support.made_up import SHARED_PHONE, family
from tests.support.people import customers
from tests.support.platform import Platform
from tests.support.portal import Person, link, opened
from tests.support.staff import token

pytestmark = pytest.mark.platform


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as made:
        yield made


async def test_a_person_on_a_phone_gets_everything(platform: Platform, browser: Browser, tmp_path: Path) -> None:
    person = Person(platform.origin, customers()[2]["Email"])
    page = await open_page(browser, PHONE)
    await page.goto(platform.origin + "/")
    await shot(page, "1-ask", tmp_path)
    await page.get_by_label("Your e-mail address").fill(person.email)
    await page.get_by_role("button", name="Send me a code").click()
    person.request_id = page.url.rsplit("/", 1)[-1]
    await shot(page, "2-code", tmp_path)
    await page.get_by_label("Code (eight digits)").fill("0000 0000")
    await page.get_by_role("button", name="This is my code").click()
    await page.get_by_text("That code is wrong").wait_for()
    await shot(page, "3-wrong-code", tmp_path)
    await page.get_by_label("Code (eight digits)").fill(person.code())
    await page.get_by_role("button", name="This is my code").click()
    for _ in range(60):
        if await page.get_by_role("button", name="Download my data").count():
            break
        await page.wait_for_timeout(500)
        await page.reload()
    await shot(page, "4-answer", tmp_path)
    async with page.expect_download() as coming:
        await page.get_by_role("button", name="Download my data").click()
    files = opened(Path(await (await coming.value).path()).read_bytes())
    assert person.email in files["index.html"]
    inside = await open_page(browser, PHONE)
    await inside.set_content(files["index.html"])
    await inside.screenshot(path=Path(os.environ.get("KEPT_SHOTS") or tmp_path) / "5-package.png", full_page=True)
    await page.reload()
    await page.get_by_role("button", name="Close and destroy").click()
    await page.get_by_text("This request is closed").wait_for()
    await shot(page, "6-closed", tmp_path)


@pytest.mark.parametrize(
    ("language", "add", "go_on"), [("en-GB", "Add this record", "Go on"), ("zh-CN", "添加这条记录", "继续")]
)
async def test_who_shares_an_address_names_their_record(
    platform: Platform, browser: Browser, tmp_path: Path, language: str, add: str, go_on: str
) -> None:
    """On a phone, without script: add one, see what is covered and what is not, go on; and by the mail's link elsewhere."""
    address, one, two = family(platform)
    person = Person(platform.origin, address)
    person.ask("access")
    page = await open_page(browser, PHONE, language)
    await page.goto(f"{platform.origin}/requests/{person.request_id}")
    await shot(page, f"10-code-{language}", tmp_path)
    await page.locator("#code").fill(person.code())
    await page.locator("form[action$='/code'] button").click()
    await page.wait_for_load_state()
    for _ in range(120):
        if await page.get_by_role("button", name=add).count():
            break
        await page.wait_for_timeout(500)
        await page.reload()
    await shot(page, f"11-claim-{language}", tmp_path)
    await page.locator("#number").fill(SHARED_PHONE)
    await page.get_by_role("button", name=add).click()
    await shot(page, f"12-shared-phone-{language}", tmp_path)
    await page.locator("#number").fill(one)
    await page.get_by_role("button", name=add).click()
    text = await page.locator("main").inner_text()
    assert one in text and two not in text
    await shot(page, f"13-claimed-{language}", tmp_path)
    await page.get_by_role("button", name=go_on).click()
    way_in = link(person.mail("/open/"))
    elsewhere = await open_page(browser, DESK, language)
    await elsewhere.goto(way_in)
    assert elsewhere.url == f"{platform.origin}/requests/{person.request_id}", "the secret leaves the address bar"
    await elsewhere.locator("form[action$='/package'] button").wait_for()
    await shot(elsewhere, f"14-elsewhere-{language}", tmp_path)


async def test_the_same_in_chinese(platform: Platform, browser: Browser, tmp_path: Path) -> None:
    page = await open_page(browser, PHONE, "zh-CN")
    await page.goto(platform.origin + "/")
    await page.get_by_text("忘记我。").wait_for()
    await shot(page, "7-zh", tmp_path)
    await page.get_by_role("link", name="English").click()
    await page.get_by_text("Forget me.").wait_for()


async def test_the_desk_shows_deadlines_and_no_person(platform: Platform, browser: Browser, tmp_path: Path) -> None:
    page = await open_page(browser, DESK)
    cookie = {"name": "kept_session", "value": token(platform, "andrew"), "url": platform.origin}
    await page.context.add_cookies([cookie])  # type: ignore[list-item]  # name, value and url are enough
    await page.goto(platform.origin + "/desk")
    await page.get_by_role("heading", name="Requests of people").wait_for()
    await shot(page, "8-desk", tmp_path)
    text = await page.locator("main").inner_text()
    assert "Regulation" in text
    assert not any(one["Email"] in text or one["LastName"] in text for one in customers())
