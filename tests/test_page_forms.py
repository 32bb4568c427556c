"""Forms of the pages: none is taken that is not ours, none leads elsewhere; what is marked in a text is what was said there."""

from __future__ import annotations

import re

from monitor.api.pages.charts import bars
from monitor.api.pages.forms import COOKIE
from monitor.api.pages.marks import excerpts, pieces
from monitor.ids import claim_id_of
from tests.api_server import Api
from tests.samples import occurrence, write_some

SAFE = claim_id_of("safe")
CHANGES = (
    f"/claims/{SAFE}/review",
    "/alerts/a_0000000000000",
    "/endpoints/case-system/test",
    "/deliveries/d_0000000000000/redeliver",
    "/you",
    "/logout",
)


async def word_of(api: Api, path: str) -> str:
    found = re.search(r'name="form" value="([0-9a-f]{64})"', await api.page(path))
    assert found
    return found[1]


async def test_a_change_without_the_word_of_this_browser_is_refused(api: Api) -> None:
    await write_some(api.database)
    for path in CHANGES:
        assert (await api.post(path, data={"action": "dismiss"}))[0] == 403, path
    word = await word_of(api, f"/claims/{SAFE}")
    for wrong in ("", "0" * 64, word[:-1], word.upper()):
        assert (await api.post(f"/claims/{SAFE}/review", data={"action": "dismiss", "form": wrong}))[0] == 403
    api.client.cookie_jar.clear()
    assert (await api.post(f"/claims/{SAFE}/review", data={"action": "dismiss", "form": word}))[0] == 403
    assert (await api.get(f"/api/v1/claims/{SAFE}"))[1]["state"] == "open"


async def test_with_it_the_change_is_made_and_leads_back_here_alone(api: Api) -> None:
    await write_some(api.database)
    async with api.client.get(f"{api.url}/claims/{SAFE}") as answer:
        cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith(COOKIE)
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    word = await word_of(api, f"/claims/{SAFE}")
    for back, there in (("//evil.example", "/"), ("https://evil.example", "/"), ("/alerts?state=all", "/alerts?state=all")):
        data = {"action": "dismiss", "form": word, "next": back}
        async with api.client.post(f"{api.url}/claims/{SAFE}/review", data=data, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, there)
    assert (await api.get(f"/api/v1/claims/{SAFE}"))[1]["state"] == "dismissed"


async def test_whoever_only_reads_gets_no_cookie(api: Api) -> None:
    await write_some(api.database)
    for path in ("/", "/claims", "/mentions", "/evidence", "/sources", f"/claims/{SAFE}/case"):
        async with api.client.get(api.url + path) as answer:
            assert "Set-Cookie" not in answer.headers, path


async def test_errors_are_pages_for_people_and_problems_for_programs(api: Api) -> None:
    for path, status in (("/claims/c_none", 404), ("/nothing", 404), ("/?x=1", 400), ("/claims/c_1/review", 405)):
        async with api.client.get(api.url + path, headers={"Accept": "text/html"}) as answer:
            assert (answer.status, answer.content_type) == (status, "text/html"), path
            assert "Content-Security-Policy" in answer.headers
        async with api.client.get(api.url + path) as answer:
            assert (answer.status, answer.content_type) == (status, "application/problem+json"), path
    async with api.client.get(api.url + "/api/v1/claims/c_none", headers={"Accept": "text/html"}) as answer:
        assert answer.content_type == "application/problem+json"


def test_marks_cover_the_quotes_and_nothing_is_lost() -> None:
    text = "a b c d e f"
    found = [occurrence(text, "b c d", "one"), occurrence(text, "d e", "two"), occurrence(text, "c", "three")]
    made = pieces(text, found)
    assert "".join(one.text for one in made) == text
    assert [one.text for one in made if one.said] == ["b c d", " e"]


def test_of_a_long_text_only_what_stands_around_the_quotes_is_shown() -> None:
    text = "word " * 400 + "THE CLAIM" + " more" * 400 + " THE OTHER " + "x" * 3_000
    found = [occurrence(text, "THE CLAIM", "one"), occurrence(text, "THE OTHER", "two")]
    made = excerpts(text, found)
    assert [one.text for one in made if one.said] == ["THE CLAIM", "THE OTHER"]
    shown = "".join(one.text for one in made)
    assert shown.startswith("… word")
    assert shown.count("…") == 3
    assert len(shown) < 800
    assert len("".join(one.text for one in excerpts(text, []))) < 400


def test_a_chart_says_in_words_what_it_shows_and_escapes_what_it_is_told() -> None:
    drawn = bars([1, 0, 4], ["1 Nov", "2 Nov", '3 "<b>'], "Mentions")
    assert 'aria-label="Mentions: 5 in all from 1 Nov to 3 &#34;&lt;b&gt;, most on' in drawn
    assert "<b>" not in drawn
    assert drawn.count("<rect") == 3
    assert "none" in bars([0, 0], ["a", "b"], "Mentions")
