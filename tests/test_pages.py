"""The pages in a real headless Chromium: with data and empty, search, review, live, keyboard, print, hostile posts, axe."""

from __future__ import annotations

import re
from typing import Any

from monitor.api.parts import PARTS
from monitor.ids import claim_id_of, public_id
from monitor.store import Database, coverage, deliveries, endpoints, inbox, outbox, sources
from monitor.store.filters import Filters
from monitor.stream import Signal
from monitor.times import now_ms, rfc3339
from tests.api_server import Api, serving
from tests.browser import NARROW, ON_SQLITE, PATIENCE_MS, PHONE, WIDE, Window, window
from tests.samples import judged, occurrence, write, write_some

pytestmark = ON_SQLITE

APPROVED, SAFE = claim_id_of("approved"), claim_id_of("safe")
PAGES = (
    "/", "/claims", f"/claims/{APPROVED}", f"/claims/{APPROVED}/case", "/mentions", "/mentions/reddit:a", "/alerts", "/evidence",
    "/evidence/approved", "/evidence/news", "/sources", "/endpoints", "/you", "/nothing-here",
)  # fmt: skip
EMPTY = {
    "/": "Nothing new yet",
    "/claims": "No claim yet",
    "/claims?type=safety": "No claim is like that",
    "/mentions": "Nothing was heard yet",
    "/mentions?text=absent": "No mention is like that",
    "/alerts": "Nothing is open",
    "/alerts?state=done": "No alert is like that",
    "/evidence?text=absent": "No entry is like that",
    "/sources": "No source is configured",
    "/endpoints": "Nothing was to be delivered yet",
    "/claims/c_none": "there is no claim with this id",
    "/mentions?since=yesterday": "is neither a duration",
}
HOSTILE = (
    '"><script>window.ran = 1</script><img src=x onerror="window.ran = 2"><svg onload="window.ran = 3"></svg> '
    "<style>*{display:none}</style></p></main> {{ 7*7 }} \u202etxet desrever\u202c \u2067 \u0645\u0631\u062d\u0628\u0627 "
    "\u05e9\u05dc\u05d5\u05dd " + "w" * 400 + " javascript:window.ran=4 &amp; &lt;b&gt;"
)
HOSTILE_ID = claim_id_of("hostile")
TURNING = set("\u202e\u202c\u2067\u2069\u200f")


async def write_all(api: Api) -> None:
    """Something for every page."""
    await write_some(api.database)
    async with api.database.write() as connection:
        await sources.declare(connection, {"skincare": "reddit", "tag": "api"})
        await coverage.note_gap(connection, "tag", now_ms() - 120_000, now_ms() - 60_000, "away for a minute")
        await sources.failed(connection, "tag", "the platform answers 503", "failing")
        await deliveries.raise_test(connection, api.app[PARTS].settings.endpoint[0])


async def test_every_page_shows_its_data_asks_nobody_else_and_keeps_nobody_out(api: Api, browser: Any) -> None:
    await write_all(api)
    for size, scheme in ((WIDE, "light"), (WIDE, "dark"), (PHONE, "light"), (PHONE, "dark"), (NARROW, "dark")):
        async with window(browser, api.url, size, scheme) as shown:
            for path in PAGES:
                await shown.go(path)
                where = f"{path} at {size[0]} {scheme}"
                assert await shown.page.locator("h1").count() == 1, where
                assert await shown.overflow() == 0, where
                if (size, scheme) in ((WIDE, "light"), (NARROW, "dark")):  # each colour and each layout once: it takes a second
                    assert await shown.barriers() == [], where
            expected = [one for one in shown.errors if "404" not in one]
            assert expected == []
            assert [one for one in shown.asked if not one.startswith(api.url)] == []


async def test_every_page_says_what_to_do_where_there_is_nothing(api: Api, browser: Any) -> None:
    async with window(browser, api.url) as shown:
        for path, said in EMPTY.items():
            await shown.go(path)
            assert said in await shown.page.locator("main").inner_text(), path
            assert await shown.page.get_by_text("Today").first.is_visible(), path
            assert await shown.barriers() == [], path


async def test_a_hostile_post_stays_text_and_the_layout_holds(api: Api, browser: Any) -> None:
    claim = occurrence(HOSTILE, HOSTILE[:300], "hostile", claim=f"A claim {HOSTILE[:280]}", why=HOSTILE)
    address = "javascript:window.ran=5//example.org"
    await write(api.database, judged("a", HOSTILE * 3, claim, url=address, author=HOSTILE[:100]))
    async with api.database.write() as connection:
        await sources.declare(connection, {"bad": "feed"})
        await sources.failed(connection, "bad", HOSTILE, "failing")
        (task,) = (await inbox.page(connection, Filters())).items
        assert task.state == "open"
        draft = outbox.AlertDraft(kind="test", dedupe_key="test", summary=HOSTILE, recipients=(outbox.Recipient("case-system"),))
        await outbox.raise_alerts(connection, [(draft, None, None)], now_ms())
    async with api.database.write() as connection:  # what the receiver answered stands in the log too
        (due,) = await deliveries.lease_due(connection, "case-system", now_ms() + 1000, 1, 1000)
        tried = deliveries.Tried(at_ms=now_ms(), ms=1, status=500, error=HOSTILE, answer=HOSTILE)
        await deliveries.settle(connection, due, tried, "dead", 0)
        await endpoints.failed(connection, "case-system", HOSTILE, now_ms())
    paths = (
        "/",
        "/claims",
        f"/claims/{HOSTILE_ID}",
        f"/claims/{HOSTILE_ID}/case",
        "/mentions",
        "/mentions/reddit:a",
        "/alerts",
        "/sources",
        "/endpoints",
    )
    for size in (WIDE, NARROW):
        async with window(browser, api.url, size) as shown:
            for path in paths:
                await shown.go(path)
                where = f"{path} at {size[0]}"
                assert await shown.page.evaluate("window.ran") is None, where
                assert await shown.overflow() == 0, where
                assert await shown.page.locator("main").is_visible(), where
                for summary in await shown.page.locator("main summary:visible").all():
                    await summary.click()
                text = await shown.page.locator("main").inner_text()
                assert "<script>window.ran = 1</script>" in text, where
                assert not set(text) & TURNING, where
                assert await shown.page.locator("main img, main style, main script, main [onload]").count() == 0, where
                assert await shown.page.locator("a[href^='javascript']").count() == 0, where
            assert shown.errors == []
            assert shown.dialogs == []


async def test_search_follows_what_is_typed_and_marks_the_quotes(api: Api, browser: Any) -> None:
    await write_some(api.database)
    async with window(browser, api.url) as shown:
        await shown.go("/mentions")
        assert await shown.page.locator("#results .list > li").count() == 4
        await shown.page.get_by_label("Words in the text").press_sequentially("appro")
        await shown.until("document.querySelectorAll('#results .list > li').length === 2")
        assert await shown.page.locator("mark.contradicted").all_inner_texts() == ["approved by the FDA", "FDA approved"]
        await shown.until("location.search === '?text=appro*'")
        await shown.page.locator("summary", has_text="Platform").click()
        await shown.page.get_by_label("tiktok").check()
        await shown.until("document.querySelectorAll('#results .list > li').length === 1")
        assert await shown.page.get_by_label("Words in the text").input_value() == "appro"
        await shown.page.reload()
        assert await shown.page.locator("#results .list > li").count() == 1
        link = shown.page.locator("#results a[target=_blank]").first
        assert await link.get_attribute("rel") == "noopener noreferrer nofollow"
        await shown.page.get_by_label("Words in the text").fill('"')
        await shown.page.get_by_label("Words in the text").press("Enter")
        await shown.page.get_by_text("a search needs a word").wait_for()


async def test_pages_work_without_any_script(api: Api, browser: Any) -> None:
    await write_some(api.database)
    async with window(browser, api.url, java_script_enabled=False) as shown:
        await shown.go("/mentions")
        await shown.page.get_by_label("Words in the text").fill("approved")
        await shown.page.get_by_role("button", name="Show").click()
        assert await shown.page.locator("#results .list > li").count() == 2
        await shown.go(f"/claims/{SAFE}")
        await shown.page.get_by_role("button", name="Confirm").click()
        await shown.page.get_by_text("Confirmed.").wait_for()


async def review(shown: Window, button: str, said: str) -> None:
    await shown.page.get_by_role("button", name=button, exact=True).click()
    await shown.page.get_by_role("status").get_by_text(said).wait_for()


async def test_every_review_can_be_made_on_the_page_of_a_claim(api: Api, browser: Any) -> None:
    await write_some(api.database)
    async with window(browser, api.url) as shown:
        await shown.go(f"/claims/{APPROVED}")
        await shown.page.get_by_label("Your name").fill("Ann")
        await shown.page.get_by_label("Note", exact=True).fill("seen <b>it</b>")
        await review(shown, "Confirm", "Confirmed.")
        history = await shown.page.locator("#history").inner_text()
        assert "confirm by Ann: seen <b>it</b>" in history
        assert await shown.page.get_by_label("Your name").input_value() == "Ann"
        await shown.page.get_by_label("Note", exact=True).fill("asked them")
        await review(shown, "Note only", "Noted.")
        await review(shown, "Mute", "Muted;")
        assert "muted" in await shown.page.locator(".tags").inner_text()
        await review(shown, "Unmute", "No longer muted.")
        await review(shown, "Dismiss", "Dismissed;")
        await review(shown, "Reopen", "Open again.")
        await shown.page.get_by_text("It is another claim, or two").click()
        await shown.page.locator("#said input[type=checkbox]").first.check()
        await shown.page.get_by_label("Split the ticked").fill("A needle is approved.")
        await review(shown, "Split", "Split off as this claim.")
        assert await shown.page.locator("h1").inner_text() == "A needle is approved."
        await shown.page.get_by_text("It is another claim, or two").click()
        await shown.page.get_by_label("Merge it into").fill("c_none")
        await shown.page.get_by_role("button", name="Merge", exact=True).click()
        await shown.page.get_by_role("alert").wait_for()
        assert await shown.page.get_by_label("Merge it into").input_value() == "c_none"
        await shown.page.get_by_label("Merge it into").fill(APPROVED)
        await review(shown, "Merge", "Merged into this claim.")
        assert await shown.page.locator("h1").inner_text() == "The claim approved."
        assert "asked them" in await shown.page.locator("#history").inner_text()


async def test_an_alert_is_assigned_and_done(api: Api, browser: Any) -> None:
    await write_some(api.database)
    async with window(browser, api.url) as shown:
        await shown.go("/alerts")
        assert await shown.page.locator(".inbox > li").count() == 2
        await shown.page.get_by_role("button", name="Take").first.click()
        await shown.page.get_by_label("Your name").fill("Ann")
        await shown.page.get_by_role("button", name="Keep").click()
        await shown.page.get_by_role("button", name="Take").first.click()
        await shown.page.get_by_text("with Ann").wait_for()
        await shown.page.locator(".inbox summary").nth(1).click()
        await shown.page.get_by_label("To", exact=True).locator("visible=true").fill("Ben")
        await shown.page.get_by_role("button", name="Assign", exact=True).click()
        await shown.page.get_by_text("with Ben").wait_for()
        await shown.page.get_by_role("button", name="Done").first.click()
        await shown.page.get_by_text("1 open alert").wait_for()
        await shown.page.get_by_role("button", name="Dismiss claim").click()
        await shown.page.get_by_text("Nothing is open").wait_for()
        await shown.go("/alerts?state=done&assignee=Ann")
        assert "done by Ann" in await shown.page.locator(".inbox").inner_text()
    async with api.database.read() as connection:
        tasks = {one.claim_id: one for one in (await inbox.page(connection, Filters())).items}
    assert [(one.action, one.reviewer, one.assignee) for one in tasks[APPROVED].handled][:1] == [("assign", "Ann", "Ben")]
    assert {one.state for one in tasks.values()} == {"done"}


async def test_new_things_appear_without_a_reload_and_leave_the_reader_alone(api: Api, browser: Any) -> None:
    async with window(browser, api.url) as shown:
        await shown.go("/")
        await shown.page.get_by_text("live", exact=True).wait_for()
        text = "they are 100% safe"
        recorded = await write(api.database, judged("c", text, occurrence(text, "100% safe", "safe"), hours_ago=0.01))
        await api.stream.signal(*(Signal(kind="alert", id=one) for one in recorded_ids(recorded)))
        await shown.page.get_by_role("link", name="The claim safe.").first.wait_for()
        await shown.go(f"/claims/{SAFE}")
        await shown.page.get_by_text("live", exact=True).wait_for()
        await shown.page.get_by_label("Note", exact=True).fill("half a sente")
        await shown.page.get_by_text("How it was read").first.click()
        assert (await api.post(f"/api/v1/claims/{SAFE}/review", json={"action": "confirm", "reviewer": "Zoe"}))[0] == 200
        await shown.page.get_by_text("confirm by Zoe").wait_for()
        assert await shown.page.get_by_label("Note", exact=True).input_value() == "half a sente"
        assert await shown.page.locator("#said details").first.get_attribute("open") is not None


def recorded_ids(recorded: Any) -> list[str]:
    return [public_id("a", one) for one in recorded.alerts]


async def test_the_keyboard_alone_will_do(api: Api, browser: Any) -> None:
    await write_some(api.database)
    async with window(browser, api.url) as shown:
        await shown.go("/claims")
        await shown.page.keyboard.press("Tab")
        skip = shown.page.locator(".skip")
        assert await skip.evaluate("one => one === document.activeElement")
        assert (await shown.box(skip))["x"] >= 0
        outline = await skip.evaluate("one => getComputedStyle(one).outlineStyle + getComputedStyle(one).outlineWidth")
        assert outline == "solid2px"
        await shown.page.keyboard.press("Enter")
        assert await shown.page.evaluate("document.activeElement.id") == "main"
        await shown.page.keyboard.press("Tab")
        assert await shown.page.evaluate("document.activeElement.name") == "text"
        await shown.page.keyboard.press("Tab")
        await shown.page.keyboard.press("Enter")
        await shown.page.keyboard.press("Tab")
        assert await shown.page.evaluate("document.activeElement.name") == "type"
        await shown.page.keyboard.press("Escape")
        assert await shown.page.locator("details[open]").count() == 0
        for _ in range(40):
            await shown.page.keyboard.press("Tab")
            if await shown.page.evaluate("document.activeElement.textContent") == "The claim safe.":
                break
        await shown.page.keyboard.press("Enter")
        await shown.page.wait_for_url(re.compile(SAFE))
        for _ in range(80):
            await shown.page.keyboard.press("Tab")
            if await shown.page.evaluate("document.activeElement.textContent") == "Confirm":
                break
        outline = await shown.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid", "who comes by Tab sees where they are"
        await shown.page.keyboard.press("Enter")
        await shown.page.get_by_text("Confirmed.").wait_for()


async def test_the_case_file_prints_what_was_captured_and_forgets_what_was_deleted(api: Api, browser: Any) -> None:
    await write_some(api.database)
    async with window(browser, api.url) as shown:
        await shown.go(f"/claims/{APPROVED}/case")
        await shown.page.emulate_media(media="print")
        text = await shown.page.locator("main").inner_text()
        for wanted in (
            "The claim approved.",
            "approved by the FDA",
            "FDA approved",
            "SHA-256",
            "still gives it",
            "A public notice",
            "https://example.org/notice",
            "https://example.org/a",
            "Posts that carry it",
            "UTC",
        ):
            assert wanted in text
        assert not await shown.page.locator("header").is_visible()
        assert not await shown.page.get_by_role("button").count() or not await shown.page.get_by_role("button").first.is_visible()
        assert len(await shown.page.pdf(format="A4")) > 5_000
        async with api.database.write() as connection:
            await connection.exec_driver_sql(
                "DELETE FROM mention_text WHERE mention_id = (SELECT id FROM mention WHERE platform_id = 'a')"
            )
            await connection.exec_driver_sql("UPDATE mention SET state = 'deleted' WHERE platform_id = 'a'")
        await shown.page.reload()
        text = await shown.page.locator("main").inner_text()
        assert "1 place is left out: the post was deleted" in text
        assert "https://example.org/a" not in text
        assert "FDA approved" not in text.replace("approved by the FDA", "")


async def test_times_are_in_the_readers_zone(api: Api, browser: Any) -> None:
    await write_some(api.database)
    async with window(browser, api.url, timezone_id="Pacific/Kiritimati") as shown:
        await shown.go("/mentions/reddit:a")
        time = shown.page.locator("main time").first
        assert "UTC" in str(await time.get_attribute("title"))
        there = await time.evaluate(
            "one => new Intl.DateTimeFormat(undefined, {dateStyle: 'medium', timeStyle: 'short', timeZone: 'Pacific/Kiritimati'})"
            ".format(new Date(one.dateTime))"
        )
        assert await time.inner_text() == there


async def test_a_dead_delivery_is_sent_again_and_an_endpoint_tested(api: Api, browser: Any) -> None:
    await write_all(api)
    async with api.database.write() as connection:
        await deliveries.bury(connection, "case-system")
    async with window(browser, api.url) as shown:
        await shown.go("/endpoints?state=dead")
        assert await shown.page.locator("#results .list > li").count() == 1
        await shown.page.get_by_role("button", name=re.compile("Send d_.* again")).click()
        await shown.page.get_by_text("No delivery is like that.").wait_for(timeout=PATIENCE_MS)
        await shown.go("/endpoints")
        await shown.page.get_by_role("button", name="Send a test to case-system").click()
        await shown.page.get_by_role("status").get_by_text("A signed test").wait_for()
        assert await shown.page.locator("#results .list > li").count() == 2
        assert await shown.page.locator("#endpoints td.at").inner_text() == "nothing yet"
        async with api.database.write() as connection:
            await endpoints.succeeded(connection, "case-system", at := now_ms())
        await shown.go("/endpoints")
        assert await shown.page.locator("#endpoints td.at time").get_attribute("datetime") == rfc3339(at)


async def test_logging_in_and_out(database: Database, redis_url: str, browser: Any) -> None:
    async with serving(database, redis_url, token="a-long-and-secret-token") as api, window(browser, api.url) as shown:
        await shown.go("/claims?type=safety")
        assert await shown.barriers() == []
        await shown.page.get_by_label("Token").fill("a-long-and-secret-token")
        await shown.page.get_by_role("button", name="Log in").click()
        await shown.page.get_by_role("heading", name="No claim is like that").wait_for()
        await shown.page.get_by_role("button", name="Log out").click()
        await shown.page.get_by_label("Token").wait_for()
