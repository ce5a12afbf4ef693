"""The audit trail in a real browser without script: ask, read, follow a link, take it along; on a phone and on a desk."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from services.audit.trail.pages import words
from tests.support.browser import DESK, PHONE, chromium, open_page, shot
from tests.support.platform import Platform
from tests.support.staff import signed_in, token

pytestmark = pytest.mark.platform
LANGUAGES = {"en": "en-GB", "zh": "zh-CN"}


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as made:
        yield made


async def opened(platform: Platform, browser: Browser, size: dict[str, int], language: str) -> Page:
    page = await open_page(browser, size, language)
    cookie = {"name": "kept_session", "value": token(platform, "andrew"), "url": platform.origin}
    await page.context.add_cookies([cookie])  # type: ignore[list-item]  # name, value and url are enough
    await page.goto(platform.origin + "/audit")
    return page


@pytest.mark.parametrize("size", ["phone", "desk"])
@pytest.mark.parametrize("lang", LANGUAGES)
async def test_a_search(platform: Platform, browser: Browser, tmp_path: Path, lang: str, size: str) -> None:
    with signed_in(platform, "jane") as jane:
        who = jane.get("/api/identity/me").json()["id"]
        jane.get("/api/customers", params={"limit": 3}).raise_for_status()
    said = words(lang)
    page = await opened(platform, browser, PHONE if size == "phone" else DESK, LANGUAGES[lang])
    await page.get_by_text(said.filter, exact=True).click()
    await page.get_by_label(said.actor).fill(who)
    await page.get_by_label(said.type).fill("kept.customers.*")
    await page.get_by_label(said.looks).check()
    await page.get_by_role("button", name=said.search).click()
    for _ in range(30):
        if await page.locator("tbody tr").count():
            break
        await page.reload()
    assert 1 <= await page.locator("tbody tr").count() <= 20
    await page.locator("tbody details summary").first.click()
    assert await page.locator("tbody dl").first.is_visible()
    await shot(page, f"audit-search-{lang}-{size}", tmp_path)
    async with page.expect_download() as coming:
        await page.get_by_role("link", name="OCSF").click()
    lines = Path(await (await coming.value).path()).read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["class_uid"] for line in lines} == {6005}
    await page.locator("tbody td a[href*='actor=']").first.click()
    assert await page.get_by_label(said.actor).input_value() == who


@pytest.mark.parametrize("lang", LANGUAGES)
async def test_what_is_not_understood_is_said_and_not_searched(
    platform: Platform, browser: Browser, tmp_path: Path, lang: str
) -> None:
    page = await opened(platform, browser, PHONE, LANGUAGES[lang])
    await page.goto(f"{platform.origin}/audit?subject=luis&lang={lang}")
    await page.get_by_text(words(lang).wrong).wait_for()
    assert await page.locator("tbody").count() == 0
    await shot(page, f"audit-wrong-{lang}", tmp_path)
