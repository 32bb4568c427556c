"""Sends messages through Apprise, in a process of its own: `python -m workers.deliver.apprise_helper`.

Apprise's services wait and read as long as they are let, follow redirects, and take a proxy from the environment. Here all of
that is bounded in one place, whatever service it is: every connection is checked when it is made, on the address that it is made
to; redirects are not followed; of an answer a little is read. What still hangs is ended by the parent with this process.

A line of JSON comes in (`Task`), a line of JSON goes out (`Result`). The address, which holds secrets, comes that way too, and
nothing is logged.
"""

from __future__ import annotations

import logging
import os
import resource
import smtplib
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import apprise
import msgspec
import requests
import requests.adapters

from monitor.addresses import is_public
from workers.deliver.as_sent import AsSent
from workers.deliver.message import compose

MAX_ANSWER = 65_536  # bytes read of an answer
KEPT_ANSWER = 1_024
MEMORY = 1 << 30  # bytes of address space
# Of Python's audit events: the log of this machine, and programs that are started.
_OTHER_WAYS = ("syslog.", "subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.system", "pty.")
BODY_WITHIN_S = 2.0  # once the status is here, for the rest of an answer


class Task(msgspec.Struct, frozen=True):
    """One message: to which Apprise address, whether that may be private, and the event (a webhook's body)."""

    url: str
    allow_private: bool
    event: dict[str, Any]


class Result(msgspec.Struct, frozen=True):
    """What came of it. `status` is None where the service does not speak HTTP, or did not answer."""

    taken: bool
    status: int | None = None
    error: str | None = None
    answer: str | None = None
    retry_after: str | None = None
    last: bool = False  # whether this process ends now


class RefusedError(OSError):
    """A connection that must not be made; the text says why, and holds no address that was not asked for by name."""


class _Seen:
    """What the hooks below saw of the attempt that runs."""

    def __init__(self) -> None:
        self.allow_private = False
        self.speaking = False  # whether HTTPS or mail is being spoken: nothing else may connect
        self.status: int | None = None
        self.answer: str | None = None
        self.retry_after: str | None = None
        self.error: str | None = None
        self.stuck = False  # whether somebody still reads what may never end


_seen = _Seen()


def send(task: Task) -> Result:
    """One attempt. Raises nothing."""
    _seen.__init__()  # type: ignore[misc]
    _seen.allow_private = task.allow_private
    asset = apprise.AppriseAsset(
        app_id="exowatch", app_desc="exowatch", app_url="", async_mode=False, storage_mode="memory", plugin_paths=[]
    )
    try:
        service = apprise.Apprise.instantiate(task.url, asset=asset, suppress_exceptions=True)
        if service is None:
            return Result(
                False, error=_seen.error or "the url is no address of a service that Apprise knows; see its documentation"
            )
        sending = AsSent(service, asset)
        message = compose(task.event, sending.room())
        taken = sending.send(message.title, message.body)
    except Exception as error:  # a service's own fault must be this attempt's, and its text may hold the address
        return Result(False, _seen.status, _seen.error or f"Apprise failed ({type(error).__name__})", _seen.answer)
    reason = None if taken else _seen.error or _in_words(_seen.status)
    return Result(taken, _seen.status, reason, _seen.answer, _seen.retry_after)


def _in_words(status: int | None) -> str:
    if status is None:
        return "the service was not reached or did not take it"
    if 300 <= status < 400:
        return f"answered {status}, a redirect: they are never followed"
    return f"answered {status} and did not take it" if 200 <= status < 300 else f"answered {status}"


def _guard(event: str, arguments: tuple[Any, ...]) -> None:
    """Python calls this for every connection before it is made, with the address that was resolved, and for other ways out."""
    if _seen.allow_private:
        return
    if event.startswith(_OTHER_WAYS):
        _refuse("the service speaks to this machine itself; set allow_private = true if that is meant")
    if event not in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        return
    address = arguments[1]
    host = address[0] if isinstance(address, tuple) else ""
    try:
        public = is_public(str(host))
    except ValueError:
        public = False
    if not public:
        _refuse("the host resolves to an address that is not public; set allow_private = true if that is meant")
    if not _seen.speaking:
        _refuse("the service speaks neither HTTPS nor mail; set allow_private = true to use it all the same")


def _refuse(reason: str) -> None:
    _seen.error = reason
    raise RefusedError(reason)


@contextmanager
def _speaking() -> Iterator[None]:
    _seen.speaking = True
    try:
        yield
    finally:
        _seen.speaking = False


def _bound_http() -> None:
    """No plain HTTP outside a private network, no redirect, no proxy, no long answer; and what came is remembered."""
    plain_send = requests.adapters.HTTPAdapter.send

    def bounded(self: Any, request: Any, *arguments: Any, **more: Any) -> requests.Response:
        if not _seen.allow_private and not str(request.url).startswith("https://"):
            _refuse("the service is reached over plain HTTP; use its secure form, or set allow_private = true")
        request.headers["Accept-Encoding"] = "identity"
        more["proxies"] = {}
        try:
            with _speaking():
                response = plain_send(self, request, *arguments, **more)
        except requests.RequestException as error:
            _seen.error = _seen.error or _connection_error(error)
            raise
        _seen.status = response.status_code
        _seen.retry_after = response.headers.get("Retry-After")
        _read(response)
        _seen.answer = response.content[:KEPT_ANSWER].decode(errors="replace")
        return response

    requests.adapters.HTTPAdapter.send = bounded  # type: ignore[method-assign]
    requests.Session.get_redirect_target = lambda *_: None  # type: ignore[method-assign]


def _read(response: Any) -> None:
    """The beginning of an answer, as far as it comes in time: once the status is here the service has spoken."""
    chunks: list[bytes] = []

    def read() -> None:
        try:
            for _ in range(MAX_ANSWER // KEPT_ANSWER):
                chunk = response.raw.read1(KEPT_ANSWER)
                if not chunk:
                    return
                chunks.append(chunk)
        except Exception:  # noqa: S110 - what goes wrong now changes nothing
            pass

    reading = threading.Thread(target=read, daemon=True)
    reading.start()
    reading.join(BODY_WITHIN_S)
    if reading.is_alive():
        _seen.stuck = True
    else:
        response.raw.close()
    response._content, response._content_consumed = b"".join(chunks), True


def _connection_error(error: requests.RequestException) -> str:
    if isinstance(error, requests.exceptions.SSLError):
        return "the certificate of the service is not valid, or no secure connection could be made"
    if isinstance(error, requests.exceptions.ReadTimeout):
        return "the service did not answer in time"
    return "no connection to the service could be made"


def _bound_mail() -> None:
    """No password and no message over a connection that others can read, and no server that answers without an end."""
    plain_connect, plain_reply = smtplib.SMTP.connect, smtplib.SMTP.getreply

    def connect(self: Any, *arguments: Any, **more: Any) -> Any:
        with _speaking():
            return plain_connect(self, *arguments, **more)

    def reply(self: Any) -> tuple[int, bytes]:
        code, text = plain_reply(self)
        if code >= 400 or _seen.error is None:  # what it says to a goodbye is not why it refused
            _seen.answer = f"{code} {text[:KEPT_ANSWER].decode(errors='replace')}"
        if code >= 400:
            _seen.error = f"the mail server answered {code}"
        return code, text

    def only_hidden(name: str) -> None:
        plain = getattr(smtplib.SMTP, name)

        def hidden(self: Any, *arguments: Any, **more: Any) -> Any:
            if not _seen.allow_private and not isinstance(self.sock, ssl.SSLSocket):
                _refuse("the mail server is spoken to in the clear; use mailtos://, or set allow_private = true")
            return plain(self, *arguments, **more)

        setattr(smtplib.SMTP, name, hidden)

    smtplib.SMTP.connect = connect  # type: ignore[method-assign]
    smtplib.SMTP.getreply = reply  # type: ignore[method-assign]
    only_hidden("login")
    only_hidden("sendmail")


def main() -> None:
    """Answers task by task until there are no more."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    logging.disable(logging.CRITICAL)
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a service prints is no result
    _bound_http()
    _bound_mail()
    sys.addaudithook(_guard)
    for line in sys.stdin.buffer:
        result = send(msgspec.json.decode(line, type=Task))
        out.write(msgspec.json.encode(msgspec.structs.replace(result, last=_seen.stuck)) + b"\n")
        if _seen.stuck:
            return


if __name__ == "__main__":
    main()
