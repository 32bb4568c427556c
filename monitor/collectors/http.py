"""What every collector that speaks HTTP shares: one bounded, patient, suspicious request.

A source's own address is the operator's choice and may be private; a redirect is the other side's choice, so it may not lead from
a public address to a private one. Bodies are bounded before and after decompression, and the whole exchange has one time limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit, urlunsplit

import aiohttp
import msgspec

from monitor.collectors.base import SourceError
from monitor.net import PrivateAddressError, connector
from monitor.waits import LONGEST_WAIT, wait_of

if TYPE_CHECKING:
    from monitor.collectors.budget import Budget

USER_AGENT = "exowatch/0.1 (public-health monitor of public posts)"
MAX_BODY = 5 * 1024 * 1024  # bytes, also after decompression
MAX_LISTING = 20 * 1024 * 1024  # a page of a hundred posts at their longest, each as Markdown and HTML
TIMEOUT = 30.0  # seconds for one address, redirects and body included
MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_PIECE = 64 * 1024
_RELATION = re.compile(r""";\s*rel\s*=\s*(?:"([^"]{1,200})"|([^\s",;]{1,200}))""", re.I)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP answer after redirects. `url` is where it came from; `moved` is the same where every step to it was permanent."""

    status: int
    headers: Mapping[str, str]  # names in any case
    body: bytes
    url: str
    moved: str | None = None
    links: Mapping[str, str] = {}  # of its Link headers: address by relation, the first of each
    private: bool = False  # whether it came from an address that is not public


class Fetcher:
    """Requests of one source. `base_url` (an origin) stands in for the scheme, host and port of every address asked for.

    With a `budget` every request is paid for before it goes out, and what its answer says of the budget is noted.
    """

    def __init__(
        self,
        *,
        base_url: str | None = None,
        user_agent: str = USER_AGENT,
        max_body: int = MAX_BODY,
        timeout: float = TIMEOUT,
        budget: Budget | None = None,
    ) -> None:
        self._base_url = base_url
        self._budget = budget
        self._headers = {"User-Agent": user_agent, "Accept-Encoding": "gzip, deflate"}
        self._max_body = max_body
        self._timeout = timeout
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def get(self, url: str, headers: Mapping[str, str] | None = None, *, member: str = "", **spend: float) -> Answer:
        """The answer at `url`, whatever its status. Raises SourceError where there is none, or no budget for it.

        `member` and `spend` as in `Budget.take`.
        """
        return await self._ask(url, dict(headers or {}), None, member, spend, True)

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        *,
        private: bool = True,
        member: str = "",
        **spend: float,
    ) -> Answer:
        """The answer to a POST, as in `get`. A redirect is not followed: it is the answer.

        `private`: whether the address may be private: not where somebody else than the operator named it.
        """
        return await self._ask(url, dict(headers or {}), body, member, spend, private)

    async def close(self) -> None:
        """Closes the connections; the next `get` would open new ones."""
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    async def _ask(
        self, url: str, headers: dict[str, str], body: bytes | None, member: str, spend: Mapping[str, float], private: bool
    ) -> Answer:
        if self._budget is not None:
            await self._budget.take(member=member, **spend)
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._follow(url, headers, body, private)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            if self._budget is not None:
                await self._budget.failed()
            raise unreachable(url, error, self._timeout) from error
        if self._budget is not None:
            await self._budget.answered(answer.status, answer.headers)
        return answer

    async def _follow(self, url: str, headers: dict[str, str], data: bytes | None, private_allowed: bool) -> Answer:
        permanent, here = True, url
        for hop in range(MAX_REDIRECTS + 1):
            response, private_allowed = await self._open(here, headers, private_allowed, data)
            async with response:
                location = response.headers.get("Location")
                if response.status not in _REDIRECTS or not location or data is not None:
                    body = await self._body(response, here)
                    moved = here if hop and permanent else None
                    return Answer(
                        status=response.status,
                        headers=response.headers,
                        body=body,
                        url=here,
                        moved=moved,
                        links=_links(response.headers.getall("Link", []), here),
                        private=private_allowed,
                    )
            permanent = permanent and response.status in (301, 308)
            there = urljoin(here, location)
            if urlsplit(there).scheme not in ("http", "https"):
                raise SourceError(f"{place(here)} redirects to something that is not a web address; look at it in a browser")
            if urlsplit(there)[:2] != urlsplit(here)[:2]:  # what opens one site is no other's business
                headers = {name: value for name, value in headers.items() if name.lower() != "authorization"}
            here = there
        raise SourceError(f"{place(url)} redirects more than {MAX_REDIRECTS} times; set the final address as the source's url")

    async def _open(
        self, url: str, headers: dict[str, str], private_allowed: bool, data: bytes | None
    ) -> tuple[aiohttp.ClientResponse, bool]:
        """The response, and whether a redirect from here may lead to a private address: only where this one is private itself."""
        target = rebased(url, self._base_url)
        try:
            return await self._request(target, headers, data, private=False), False
        except PrivateAddressError:
            if not private_allowed:
                raise
        return await self._request(target, headers, data, private=True), True

    async def _request(self, url: str, headers: dict[str, str], data: bytes | None, *, private: bool) -> aiohttp.ClientResponse:
        session = self._sessions.get(private)
        if session is None:
            session = self._sessions[private] = aiohttp.ClientSession(
                connector=connector(allow_private=private),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=self._headers,
                auto_decompress=False,
                trust_env=False,
                timeout=aiohttp.ClientTimeout(total=None),  # `get` keeps the time for the whole chain
            )
        method = "GET" if data is None else "POST"
        return await session.request(method, url, headers=headers, data=data, allow_redirects=False)

    async def _body(self, response: aiohttp.ClientResponse, url: str) -> bytes:
        unpacker = _Unpacker(response.headers.get("Content-Encoding", ""), url)
        received, body = 0, bytearray()
        async for piece in response.content.iter_chunked(_PIECE):
            received += len(piece)
            body += unpacker.feed(piece, self._max_body - len(body) + 1)
            if max(received, len(body)) > self._max_body:
                raise SourceError(
                    f"{place(url)} sends more than {self._max_body // 1024} kB; a source's answer is smaller than that"
                )
        unpacker.finish()
        return bytes(body)


def _links(headers: Sequence[str], base: str) -> dict[str, str]:
    """Addresses by relation, of Link headers; the first of each relation."""
    found: dict[str, str] = {}
    for part in ",".join(headers)[:8_000].split("<")[1:33]:
        target, _, rest = part.partition(">")
        relation = _RELATION.search(rest)
        if relation is None:
            continue
        with contextlib.suppress(ValueError):
            address = urljoin(base, target.strip())
            for name in (relation[1] or relation[2]).lower().split():
                found.setdefault(name, address)
    return found


class BoundedResponse(aiohttp.ClientResponse):
    """A response whose body is refused beyond MAX_LISTING bytes, for libraries that read bodies whole."""

    async def read(self) -> bytes:
        """The body. Raises aiohttp.ClientPayloadError where it is too long."""
        if self._body is None:
            body = bytearray()
            async for piece in self.content.iter_chunked(_PIECE):
                body += piece
                if len(body) > MAX_LISTING:
                    self.close()
                    raise aiohttp.ClientPayloadError("the answer is too long")
            self._body = bytes(body)
        return self._body


class _Unpacker:
    """Undoes a Content-Encoding piece by piece, never making more than asked. Raises SourceError for broken data."""

    def __init__(self, encoding: str, url: str) -> None:
        self._kind = encoding.strip().lower().removeprefix("x-")
        if self._kind not in ("", "identity", "gzip", "deflate"):
            raise SourceError(f"{place(url)} answers in the encoding {encoding[:40]!r}, which was not asked for")
        self._broken = SourceError(f"{place(url)} sends data that is not the {self._kind} it claims, or only part of it")
        self._stream = zlib.decompressobj(16 + zlib.MAX_WBITS if self._kind == "gzip" else zlib.MAX_WBITS)
        self._begun = self._ended = False  # of the present gzip member, of any

    def feed(self, piece: bytes, room: int) -> bytes:
        """At most `room` bytes of what `piece` holds."""
        if self._kind in ("", "identity"):
            return piece
        out = bytearray()
        while piece and len(out) < room:
            if self._ended and not self._begun and (self._kind == "deflate" or not b"\x1f\x8b".startswith(piece[:2])):
                break  # padding after the last member
            piece = self._step(piece, room - len(out), out)
        return bytes(out)

    def _step(self, piece: bytes, room: int, out: bytearray) -> bytes:
        try:
            out += self._stream.decompress(piece, room)
        except zlib.error:
            if self._kind == "gzip" or self._begun:
                raise self._broken from None
            self._stream, self._begun = (
                zlib.decompressobj(-zlib.MAX_WBITS),
                True,
            )  # sent with and without zlib's header
            return piece
        self._begun = True
        if not self._stream.eof:
            return self._stream.unconsumed_tail
        rest = self._stream.unused_data
        self._stream = zlib.decompressobj(16 + zlib.MAX_WBITS)  # a gzip file may hold several members
        self._begun, self._ended = False, True
        return rest

    def finish(self) -> None:
        """Raises SourceError where the data broke off."""
        if self._begun:
            raise self._broken


def rebased(url: str, base_url: str | None) -> str:
    """`url` with the scheme, host and port of `base_url`, where there is one."""
    if base_url is None:
        return url
    base, parts = urlsplit(base_url), urlsplit(url)
    return urlunsplit((base.scheme, base.netloc, parts.path or "/", parts.query, ""))


def place(url: str) -> str:
    """An address as messages may show it: host and port. User, password, query and even the path can hold secrets."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "the address"
    return f"{parts.hostname or 'the address'}{port}"[:200]


_FAILURES: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
    (TimeoutError, "{where} did not answer in full within {seconds:g} s"),
    (PrivateAddressError, "{where} redirects to a private address, which is refused; set the final address as the source's url"),
    (aiohttp.ClientConnectorDNSError, "{where} cannot be found; check the source's url, and the machine's DNS"),
    (
        (aiohttp.ClientSSLError, aiohttp.ClientConnectorCertificateError),
        "no secure connection to {where}: its certificate or TLS is not accepted",
    ),
    (aiohttp.ClientConnectorError, "{where} refuses the connection; is the address right, and its server running?"),
    (aiohttp.ClientResponseError, "{where} answers with something that is not proper HTTP"),
    ((aiohttp.InvalidURL, ValueError), "{where} leads to an address that cannot be used; check the source's url"),
)
_REFUSALS = {
    401: "{where} refuses access (401); it wants a login",
    403: "{where} refuses access (403); it blocks programs, or wants a login",
    404: "{where} has nothing at this address (404); check the source's url",
    410: "{where} says that the address is gone for good (410); remove the source or give it another url",
    429: "{where} wants fewer requests (429); a longer interval helps",
}


def unreachable(url: str, error: Exception, seconds: float) -> SourceError:
    """Why there was no answer, as a sentence that says what to look at."""
    for kinds, sentence in _FAILURES:
        if isinstance(error, kinds):
            return SourceError(sentence.format(where=place(url), seconds=seconds))
    return SourceError(f"{place(url)} broke off the connection ({type(error).__name__})")


def refusal(answer: Answer) -> SourceError | None:
    """What an answer other than 2xx and 304 means for the operator; None for those."""
    status, where = answer.status, place(answer.url)
    if 200 <= status < 300 or status == 304:
        return None
    other = "{where} has trouble of its own ({status})" if status >= 500 else "{where} does not take the request ({status})"
    sentence = _REFUSALS.get(status, other).format(where=where, status=status)
    return SourceError(sentence, retry_after=retry_after(answer.headers), permanent=status == 410)


def read_json(answer: Answer) -> Any:
    """What the body of an answer holds. Raises SourceError for another status than 2xx, and for a body that is not JSON.

    Halves of surrogate pairs and control characters are taken as they are: one hostile post must not stand in the way of all.
    """
    if problem := refusal(answer):
        raise problem
    try:
        return msgspec.json.decode(answer.body)
    except (ValueError, RecursionError):  # of msgspec too; what is no UTF-8 is another ValueError
        pass
    try:
        return json.loads(answer.body, strict=False)
    except (ValueError, RecursionError):
        what = "a web page" if answer.body.lstrip()[:1] == b"<" else "something"
        raise SourceError(f"{place(answer.url)} answers with {what} instead of data; it may block this address") from None


def retry_after(headers: Mapping[str, str], *, now: dt.datetime | None = None) -> float | None:
    """Seconds to wait by the Retry-After header (seconds or a date), at most a day; None where it says nothing usable."""
    return wait_of(headers.get("Retry-After", ""), now=now)


def fresh_for(headers: Mapping[str, str]) -> float | None:
    """Seconds for which the answer stays good (Cache-Control max-age less Age), at most a day; None where nothing is said."""
    directives = [part.strip().lower() for part in headers.get("Cache-Control", "")[:1000].split(",")]
    if "no-cache" in directives or "no-store" in directives:
        return None
    for directive in directives:
        name, _, value = directive.partition("=")
        value = value.strip('" ')
        if name == "max-age" and value.isascii() and value.isdigit():
            age = headers.get("Age", "").strip()
            old = float(age[:12]) if age.isascii() and age.isdigit() else 0.0
            return min(max(float(value[:12]) - old, 0.0), LONGEST_WAIT) or None
    return None
