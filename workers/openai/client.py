"""Asks a server that speaks the chat-completions format: bounded in time and size, tried again once, never redirected."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Coroutine, Mapping
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

import aiohttp
import msgspec

from monitor import __version__, net
from monitor.settings import Classifier
from monitor.waits import wait_of

MAX_OUTPUT = 4_096  # tokens: forty claims at their longest
MAX_BODY = 1024 * 1024  # bytes of an answer
_FIRST_WAIT_S = 1.0  # before the second try, where the server does not say
_KEEPALIVE_S = 4.0  # below the five seconds after which common servers close an idle connection

Reason = Literal[
    "timeout", "unreachable", "busy", "server_error", "rejected", "refused", "invalid", "cap", "cap_unknown", "resting"
]


class Tokens(msgspec.Struct, frozen=True):
    """What an exchange took, as the server counts it."""

    sent: int
    received: int


NOTHING = Tokens(0, 0)
T = TypeVar("T")
_MOST_TOKENS = 10**8  # of one exchange; what a server counts beyond is no count


class NoAnswer(Exception):  # noqa: N818 - a state of the server, and named as one
    """There is no answer that can be used.

    `reason` is for counting, the text one sentence for the operator. `tokens` is what it cost; None where nobody knows, as after
    a timeout. `retry_after_s` is set where the same may be asked again: what the server wants waited, 0 where it says nothing.
    """

    def __init__(self, reason: Reason, text: str, *, tokens: Tokens | None = NOTHING, retry_after_s: float | None = None) -> None:
        super().__init__(text)
        self.reason: Reason = reason
        self.tokens = tokens
        self.retry_after_s = retry_after_s


class Completion(msgspec.Struct, frozen=True):
    """What the model said, and what that took (None: the server does not say)."""

    content: str
    tokens: Tokens | None


class _Usage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int


class _Message(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Answer(msgspec.Struct):
    choices: list[_Choice]
    usage: _Usage | None = None


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Model]


class Client:
    """The way to one server and model. Its owner closes it. Made inside a running event loop."""

    def __init__(self, settings: Classifier) -> None:
        self.where = _place(settings.base_url)
        self._base_url = settings.base_url
        self._model = settings.model
        self._timeout_s = settings.timeout
        # Not every model takes these: one that a server names when it rejects a request is left out, or said in the older word.
        self._options: dict[str, Any] = {"temperature": 0, "max_completion_tokens": MAX_OUTPUT}
        key = settings.api_key.get_secret_value()
        self._session = aiohttp.ClientSession(
            # The server is the operator's own choice and may stand in their own network.
            connector=net.connector(allow_private=True, limit=settings.concurrency, keepalive_s=_KEEPALIVE_S),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # `_in_time` keeps the time for the whole
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={
                "accept": "application/json",
                "accept-encoding": "identity",
                "user-agent": f"exowatch/{__version__}",
                **({"authorization": f"Bearer {key}"} if key else {}),
            },
            auto_decompress=False,
            trust_env=False,
        )

    async def complete(self, system: str, message: str, schema: Mapping[str, Any]) -> Completion:
        """The model's answer to a message, of the form of `schema` where the server keeps to it. Raises NoAnswer."""
        form = {"type": "json_schema", "json_schema": {"name": "reading", "strict": True, "schema": schema}}
        request = {
            "model": self._model,
            "messages": [{"role": "system", "content": system}, {"role": "user", "content": message}],
            "response_format": form,
        }
        return await self._in_time(self._patiently(request))

    async def probe(self) -> str:
        """Finds out, at next to no cost, whether the server is there and has the model; says so. Raises NoAnswer."""
        return await self._in_time(self._probe())

    async def close(self) -> None:
        await self._session.close()

    async def _in_time(self, asking: Coroutine[Any, Any, T]) -> T:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await asking
        except TimeoutError:
            raise NoAnswer("timeout", f"{self.where} did not answer within {self._timeout_s:g} s", tokens=None) from None

    async def _patiently(self, request: dict[str, Any]) -> Completion:
        """Asks, and once more where the server asks for that; no wait goes beyond the timeout."""
        until = asyncio.get_running_loop().time() + self._timeout_s
        try:
            return await self._ask(request)
        except NoAnswer as error:
            if error.retry_after_s is None:
                raise
            wait = error.retry_after_s or _FIRST_WAIT_S
            if asyncio.get_running_loop().time() + wait >= until:
                raise
        await asyncio.sleep(wait)
        return await self._ask(request)

    async def _ask(self, request: dict[str, Any]) -> Completion:
        for _ in range(len(self._options) + 1):
            options = dict(self._options)
            status, body, headers = await self._exchange("POST", "/chat/completions", {**request, **options})
            if status != 400 or not self._gave_up_an_option(options, body):
                break
        if status != 200:
            raise self._failure(status, headers)
        return self._completion(body, headers)

    def _gave_up_an_option(self, sent: Mapping[str, Any], body: bytes) -> bool:
        """Whether the server's complaint names an option that was sent; from now on it is not."""
        named = next((name for name in sent if name.encode() in body), None)
        if named is None:
            return False
        if self._options.pop(named, None) is not None and named == "max_completion_tokens":
            self._options["max_tokens"] = MAX_OUTPUT
        return True

    def _completion(self, body: bytes, headers: Mapping[str, str]) -> Completion:
        answer = self._decoded(body, headers, _Answer)
        usage = answer.usage
        tokens = Tokens(_counted(usage.prompt_tokens), _counted(usage.completion_tokens)) if usage else None
        if not answer.choices:
            raise NoAnswer("invalid", f"{self.where} answers without a choice", tokens=tokens)
        choice = answer.choices[0]
        if choice.message.refusal or choice.finish_reason == "content_filter":
            raise NoAnswer("refused", f"the model at {self.where} refuses to read a post", tokens=tokens)
        if choice.finish_reason == "length":
            raise NoAnswer("invalid", f"the model at {self.where} was cut off before its answer ended", tokens=tokens)
        if not choice.message.content:
            raise NoAnswer("invalid", f"the model at {self.where} says nothing", tokens=tokens)
        return Completion(choice.message.content, tokens)

    async def _probe(self) -> str:
        status, body, headers = await self._exchange("GET", "/models")
        if status in (404, 405, 501):  # a server without a list, or an address without its /v1: only a question can tell
            return await self._probe_by_asking()
        if status != 200:
            raise self._failure(status, headers)
        names = [model.id for model in self._decoded(body, headers, _Models).data]
        if self._model not in names:
            some = ", ".join(sorted(names)[:5]) or "none"
            raise NoAnswer("rejected", f"{self.where} has no model {self._model}; set classifier.model to one it has: {some}")
        return f"{self.where} answers and has the model {self._model}"

    async def _probe_by_asking(self) -> str:
        request = {"model": self._model, "messages": [{"role": "user", "content": "Say ok."}]}
        completion = await self._ask(request)
        return f"{self.where} answers, and so does the model {self._model} ({len(completion.content)} characters)"

    async def _exchange(
        self, method: str, path: str, request: Mapping[str, Any] | None = None
    ) -> tuple[int, bytes, Mapping[str, str]]:
        """One request: status, body and headers of the answer. Raises NoAnswer where there is none."""
        data = None if request is None else msgspec.json.encode(request)
        headers = {"content-type": "application/json"} if data is not None else {}
        try:
            async with self._session.request(
                method, f"{self._base_url}{path}", data=data, headers=headers, allow_redirects=False
            ) as response:
                body = bytearray()
                async for piece in response.content.iter_any():
                    body += piece
                    if len(body) > MAX_BODY:
                        response.close()
                        raise NoAnswer("invalid", f"{self.where} answers with more than {MAX_BODY // 1024} kB", tokens=None)
                return response.status, bytes(body), response.headers
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if isinstance(error, TimeoutError):
                raise
            raise self._unreachable(error) from None

    def _decoded(self, body: bytes, headers: Mapping[str, str], kind: type[Any]) -> Any:
        said = headers.get("content-type", "").partition(";")[0].strip().lower()
        if said != "application/json" and not said.endswith("+json"):
            raise NoAnswer("invalid", f"{self.where} answers with something other than JSON; is base_url right?", tokens=None)
        try:
            return msgspec.json.decode(body, type=kind)
        except (ValueError, RecursionError):
            raise NoAnswer("invalid", f"{self.where} answers with JSON of another form", tokens=None) from None

    def _failure(self, status: int, headers: Mapping[str, str]) -> NoAnswer:
        """What a status other than 200 means. The server's own words are left out: they may hold the post's, or the key."""
        if status == 429 or status >= 500:
            wait = wait_of(headers.get("retry-after", "")) or 0.0
            if status == 429:
                return NoAnswer("busy", f"{self.where} wants fewer requests, or its quota is used up (429)", retry_after_s=wait)
            return NoAnswer("server_error", f"{self.where} has trouble of its own ({status})", retry_after_s=wait)
        if status in (401, 403):
            return NoAnswer("rejected", f"{self.where} does not accept the key ({status}); set classifier.api_key")
        if status == 404:
            what = f"no chat/completions there, or no model {self._model}"
            return NoAnswer("rejected", f"{self.where} has {what} (404); check classifier.base_url and classifier.model")
        return NoAnswer("rejected", f"{self.where} does not take the request ({status})")

    def _unreachable(self, error: Exception) -> NoAnswer:
        match error:
            case aiohttp.ClientConnectorDNSError() | socket.gaierror():
                text = f"{self.where} cannot be found; check classifier.base_url"
            case aiohttp.ClientSSLError() | aiohttp.ClientConnectorCertificateError():
                text = f"no secure connection to {self.where}: its certificate or TLS is not accepted"
            case aiohttp.ClientConnectorError():
                text = f"{self.where} refuses the connection; is its server running, and classifier.base_url right?"
            case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | aiohttp.ClientPayloadError():
                # It may have worked on the question before it broke off.
                return NoAnswer("unreachable", f"{self.where} broke off the connection", tokens=None)
            case aiohttp.InvalidURL():
                text = "classifier.base_url is not an address that can be asked"
            case _:
                text = f"{self.where} answers with something that is not HTTP ({type(error).__name__})"
        return NoAnswer("unreachable", text)


def _counted(tokens: int) -> int:
    return min(max(0, tokens), _MOST_TOKENS)


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
