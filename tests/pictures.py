"""`make pictures`: photographs the main pages with made-up data into docs/pictures, each below 300 kB.

    python -m tests.pictures [FOLDER] [--all]

`--all` takes every page, wide and on a phone, light and dark: to be looked at by whoever changes them.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sqlalchemy import text as sql

from monitor.settings import Settings
from monitor.store import Database
from monitor.times import now_ms
from tests import shipped
from tests.api_server import Api, serving
from tests.browser import PHONE, WIDE, opened_browser, window
from tests.made_up import fill, judged_posts
from tests.servers import BINARIES, RedisServer

ROOT = Path(__file__).resolve().parents[1]
MAX_BYTES = 300_000
# Name, address (a claim's id is put in), window, colours, how much of the page (None: all).
KEPT = (
    ("today", "/", WIDE, "light", 1000),
    ("today-phone-dark", "/", PHONE, "dark", 844),
    ("claim", "/claims/{claim}", WIDE, "light", 960),
    ("mentions", "/mentions?text=approv*", WIDE, "dark", 900),
    ("sources", "/sources", WIDE, "light", 640),
    ("alerts", "/alerts", WIDE, "light", 900),
    ("case", "/claims/{claim}/case", WIDE, "light", 1000),
)
PAGES = {
    "today": "/",
    "claims": "/claims",
    "claim": "/claims/{claim}",
    "case": "/claims/{claim}/case",
    "mentions": "/mentions",
    "mention": "/mentions/{mention}",
    "alerts": "/alerts",
    "evidence": "/evidence",
    "entry": "/evidence/fda-approved",
    "sources": "/sources",
    "endpoints": "/endpoints",
    "you": "/you",
    "error": "/nothing",
}
EVERY = tuple(
    (f"{name}-{size[0]}-{scheme}", path, size, scheme, None)
    for name, path in PAGES.items()
    for size in (WIDE, PHONE)
    for scheme in ("light", "dark")
)


async def main(folder: Path, pictures: tuple[Any, ...]) -> None:
    """Fills a database, serves it, photographs."""
    folder.mkdir(parents=True, exist_ok=True)
    topic = shipped.topic()
    server = RedisServer(BINARIES[0])
    with ExitStack() as stack:
        stack.callback(server.remove)
        made = stack.enter_context(tempfile.TemporaryDirectory(prefix="exowatch-pictures-"))
        server.start()
        database = Database(Settings(store={"url": f"sqlite:///{made}/store.sqlite"}).sqlalchemy_url)
        await database.migrate()
        await fill(database, judged_posts(topic, now_ms()))
        async with serving(database, server.url, register=topic.register) as api, opened_browser() as browser:
            for name, path, size, scheme, height in pictures:
                await _take(api, browser, folder / f"{name}.png", await _with_ids(database, path), size, scheme, height)
        await database.close()


async def _take(api: Api, browser: Any, file: Path, path: str, size: tuple[int, int], scheme: str, height: int | None) -> None:
    async with window(browser, api.url, (size[0], height or size[1]), scheme) as shown:
        await shown.go(path)
        await shown.page.wait_for_timeout(300)
        await shown.page.screenshot(path=str(file), full_page=height is None)
        if height is not None and file.stat().st_size > MAX_BYTES:
            raise SystemExit(f"{file.name} has more than {MAX_BYTES:,} bytes; show less of the page")
        print(file.name, file.stat().st_size, f"overflow {await shown.overflow()}", *shown.errors)


async def _with_ids(database: Database, path: str) -> str:
    async with database.read() as connection:
        most = "SELECT id FROM claim WHERE verdict <> 'supported' ORDER BY mentions DESC, id LIMIT 1"
        claim = (await connection.execute(sql(most))).scalar()
    return path.replace("{claim}", str(claim)).replace("{mention}", "tiktok:sample-001")


if __name__ == "__main__":
    given = [one for one in sys.argv[1:] if not one.startswith("--")]
    target = Path(given[0]) if given else ROOT / "docs" / "pictures"
    asyncio.run(main(target, EVERY if "--all" in sys.argv else KEPT))
