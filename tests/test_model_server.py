"""The talk with a model's server: what is asked to the letter, what each answer means, and in which words that is told."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from monitor import __version__
from tests.standins.chat_server import ChatServer, completion, error, json_reply
from tests.standins.scripted import Reply
from workers.openai.client import MAX_BODY, NOTHING, Client, Completion, NoAnswer, Tokens

SCHEMA = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
JSON = {"Content-Type": "application/json"}


@asynccontextmanager
async def asking(server: ChatServer, **more: Any) -> AsyncIterator[Client]:
    client = Client(server.settings(**more))
    try:
        yield client
    finally:
        await client.close()


async def asked(client: Client) -> Completion:
    return await client.complete("Be brief.", '{"text": "What is new?"}', SCHEMA)


async def failure(client: Client) -> NoAnswer:
    with pytest.raises(NoAnswer) as caught:
        await asked(client)
    return caught.value


async def test_a_request_and_its_headers_to_the_letter() -> None:
    async with ChatServer() as server, asking(server) as client:
        assert await asked(client) == Completion('{"relevant": true, "adverse_event": false, "claims": []}', Tokens(900, 100))
        (request,) = server.requests
        headers = server.asked[0].headers
    assert request == {
        "model": "reader-1",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": '{"text": "What is new?"}'}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "reading", "strict": True, "schema": SCHEMA}},
        "temperature": 0,
        "max_completion_tokens": 4_096,
    }
    assert headers["Content-Type"] == headers["Accept"] == "application/json"
    assert headers["Accept-Encoding"] == "identity"
    assert headers["User-Agent"] == f"exowatch/{__version__}"


def cut(reason: str, refusal: str | None = None, content: str | None = "{") -> Reply:
    return completion(content, finish_reason=reason, refusal=refusal, tokens=(70, 7))


TOKENS = Tokens(70, 7)
KEY = "does not accept the key ({}); set classifier.api_key"
HERE = "{where} "
ANSWERS: dict[str, tuple[Reply, str, str, Tokens | None]] = {
    "no-choice": (
        json_reply(200, {"choices": [], "usage": {"prompt_tokens": 70, "completion_tokens": 7}}),
        *("invalid", HERE + "answers without a choice", TOKENS),
    ),
    "refusal": (cut("stop", "I cannot."), "refused", "the model at {where} refuses to read a post", TOKENS),
    "filtered": (cut("content_filter"), "refused", "the model at {where} refuses to read a post", TOKENS),
    "cut-off": (cut("length"), "invalid", "the model at {where} was cut off before its answer ended", TOKENS),
    "silent": (cut("stop", content=""), "invalid", "the model at {where} says nothing", TOKENS),
    "no-json": (
        Reply(200, "{}", {"Content-Type": "text/html"}),
        *("invalid", HERE + "answers with something other than JSON; is base_url right?", None),
    ),
    "no-type": (
        Reply(200, b"{}", {"Content-Type": ""}),
        *("invalid", HERE + "answers with something other than JSON; is base_url right?", None),
    ),
    "other-form": (json_reply(200, ["hello"]), "invalid", HERE + "answers with JSON of another form", None),
    "huge": (Reply(200, endless=True, headers=JSON), "invalid", HERE + "answers with more than 1024 kB", None),
    "packed": (
        Reply(200, gzip.compress(str(completion("{}").body).encode()), JSON | {"Content-Encoding": "gzip"}),
        *("invalid", HERE + "answers with JSON of another form", None),
    ),
    "bad-request": (error(400), "rejected", HERE + "does not take the request (400)", NOTHING),
    "created": (Reply(201, completion("{}").body, JSON), "rejected", HERE + "does not take the request (201)", NOTHING),
    "redirect": (
        Reply(302, "", {"Location": "/v1/chat/completions"}),
        *("rejected", HERE + "does not take the request (302)", NOTHING),
    ),
    "no-key": (error(401), "rejected", HERE + KEY.format(401), NOTHING),
    "unpaid": (error(402), "rejected", HERE + "does not take the request (402)", NOTHING),
    "wrong-key": (error(403), "rejected", HERE + KEY.format(403), NOTHING),
    "nowhere": (
        error(404),
        "rejected",
        HERE + "has no chat/completions there, or no model reader-1 (404); check classifier.base_url and classifier.model",
        NOTHING,
    ),
    "no-method": (error(405), "rejected", HERE + "does not take the request (405)", NOTHING),
    "dropped": (Reply(drop=True), "unreachable", HERE + "broke off the connection", None),
}


@pytest.mark.parametrize(("reply", "reason", "text", "tokens"), ANSWERS.values(), ids=ANSWERS)
async def test_what_is_no_answer_is_told_in_one_sentence_and_with_its_cost(
    reply: Reply, reason: str, text: str, tokens: Tokens | None
) -> None:
    async with ChatServer() as server, asking(server) as client:
        server.next(reply)
        said = await failure(client)
        where = server.origin.removeprefix("http://")
        assert len(server.requests) == 1, "what would fail again is asked once"
    assert (said.reason, str(said), said.tokens, said.retry_after_s) == (reason, text.format(where=where), tokens, None)


@pytest.mark.parametrize(
    ("reply", "reason", "text", "wait_s"),
    [
        (error(429, Retry_After="60"), "busy", "wants fewer requests, or its quota is used up (429)", 60.0),
        (error(429), "busy", "wants fewer requests, or its quota is used up (429)", 0.0),
        (error(500, Retry_After="90"), "server_error", "has trouble of its own (500)", 90.0),
        (error(503), "server_error", "has trouble of its own (503)", 0.0),
    ],
)
async def test_a_server_that_may_be_asked_again_says_when_and_no_wait_goes_beyond_the_timeout(
    reply: Reply, reason: str, text: str, wait_s: float
) -> None:
    async with ChatServer() as server, asking(server, timeout=1) as client:
        server.next(reply)
        said = await failure(client)
        assert len(server.requests) == 1, "a second try begins a second later at the earliest, which is past the timeout"
    assert (said.reason, str(said), said.tokens, said.retry_after_s) == (*(reason, f"{client.where} {text}", NOTHING, wait_s),)


async def test_where_the_server_does_not_say_when_the_second_try_comes_a_second_later() -> None:
    async with ChatServer() as server, asking(server, timeout=5) as client:
        server.next(error(500))
        started = time.monotonic()
        assert (await asked(client)).tokens == Tokens(900, 100)
        assert 1 <= time.monotonic() - started < 4
        assert server.requests[0] == server.requests[1]


async def test_no_answer_in_time() -> None:
    async with ChatServer() as server, asking(server, timeout=1) as client:
        server.hold()
        said = await failure(client)
        server.release()
    text = f"{client.where} did not answer within 1 s"
    assert (said.reason, str(said), said.tokens, said.retry_after_s) == ("timeout", text, None, None)


@pytest.mark.parametrize(("size", "fits"), [(MAX_BODY, True), (MAX_BODY + 1, False)], ids=["as-large-as-may-be", "one-byte-more"])
async def test_an_answer_has_a_bound(size: int, fits: bool) -> None:
    async with ChatServer() as server, asking(server) as client:
        server.next(Reply(200, str(completion("{}").body).ljust(size), JSON))
        if fits:
            assert (await asked(client)).content == "{}"
        else:
            assert str(await failure(client)).endswith("answers with more than 1024 kB")


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON", "application/json; charset=utf-8", "application/json ;x", "text/x+json"]
)
async def test_json_by_its_common_names(kind: str) -> None:
    async with ChatServer() as server, asking(server) as client:
        server.next(Reply(200, completion("{}").body, {"Content-Type": kind}))
        assert (await asked(client)).content == "{}"


@pytest.mark.parametrize(
    ("counted", "tokens"), [((0, 0), (0, 0)), ((1, 2), (1, 2)), ((-5, -1), (0, 0)), ((10**8 + 1, 10**12), (10**8, 10**8))]
)
async def test_what_a_server_counts_is_believed_within_bounds(counted: tuple[int, int], tokens: tuple[int, int]) -> None:
    async with ChatServer() as server, asking(server) as client:
        server.next(completion("{}", tokens=counted))
        assert (await asked(client)).tokens == Tokens(*tokens)


async def test_a_server_that_does_not_count_has_a_price_that_nobody_knows() -> None:
    async with ChatServer() as server, asking(server) as client:
        server.next(json_reply(200, {"choices": [{"message": {"content": "{}"}}, {"message": {"content": "second"}}]}))
        assert await asked(client) == Completion("{}", None)


# Options that a model does not take


def options(request: dict[str, Any]) -> dict[str, Any]:
    return {name: request[name] for name in ("temperature", "max_completion_tokens", "max_tokens") if name in request}


async def test_an_option_that_the_server_names_is_left_out_or_said_in_the_older_word() -> None:
    async with ChatServer() as server, asking(server) as client:
        server.next(error(400, "temperature is not for this model"), error(400, "max_completion_tokens is unknown"))
        await asked(client)
        await asked(client)
        sent = [options(request) for request in server.requests]
    older = {"max_tokens": 4_096}
    assert sent == [{"temperature": 0, "max_completion_tokens": 4_096}, {"max_completion_tokens": 4_096}, older, older]


async def test_a_server_that_takes_no_option_at_all_is_asked_three_times_and_the_next_time_without() -> None:
    async with ChatServer() as server, asking(server) as client:
        server.next(*(error(400, name) for name in ("max_completion_tokens", "max_tokens", "temperature")))
        assert str(await failure(client)).endswith("does not take the request (400)")
        assert len(server.requests) == 3
        await asked(client)
        assert options(server.requests[-1]) == {}


async def test_side_by_side_requests_give_up_an_option_together() -> None:
    async with ChatServer() as server, asking(server, concurrency=2) as client:
        server.hold()
        server.next(*[error(400, "no max_completion_tokens")] * 2)
        both = asyncio.gather(asked(client), asked(client))
        await server.until_in_hand(2)
        server.release()
        assert [one.tokens for one in await both] == [Tokens(900, 100)] * 2
        sent = [options(request) for request in server.requests]
    assert sent[2:] == [{"temperature": 0, "max_tokens": 4_096}] * 2


async def test_another_status_that_names_an_option_changes_nothing() -> None:
    async with ChatServer() as server, asking(server) as client:
        server.next(error(422, "temperature"))
        await failure(client)
        await asked(client)
        assert server.requests[0] == server.requests[1]


# The way there


async def test_no_more_connections_than_the_concurrency() -> None:
    async with ChatServer() as server, asking(server, concurrency=1) as client:
        await asyncio.gather(*(asked(client) for _ in range(4)))
        assert (server.most, len(server.requests)) == (1, 4)


async def test_cookies_are_not_kept() -> None:
    async with ChatServer() as server:
        async with asking(server, base_url=server.url.replace("127.0.0.1", "localhost")) as client:
            server.next(Reply(200, completion("{}").body, JSON | {"Set-Cookie": "session=1; Path=/"}))
            await asked(client)
            await asked(client)
        assert ["Cookie" in one.headers for one in server.asked] == [False, False]


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with ChatServer() as server, asking(server) as client:
        assert (await asked(client)).tokens == Tokens(900, 100)


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("http://model.example/v1", "model.example"),
        ("https://model.example:8443/v1", "model.example:8443"),
        ("http://[::1]:8000/v1", "::1:8000"),
    ],
)
async def test_a_server_is_named_by_its_host_and_the_port_that_was_given(url: str, where: str) -> None:
    async with asking(ChatServer(), base_url=url) as client:
        assert client.where == where


async def test_a_host_that_has_no_address() -> None:
    async with asking(ChatServer(), base_url="http://no-such-host.invalid/v1") as client:
        said = await failure(client)
    text = "no-such-host.invalid cannot be found; check classifier.base_url"
    assert (said.reason, str(said), said.tokens) == ("unreachable", text, NOTHING)


async def test_a_server_that_is_not_running() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with asking(ChatServer(), base_url=f"http://127.0.0.1:{port}/v1") as client:
        said = await failure(client)
    text = f"127.0.0.1:{port} refuses the connection; is its server running, and classifier.base_url right?"
    assert (said.reason, str(said), said.tokens) == ("unreachable", text, NOTHING)


async def test_https_to_a_server_without_it() -> None:
    async with ChatServer() as server, asking(server, base_url=server.url.replace("http:", "https:")) as client:
        said = await failure(client)
    text = f"no secure connection to {client.where}: its certificate or TLS is not accepted"
    assert (said.reason, str(said), said.tokens) == ("unreachable", text, NOTHING)


async def test_a_server_that_does_not_speak_http() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"220 mail.example ready\r\n")
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        async with asking(ChatServer(), base_url=f"http://127.0.0.1:{port}/v1") as client:
            said = await failure(client)
    finally:
        server.close()
    text = f"127.0.0.1:{port} answers with something that is not HTTP (ClientResponseError)"
    assert (said.reason, str(said), said.tokens) == ("unreachable", text, NOTHING)


# Asking whether it is there


async def probed(client: Client) -> str:
    """What is told, be it good or bad."""
    try:
        return await client.probe()
    except NoAnswer as error:
        return f"{error.reason}: {error}"


async def test_a_probe_looks_for_the_model_in_the_servers_list() -> None:
    async with ChatServer() as server, asking(server) as client, asking(server, model="reader-9") as other:
        assert await probed(client) == f"{client.where} answers and has the model reader-1"
        assert [(one.method, one.path) for one in server.asked] == [("GET", "/v1/models")]
        assert "Content-Type" not in server.asked[0].headers
        assert await probed(other) == (
            f"rejected: {client.where} has no model reader-9; set classifier.model to one it has: reader-1, writer-1"
        )
        assert server.requests == []


@pytest.mark.parametrize(("names", "shown"), [("fedcba", "a, b, c, d, e"), ("", "none")])
async def test_a_probe_names_five_models_at_most_by_their_names(names: str, shown: str) -> None:
    async with ChatServer() as server, asking(server) as client:
        server.next(json_reply(200, {"data": [{"id": name} for name in names]}))
        assert (await probed(client)).endswith(f"set classifier.model to one it has: {shown}")


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_where_there_is_no_list_a_probe_asks_the_model_for_a_word(status: int) -> None:
    async with ChatServer() as server, asking(server) as client:
        server.next(error(status))
        assert await probed(client) == f"{client.where} answers, and so does the model reader-1 (2 characters)"
        (request,) = server.requests
    assert request == {
        "model": "reader-1",
        "messages": [{"role": "user", "content": "Say ok."}],
        "temperature": 0,
        "max_completion_tokens": 4_096,
    }


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (error(401), "rejected: {} does not accept the key (401); set classifier.api_key"),
        (error(500, Retry_After="3"), "server_error: {} has trouble of its own (500)"),
        (error(502), "server_error: {} has trouble of its own (502)"),
        (Reply(201, '{"data": []}', JSON), "rejected: {} does not take the request (201)"),
        (Reply(200, "<p>hello", {"Content-Type": "text/html"}), "invalid: {} answers with something other than JSON"),
        (json_reply(200, {"models": []}), "invalid: {} answers with JSON of another form"),
    ],
)
async def test_a_probe_that_fails_says_why(reply: Reply, told: str) -> None:
    async with ChatServer() as server, asking(server) as client:
        server.next(reply)
        assert (await probed(client)).startswith(told.format(client.where))
        assert server.requests == []


async def test_a_probe_has_the_timeout_too() -> None:
    async with ChatServer() as server, asking(server, timeout=1) as client:
        server.hold()
        assert await probed(client) == f"timeout: {client.where} did not answer within 1 s"
        server.release()


async def test_what_a_probe_asks_is_sent_as_json() -> None:
    async with ChatServer() as server, asking(server) as client:
        server.lists_models = False
        await probed(client)
        assert [(one.method, one.path) for one in server.asked] == [("GET", "/v1/models"), ("POST", "/v1/chat/completions")]
        assert server.asked[1].headers["Content-Type"] == "application/json"
