"""One attempt at one webhook: signed as Standard Webhooks has it, bounded in time and in what is read, never redirected."""

from __future__ import annotations

import hmac
import os
import re
import socket
import time
from base64 import b64decode, b64encode
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import urlsplit

import aiohttp
import structlog

from monitor import __version__, net
from monitor.settings.endpoint import Endpoint
from workers.deliver.schedule import GONE, Answer

log = structlog.get_logger()

TIMEOUT_S = 15.0
KEPT_ANSWER = 1_024  # bytes
MAX_ANSWER = 65_536  # bytes read of an answer before the connection is closed
_KEEPALIVE_S = 4.0  # below the five seconds after which common servers close an idle connection
_CONTENT_TYPES = {"standard": "application/json", "cloudevents": "application/cloudevents+json; charset=utf-8"}
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def signed_headers(secrets: Sequence[str], webhook_id: str, at_ms: int, body: bytes) -> dict[str, str]:
    """The three headers of Standard Webhooks. While a secret is being changed there are several, and a signature by each."""
    timestamp = str(at_ms // 1000)
    signed = b".".join((webhook_id.encode(), timestamp.encode(), body))
    signatures = (b64encode(hmac.digest(_key(secret), signed, "sha256")).decode() for secret in secrets)
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


@lru_cache(maxsize=256)
def _key(secret: str) -> bytes:
    return b64decode(secret.removeprefix("whsec_"))


class Secrets:
    """An endpoint's secrets. Where they stand in a file, a change of it counts from the next attempt on."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._known = [secret.get_secret_value() for secret in endpoint.secret]
        self._files = endpoint.secret_files
        self._seen = self._look()

    def now(self) -> list[str]:
        """The newest first, as they are listed."""
        if self._files and (seen := self._look()) != self._seen:
            self._seen = seen
            try:
                self._known = self._endpoint.secrets_now()
                log.info("secrets read anew", endpoint=self._endpoint.name, secrets=len(self._known))
            except ValueError as error:
                log.error(
                    "the changed secrets cannot be used, going on with those before",
                    endpoint=self._endpoint.name,
                    error=str(error),
                )
        return self._known

    def _look(self) -> list[tuple[int, int, int] | None]:
        return [_mark(file) for file in self._files]


def _mark(file: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(file)  # noqa: PTH116 - before every attempt, so it should cost little
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def url_problem(endpoint: Endpoint) -> str | None:
    """Why nothing may be sent to this address, whatever it resolves to, in words for the operator; None where it may."""
    if urlsplit(endpoint.url).scheme != "https" and not endpoint.allow_private:
        return "its url starts with http://: use https://, or set allow_private = true for a receiver in your own network"
    return None


class Webhook:
    """The way to one endpoint, with connections of its own."""

    def __init__(self, endpoint: Endpoint, *, connections: int, timeout_s: float = TIMEOUT_S) -> None:
        self._endpoint = endpoint
        self._secrets = Secrets(endpoint)
        self._host = urlsplit(endpoint.url).hostname or ""
        self._timeout_s = timeout_s
        self._session = aiohttp.ClientSession(
            connector=net.connector(allow_private=endpoint.allow_private, limit=connections, keepalive_s=_KEEPALIVE_S),
            timeout=aiohttp.ClientTimeout(total=timeout_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={
                "content-type": _CONTENT_TYPES[endpoint.format],
                "user-agent": f"exowatch/{__version__}",
                "accept-encoding": "identity",
            },
            auto_decompress=False,
            trust_env=False,  # a proxy would resolve the host for whoever chose it
        )

    async def send(self, webhook_id: str, body: bytes, at_ms: int) -> Answer:
        """Posts the body once. Never raises for what the other side does; the answer says it in a sentence."""
        return await self._ask("POST", signed_headers(self._secrets.now(), webhook_id, at_ms, body), body)

    async def probe(self) -> Answer:
        """Asks for the endpoint's options, under the same rules, and tells it nothing. Never raises either."""
        return await self._ask("OPTIONS", {}, None)

    async def _ask(self, method: str, headers: dict[str, str], body: bytes | None) -> Answer:
        started = time.perf_counter()

        def answer(**known: object) -> Answer:
            return Answer(ms=round((time.perf_counter() - started) * 1000), **known)  # type: ignore[arg-type]

        problem = url_problem(self._endpoint)
        if problem is not None:
            return answer(error=problem)
        try:
            async with self._session.request(
                method, self._endpoint.url, data=body, headers=headers, allow_redirects=False
            ) as response:
                # Once the status is here the receiver has spoken; what goes wrong in the rest of its answer changes nothing.
                text = await _beginning(response)
                retry_after = response.headers.get("retry-after")
                return answer(status=response.status, error=_status_error(response.status), text=text, retry_after=retry_after)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            return answer(error=self._sentence(error))

    async def close(self) -> None:
        await self._session.close()

    def _sentence(self, error: Exception) -> str:  # noqa: PLR0911 - one for each kind of failure
        """The failure in words of our own: the library's may hold the whole address."""
        match error:
            case net.PrivateAddressError():
                return f"{error}; set allow_private = true if that is meant"
            case TimeoutError():
                return f"no answer within {self._timeout_s:g} s"
            case aiohttp.InvalidURL():
                return f"the host {self._host} is not written as a host or a plain address"
            case aiohttp.ClientConnectorDNSError() | socket.gaierror():
                return f"the host {self._host} could not be resolved"
            case aiohttp.ClientConnectorCertificateError():
                return f"the certificate of {self._host} is not valid: {error.certificate_error}"
            case aiohttp.ClientSSLError():
                return f"no secure connection to {self._host} could be made"
            case aiohttp.ClientConnectorError():
                return f"no connection to {self._host}: {error.os_error.strerror or type(error.os_error).__name__}"
            case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | OSError():
                return "the connection was closed before an answer came"
            case _:
                return f"the answer could not be read as HTTP ({type(error).__name__})"


def _status_error(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return f"answered {status}, a redirect: they are never followed, set the url to where the receiver is"
    if status == GONE:
        return "answered 410: the receiver wants no more"
    return f"answered {status}"


async def _beginning(response: aiohttp.ClientResponse) -> str:
    """The first kilobyte of an answer. What is longer than `MAX_ANSWER` is not read on: its connection is closed."""
    if response.content.at_eof():
        return ""
    kept, read = b"", 0
    try:
        async for chunk in response.content.iter_any():
            kept += chunk[: KEPT_ANSWER - len(kept)]
            read += len(chunk)
            if read > MAX_ANSWER:
                response.close()
                break
    except (aiohttp.ClientError, OSError, TimeoutError):
        response.close()
    return _UNPRINTABLE.sub("\ufffd", kept.decode(errors="replace"))
