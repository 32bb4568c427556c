"""The pages in a real Chromium: coverage as a strip, merges taken back, doubtful joins, news, sending a time again, scopes."""

from __future__ import annotations

from typing import Any

from monitor.ids import claim_id_of
from monitor.notices import News
from monitor.settings import hash_of, new_token
from monitor.store import Database, coverage, deliveries, news, outbox, sources
from monitor.times import now_ms
from tests.api_server import Api, serving
from tests.browser import NARROW, ON_SQLITE, WIDE, window
from tests.samples import HOUR_MS, write, write_some
from tests.test_doubtful import likely
from tests.test_reviews import APPROVED, CLEARED, approved, cleared

pytestmark = ON_SQLITE


async def test_sources_show_what_was_covered_where_gaps_are_and_that_posts_came_late(api: Api, browser: Any) -> None:
    now = now_ms()
    async with api.database.write() as connection:
        await sources.declare(connection, {"tag": "bluesky", "box": "folder"})
        await coverage.extend(connection, "tag", now - 96 * HOUR_MS, now)
        await coverage.note_gap(connection, "tag", now - 20 * HOUR_MS, now - 18 * HOUR_MS, "the <i>stream</i> was away")
        await connection.exec_driver_sql(f"UPDATE source SET late = 1204, late_ms = {now - 5 * HOUR_MS} WHERE name = 'tag'")
    for size in (WIDE, NARROW):
        async with window(browser, api.url, size) as shown:
            await shown.go("/sources")
            strip = shown.page.get_by_role("img", name="tag, the last 7 days: 97.9% covered, 1 gap, 1,204 late")
            whole = await shown.box(strip)
            gap = await shown.box(strip.locator(".gap"))
            assert whole["width"] > 100
            assert whole["height"] > 10
            assert 0.86 < (gap["x"] - whole["x"]) / whole["width"] < 0.9  # twenty of the last 168 hours ago
            colours = [
                await strip.locator(what).first.evaluate("one => getComputedStyle(one).fill") for what in (".gap", ".covered")
            ]
            assert len(set(colours)) == 2
            assert await strip.locator(".late").count() == 1
            assert await shown.page.get_by_role("img", name="box, the last 7 days: nothing known yet").count() == 1
            await shown.page.get_by_text("1 possible gap").click()
            assert "the <i>stream</i> was away" in await shown.page.locator("details .log").inner_text()
            assert await shown.overflow() == 0
            assert await shown.barriers() == []
            assert shown.errors == []


async def test_a_merge_is_warned_of_and_taken_back_on_the_page(api: Api, browser: Any) -> None:
    await write(api.database, approved("a"), cleared("b"))
    async with window(browser, api.url) as shown:
        await shown.go(f"/claims/{CLEARED}")
        await shown.page.get_by_text("It is another claim, or two").click()
        await shown.page.get_by_label("Merge it into").fill(APPROVED)
        await shown.page.get_by_role("button", name="Merge", exact=True).click()
        await shown.page.get_by_role("status").get_by_text("Merged into this claim.").wait_for()
        assert "register entry (cleared and approved)" in await shown.page.get_by_role("note").inner_text()
        await shown.page.get_by_text("1 claim was merged into it").click()
        await shown.page.get_by_role("button", name=f"Unmerge {CLEARED}").click()
        await shown.page.get_by_role("status").get_by_text("A claim of its own again.").wait_for()
        assert CLEARED in shown.page.url
        assert await shown.page.get_by_text("merged into it").count() == 0
        assert await shown.barriers() == []
    for claim_id in (APPROVED, CLEARED):
        _, claim = await api.get(f"/api/v1/claims/{claim_id}")
        assert (claim["id"], claim["mentions"]) == (claim_id, 1)


async def test_doubtful_joins_are_found_and_confirmed_one_by_one(api: Api, browser: Any) -> None:
    await write(api.database, approved("a"), likely(approved("b", author="other")), likely(approved("c", author="third")))
    async with window(browser, api.url) as shown:
        await shown.go("/claims")
        await shown.page.locator("summary", has_text="Joins").click()
        await shown.page.get_by_label("to be confirmed").check()
        await shown.until("location.search === '?doubtful=true'")
        await shown.go(f"/claims/{APPROVED}")
        await shown.page.get_by_text("It is another claim, or two").click()
        await shown.page.get_by_role("button", name="Confirm the ticked").click()
        assert "tick the occurrences first" in await shown.page.get_by_role("alert").inner_text()
        first = shown.page.locator("#said li", has_text="maybe another claim").first
        await first.get_by_role("checkbox").check()
        await shown.page.get_by_role("button", name="Confirm the ticked").click()
        await shown.page.get_by_role("status").get_by_text("Confirmed.").wait_for()
        assert await shown.page.locator(".tags b").first.inner_text() == "open"  # the claim stays as it is
        await shown.page.get_by_role("link", name="1 occurrence to be confirmed").click()
        await shown.page.wait_for_url("**/mentions?**")
        assert await shown.page.locator("#results .list > li").count() == 1


async def test_news_for_the_register_stand_beside_it_as_text(api: Api, browser: Any) -> None:
    async with window(browser, api.url) as shown:
        await shown.go("/evidence/news")
        assert await shown.page.get_by_role("heading", name="No news yet").count() == 1
        items = [
            News(register="pubmed", id=str(n), kind="paper", title=f"Paper {n} <b>bold</b>", url=f"https://example.org/{n}")
            for n in range(6)
        ]
        items.append(News(register="letters", id="x", kind="warning_letter", title="A letter", url="javascript:alert(1)"))
        async with api.database.write() as connection:
            await sources.declare(connection, {"papers": "feed"})
            await news.add(connection, "papers", items, [])
        await shown.go("/evidence")
        assert await shown.page.locator("section:has(#news) li").count() == 5
        assert await shown.barriers() == []
        await shown.page.get_by_role("link", name="All news for the register").click()
        await shown.page.get_by_text("Paper 3 <b>bold</b>").wait_for()
        assert await shown.page.locator("#results .list > li").count() == 7
        assert await shown.page.locator("main a[href^=javascript]").count() == 0
        assert await shown.barriers() == []
        await shown.go("/evidence/news?colour=red")
        assert await shown.page.get_by_role("alert").count() == 1


async def test_all_dead_deliveries_of_a_time_are_sent_again(api: Api, browser: Any) -> None:
    await write_some(api.database)
    async with api.database.write() as connection:
        recipients = (outbox.Recipient("case-system"),)
        for n in range(3):
            draft = outbox.AlertDraft(kind="test", dedupe_key=f"test:{n}", summary=f"Test {n}", recipients=recipients)
            await outbox.raise_alerts(connection, [(draft, None, None)], now_ms())
    async with api.database.write() as connection:
        await deliveries.bury(connection, "case-system")
    async with window(browser, api.url) as shown:
        await shown.go("/endpoints")
        assert await shown.page.get_by_role("link", name="3", exact=True).count() == 1
        await shown.page.locator("summary", has_text="Send again").click()
        await shown.page.get_by_label("of the last").select_option("7d")
        assert await shown.overflow() == 0
        assert await shown.barriers() == []
        await shown.page.get_by_role("button", name="Send these to case-system again").click()
        await shown.page.get_by_role("status").get_by_text("3 deliveries are on the way again.").wait_for()
        await shown.page.locator("summary", has_text="Send again").click()
        await shown.page.get_by_role("button", name="Send these to case-system again").click()
        await shown.page.get_by_role("status").get_by_text("Nothing of that time").wait_for()


async def test_a_login_shows_what_its_token_may_and_reviews_carry_its_name(
    database: Database, redis_url: str, browser: Any
) -> None:
    await write_some(database)
    safe = claim_id_of("safe")
    tokens = {scope: new_token() for scope in ("read", "review")}
    entries = [{"name": f"desk-{scope}", "scopes": [scope], "hash": hash_of(token)} for scope, token in tokens.items()]
    async with serving(database, redis_url, tokens=entries) as api:
        for scope, token in tokens.items():
            async with window(browser, api.url) as shown:
                await shown.go(f"/claims/{safe}")
                await shown.page.get_by_label("Token").fill(token)
                await shown.page.get_by_role("button", name="Log in").click()
                await shown.page.get_by_role("heading", name="Review").wait_for()
                may = scope == "review"
                assert await shown.page.get_by_text("Your token may only read.").count() == (not may)
                assert await shown.page.get_by_role("button", name="Confirm", exact=True).count() == may
                if may:
                    await shown.page.get_by_role("button", name="Confirm", exact=True).click()
                    await shown.page.get_by_text("confirm by desk-review").wait_for()
                await shown.go("/alerts")
                assert (await shown.page.get_by_role("button", name="Done").count() > 0) == may
                await shown.go("/endpoints")
                assert await shown.page.get_by_role("button", name="Send a test").count() == 0
