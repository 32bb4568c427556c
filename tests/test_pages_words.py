"""What pages say to whom: languages, days, how sure a reading is, what loads or fails; and that drawings can be told apart."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
from typing import Any

import msgspec
import pytest

from monitor.api.pages.past import DAYS, PAST
from monitor.ids import claim_id_of
from monitor.store import coverage, overview, sources
from monitor.times import now_ms
from tests.api_server import Api
from tests.browser import ON_SQLITE, PHONE, WIDE, window
from tests.samples import HOUR_MS, judged, occurrence, write, write_some

pytestmark = ON_SQLITE

APPROVED = claim_id_of("approved")
LEAST = 3.0  # WCAG 1.4.11, against what lies beside it


async def test_a_posts_words_say_their_language(api: Api, browser: Any) -> None:
    for n, (key, language) in enumerate((("ko", "ko"), ("none", None), ("bad", 'en" onclick="x'))):
        text = f"엑소좀은 FDA 승인 {key}"
        one = judged(key, text, occurrence(text, f"승인 {key}", "approved"), hours_ago=3 - n)
        await write(
            api.database, msgspec.structs.replace(one, judgement=msgspec.structs.replace(one.judgement, language=language))
        )
    async with window(browser, api.url) as shown:
        found = {
            "/": ("blockquote", ["ko"]),
            f"/claims/{APPROVED}": (".text", ["und", "und", "ko"]),
            f"/claims/{APPROVED}/case": (".text", ["ko", "und", "und"]),
            "/mentions": (".text", ["und", "und", "ko"]),
            "/mentions/reddit:ko": (".text", ["ko"]),
            "/alerts": (".text", ["ko"]),
        }
        for path, (where, languages) in found.items():
            await shown.go(path)
            there = [await one.get_attribute("lang") for one in await shown.page.locator(f"main {where}").all()]
            assert there == languages, path
            assert await shown.barriers() == [], path
        await shown.go(f"/claims/{APPROVED}")
        quotes = [await one.get_attribute("lang") for one in await shown.page.locator(".wordings q").all()]
        assert sorted(map(str, quotes)) == ["ko", "und", "und"]


async def colour(element: Any, what: str) -> tuple[float, ...]:
    said = await element.evaluate(f"one => getComputedStyle(one).{what}")
    return tuple(float(part) for part in re.findall(r"[\d.]+", said)[:3])


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    def light(rgb: tuple[float, ...]) -> float:
        parts = [part / 255 for part in rgb]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)


async def test_bars_and_strips_stand_out_from_their_ground_and_from_each_other(api: Api, browser: Any) -> None:
    now = now_ms()
    text = "FDA approved?"
    asking = judged("q", text, occurrence(text, "FDA approved", "approved", stance="asks"), hours_ago=2.5, author="z")
    await write_some(api.database)
    await write(api.database, asking)
    async with api.database.write() as connection:
        await sources.declare(connection, {"tag": "bluesky"})
        await coverage.extend(connection, "tag", now - 96 * HOUR_MS, now)
        await coverage.note_gap(connection, "tag", now - 20 * HOUR_MS, now - 18 * HOUR_MS, "the stream was away")
        await connection.exec_driver_sql(f"UPDATE source SET late = 4, late_ms = {now - 5 * HOUR_MS} WHERE name = 'tag'")
    for scheme in ("light", "dark"):
        async with window(browser, api.url, WIDE, scheme) as shown:
            await shown.go("/sources")
            page = shown.page
            ground = await colour(page.locator(".strip").first, "backgroundColor")
            covered, gap, late = [
                await colour(page.locator(f".strip .{what}").first, "fill") for what in ("covered", "gap", "late")
            ]
            pairs = [(covered, ground), (gap, ground), (late, ground), (gap, covered)]
            titles = await page.locator(".strip title").all_text_contents()
            assert all("UTC" in one for one in titles), "each stretch says when it was"
            assert any(one.startswith("4 came late, the last at ") for one in titles)
            await shown.go(f"/claims/{APPROVED}")
            ground = await colour(page.locator("body"), "backgroundColor")
            whole = await colour(page.locator(".timeline .bars rect:not(.part):not(.none)").first, "fill")
            part = await colour(page.locator(".timeline .bars rect.part").first, "fill")
            pairs += [(whole, ground), (part, ground), (part, whole)]
            assert [round(contrast(*pair), 2) for pair in pairs if contrast(*pair) < LEAST] == [], scheme
            assert "days of UTC" in str(await page.locator(".timeline svg").get_attribute("aria-label"))
            assert all("UTC" in one for one in await page.locator(".timeline title").all_text_contents())


async def test_how_sure_a_reading_is_stands_wherever_it_counts(api: Api, browser: Any) -> None:
    await write_some(api.database)
    async with window(browser, api.url) as shown:
        for path, count in (("/", 2), (f"/claims/{APPROVED}", 2), ("/alerts", 2), ("/mentions/reddit:a", 1)):
            await shown.go(path)
            assert await shown.page.get_by_text("90% sure").count() == count, path


async def test_a_list_can_be_narrowed_to_days(api: Api, browser: Any) -> None:
    for n, hours in enumerate((100, 50, 3)):
        text = f"number {n} is safe"
        await write(api.database, judged(str(n), text, occurrence(text, "safe", f"safe {n}"), hours_ago=hours))
    before = dt.datetime.fromtimestamp(now_ms() / 1000 - 50 * 3_600, dt.UTC).date().isoformat()
    for size in (WIDE, PHONE):
        for path, name in (("/mentions", "number 1"), ("/claims", "The claim safe 1.")):
            async with window(browser, api.url, size) as shown:
                await shown.go(path)
                await shown.page.locator("summary", has_text="Days").click()
                assert await shown.barriers() == []
                assert await shown.overflow() == 0
                await shown.page.get_by_label("First day").fill(before)
                await shown.page.get_by_label("Last day").fill(before)
                await shown.until(f"location.search === '?from={before}&to={before}'")
                await shown.until("document.getElementById('count').textContent.trim().startsWith('1 ')")
                assert name in await shown.page.locator("#results").inner_text()
                assert f"from {before}, to {before}" in await shown.page.locator("summary", has_text="Days").inner_text()
                await shown.page.reload()
                assert await shown.page.locator("#count").inner_text() in ("1 mention", "1 claim")
    async with window(browser, api.url) as shown:
        await shown.go("/mentions?from=yesterday")
        assert "from 'yesterday' is not a day" in await shown.page.get_by_role("alert").inner_text()
        for path, said in ((f"/alerts?from={before}", "3 alerts"), (f"/alerts?to={before}", "0 alerts")):  # raised just now
            await shown.go(path)
            assert await shown.page.locator("#count").inner_text() == said
            await shown.page.locator("summary", has_text="Days").click()
            assert await shown.overflow() == 0
        await shown.go(f"/mentions?since=24h&from={before}")
        assert await shown.page.locator("#count").inner_text() == "1 mention"


async def test_what_is_found_is_counted_aloud_and_what_loads_or_fails_is_seen(api: Api, browser: Any) -> None:
    await write_some(api.database)
    async with window(browser, api.url) as shown:
        await shown.go("/mentions")
        count = shown.page.locator("#count[role=status]")
        assert await count.inner_text() == "4 mentions"
        same = await count.element_handle()
        held, free = asyncio.Event(), asyncio.Event()

        async def hold(route: Any) -> None:
            held.set()
            await free.wait()
            await route.continue_()

        await shown.page.route("**/mentions?*", hold)
        await shown.page.get_by_label("Words in the text").fill("approved")
        await asyncio.wait_for(held.wait(), 60)
        results = shown.page.locator("#results")
        assert await results.get_attribute("aria-busy") == "true"
        assert float(await results.evaluate("one => getComputedStyle(one).opacity")) < 0.8
        assert await results.locator(".list > li").count() == 4, "what was there stays until the new is"
        free.set()
        await shown.until("document.querySelectorAll('#results .list > li').length === 2")
        assert await results.get_attribute("aria-busy") is None
        assert await same.inner_text() == "2 mentions", "the same element, or nothing would be read out"
        await shown.page.unroute("**/mentions?*")
        await shown.page.route("**/mentions?*", lambda route: route.abort())
        await shown.page.get_by_label("Words in the text").fill("absent")
        await shown.page.get_by_role("status").get_by_text("cannot be reached").wait_for()
        assert await results.get_attribute("aria-busy") is None
        await shown.page.unroute("**/mentions?*")
        await shown.page.get_by_label("Words in the text").fill("safe")
        await shown.page.get_by_text("live", exact=True).wait_for()
        assert await count.inner_text() == "1 mention"


async def test_counts_of_earlier_days_are_read_anew_without_any_request_waiting(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write_some(api.database)
    asked: list[tuple[int, int]] = []
    real = overview.days

    async def noted(connection: Any, first: int, last: int) -> Any:
        asked.append((first, last))
        return await real(connection, first, last)

    monkeypatch.setattr(overview, "days", noted)
    past, today = api.app[PAST], overview.day_of(now_ms())
    first = await api.page("/")
    assert asked == [(today - DAYS + 1, today)]
    asked.clear()
    text = "said three days ago"
    await write(api.database, judged("late", text, occurrence(text, text, "late"), hours_ago=72))
    await api.page("/")
    assert asked == [(today, today)], "of the days before only what is known"
    await past.refill(api.database)
    asked.clear()
    again = await api.page("/")
    assert asked == [(today, today)]
    sums = [int(re.findall(r'aria-label="Mentions: (\d+) in all from', html)[-1]) for html in (first, again)]
    assert sums == [4, 5]
    async with api.database.read() as connection:  # a day later, and two weeks later
        asked.clear()
        assert [one.day for one in await past.days(connection, today + 1)] == list(range(today + 2 - DAYS, today + 2))
        assert [one.day for one in await past.days(connection, today + 40)] == list(range(today + 41 - DAYS, today + 41))
    assert asked == [(today, today + 1), (today + 41 - DAYS, today + 40)]
