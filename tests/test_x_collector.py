"""X's recent search, through the real client over HTTP: what it hears, and above all what it costs.

Longer than 400 lines: one connector, and each of its traps beside the others, so that one sees which are covered.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from monitor.collectors import access_to, open_collector
from monitor.collectors.base import Collector, SourceError, Verifies
from monitor.collectors.budget import Budgets
from monitor.collectors.x_api import post_of
from monitor.settings.sources.x import XSource
from monitor.stream import Stream
from tests.servers import RedisServer
from tests.standins.interrupted import interrupted
from tests.standins.polling import fails, heard, ids_of, poll, texts
from tests.standins.scripted import Reply
from tests.standins.x_server import LOOKUP, TOKEN, XServer, problem

DAY = 86_400


@pytest.fixture
async def site() -> AsyncIterator[XServer]:
    async with XServer() as server:
        yield server


@pytest.fixture
async def collector(site: XServer) -> AsyncIterator[Collector]:
    made = open_collector(source(site, daily_cap=100, monthly_cap=100))
    assert not hasattr(made, "stream")
    yield made
    await made.close()


@pytest.fixture
async def budgets(redis_server: RedisServer) -> AsyncIterator[Budgets]:
    stream = await Stream.open(redis_server.url)
    yield Budgets(stream.buckets)
    await stream.close()


def source(site: XServer, **more: Any) -> XSource:
    values = {"kind": "x", "name": "ex", "queries": ["serum"], "bearer_token": TOKEN, "base_url": site.origin}
    return XSource(**(values | more))


def since(cursor: str | None, age: float, query: str = "serum") -> str:
    """The cursor as it would be had the last reading been so long ago."""
    state = json.loads(cursor or "{}")
    return json.dumps(state | {"queries": {query: {"until": int(time.time() - age)}}})


async def test_posts_are_heard_whole(site: XServer, collector: Collector) -> None:
    short = site.post("A serum &amp; a &lt;cure&gt;\n\n\n\nreally &amp;copy;", lang="und")
    long = site.post("A long serum… https://t.co/x", note_tweet={"text": "A long serum\x00 to its very end"}, author_id="88")
    site.post("another subject")
    posts, _ = await heard(collector)
    assert {post.id: (post.platform, post.text, post.author, post.url, post.lang) for post in posts} == {
        short: ("x", "A serum & a <cure>\n\nreally &copy;", "77", f"https://x.com/i/web/status/{short}", None),
        long: ("x", "A long serum to its very end", "88", f"https://x.com/i/web/status/{long}", "en"),
    }
    made = next(post.created_at for post in posts if post.id == short)
    assert made is not None
    assert abs(made / 1000 - (time.time() - 600)) < 30
    assert site.asked[0].query["query"] == "(serum) -is:retweet"


async def test_only_what_is_new_is_read_and_paid_for(site: XServer, collector: Collector) -> None:
    for number in range(30):
        site.post(f"serum {number}", age=4_000 + number)
    _, cursor = await texts(collector)
    assert site.charged == pytest.approx(0.15)
    site.post("serum new", age=1_000)
    posts, cursor = await heard(collector, since(cursor, 2_000))
    assert [post.text for post in posts] == ["serum new"]
    assert site.charged == pytest.approx(0.155)
    asked = len(site.asked)
    assert (await texts(collector, cursor))[0] == []
    assert len(site.asked) == asked + 1


async def test_a_stop_is_caught_up_over_many_pages(site: XServer, collector: Collector) -> None:
    site.post("serum zero")
    _, cursor = await texts(collector)
    ids = {site.post(f"serum {number}", age=4 * DAY - number * 100) for number in range(330)}
    then = time.time() - 5 * DAY
    batches = await poll(collector, since(cursor, 5 * DAY))
    assert set(ids_of(batches)) == ids
    assert len(ids_of(batches)) == 330
    covered = batches[-1].covered
    assert covered is not None
    assert covered.since is not None
    assert abs(covered.since / 1000 - then) < 60
    assert not any(batch.late for batch in batches)
    assert (await texts(collector, batches[-1].cursor))[0] == []


async def test_a_stop_of_more_than_seven_days_is_a_gap(site: XServer, collector: Collector) -> None:
    site.post("serum new", age=6 * DAY)
    site.post("serum old", age=8 * DAY)
    then = time.time() - 10 * DAY
    batches = await poll(collector, since(None, 10 * DAY))
    (gap,) = [batch.gap for batch in batches if batch.gap is not None]
    assert gap.since is not None
    assert gap.until is not None
    assert abs(gap.since / 1000 - then) < 60
    assert abs(gap.until / 1000 - (time.time() - 7 * DAY)) < 900
    assert gap.ticket is None
    assert [post.text for batch in batches for post in batch.posts] == ["serum new"]
    covered = batches[-1].covered
    assert covered is not None
    assert covered.since == gap.until
    assert not any(batch.gap for batch in await poll(collector, batches[-1].cursor))


async def test_a_reading_that_stood_still_for_seven_days_is_a_gap(site: XServer, collector: Collector) -> None:
    site.post("serum new", age=DAY)
    now = int(time.time())
    window = {"since": now - 12 * DAY, "until": now - 9 * DAY, "top": now - 9 * DAY, "oldest": now - 10 * DAY, "token": "t"}
    state = {"queries": {"serum": {"until": now - 12 * DAY, "window": window}}}
    batches = await poll(collector, json.dumps(state))
    gaps = [(batch.gap.since, batch.gap.until) for batch in batches if batch.gap is not None]
    assert gaps[0] == ((now - 12 * DAY) * 1000, (now - 10 * DAY + 1) * 1000)
    assert gaps[1][0] == (now - 9 * DAY - 30) * 1000
    assert len(gaps) == 2
    assert [post.text for batch in batches for post in batch.posts] == ["serum new"]


async def test_the_money_of_a_day_ends_the_reading_and_nothing_is_paid_twice(site: XServer, budgets: Budgets) -> None:
    ids = [site.post(f"serum {number}", age=20_000 - number * 10) for number in range(250)]
    collector = open_collector(source(site, daily_cap=1.0, monthly_cap=5.0), budgets)
    batches, cursor, spent = await interrupted(collector)
    assert "daily_cap = 1 US dollars" in str(spent)
    assert not spent.permanent
    assert spent.retry_after is not None
    assert 0 < spent.retry_after <= DAY
    assert set(ids_of(batches)) == set(ids[-160:])  # a fifth is left for verifying
    assert site.charged == pytest.approx(0.8)
    asked = len(site.asked)
    assert "daily_cap" in str(await fails(collector, cursor))
    assert len(site.asked) == asked
    await collector.close()
    tomorrow = open_collector(source(site, daily_cap=2.0, monthly_cap=5.0), budgets)
    site.post("serum tomorrow", age=40)
    again = await poll(tomorrow, cursor)
    assert [post.text for batch in again for post in batch.posts] == [
        *(f"serum {number}" for number in range(90)),
        "serum tomorrow",
    ]
    assert site.charged == pytest.approx(251 * 0.005)
    assert len(ids_of(again)) == 91
    assert again[-1].covered is not None
    await tomorrow.close()


async def test_the_money_of_a_month_ends_it_too(site: XServer, budgets: Budgets) -> None:
    for number in range(250):
        site.post(f"serum {number}", age=20_000 - number * 10)
    collector = open_collector(source(site, daily_cap=50.0, monthly_cap=0.9), budgets)
    batches, _, spent = await interrupted(collector)
    assert "monthly_cap = 0.9 US dollars" in str(spent)
    assert len(ids_of(batches)) == 180
    assert site.charged == pytest.approx(0.9)
    await collector.close()


async def test_sources_of_one_token_share_its_money(site: XServer, budgets: Budgets) -> None:
    for number in range(150):
        site.post(f"serum {number}", age=20_000 - number * 10)
        site.post(f"cream {number}", age=20_000 - number * 10)
    several = [open_collector(source(site, name=query, queries=[query], daily_cap=1.0), budgets) for query in ("serum", "cream")]
    assert len(ids_of(await poll(several[0]))) == 150
    batches, _, spent = await interrupted(several[1])
    assert "daily_cap" in str(spent)
    assert len(ids_of(batches)) == 10
    assert site.charged == pytest.approx(0.8)
    for one in several:
        await one.close()


async def test_the_cap_holds_where_no_budgets_are_kept(site: XServer) -> None:
    for number in range(150):
        site.post(f"serum {number}", age=20_000 - number * 10)
    collector = open_collector(source(site, daily_cap=0.5))
    batches, _, spent = await interrupted(collector)
    assert "daily_cap" in str(spent)
    assert len(ids_of(batches)) == 80
    assert site.charged == pytest.approx(0.4)
    await collector.close()


async def test_answers_that_never_come_count_as_paid(site: XServer, budgets: Budgets) -> None:
    for number in range(300):
        site.post(f"serum {number}", age=20_000 - number * 10)
    values = source(site, daily_cap=1.0)
    site.lost = 2  # the client asks a second time by itself
    first = open_collector(values, budgets)
    assert "broke off" in str(await fails(first))
    await first.close()
    second = open_collector(values, budgets)  # another process: it knows nothing of what became of the first answer
    batches, _, _ = await interrupted(second)
    assert len(ids_of(batches)) == 60
    assert site.charged <= 0.8
    await second.close()


async def test_the_same_asked_again_is_not_counted_twice(site: XServer, budgets: Budgets) -> None:
    for number in range(300):
        site.post(f"serum {number}", age=20_000 - number * 10)
    collector = open_collector(source(site, daily_cap=1.0), budgets)
    site.lost = 6  # the client asks a second time by itself
    for _ in range(3):
        assert "broke off" in str(await fails(collector))
    site.next(Reply(503))
    assert "trouble" in str(await fails(collector))
    batches, _, _ = await interrupted(collector)
    assert len(ids_of(batches)) == 160
    assert site.charged == pytest.approx(0.8)
    await collector.close()


async def test_errors_cost_nothing(site: XServer, budgets: Budgets) -> None:
    site.post("serum")
    for answer in (*[Reply(503)] * 3, problem(402, "credits", "CreditsDepleted")):
        collector = open_collector(source(site, daily_cap=0.5), budgets)  # another process knows nothing of the first
        site.next(answer)
        assert "daily_cap" not in str(await fails(collector))
        await collector.close()
    collector = open_collector(source(site, daily_cap=0.5), budgets)
    for number in range(79):
        site.post(f"serum {number}")
    assert len(ids_of(await poll(collector))) == 80
    await collector.close()


async def test_an_edit_comes_again_under_the_first_id(site: XServer, collector: Collector) -> None:
    first = site.post("serum", age=900)
    _, cursor = await texts(collector)
    new = site.edit(first, "serum, now with a claim", age=400)
    posts, cursor = await heard(collector, since(cursor, 600))
    assert [(post.id, post.text) for post in posts] == [(first, "serum, now with a claim")]
    assert posts[0].url == f"https://x.com/i/web/status/{new}"
    assert isinstance(collector, Verifies)
    assert await collector.still_there([first]) == {first}


async def test_posts_that_the_search_has_late_are_heard_and_counted(site: XServer, collector: Collector) -> None:
    site.post("serum")
    _, cursor = await texts(collector)
    late = site.post("serum late", age=40)
    batches = await poll(collector, cursor)
    assert ids_of(batches) == [late]
    assert sum(batch.late for batch in batches) == 1
    assert (await texts(collector, batches[-1].cursor))[0] == []


async def test_a_page_that_x_has_forgotten_is_asked_for_by_time(site: XServer, collector: Collector) -> None:
    ids = [site.post(f"serum {number}", age=20_000 - number * 10) for number in range(250)]
    site.next(None, Reply(503))
    batches, cursor, _ = await interrupted(collector)
    assert len(ids_of(batches)) == 100
    site.forgets = True
    rest = await poll(collector, cursor)
    assert sorted(ids_of(batches) + ids_of(rest)) == sorted(ids)
    assert site.charged == pytest.approx(250 * 0.005)
    site.post("serum after", age=40)
    assert (await texts(collector, rest[-1].cursor))[0] == ["serum after"]
    assert site.asked[-1].query["start_time"] > site.posts[ids[-1]]["created_at"]  # the rest was read, and paid for


async def test_too_many_posts_in_one_second_do_not_go_round_in_circles(site: XServer, collector: Collector) -> None:
    for number in range(250):
        site.post(f"serum {number}", age=20_000)
    site.forgets = True
    assert "next page" in str(await fails(collector))
    assert len(site.asked) < 10


async def test_what_is_gone_is_not_there(site: XServer, collector: Collector) -> None:
    ids = [site.post(f"serum {number}") for number in range(100)]
    del site.posts[ids[3]]
    site.protected.add(ids[4])
    assert isinstance(collector, Verifies)
    assert await collector.still_there([*ids[:99], "no id"]) == {*ids[:99]} - {ids[3], ids[4]}
    asked = len(site.asked)
    assert await collector.still_there([*ids[:99]]) == {*ids[:99]} - {ids[3], ids[4]}
    assert len(site.asked) == asked  # what was paid for is known
    for reply in (Reply(200, '{"data": []}'), Reply(200, "{}"), Reply(503), problem(400, "invalid-request", "Invalid Request")):
        site.next(reply)
        with pytest.raises(SourceError):
            await collector.still_there([ids[99]])
    assert await collector.still_there([ids[99]]) == {ids[99]}


async def test_verifying_goes_as_far_as_the_money_and_then_on(site: XServer, budgets: Budgets) -> None:
    ids = [site.post(f"serum {number}", age=9_000 - number) for number in range(80)]
    collector = open_collector(source(site, daily_cap=0.5), budgets)
    _, cursor = await texts(collector)
    assert isinstance(collector, Verifies)
    with pytest.raises(SourceError, match="daily_cap"):
        await collector.still_there(ids)
    looked = [asked for asked in site.asked if asked.path == LOOKUP]
    assert [len(asked.query["ids"].split(",")) for asked in looked] == [20]  # what searches leave
    assert "daily_cap" in str(await fails(collector, cursor))
    await collector.close()


async def test_a_query_that_is_refused_does_not_keep_others_from_being_read(site: XServer) -> None:
    collector = open_collector(source(site, queries=["bad:", "serum"]))
    site.refused.add("bad:")
    site.post("serum")
    batches, cursor, refused = await interrupted(collector)
    assert ids_of(batches) == list(site.posts)
    assert "'bad:'" in str(refused)
    assert "no viable alternative" in str(refused)
    assert not refused.permanent
    assert len((await interrupted(collector, cursor))[0]) == 1
    await collector.close()


async def test_the_query_that_is_farthest_behind_is_read_first(site: XServer) -> None:
    collector = open_collector(source(site, queries=["cream", "serum"]))
    now = int(time.time())
    state = {"queries": {"cream": {"until": now - 2_000}, "serum": {"until": now - 9_000}}}
    await poll(collector, json.dumps(state))
    assert [asked.query["query"] for asked in site.asked] == ["(serum) -is:retweet", "(cream) -is:retweet"]
    await collector.close()


async def test_a_new_query_is_looked_for_in_the_past(site: XServer, collector: Collector) -> None:
    site.post("a cream", age=10 * 3_600)
    _, cursor = await texts(collector)
    more = open_collector(source(site, queries=["serum", "cream"]))
    batches = await poll(more, cursor)
    assert [post.text for batch in batches for post in batch.posts] == ["a cream"]
    assert sum(batch.late for batch in batches) == 0
    await more.close()


async def test_reposts_are_searched_for_where_they_are_wanted(site: XServer) -> None:
    collector = open_collector(source(site, reposts=True))
    await poll(collector)
    assert site.asked[0].query["query"] == "serum"
    await collector.close()


WRONG = [
    (problem(401, "unauthorized", "Unauthorized"), "does not accept the bearer_token", True, None),
    (problem(402, "credits", "CreditsDepleted"), "credits", False, 3600),
    (problem(403, "client-forbidden", "Client Forbidden", "Not enrolled"), "403: Client Forbidden Not enrolled", True, None),
    (problem(429, "usage-capped", "UsageCapExceeded"), "spending limit", False, 3600),
    (problem(403, "usage-capped", "UsageCapExceeded"), "spending limit", False, 3600),
    (problem(429, "rate-limit-exceeded", "Too Many Requests"), "fewer requests", False, 900),
    (Reply(429, "", {"Retry-After": "77"}), "fewer requests", False, 77),
    (
        problem(400, "invalid-request", "Invalid Request", "x\ny"),
        "does not take the query 'serum' (Invalid Request x y",
        False,
        None,
    ),
    (Reply(403, "<html>"), "blocks programs", False, None),
    (Reply(503), "trouble", False, None),
    (Reply(204), "204", False, None),
    (Reply(200, "<html>"), "web page", False, None),
    (Reply(200, "{}"), "not a list of posts", False, None),
    (Reply(200, "[]"), "not a list of posts", False, None),
    (Reply(200, "[" * 100_000), "something", False, None),
    (Reply(200, "{}", {"Content-Encoding": "gzip"}), "not the gzip", False, None),
]


@pytest.mark.parametrize(("reply", "said", "permanent", "wait"), WRONG)
async def test_what_goes_wrong_is_said_and_nothing_is_lost(
    site: XServer, collector: Collector, reply: Reply, said: str, permanent: bool, wait: float | None
) -> None:
    site.post("serum")
    site.next(reply)
    caught = await fails(collector)
    assert said in str(caught)
    assert (caught.permanent, caught.retry_after) == (permanent, wait)
    assert TOKEN not in str(caught)
    assert (await texts(collector))[0] == ["serum"]


async def test_a_rate_that_is_used_up_is_waited_for(site: XServer, budgets: Budgets) -> None:
    collector = open_collector(source(site), budgets)
    site.headers = {"x-rate-limit-limit": "450", "x-rate-limit-remaining": "0", "x-rate-limit-reset": str(int(time.time()) + 500)}
    _, cursor = await texts(collector)
    caught = await fails(collector, cursor)
    assert caught.retry_after is not None
    assert 400 < caught.retry_after <= 500
    assert len(site.asked) == 1
    await collector.close()


async def test_a_missing_credential_is_said_with_what_to_do(site: XServer) -> None:
    collector = open_collector(source(site, bearer_token=None))
    caught = await fails(collector)
    assert caught.permanent
    assert "console.x.com" in str(caught)
    assert site.asked == []
    access = access_to(source(site, bearer_token=None))
    assert not access.usable
    assert "console.x.com" in (access.missing or "")
    assert "2 US dollars a day" in access_to(source(site)).works
    await collector.close()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"queries": []}, "queries"),
        ({"queries": ["a", "A"]}, "twice"),
        ({"queries": ["x" * 510]}, "X takes 498 here"),
        ({"backfill": "7d"}, "last seven days"),
        ({"daily_cap": 0.4}, "fewer than 100 posts; make it 0.5 or more"),
        ({"monthly_cap": 1.0, "price": 0.02}, "monthly_cap buys fewer"),
        ({"daily_cap": float("inf")}, "finite"),
        ({"monthly_cap": -1}, "greater than 0"),
    ],
)
def test_settings_that_are_wrong_are_an_error(site: XServer, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        source(site, **wrong)


def test_a_query_may_be_as_long_as_x_takes(site: XServer) -> None:
    assert len(source(site, queries=["x" * 498]).search_for("x" * 498)) == 512
    assert source(site, queries=["x" * 512], reposts=True).queries == ["x" * 512]


@pytest.mark.parametrize(
    "item", [{}, {"id": 5, "text": "x"}, {"id": "1/x", "text": "x"}, {"id": "1", "text": ["x"]}, {"id": "1"}]
)
def test_items_of_another_shape_are_left_out(item: dict[str, Any]) -> None:
    assert post_of(item, "ex") is None


def test_a_history_of_another_shape_is_not_believed() -> None:
    for history in (None, "12", [5, "x/y"], {"1": 2}):
        post = post_of({"id": "12", "text": "x", "edit_history_tweet_ids": history, "created_at": "soon", "lang": 5}, "ex")
        assert post is not None
        assert (post.id, post.created_at, post.lang, post.author) == ("12", None, None, None)


async def test_hostile_text_is_bounded(shared: Path, site: XServer, collector: Collector) -> None:
    strings = json.loads((shared / "wire" / "dev" / "hostile" / "naughty_strings.json").read_bytes())
    assert len(strings) > 100
    for number, string in enumerate([*strings, "x" * 300_000]):
        site.post(f"serum {string}", age=1_000 + number)
    for post in (await heard(collector))[0]:
        assert len(post.text) <= 100_000
        assert "\0" not in post.text
        post.text.encode("utf-8")
