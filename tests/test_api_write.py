"""Writing over HTTP: posts from outside, a test alert, a delivery once more; health and metrics."""

from __future__ import annotations

import json
from typing import Any

from monitor.readiness import Trouble
from monitor.words import decode_post
from tests.api_server import Api
from tests.samples import write_some


def post(key: str, text: str = "exosomes!", **more: Any) -> dict[str, Any]:
    return {"platform": "tiktok", "id": key, "text": text, **more}


async def test_posts_are_taken_in_and_each_fault_is_named(api: Api) -> None:
    batch = [
        post("1", title="News"),
        post("1", title="News"),
        post("2", "about soap"),
        {"id": "3"},
        "no post",
        post("4", url="javascript:x"),
    ]
    status, answer = await api.post("/api/v1/mentions", json=batch)
    assert status == 202
    assert (answer["accepted"], answer["duplicates"], answer["unmatched"]) == (2, 1, 1)
    assert [fault["index"] for fault in answer["errors"]] == [3, 4]
    assert '"platform"' in answer["errors"][0]["error"]
    reader = api.stream.reader("test")
    heard = [decode_post(entry.data) for entry in await reader.read(10, 0.0)]
    await reader.close()
    assert [(one.id, one.text, one.url, one.source, one.fresh) for one in heard] == [
        ("1", "News\n\nexosomes!", None, "api", True),
        ("4", "exosomes!", None, "api", True),
    ]


async def test_half_an_emoji_in_one_post_does_not_stop_the_others(api: Api) -> None:
    body = json.dumps([post("1", "exosomes \ud83d"), post("2")])
    assert "\\ud83d" in body
    status, answer = await api.post("/api/v1/mentions", data=body)
    assert (status, answer["accepted"], answer["errors"]) == (202, 2, [])
    reader = api.stream.reader("test")
    heard = [decode_post(entry.data).text for entry in await reader.read(10, 0.0)]
    await reader.close()
    assert heard == ["exosomes \ufffd", "exosomes!"]


async def test_one_post_alone_is_taken_and_a_second_time_it_is_a_duplicate(api: Api) -> None:
    first = await api.post("/api/v1/mentions", json=post("1", author="somebody", created_at="2026-11-01T00:00:00Z"))
    again = await api.post("/api/v1/mentions", json=post("1", author="somebody", created_at="2026-11-01T00:00:00Z"))
    assert first == (202, {"accepted": 1, "duplicates": 0, "unmatched": 0, "errors": []})
    assert again == (202, {"accepted": 0, "duplicates": 1, "unmatched": 0, "errors": []})


async def test_a_thousand_posts_are_taken_and_one_more_is_not(api: Api) -> None:
    status, answer = await api.post("/api/v1/mentions", json=[post(str(n)) for n in range(1000)])
    assert (status, answer["accepted"]) == (202, 1000)
    status, problem = await api.post("/api/v1/mentions", json=[post(str(n)) for n in range(1001)])
    assert (status, "at most 1000" in problem["detail"]) == (400, True)


async def test_a_body_that_is_not_json_is_a_problem(api: Api) -> None:
    for body in [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"\x00"]:
        status, problem = await api.post("/api/v1/mentions", data=body)
        assert (status, problem["status"]) == (400, 400)


async def test_a_body_that_is_not_packed_as_it_says_is_a_problem(api: Api) -> None:
    status, problem = await api.post("/api/v1/mentions", data=b"junk", headers={"Content-Encoding": "gzip"})
    assert (status, problem["status"]) == (400, 400)


async def test_json_that_is_no_post_is_a_fault_of_that_post(api: Api) -> None:
    for body in [b"3", b"null", b'"x"', b"[[]]", b'{"platform":"x","id":true,"text":"a"}']:
        status, answer = await api.post("/api/v1/mentions", data=body)
        assert (status, [fault["index"] for fault in answer["errors"]]) == (202, [0])


async def test_a_body_beyond_five_megabytes_is_refused(api: Api) -> None:
    async with api.client.post(api.url + "/api/v1/mentions", data=b" " * 5_000_001) as answer:
        assert (answer.status, answer.content_type) == (413, "application/problem+json")
        assert "5 MB" in (await answer.json(content_type=None))["detail"]


async def test_a_stream_that_is_away_is_a_503_and_nothing_is_lost_by_trying_again(api: Api, redis_server: Any) -> None:
    redis_server.kill()
    status, problem = await api.post("/api/v1/mentions", json=post("1"))
    assert (status, str(redis_server.folder) in json.dumps(problem)) == (503, False)
    assert (await api.get("/api/v1/mentions"))[0] == 200
    async with api.client.get(api.url + "/metrics") as answer:
        assert (answer.status, "exowatch_stream_entries NaN" in await answer.text()) == (200, True)
    redis_server.start()
    assert (await api.post("/api/v1/mentions", json=post("1")))[1]["accepted"] == 1


async def test_an_endpoint_is_tested_and_its_delivery_is_listed_and_sent_again(api: Api) -> None:
    status, delivery = await api.post("/api/v1/endpoints/case-system/test")
    assert (status, delivery["endpoint"], delivery["state"]) == (202, "case-system", "pending")
    _, endpoints = await api.get("/api/v1/endpoints")
    assert endpoints == {
        "items": [{"name": "case-system", "kind": "webhook", "state": "ok", "pending": 1, "dead": 0}],
        "next": None,
    }
    _, listed = await api.get("/api/v1/deliveries?endpoint=case-system&state=pending")
    assert [one["id"] for one in listed["items"]] == [delivery["id"]]
    assert (await api.get("/api/v1/deliveries?state=dead"))[1]["items"] == []
    status, again = await api.post(f"/api/v1/deliveries/{delivery['id']}/redeliver")
    assert (status, again["id"]) == (202, delivery["id"])
    assert (await api.post("/api/v1/deliveries/d_0000000000000/redeliver"))[0] == 404
    assert (await api.post("/api/v1/deliveries/nonsense/redeliver"))[0] == 404
    assert (await api.post("/api/v1/endpoints/none/test"))[0] == 404


async def test_health_says_alive_and_readiness_what_is_missing(api: Api) -> None:
    async with api.client.get(api.url + "/healthz") as answer:
        assert answer.status == 200
    async with api.client.get(api.url + "/readyz") as answer:
        assert answer.status == 200
    api.unready.append(Trouble(part="database", problem="it is away", mend="bring it back"))
    status, problem = await api.get("/readyz")
    assert (status, problem["detail"]) == (503, "not ready: database")
    assert problem["parts"] == [{"part": "database", "problem": "it is away", "mend": "bring it back"}]
    async with api.client.get(api.url + "/healthz") as answer:
        assert answer.status == 200


async def test_metrics_show_the_stream_as_it_is(api: Api) -> None:
    await write_some(api.database)
    await api.post("/api/v1/mentions", json=[post("1"), post("2")])
    async with api.client.get(api.url + "/metrics") as answer:
        text = await answer.text()
        assert answer.headers["Content-Type"].startswith("text/plain")
    assert "exowatch_stream_entries 2.0" in text
    assert "exowatch_stream_lag 2.0" in text
