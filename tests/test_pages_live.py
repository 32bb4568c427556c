"""Open pages in a real Chromium follow what happens elsewhere: lost connections, hidden windows, other people and processes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from monitor.api import live
from monitor.api.live import CLIENTS
from monitor.api.parts import PARTS
from monitor.ids import claim_id_of, public_id
from monitor.store import deliveries, sources
from monitor.stream import Signal
from tests.api_server import Api
from tests.browser import ON_SQLITE, PATIENCE_MS, Window, window
from tests.samples import judged, occurrence, write, write_some
from tests.test_cli_query import exowatch
from workers.deliver.sender import Sender

pytestmark = ON_SQLITE

APPROVED = claim_id_of("approved")
HIDE = "Object.defineProperty(document, 'hidden', {value: %s, configurable: true});"
CHANGED = "document.dispatchEvent(new Event('visibilitychange'))"


async def hear(api: Api, key: str, n: int = 0, name: str = "") -> None:
    """A post with a claim of its own is stored, and open pages are told, as a worker does it."""
    text = f"number {key} cures all"
    stored = await write(api.database, judged(key, text, occurrence(text, "cures all", name or key), hours_ago=0.001, n=n))
    signals = [Signal("alert", public_id("a", number)) for number in stored.alerts]
    await api.stream.signal(*signals, *(Signal("mention", public_id("m", one)) for one in (*stored.stored, *stored.edited)))


async def follow(shown: Window, path: str) -> None:
    """Opens a page and waits until it hears of what is new."""
    await shown.go(path)
    await shown.page.get_by_text("live", exact=True).wait_for()


async def asked_anew(shown: Window) -> None:
    """Waits until a page knows the head of the list of which it will count what is new."""
    async with asyncio.timeout(PATIENCE_MS / 1000):
        while not await shown.page.evaluate("before !== null"):
            await asyncio.sleep(0.02)


async def hide(page: Any, *, hidden: bool) -> None:
    """What a browser tells a page whose tab is put behind another, or comes to the front."""
    await page.evaluate(HIDE % str(hidden).lower() + CHANGED)


async def listeners(api: Api, count: int) -> None:
    async with asyncio.timeout(PATIENCE_MS / 1000):
        while len(api.app[CLIENTS]) != count:
            await asyncio.sleep(0.02)


async def test_a_connection_that_was_refused_is_made_again(api: Api, browser: Any) -> None:
    async with window(browser, api.url) as shown:
        refused: list[str] = []

        async def refuse(route: Any) -> None:
            refused.append(route.request.url)
            if len(refused) > 1:
                await route.continue_()
            else:
                await route.fulfill(status=503, content_type="application/problem+json", body="{}")

        await shown.page.route("**/live?*", refuse)
        await shown.go("/")
        await shown.page.get_by_text("reconnecting", exact=True).wait_for()
        await shown.page.get_by_text("live", exact=True).wait_for()
        assert len(refused) == 2
        await hear(api, "one")
        await shown.page.get_by_role("link", name="The claim one.").first.wait_for()


async def test_hidden_tabs_leave_the_connections_to_those_that_are_seen_and_catch_up_later(
    api: Api, browser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_S", 0.2)  # at which the server sees that somebody has left
    async with window(browser, api.url) as first:
        await follow(first, "/")
        await hide(first.page, hidden=True)
        others = [await first.page.context.new_page() for _ in range(6)]
        for page in others:  # over HTTP/1.1 the browser has six connections for all of them
            await page.goto(f"{api.url}/", wait_until="load")
            await page.get_by_text("live", exact=True).wait_for()
            await listeners(api, 1)
            await hide(page, hidden=True)
        await listeners(api, 0)
        asked = len(first.asked)
        await hear(api, "one")
        await hide(others[-1], hidden=False)
        await others[-1].get_by_role("link", name="The claim one.").first.wait_for()
        assert len(first.asked) == asked
        assert await first.page.get_by_text("The claim one.").count() == 0
        await hide(first.page, hidden=False)
        await first.page.get_by_role("link", name="The claim one.").first.wait_for()
        await listeners(api, 2)


async def test_many_events_make_few_looks_and_the_last_one_is_not_missed(api: Api, browser: Any) -> None:
    async with window(browser, api.url) as shown:
        await follow(shown, "/mentions")
        before = len(shown.asked)
        started = asyncio.get_running_loop().time()
        for n in range(60):
            await hear(api, f"post{n}", n, "same")
            await asyncio.sleep(0.02)  # as they come in, not as a condition
        await shown.page.get_by_text("number post59 cures all").wait_for()
        took = asyncio.get_running_loop().time() - started
        assert len(shown.asked) - before <= 4 * (took + 1)


async def test_what_a_colleague_does_with_an_alert_shows_in_an_open_inbox(api: Api, browser: Any) -> None:
    async with api.database.write() as connection:
        await deliveries.raise_test(connection, api.app[PARTS].settings.endpoint[0])
    async with window(browser, api.url) as mine, window(browser, api.url) as theirs:
        await follow(mine, "/alerts")
        await follow(theirs, "/alerts")
        await theirs.page.locator(".inbox summary").click()
        await theirs.page.get_by_label("To", exact=True).fill("Ben")
        await theirs.page.get_by_role("button", name="Assign", exact=True).click()
        await mine.page.get_by_text("with Ben").wait_for()
        await theirs.page.get_by_role("button", name="Done").click()
        await mine.page.get_by_text("Nothing is open").wait_for()
        assert await mine.page.locator("#count").inner_text() == "0 open alerts, newest first."


async def test_changes_are_only_told_to_who_asks_for_them(api: Api) -> None:
    await write_some(api.database)
    _, alerts = await api.get("/api/v1/alerts")
    alert = alerts["items"][0]["id"]
    async with (
        api.client.get(api.url + "/live?event=change&claim=c_other") as changes,
        api.client.get(api.url + "/live") as usual,
    ):
        await api.stream.signal(Signal("handled", alert), Signal("delivery", "case-system"), Signal("alert", alert))
        found = [await line_of(changes, b"data:"), await line_of(changes, b"data:")]
        assert found == [f'data: {{"of":"alert","id":"{alert}"}}', 'data: {"of":"endpoint","id":"case-system"}']
        assert await line_of(usual, b"event:") == "event: alert"


async def line_of(answer: Any, start: bytes) -> str:
    async with asyncio.timeout(60):
        async for line in answer.content:
            if line.startswith(start):
                return str(line.decode().rstrip("\n"))
    raise AssertionError("the live events ended")


async def test_an_attempt_at_a_delivery_shows_on_an_open_page(api: Api, browser: Any) -> None:
    configured = api.app[PARTS].settings.endpoint
    stop = asyncio.Event()
    async with window(browser, api.url) as shown:
        await follow(shown, "/endpoints")
        sender = Sender(api.database, configured, stream=api.stream)
        sending = asyncio.create_task(sender.run(stop))
        try:
            await shown.page.get_by_role("button", name="Send a test to case-system").click()
            await shown.page.get_by_text("1 attempt").wait_for()  # nobody is there, and that is said without a reload
            await shown.page.get_by_text("failing", exact=True).wait_for()
        finally:
            stop.set()
            await sending


async def test_a_review_by_command_line_shows_on_an_open_page(api: Api, browser: Any, tmp_path: Path, redis_url: str) -> None:
    await write_some(api.database)
    config = tmp_path / "monitor.toml"
    config.write_text(
        f'data_dir = "{tmp_path}/var"\n[store]\nurl = "sqlite:///{tmp_path}/store.sqlite"\n[redis]\nurl = "{redis_url}"\n'
    )
    async with window(browser, api.url) as shown:
        await follow(shown, f"/claims/{APPROVED}")
        done = await asyncio.to_thread(
            exowatch, "claim", APPROVED, "confirm", "--reviewer", "Zoe", "--note", "seen", "--config", config
        )
        assert done.returncode == 0, done.stderr
        await shown.page.get_by_text("confirm by Zoe: seen").wait_for()


async def test_a_source_that_fails_without_an_event_is_seen_within_half_a_minute(api: Api, browser: Any) -> None:
    async with api.database.write() as connection:
        await sources.declare(connection, {"tag": "feed"})
    for path in ("/", "/sources", "/endpoints"):
        async with window(browser, api.url) as shown:
            await shown.page.clock.install()
            await follow(shown, path)
            await shown.until("free > 0 && !looking && !planned")  # a look that is under way would seem to take half a minute
            asked = len(shown.asked)
            await shown.page.clock.fast_forward(31_000)
            async with asyncio.timeout(PATIENCE_MS / 1000):
                while len(shown.asked) == asked:
                    await asyncio.sleep(0.02)
            if path == "/sources":
                async with api.database.write() as connection:
                    await sources.failed(connection, "tag", "the platform answers 503", "failing")
                await shown.page.clock.fast_forward(31_000)
                await shown.page.get_by_text("the platform answers 503").wait_for()
            await hide(shown.page, hidden=True)
            asked = len(shown.asked)
            await shown.page.clock.fast_forward(120_000)
            assert len(shown.asked) == asked


async def test_the_page_of_a_mention_follows_its_edits_and_says_how_many_came_since(api: Api, browser: Any) -> None:
    await hear(api, "one")
    async with window(browser, api.url) as shown:
        await follow(shown, "/mentions/reddit:one")
        await asked_anew(shown)
        await hear(api, "two", 1)
        await hear(api, "three", 2)
        await shown.page.get_by_role("status").get_by_role("link", name="2 new mentions").wait_for()
        text = "what I said of exosomes is not true"
        again = await write(api.database, judged("one", text, hours_ago=0))
        assert len(again.edited) == 1
        await api.stream.signal(*(Signal("mention", public_id("m", one)) for one in again.edited))
        await shown.page.get_by_text(text).wait_for()
        await shown.page.locator("#said").get_by_text("No claim was found in it.").wait_for()
        assert await shown.barriers() == []
        await shown.page.get_by_role("link", name="2 new mentions").click()
        await shown.page.get_by_text("number three cures all").wait_for()


LISTS = {"/mentions?text=cures&limit=2": "mention", "/alerts?limit=2": "alert", "/claims?limit=2": "claim"}


async def test_earlier_parts_of_a_search_stay_and_say_how_many_are_new(api: Api, browser: Any) -> None:
    for n in range(4):
        await hear(api, f"post{n}", n)
    async with window(browser, api.url) as shown:
        for path, kind in LISTS.items():
            await shown.go(path)
            await shown.page.get_by_role("link", name="Earlier ones").click()
            await shown.page.wait_for_url("**cursor=**")
            await shown.page.get_by_text("live", exact=True).wait_for()
            before = await shown.page.locator("#results").inner_text()
            await asked_anew(shown)
            await hear(api, f"later {path}")
            await shown.page.get_by_role("link", name=f"1 new {kind}", exact=True).wait_for()
            assert await shown.page.locator("#results").inner_text() == before
            assert await shown.barriers() == []
            await shown.page.get_by_role("link", name=f"1 new {kind}", exact=True).click()
            await shown.page.get_by_text("later /").first.wait_for()


async def test_what_is_being_read_stays_where_it_is(api: Api, browser: Any) -> None:
    for n in range(20):
        await hear(api, f"post{n}", n)
    async with window(browser, api.url) as shown:
        await follow(shown, "/mentions")
        read = shown.page.get_by_text("number post5 cures all")
        await read.evaluate("one => one.scrollIntoView()")
        there = await shown.box(read)
        await hear(api, "new", 30)
        await shown.until("document.getElementById('results').textContent.includes('number new')")
        assert abs((await shown.box(read))["y"] - there["y"]) <= 1
