"""Reading over HTTP: lists, single things, counts, and what is answered to a wrong question."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from monitor.ids import claim_id_of
from monitor.store import Database, sources
from monitor.times import parse_time
from tests.api_server import Api, serving
from tests.samples import judged, occurrence, write, write_some


@pytest.fixture
async def api(database: Database, redis_url: str) -> AsyncIterator[Api]:
    """A server over a database with a few records."""
    await write_some(database)
    async with database.write() as connection:
        await sources.declare(connection, {"skincare": "reddit", "tag": "feed", "idle": "feed"})
    async with serving(database, redis_url) as api:
        yield api


async def test_a_list_is_read_page_by_page_without_repeating_or_leaving_out(api: Api) -> None:
    seen, cursor = [], ""
    while cursor is not None:
        status, page = await api.get("/api/v1/mentions?limit=1" + (f"&cursor={cursor}" if cursor else ""))
        assert status == 200
        assert set(page) == {"items", "next"}
        seen += [item["platform_id"] for item in page["items"]]
        cursor = page["next"]
    assert seen == ["d", "c", "b", "a"]


FILTERED = [
    ("", ["d", "c", "b", "a"]),
    ("since=24h", ["d", "c", "b"]),
    ("until=24h", ["a"]),
    ("since=100000000", ["d", "c", "b", "a"]),
    ("type=safety", ["c"]),
    ("type=safety&type=regulatory_status", ["c", "b", "a"]),
    ("verdict=contradicted&platform=tiktok", ["b"]),
    ("source=tag&source=skincare&stance=asserts", ["c", "b", "a"]),
    ("text=FDA+approved", ["b", "a"]),
    ("text=%22fda+approved%22", ["a"]),
    ("text=appro*&since=24h", ["b"]),
    (f"claim={claim_id_of('safe')}", ["c"]),
    ("claim=c_nothing", []),
]


async def test_mentions_are_filtered(api: Api) -> None:
    for query, expected in FILTERED:
        status, page = await api.get(f"/api/v1/mentions?{query}")
        assert (query, status, [item["platform_id"] for item in page["items"]]) == (query, 200, expected)


async def test_one_mention_is_found_by_either_id(api: Api) -> None:
    _, page = await api.get("/api/v1/mentions?text=cost")
    (one,) = page["items"]
    assert await api.get(f"/api/v1/mentions/{one['id']}") == (200, one)
    assert await api.get("/api/v1/mentions/reddit:d") == (200, one)
    for missing in ("m_0000000000000", "reddit:none", "x", "reddit:%00", "reddit:%FF", "%2F..%2F"):
        status, problem = await api.get(f"/api/v1/mentions/{missing}")
        assert (status, problem["status"], problem["title"]) == (404, 404, "Not Found")


async def test_a_post_whose_id_is_an_address_is_found_by_it(api: Api) -> None:
    await write(api.database, judged("https://example.org/a?b=1", "exosomes here"))
    status, found = await api.get("/api/v1/mentions/reddit:https%3A%2F%2Fexample.org%2Fa%3Fb%3D1")
    assert (status, found["platform_id"]) == (200, "https://example.org/a?b=1")


async def test_a_claim_comes_with_its_occurrences_its_days_and_its_alerts(api: Api) -> None:
    claim_id = claim_id_of("approved")
    status, claim = await api.get(f"/api/v1/claims/{claim_id}")
    assert status == 200
    assert (claim["id"], claim["verdict"], claim["mentions"], claim["platforms"]) == (
        claim_id,
        "contradicted",
        2,
        {"reddit": 1, "tiktok": 1},
    )
    assert claim["evidence"][0]["citation"] == "A public notice"
    assert [(place["platform"], place["quote"]) for place in claim["occurrences"]["items"]] == [
        ("tiktok", "approved by the FDA"),
        ("reddit", "FDA approved"),
    ]
    assert [alert["kind"] for alert in claim["alerts"]["items"]] == ["claim.new"]
    assert sum(day["mentions"] for day in claim["timeline"]) == 2
    _, first = await api.get(f"/api/v1/claims/{claim_id}?limit=1")
    _, second = await api.get(f"/api/v1/claims/{claim_id}?limit=1&cursor={first['occurrences']['next']}")
    assert [page["occurrences"]["items"][0]["platform"] for page in (first, second)] == ["tiktok", "reddit"]
    assert (await api.get("/api/v1/claims/c_none"))[0] == 404


async def test_claims_and_alerts_are_listed(api: Api) -> None:
    _, claims = await api.get("/api/v1/claims?verdict=unsupported")
    assert [claim["type"] for claim in claims["items"]] == ["safety"]
    _, alerts = await api.get("/api/v1/alerts?type=safety")
    assert [(alert["kind"], alert["claim_id"]) for alert in alerts["items"]] == [("claim.new", claim_id_of("safe"))]


async def test_sources_are_listed_and_filtered_by_what_they_carried(api: Api) -> None:
    async def names(query: str) -> list[str]:
        return [source["name"] for source in (await api.get(f"/api/v1/sources?{query}"))[1]["items"]]

    assert await names("") == ["idle", "skincare", "tag"]
    assert await names("source=tag&source=idle") == ["idle", "tag"]
    assert await names("type=safety") == ["skincare"]
    assert await names("since=24h&platform=tiktok") == ["tag"]
    _, first = await api.get("/api/v1/sources?limit=2")
    _, second = await api.get(f"/api/v1/sources?limit=2&cursor={first['next']}")
    assert ([one["name"] for one in second["items"]], second["next"]) == (["tag"], None)


async def test_counts_by_hour_and_by_day(api: Api) -> None:
    status, answer = await api.get("/api/v1/stats?bucket=day&since=7d")
    buckets = answer["buckets"]
    assert (status, len(buckets)) == (200, 8)
    assert all(bucket["start"].endswith("T00:00:00.000Z") for bucket in buckets)
    assert sum(bucket["mentions"] for bucket in buckets) == 4
    assert sum(bucket["by_platform"].get("tiktok", 0) for bucket in buckets) == 1
    assert sum(bucket["by_type"].get("regulatory_status", 0) for bucket in buckets) == 2
    _, answer = await api.get("/api/v1/stats?bucket=hour")
    assert len(answer["buckets"]) == 24
    assert sum(bucket["mentions"] for bucket in answer["buckets"]) == 3
    assert sum(bucket["by_verdict"].get("unsupported", 0) for bucket in answer["buckets"]) == 1
    _, answer = await api.get("/api/v1/stats?bucket=hour&text=fda&type=regulatory_status&platform=tiktok")
    assert sum(bucket["claims"] for bucket in answer["buckets"]) == 1
    assert len((await api.get("/api/v1/stats"))[1]["buckets"]) == 30
    _, answer = await api.get("/api/v1/stats?bucket=hour&since=365d")
    assert len(answer["buckets"]) == 1_000  # the latest of them
    assert sum(bucket["mentions"] for bucket in answer["buckets"]) == 4


async def test_counts_are_of_whole_buckets_from_the_one_that_holds_since(api: Api) -> None:
    heard = (await api.get("/api/v1/mentions?type=safety"))[1]["items"][0]["seen_at"]
    since, until = parse_time(heard) / 1000 + 0.001, parse_time(heard) / 1000 + 0.002
    _, answer = await api.get(f"/api/v1/stats?bucket=hour&since={since:.3f}&until={until:.3f}")
    (bucket,) = answer["buckets"]
    assert (bucket["mentions"], bucket["start"][:13]) == (1, heard[:13])


async def test_a_claim_that_is_repeated_within_a_bucket_counts_once(api: Api) -> None:
    text = "they are 100% safe"
    again = occurrence(text, "100% safe", "safe", type="safety", verdict="unsupported")
    await write(api.database, judged("e", text, again, hours_ago=2, n=7))
    _, answer = await api.get("/api/v1/stats?bucket=day&type=safety")
    assert sum(bucket["mentions"] for bucket in answer["buckets"]) == 2
    assert sum(bucket["by_type"].get("safety", 0) for bucket in answer["buckets"]) == 1


WRONG = [
    ("/api/v1/mentions?colour=red", "unknown parameter 'colour'"),
    ("/api/v1/mentions?type=nonsense", "skin_efficacy"),
    ("/api/v1/mentions?limit=0", "1 to 500"),
    ("/api/v1/mentions?limit=501", "1 to 500"),
    ("/api/v1/mentions?since=yesterday", "24h"),
    ("/api/v1/mentions?since=24", "24h"),
    ("/api/v1/mentions?cursor=abc", "cursor"),
    ("/api/v1/mentions?text=%22%22", "search"),
    ("/api/v1/mentions?platform=%00", "platform"),
    ("/api/v1/claims?cursor=WzFd", "another list"),
    ("/api/v1/sources?cursor=WzFd", "another list"),
    ("/api/v1/claims/c_1?nope=1", "unknown parameter"),
    ("/api/v1/stats?bucket=week", "hour, day"),
    ("/api/v1/stats?limit=3", "unknown parameter"),
    ("/api/v1/deliveries?state=lost", "pending, delivered, dead"),
    ("/api/v1/live?event=noise", "mention, alert"),
    ("/api/v1/endpoints?type=safety", "known here: limit, cursor"),
    ("/api/v1/mentions/m_1?limit=1", "known here: none"),
    ("/api/v1/mentions?" + "source=x&" * 101, "at most 100"),
    ("/api/v1/claims?source=" + "%E3%81%82" * 101, "longer than any name"),
]


async def test_a_wrong_question_is_a_problem_that_says_what_is_allowed(api: Api) -> None:
    for path, says in WRONG:
        async with api.client.get(api.url + path) as answer:
            assert (path, answer.status) == (path, 400)
            assert answer.content_type == "application/problem+json"
            problem = await answer.json(content_type=None)
            assert set(problem) == {"type", "title", "status", "detail"}
        assert says in problem["detail"]


async def test_a_long_question_in_letters_that_take_nine_bytes_each_is_answered(api: Api) -> None:
    query = "&".join(f"source={'%E3%81%82' * 25}{n}" for n in range(99)) + "&source=tag"
    assert len(query) > 20_000
    status, page = await api.get(f"/api/v1/mentions?{query}")
    assert (status, [one["platform_id"] for one in page["items"]]) == (200, ["b"])


async def test_unknown_addresses_and_methods_are_problems(api: Api) -> None:
    assert (await api.get("/api/v1/nothing"))[1]["status"] == 404
    async with api.client.delete(api.url + "/api/v1/mentions") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, POST")
        assert answer.content_type == "application/problem+json"


async def test_a_broken_database_shows_nothing_of_the_inside(api: Api) -> None:
    async with api.database.write() as connection:
        await connection.exec_driver_sql("ALTER TABLE attempt RENAME TO elsewhere")
        await connection.exec_driver_sql("ALTER TABLE source RENAME TO nowhere")
    status, problem = await api.get("/api/v1/sources")
    assert (status, problem["title"]) == (500, "Internal Server Error")
    assert "source" not in problem["detail"]
    assert "nowhere" not in str(problem)


async def test_the_description_names_every_route_and_every_parameter_it_names_is_taken(api: Api) -> None:
    status, document = await api.get("/api/v1/openapi.json")
    assert (status, document["openapi"]) == (200, "3.1.0")
    values = {"since": "1h", "until": "1h", "text": "a", "limit": "5", "bucket": "hour", "event": "alert"}
    values |= {
        "doubtful": "true",
        "type": "safety",
        "verdict": "supported",
        "stance": "asks",
        "endpoint": "case-system",
        "events": "claim.new",
    }
    values |= {"types": "all", "verdicts": "supported", "min_confidence": "0.5", "endpoint_min_confidence": "1"}
    values |= {"spreading": "10", "resurfaced_after": "1h", "max_per_hour": "5"}
    claim_id = claim_id_of("safe")
    for path, operations in document["paths"].items():
        answers = operations.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
        if "$ref" not in answers.get("application/json", {}).get("schema", {}):
            continue
        where = (
            path.replace("{name}", "idle")
            .replace("/mentions/{id}", "/mentions/reddit:d")
            .replace("/claims/{id}", f"/claims/{claim_id}")
        )
        wanted = [one for one in operations["get"]["parameters"] if one["in"] == "query" and one["name"] != "cursor"]
        names = [one["name"] for one in wanted]
        schemas = {one["name"]: one["schema"] for one in wanted}
        for name in schemas.keys() & {"state", "kind"}:  # each list has its own
            values[name] = schemas[name].get("items", schemas[name])["enum"][0]
        query = "&".join(f"{name}={values.get(name, 'x')}" for name in names)
        status, answer = await api.get(f"{where}?{query}")
        assert status == 200, (where, answer)
        schema = operations["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        named = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        assert set(named["properties"]) == set(answer)
