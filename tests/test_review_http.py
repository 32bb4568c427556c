"""Reviewing over HTTP: what is answered, what is refused, and that open pages hear of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from monitor.ids import claim_id_of
from monitor.store import Database
from monitor.times import now_ms, rfc3339
from tests.api_server import Api, serving
from tests.samples import write_some
from tests.test_api_live import take

APPROVED, SAFE = claim_id_of("approved"), claim_id_of("safe")
SENTENCE = "A filter needle is FDA approved."


@pytest.fixture
async def api(database: Database, redis_url: str) -> AsyncIterator[Api]:
    """A server over a database with a few records."""
    await write_some(database)
    async with serving(database, redis_url) as api:
        yield api


async def review(api: Api, claim_id: str, **body: Any) -> tuple[int, Any]:
    return await api.post(f"/api/v1/claims/{claim_id}/review", json=body)


async def test_a_review_answers_with_the_claim_as_it_is_now(api: Api) -> None:
    status, claim = await review(api, APPROVED, action="confirm", note="seen it", reviewer="ann")
    assert (status, claim["state"], claim["id"]) == (200, "confirmed", APPROVED)
    assert await api.get(f"/api/v1/claims/{APPROVED}") == (200, claim)
    (said,) = claim["reviews"]
    assert (said["action"], said["note"], said["reviewer"], said["until"]) == ("confirm", "seen it", "ann", None)
    until = rfc3339(now_ms() + 3_600_000)
    status, claim = await review(api, APPROVED, action="mute", until=until)
    assert (status, claim["state"]) == (200, "muted")
    assert [(one["reviewer"], one["until"]) for one in claim["reviews"]] == [("ann", None), ("api", until)]
    assert (await review(api, APPROVED, action="mute", **{"for": "7d"}))[1]["state"] == "muted"
    assert (await review(api, APPROVED, action="unmute"))[1]["state"] == "confirmed"
    assert (await review(api, APPROVED, action="dismiss"))[1]["state"] == "dismissed"
    assert (await review(api, APPROVED, action="reopen"))[1]["state"] == "open"


async def test_a_merge_answers_with_the_other_and_a_split_with_the_new_claim(api: Api) -> None:
    status, claim = await review(api, APPROVED, action="split", mentions=["tiktok:b"], claim=SENTENCE)
    assert (status, claim["claim"], claim["mentions"], claim["proposition"]) == (200, SENTENCE, 1, None)
    new = claim["id"]
    assert [place["joined"] for place in claim["occurrences"]["items"]] == ["by review"]
    status, claim = await review(api, new, action="merge", into=APPROVED)
    assert (status, claim["id"], claim["mentions"]) == (200, APPROVED, 2)
    assert [place["joined"] for place in claim["occurrences"]["items"]] == ["sure", "sure"]  # it is back where it was
    assert (await api.get(f"/api/v1/claims/{new}"))[1]["id"] == APPROVED
    assert [one["action"] for one in claim["reviews"] if one["claim_id"] == APPROVED] == ["split", "merge"]


REFUSED: list[tuple[str, Any, int, str]] = [
    ("c_none", {"action": "confirm"}, 404, "there is no claim c_none"),
    (APPROVED, {"action": "merge", "into": "c_none"}, 404, "there is no claim c_none"),
    (APPROVED, {"action": "merge", "into": "\x00"}, 404, "no claim has an id like that"),
    (APPROVED, {"action": "merge", "into": APPROVED}, 409, "one claim already"),
    (APPROVED, {"action": "split", "mentions": ["reddit:c"], "claim": SENTENCE}, 409, "does not carry"),
    (APPROVED, {"action": "split", "mentions": ["reddit:\ud83d\x00"], "claim": SENTENCE}, 409, "does not carry"),
    (APPROVED, {"action": "split", "mentions": ["reddit:a", "tiktok:b"], "claim": SENTENCE}, 409, "leave at least one"),
    (APPROVED, {"action": "split", "mentions": ["reddit:a"] * 501, "claim": SENTENCE}, 400, "at most 500"),
    (APPROVED, {"action": "split", "mentions": ["reddit:a"]}, 400, "split needs claim"),
    (APPROVED, {"action": "merge"}, 400, "merge needs into"),
    (APPROVED, {"action": "confirm", "into": SAFE}, 400, "into is for merge"),
    (APPROVED, {"action": "mute", "until": "soon"}, 400, "not a time"),
    (APPROVED, {"action": "mute", "until": "1e300"}, 400, "for good"),
    (APPROVED, {"action": "mute", "for": "7 weeks"}, 400, "a duration is"),
    (APPROVED, {"action": "bless"}, 400, "confirm, dismiss"),
    (APPROVED, {"action": "confirm", "colour \ud83d": 1}, 400, "unknown field"),
    (APPROVED, {"action": "confirm", "note": "x" * 2_001}, 400, "2,000"),
    (APPROVED, {"action": "confirm", "reviewer": "\u202e \ud83d"}, 400, "1 to 100"),
    (APPROVED, [], 400, "not a review"),
]


async def test_what_cannot_be_done_is_a_problem_and_changes_nothing(api: Api) -> None:
    for claim_id, body, expected, says in REFUSED:
        status, problem = await api.post(f"/api/v1/claims/{claim_id}/review", data=json.dumps(body))
        assert (status, problem["status"]) == (expected, expected), (body, problem)
        assert says in problem["detail"], (body, problem)
    status, problem = await api.post(f"/api/v1/claims/{APPROVED}/review", data=b"{")
    assert (status, "not JSON" in problem["detail"]) == (400, True)
    _, claim = await api.get(f"/api/v1/claims/{APPROVED}")
    assert (claim["state"], claim["reviews"], claim["mentions"]) == ("open", [], 2)


async def test_half_an_emoji_in_a_note_does_no_harm(api: Api) -> None:
    body = json.dumps({"action": "confirm", "note": "good \ud83d one\u0000"})
    status, claim = await api.post(f"/api/v1/claims/{APPROVED}/review", data=body)
    assert (status, claim["reviews"][0]["note"]) == (200, "good one")


async def test_claims_are_filtered_by_state_and_nothing_else_is(api: Api) -> None:
    await review(api, APPROVED, action="confirm")
    await review(api, SAFE, action="mute")

    async def ids(query: str) -> list[str]:
        status, page = await api.get(f"/api/v1/claims?{query}")
        assert status == 200
        return [one["id"] for one in page["items"]]

    assert await ids("state=confirmed") == [APPROVED]
    assert await ids("state=muted") == [SAFE]
    assert await ids("state=open") == []
    assert await ids("state=muted&state=confirmed&type=safety") == [SAFE]
    for path in ("claims?state=asleep", "mentions?state=open", "alerts?state=muted", f"claims/{SAFE}?state=open"):
        assert (await api.get(f"/api/v1/{path}"))[0] == 400, path


async def test_open_pages_hear_of_a_review(api: Api) -> None:
    async with api.client.get(api.url + "/live?event=claim") as answer:
        await review(api, SAFE, action="dismiss")
        (event,) = await take(answer, 1)
    assert (event["event"], event["data"]["id"], event["data"]["state"]) == ("claim", SAFE, "dismissed")
    assert (await api.get("/api/v1/claims?state=dismissed"))[1]["items"] == [event["data"]]
    async with api.client.get(api.url + f"/live?event=claim&claim={APPROVED}") as answer:
        await review(api, SAFE, action="reopen")  # is not asked for
        await review(api, SAFE, action="merge", into=APPROVED)
        (event,) = await take(answer, 1)
    assert (event["data"]["id"], event["data"]["mentions"]) == (APPROVED, 3)


async def test_what_was_dismissed_or_muted_is_gone_from_the_first_page_and_its_own_page_says_why(api: Api) -> None:
    assert "The claim safe." in await api.page("/")
    await review(api, SAFE, action="dismiss", note="<script>a joke</script>", reviewer="ann")
    await review(api, APPROVED, action="mute")
    page = await api.page("/")
    assert "The claim safe." not in page
    assert "The claim approved." not in page
    page = await api.page(f"/claims/{SAFE}")
    assert "&lt;script&gt;a joke" in page
    assert "<b>dismiss</b>" in page
