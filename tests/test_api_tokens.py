"""Named tokens: what each may do, who a review is said to be by, and how often one may ask."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from monitor.api.access import Access, login_cookie
from monitor.api.guard import COOKIE
from monitor.ids import claim_id_of
from monitor.settings import Settings, SettingsError, hash_of, load, new_token
from monitor.store import Database
from monitor.times import now_ms
from tests.api_server import Api, serving
from tests.samples import write_some

READER, REVIEWER, ADMIN, OWN = (new_token() for _ in range(4))
TOKENS = [
    {"name": "reader", "scopes": ["read"], "hash": hash_of(READER)},
    {"name": "ann.lee", "scopes": ["review"], "hash": hash_of(REVIEWER)},
    {"name": "boss", "scopes": ["admin"], "hash": hash_of(ADMIN), "rate_limit": 0},
]
SAFE = claim_id_of("safe")


@pytest.fixture
async def api(database: Database, redis_url: str) -> AsyncIterator[Api]:
    """A server with three named tokens and one of its own."""
    await write_some(database)
    async with serving(database, redis_url, token=OWN, tokens=TOKENS) as api:
        yield api


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# What is asked, the scope that it needs, and what is answered to one who may.
ASKED = [
    ("GET", "/api/v1/mentions", None, "read", 200),
    ("GET", "/metrics", None, "read", 200),
    ("GET", "/", None, "read", 200),
    ("GET", "/api/v1/status", None, "admin", 200),
    ("POST", f"/api/v1/claims/{SAFE}/review", {"action": "confirm"}, "review", 200),
    ("POST", "/api/v1/mentions", [], "admin", 202),
    ("POST", "/api/v1/endpoints/case-system/test", None, "admin", 202),
    ("POST", "/api/v1/deliveries/d_0000000000000/redeliver", None, "admin", 404),
]
MAY = {READER: ("read",), REVIEWER: ("read", "review"), ADMIN: ("read", "review", "admin"), OWN: ("read", "review", "admin")}


async def test_each_token_may_what_its_scopes_say_and_is_told_what_it_lacks(api: Api) -> None:
    for token, scopes in MAY.items():
        for method, path, body, needed, status in ASKED:
            async with api.client.request(method, api.url + path, json=body, headers=bearer(token)) as answer:
                assert (path, scopes, answer.status) == (path, scopes, status if needed in scopes else 403)
                if answer.status == 403:
                    assert answer.content_type == "application/problem+json"
                    assert f'the scope "{needed}"' in (await answer.json(content_type=None))["detail"]
    assert (await api.get("/api/v1/mentions", headers=bearer(new_token())))[0] == 401
    assert (await api.get("/api/v1/mentions", headers=bearer(hash_of(ADMIN))))[0] == 401  # the hash opens nothing


async def test_what_is_not_there_is_said_so_whatever_a_token_may(api: Api) -> None:
    assert (await api.post("/api/v1/nothing", headers=bearer(READER)))[0] == 404
    assert (await api.post("/api/v1/claims", headers=bearer(READER)))[0] == 405


async def test_a_review_is_by_the_token_that_made_it_unless_it_names_somebody(api: Api) -> None:
    path = f"/api/v1/claims/{SAFE}/review"
    await api.post(path, json={"action": "confirm"}, headers=bearer(REVIEWER))
    await api.post(path, json={"action": "reopen", "reviewer": "bob"}, headers=bearer(REVIEWER))
    await api.post(path, json={"action": "dismiss"}, headers=bearer(OWN))
    _, claim = await api.get(f"/api/v1/claims/{SAFE}", headers=bearer(READER))
    assert [one["reviewer"] for one in claim["reviews"]] == ["ann.lee", "bob", "api"]


async def test_a_named_token_logs_in_and_its_login_may_no_more_than_it(api: Api) -> None:
    async with api.client.post(api.url + "/login", data={"token": REVIEWER}, allow_redirects=False) as answer:
        assert (answer.status, REVIEWER in answer.headers["Set-Cookie"]) == (303, False)
        assert hash_of(REVIEWER)[7:] not in answer.headers["Set-Cookie"]
    assert (await api.post(f"/api/v1/claims/{SAFE}/review", json={"action": "mute"}))[1]["reviews"][0]["reviewer"] == "ann.lee"
    assert (await api.post("/api/v1/mentions", json=[]))[0] == 403
    word = re.search(r'name="form" value="([0-9a-f]{64})"', await api.page("/"))
    assert word
    async with api.client.post(api.url + "/logout", data={"form": word[1]}, allow_redirects=False) as answer:
        assert answer.status == 303
    assert (await api.get("/api/v1/mentions"))[0] == 401


async def test_a_login_cannot_be_forged_from_the_settings_or_made_anothers(api: Api) -> None:
    later = now_ms() + 60_000
    forged = Access(Settings(token=TOKENS), b"another key of the logins")
    theirs = login_cookie(forged.by_token(ADMIN) or pytest.fail("unknown"), later)
    own = login_cookie(Access(Settings(api={"token": OWN})).by_token(OWN) or pytest.fail("unknown"), later)
    for cookie in (theirs, f"{own}.boss", f"{later}..boss", f"{later}.{hash_of(ADMIN)[7:]}.boss"):
        assert (await api.get("/api/v1/mentions", headers={"Cookie": f"{COOKIE}={cookie}"}))[0] == 401
    assert (await api.get("/api/v1/mentions", headers={"Cookie": f"{COOKIE}={own}"}))[0] == 200


async def test_a_named_token_in_the_address_opens_what_is_only_read(api: Api) -> None:
    async with api.client.get(f"{api.url}/live?token={READER}") as answer:
        assert answer.status == 200
    assert (await api.get(f"/api/v1/mentions?token={READER}"))[0] == 401


async def test_each_token_has_a_budget_of_its_own_and_is_told_when_it_is_spent(database: Database, redis_url: str) -> None:
    few = [{**TOKENS[0], "rate_limit": 3}, *TOKENS[1:]]
    async with serving(database, redis_url, tokens=few) as api:
        left = []
        for _ in range(3):
            async with api.client.get(api.url + "/api/v1/mentions", headers=bearer(READER)) as answer:
                assert (answer.status, answer.headers["RateLimit-Policy"]) == (200, '"token";q=3;w=60')
                left.append(answer.headers["RateLimit"].partition(";t=")[0])
        assert left == ['"token";r=2', '"token";r=1', '"token";r=0']
        async with api.client.get(api.url + "/api/v1/mentions", headers=bearer(READER)) as answer:
            assert (answer.status, answer.content_type) == (429, "application/problem+json")
            assert 1 <= int(answer.headers["Retry-After"]) <= 20
        async with api.client.get(api.url + "/api/v1/mentions", headers=bearer(REVIEWER)) as answer:
            assert (answer.status, answer.headers["RateLimit"].partition(";t=")[0]) == (200, '"token";r=5999')
        for _ in range(5):
            async with api.client.get(api.url + "/api/v1/mentions", headers=bearer(ADMIN)) as answer:
                assert (answer.status, "RateLimit" in answer.headers) == (200, False)
        assert (await api.get("/api/v1/mentions"))[0] == 401  # without a token of its own a server with named ones is locked


def test_a_new_token_is_shown_once_with_the_lines_that_keep_its_hash(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "monitor", "token", "new", "desk", "--scope", "read", "--scope", "review"]
    made = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    token, _, lines = made.partition("\n")
    assert token not in lines
    (entry,) = tomllib.loads(lines)["token"]
    assert entry == {"name": "desk", "scopes": ["read", "review"], "hash": hash_of(token)}
    file = tmp_path / "monitor.toml"
    file.write_text('[api]\nhost = "0.0.0.0"\n' + lines)
    caller = Access(load(file)).by_token(token)
    assert caller is not None
    assert (caller.name, sorted(caller.scopes), caller.rate_limit) == ("desk", ["read", "review"], 6000)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ('name = "a"\nscopes = ["write"]\nhash = "sha256:' + "0" * 64 + '"', ["token[0] (a).scopes[0]", "'admin'"]),
        ('name = "a"\nscopes = []\nhash = "sha256:' + "0" * 64 + '"', ["token[0] (a).scopes"]),
        ('name = "a"\nscopes = ["read"]\nhash = "secret"', ["token[0] (a).hash", "sha256:"]),
        ('name = "a"\nscopes = ["read"]', ["token[0] (a).hash is missing"]),
        ('name = "api"\nscopes = ["read"]\nhash = "sha256:' + "0" * 64 + '"', ["api.token itself"]),
    ],
)
def test_a_wrong_token_entry_is_named(tmp_path: Path, entry: str, said: list[str]) -> None:
    file = tmp_path / "monitor.toml"
    file.write_text(f"[[token]]\n{entry}\n")
    with pytest.raises(SettingsError) as caught:
        load(file)
    assert all(words in str(caught.value) for words in said), caught.value


def test_the_environment_holds_a_token_and_no_list_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "monitor.toml"
    file.write_text('[api]\ntoken = "env:EXOWATCH_TOKEN"\n[[token]]\nname = "a"\nscopes = ["read"]\nhash = "env:A_HASH"\n')
    monkeypatch.setenv("EXOWATCH_TOKEN", OWN)
    monkeypatch.setenv("A_HASH", hash_of(READER))
    read = load(file)
    assert (read.api.token.get_secret_value(), read.token[0].hash) == (OWN, hash_of(READER))
