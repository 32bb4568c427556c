"""The way to a chat, a mailbox or a pager: a helper process with Apprise in it, one for each endpoint.

It is started with the first message and ended with any that takes too long, whatever the service is doing then.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from importlib.util import find_spec

import msgspec

from monitor.settings.endpoint import Endpoint
from workers.deliver.schedule import Answer

# Services that have no address: they speak to the machine that exowatch runs on, or to whoever sits at it.
LOCAL = frozenset(("blink1", "dbus", "gio", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows"))
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
_LONGEST_LINE = 1 << 20
_IDLE_S = 300.0  # after which a helper that has nothing to do gives its memory back


class _Result(msgspec.Struct, frozen=True):
    taken: bool
    status: int | None = None
    error: str | None = None
    answer: str | None = None
    retry_after: str | None = None
    last: bool = False


def url_problem(endpoint: Endpoint) -> str | None:
    """Why nothing may be sent to this address, in words for the operator; None where it may, or only a try can say."""
    service = endpoint.url.partition(":")[0].lower()
    if service in LOCAL and not endpoint.allow_private:
        return f"{service}:// speaks to this machine itself: set allow_private = true if that is meant"
    return None


class Apprise:
    """The way to one Apprise endpoint; one message at a time."""

    def __init__(self, endpoint: Endpoint, *, timeout_s: float) -> None:
        self._endpoint = endpoint
        self._timeout_s = timeout_s
        self._turn = asyncio.Lock()
        self._helper: asyncio.subprocess.Process | None = None
        self._retiring: asyncio.TimerHandle | None = None

    async def send(self, webhook_id: str, body: bytes, at_ms: int) -> Answer:  # noqa: ARG002 - as every channel has it
        """Sends the event once, as a message for people. Never raises for what the other side does."""
        if find_spec("apprise") is None:
            return Answer(ms=0, error='kind = "apprise" needs the package apprise: install exowatch from its lock file again')
        if (problem := url_problem(self._endpoint)) is not None:
            return Answer(ms=0, error=problem)
        async with self._turn:
            if self._retiring is not None:
                self._retiring.cancel()
            started = time.perf_counter()
            try:
                async with asyncio.timeout(self._timeout_s):
                    result = await self._ask(body)
            except (TimeoutError, OSError, ValueError, asyncio.IncompleteReadError) as error:
                await self._end()
                late = isinstance(error, TimeoutError)
                reason = f"no answer within {self._timeout_s:g} s" if late else "the helper process ended while it was sending"
                result = _Result(False, error=reason)
            except BaseException:
                await self._end()
                raise
            if result.last:
                await self._end()
            self._retiring = asyncio.get_running_loop().call_later(_IDLE_S, self._retire)
            return Answer(
                ms=round((time.perf_counter() - started) * 1000),
                status=result.status,
                error=result.error,
                text=None if result.answer is None else _UNPRINTABLE.sub("\ufffd", result.answer),
                retry_after=result.retry_after,
                taken=result.taken,
            )

    async def close(self) -> None:
        if self._retiring is not None:
            self._retiring.cancel()
        await self._end()

    def _retire(self) -> None:
        if self._helper is not None and self._helper.stdin is not None:
            self._helper.stdin.close()  # the end of its input is the end of it
            self._helper = None

    async def _ask(self, body: bytes) -> _Result:
        helper = self._helper
        if helper is None or helper.returncode is not None:
            helper = self._helper = await self._start()
        if helper.stdin is None or helper.stdout is None:
            raise OSError("the helper process has no pipes")
        task = {"url": self._endpoint.url, "allow_private": self._endpoint.allow_private, "event": msgspec.Raw(body)}
        helper.stdin.write(msgspec.json.encode(task) + b"\n")
        await helper.stdin.drain()
        return msgspec.json.decode(await helper.stdout.readuntil(b"\n"), type=_Result)

    async def _start(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "workers.deliver.apprise_helper",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # a service's own words may hold its secrets
            env={name: os.environ[name] for name in _KEPT if name in os.environ} | {"NETRC": os.devnull, "HOME": os.devnull},
            limit=_LONGEST_LINE,
        )

    async def _end(self) -> None:
        helper, self._helper = self._helper, None
        if helper is not None:
            if helper.returncode is None:
                helper.kill()
            await helper.wait()
