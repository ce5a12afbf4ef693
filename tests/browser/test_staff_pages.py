"""Every page of the staff in a real browser: on a phone and on a desk, in English and Chinese, without script."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from tests.support.browser import DESK, PHONE, chromium, open_page, shot
from tests.support.platform import Platform
from tests.support.staff import signed_in, token

pytestmark = pytest.mark.platform
SIZES = {"phone": PHONE, "desk": DESK}
LANGUAGES = {"en": "en-GB", "zh": "zh-CN"}
# path -> who opens it
PAGES = {
    "/signin": "",
    "/account": "jane",
    "/customers": "jane",
    "/approvals": "nancy",
    "/desk": "andrew",
    "/backups": "michael",
    "/audit": "andrew",
}
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as made:
        yield made


async def opened(platform: Platform, browser: Browser, who: str, size: dict[str, int], language: str) -> Page:
    page = await open_page(browser, size, language)
    if who:
        cookie = {"name": "kept_session", "value": token(platform, who), "url": platform.origin}
        await page.context.add_cookies([cookie])  # type: ignore[list-item]  # name, value and url are enough
    return page


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", PAGES)
async def test_a_page(platform: Platform, browser: Browser, tmp_path: Path, path: str, language: str, size: str) -> None:
    page = await opened(platform, browser, PAGES[path], SIZES[size], LANGUAGES[language])
    answer = await page.goto(platform.origin + path)
    assert answer is not None and answer.status == 200
    await shot(page, f"{path.strip('/')}-{language}-{size}", tmp_path)
    assert await page.locator("html").get_attribute("lang") == language
    heading = await page.locator("h1").inner_text()
    assert bool(CHINESE.search(heading)) == (language == "zh"), heading


@pytest.mark.parametrize("language", LANGUAGES)
async def test_one_customer(platform: Platform, browser: Browser, tmp_path: Path, language: str) -> None:
    with signed_in(platform, "jane") as jane:
        subject = jane.get("/api/customers", headers={"X-Purpose": "support"}).json()["items"][0]["id"]
    for size in SIZES:
        page = await opened(platform, browser, "jane", SIZES[size], LANGUAGES[language])
        await page.goto(f"{platform.origin}/customers/{subject}")
        await shot(page, f"customer-{language}-{size}", tmp_path)


async def test_what_is_not_there_and_who_may_not(platform: Platform, browser: Browser, tmp_path: Path) -> None:
    page = await opened(platform, browser, "jane", PHONE, "zh-CN")
    await page.goto(platform.origin + "/customers/sub_00000000000070008000000000000000")
    await shot(page, "404-zh-phone", tmp_path)
    await page.goto(platform.origin + "/backups")
    await shot(page, "backups-as-jane", tmp_path)


async def test_a_language_once_chosen_stays(platform: Platform, browser: Browser) -> None:
    page = await opened(platform, browser, "jane", DESK, "en-GB")
    await page.goto(platform.origin + "/customers")
    await page.get_by_role("link", name="中文").click()
    await page.get_by_role("link", name="审批").click()
    assert await page.locator("h1").inner_text() == "审批"
    await page.get_by_role("link", name="English").click()
    assert await page.locator("h1").inner_text() == "Approvals"


async def test_the_mail_catcher(platform: Platform, browser: Browser, tmp_path: Path) -> None:
    page = await open_page(browser, PHONE)
    await page.goto(platform.origin + "/mail")
    await shot(page, "mail", tmp_path)
