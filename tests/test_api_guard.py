"""Who may ask: token, cookie, ?token=, foreign hosts and foreign pages; the headers of every answer."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest

from monitor.api.access import Caller, login_cookie
from monitor.api.guard import COOKIE
from monitor.readiness import Trouble
from monitor.store import Database
from monitor.times import now_ms
from tests.api_server import Api, serving

TOKEN = "a-long-and-secret-token"


@pytest.fixture
async def locked(database: Database, redis_url: str) -> AsyncIterator[Api]:
    """A server with a token."""
    async with serving(database, redis_url, token=TOKEN) as api:
        yield api


async def test_without_the_token_only_health_answers(locked: Api) -> None:
    for path in ("/healthz", "/readyz"):
        async with locked.client.get(locked.url + path) as answer:
            assert answer.status == 200
    paths = ("/", "/api/v1/mentions", "/api/v1/openapi.json", "/metrics", "/live", "/claims/c_1", "/nothing", "/api/v1/live")
    for path in paths:
        async with locked.client.get(locked.url + path) as answer:
            assert (path, answer.status, answer.content_type) == (path, 401, "application/problem+json")
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert (await locked.post("/api/v1/mentions", json=[]))[0] == 401


async def test_readiness_tells_strangers_whether_and_those_who_may_read_why(locked: Api) -> None:
    locked.unready.append(Trouble(part="topic pack", problem="broken at /secret/place", mend="mend it", failing=False))
    may = {"Authorization": f"Bearer {TOKEN}"}
    for headers, said in (({}, "ready\n"), (may, "ready\ntopic pack: broken at /secret/place; mend it\n")):
        async with locked.client.get(locked.url + "/readyz", headers=headers) as answer:
            assert (answer.status, await answer.text()) == (200, said)
    locked.unready.append(Trouble(part="stream", problem="Redis is away", mend="look at it"))
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Cookie": f"{COOKIE}=9.x"}):
        status, told = await locked.get("/readyz", headers=headers)
        assert (status, told["detail"]) == (503, "not ready")
        assert "parts" not in told
    status, told = await locked.get("/readyz", headers=may)
    assert (status, told["detail"]) == (503, "not ready: stream")
    assert [one["part"] for one in told["parts"]] == ["topic pack", "stream"]


BEARERS = [
    (f"Bearer {TOKEN}", 200),
    (f"bearer {TOKEN}", 200),
    (f"Bearer {TOKEN}x", 401),
    ("Bearer ", 401),
    (f"Basic {TOKEN}", 401),
    ("Bearer tökén", 401),
]


async def test_the_token_is_taken_as_a_bearer_and_no_other(locked: Api) -> None:
    for header, status in BEARERS:
        answer = await locked.get("/api/v1/mentions", headers={"Authorization": header})
        assert (header, answer[0]) == (header, status)


async def test_a_token_in_the_address_opens_live_and_nothing_else(locked: Api) -> None:
    for path in ("/live", "/api/v1/live"):
        async with locked.client.get(f"{locked.url}{path}?token={TOKEN}") as answer:
            assert (answer.status, answer.content_type) == (200, "text/event-stream")
        async with locked.client.get(f"{locked.url}{path}?token=wrong") as answer:
            assert answer.status == 401
    for path in ("/", "/api/v1/mentions", "/metrics"):
        assert (await locked.get(f"{path}?token={TOKEN}"))[0] == 401
    assert (await locked.post(f"/live?token={TOKEN}"))[0] == 401


async def test_logging_in_gives_a_cookie_that_is_not_the_token(locked: Api) -> None:
    async with locked.client.get(locked.url + "/?x=1", headers={"Accept": "text/html"}) as answer:
        form = await answer.text()
        assert (answer.status, answer.content_type) == (401, "text/html")
        assert 'action="/login"' in form
        assert 'value="/?x=1"' in form
    async with locked.client.post(locked.url + "/login", data={"token": "wrong"}) as answer:
        assert (answer.status, "not the token" in await answer.text()) == (401, True)
    data = {"token": TOKEN, "next": "/claims/x"}
    async with locked.client.post(locked.url + "/login", data=data, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/claims/x")
        cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert TOKEN not in cookie
    page = await locked.page("/")
    assert "New claims" in page
    assert (await locked.get("/api/v1/mentions"))[0] == 200
    async with locked.client.post(locked.url + "/logout", allow_redirects=False) as answer:
        assert answer.status == 403, "a form of another page logs nobody out"
    word = re.search(r'name="form" value="([0-9a-f]{64})"', page)
    assert word
    async with locked.client.post(locked.url + "/logout", data={"form": word[1]}, allow_redirects=False) as answer:
        assert answer.status == 303
    assert (await locked.get("/api/v1/mentions"))[0] == 401


async def test_a_cookie_ends_and_cannot_be_made_longer(locked: Api) -> None:
    ours = Caller(key=TOKEN.encode())
    over = login_cookie(ours, now_ms() - 1)
    later = login_cookie(ours, now_ms() + 60_000)
    longer = f"{now_ms() + 120_000}.{later.partition('.')[2]}"
    other = login_cookie(Caller(key=b"another token"), now_ms() + 60_000)
    for value, status in ((later, 200), (over, 401), (longer, 401), (other, 401), ("x", 401), (".", 401)):
        assert (await locked.get("/api/v1/mentions", headers={"Cookie": f"{COOKIE}={value}"}))[0] == status


async def test_logging_in_never_leads_elsewhere(locked: Api) -> None:
    for back in ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", ""]:
        data = {"token": TOKEN, "next": back}
        async with locked.client.post(locked.url + "/login", data=data, allow_redirects=False) as answer:
            assert answer.headers["Location"] == "/"


HOSTS = [
    ("localhost:8080", 200),
    ("127.0.0.1", 200),
    ("127.9.9.9:1", 200),
    ("[::1]:8080", 200),
    ("evil.example", 403),
    ("127.0.0.1.evil.example", 403),
    ("10.0.0.1", 403),
    ("", 403),
    ("[", 403),
]


async def test_without_a_token_a_foreign_name_is_refused(api: Api) -> None:
    for host, status in HOSTS:
        answer = await api.get("/api/v1/mentions", headers={"Host": host})
        assert (host, answer[0]) == (host, status)


async def test_with_a_token_any_name_will_do(locked: Api) -> None:
    headers = {"Host": "exowatch.example", "Authorization": f"Bearer {TOKEN}"}
    assert (await locked.get("/api/v1/mentions", headers=headers))[0] == 200


async def test_posts_from_foreign_pages_are_refused(api: Api) -> None:
    async def status(**headers: str) -> int:
        return (await api.post("/api/v1/mentions", json=[], headers=headers))[0]

    assert await status() == 202
    assert await status(Origin=api.url) == 202
    assert await status(Origin="https://evil.example") == 403
    assert await status(Origin="null") == 403
    assert await status(Origin="http://127.0.0.1:1") == 403
    assert await status(**{"Sec-Fetch-Site": "cross-site"}) == 403
    assert (await api.post("/api/v1/endpoints/case-system/test", headers={"Origin": "https://evil.example"}))[0] == 403


async def test_every_answer_carries_the_headers_that_keep_browsers_careful(api: Api) -> None:
    for path in ("/", "/api/v1/mentions", "/nothing", "/healthz", "/static/live.js", "/metrics", "/live"):
        async with api.client.get(api.url + path) as answer:
            assert answer.headers["X-Content-Type-Options"] == "nosniff", path
            assert answer.headers["Referrer-Policy"] == ("same-origin" if path == "/" else "no-referrer"), path
            assert answer.headers["Server"] == "exowatch", path
    async with api.client.get(api.url + "/") as answer:
        policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy


async def test_nothing_outside_the_static_folder_is_served_from_it(api: Api) -> None:
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2Fapp.py", "/static/"):
        async with api.client.get(api.url + path) as answer:
            assert answer.status in (403, 404), path
