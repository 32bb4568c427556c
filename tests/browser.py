"""A real headless Chromium for tests, and what they ask of every page in it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

WIDE, PHONE, NARROW = (1280, 900), (390, 844), (360, 740)
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# For files of tests of pages. SQLite alone: what differs between databases is tested below the pages. The machine may be busy: a
# browser and a database want their time.
ON_SQLITE = [pytest.mark.parametrize("store_url", ["sqlite"], indirect=True), pytest.mark.timeout(600)]
PATIENCE_MS = 60_000  # the machine may be busy; nothing waits so long when all is well


def chromium() -> str | None:
    """Where the system's Chromium is."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@asynccontextmanager
async def opened_browser() -> AsyncIterator[Any]:
    """Chromium, until the end of the block; skips where there is none."""
    path = chromium()
    if path is None:
        pytest.skip("no Chromium is installed: pages are looked at in a real one")
    async_api = pytest.importorskip("playwright.async_api", reason="playwright drives the browser: make test installs it")
    async with async_api.async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"], timeout=PATIENCE_MS)
        try:
            yield browser
        finally:
            await browser.close()


class Window:
    """A page in the browser, what it logged, and every address that it asked for."""

    def __init__(self, page: Any, base: str) -> None:
        self.page = page
        self.base = base
        self.errors: list[str] = []
        self.asked: list[str] = []
        self.dialogs: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("dialog", self._dismiss)

    async def _dismiss(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        await dialog.dismiss()

    async def go(self, path: str) -> None:
        """Opens a page of ours."""
        await self.page.goto(self.base + path, wait_until="load")

    async def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        width: int = await self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return width

    async def until(self, condition: str) -> None:
        """Waits until a condition in the page holds."""
        # Asked again and again from outside: what waits inside of the page is forbidden there by its policy.
        async with asyncio.timeout(PATIENCE_MS / 1000):
            while not await self.page.evaluate(condition):
                await asyncio.sleep(0.02)

    async def box(self, part: Any) -> dict[str, float]:
        """Where a part of the page stands; asked again where the page exchanged it just then."""
        async with asyncio.timeout(PATIENCE_MS / 1000):
            while (box := await part.bounding_box()) is None:
                await asyncio.sleep(0.02)
        found: dict[str, float] = box
        return found

    async def barriers(self) -> list[str]:
        """What axe finds serious or critical, one line each."""
        from axe_playwright_python.async_playwright import Axe  # noqa: PLC0415 - carried for tests alone

        found = await Axe().run(self.page)
        return [
            f"{one['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:300]}"
            for one in found.response["violations"]
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]


@asynccontextmanager
async def window(
    browser: Any, base: str, size: tuple[int, int] = WIDE, scheme: str = "light", **more: Any
) -> AsyncIterator[Window]:
    """A window of its own, with no cookies, of this size and colour scheme."""
    context = await browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, locale="en-GB", **more
    )
    context.set_default_timeout(PATIENCE_MS)
    try:
        yield Window(await context.new_page(), base)
    finally:
        await context.close()
