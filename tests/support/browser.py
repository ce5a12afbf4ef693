"""Debian's Chromium without script, and a picture of each page for whoever changes one: set KEPT_SHOTS to a directory."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

QUIET = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as play:
        made = await play.chromium.launch(executable_path="/usr/bin/chromium", headless=True, args=QUIET)
        yield made
        await made.close()


async def open_page(browser: Browser, size: dict[str, int], language: str = "en-GB") -> Page:
    context = await browser.new_context(
        viewport=size,  # type: ignore[arg-type]  # a plain dict of width and height
        locale=language,
        java_script_enabled=False,
        accept_downloads=True,
    )
    return await context.new_page()


async def shot(page: Page, name: str, tmp_path: Path) -> None:
    """A picture for people; and what no page may do on a phone: be wider than it."""
    directory = Path(os.environ.get("KEPT_SHOTS") or tmp_path)
    directory.mkdir(parents=True, exist_ok=True)
    picture = await page.screenshot(path=directory / f"{name}.png", full_page=True)
    width = int.from_bytes(picture[16:20], "big")  # of a PNG; a page that is wider than the screen makes a wider picture
    assert page.viewport_size is not None
    assert width == page.viewport_size["width"], f"{name} is {width} wide on a screen of {page.viewport_size['width']}"
