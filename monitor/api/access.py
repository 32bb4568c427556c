"""Who a caller is, what they may do, and how often: tokens by name, the cookies that stand for them, a budget for each."""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import msgspec
from aiohttp import web

from monitor.settings import SCOPES, Scope, Settings, hash_of
from monitor.settings.tokens import OWN_NAME
from monitor.times import now_ms

LOGIN_DAYS = 30
WINDOW_S = 60
_DAY_MS = 86_400_000

H = TypeVar("H", bound=Callable[[web.Request], Awaitable[web.StreamResponse]])


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Whoever asks: the name of their token, what it may, and how many requests a minute (0: any number).

    `key` signs the cookies that stand for the token.
    """

    name: str = OWN_NAME
    scopes: frozenset[Scope] = frozenset(SCOPES)
    rate_limit: int = 0
    key: bytes = b""


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """What a request left of a caller's budget: so many now, all of it in `full_s`; `wait_s` is above 0 where none was left."""

    limit: int
    left: int
    full_s: int
    wait_s: int

    @property
    def headers(self) -> dict[str, str]:
        """As the drafts of the IETF's RateLimit fields have it, and Retry-After where there is something to wait for."""
        of_all = {
            "RateLimit-Policy": f'"token";q={self.limit};w={WINDOW_S}',
            "RateLimit": f'"token";r={self.left};t={self.full_s}',
        }
        return of_all | ({"Retry-After": str(self.wait_s)} if self.wait_s else {})


CALLER = web.RequestKey("caller", Caller)
BUDGET = web.RequestKey("budget", Budget)
ANYBODY = Caller()  # where no token is set: whoever works at this machine


class Access:
    """The tokens of the settings. `login_key` signs the logins of named ones; without one they end with this process."""

    def __init__(self, settings: Settings, login_key: bytes | None = None) -> None:
        secret = login_key or secrets.token_bytes(32)
        own = settings.api.token.get_secret_value()
        self._by_hash = {
            one.hash: Caller(
                name=one.name,
                scopes=_with_lower(one.scopes),
                rate_limit=settings.api.rate_limit if one.rate_limit is None else one.rate_limit,
                # Not the hash alone, which stands in the settings: it must open nothing.
                key=hmac.new(secret, one.hash.encode(), hashlib.sha256).digest(),
            )
            for one in settings.token
        }
        if own:
            self._by_hash[hash_of(own)] = Caller(rate_limit=settings.api.rate_limit, key=own.encode("utf-8", "surrogateescape"))
        self._by_name = {caller.name: caller for caller in self._by_hash.values()}
        self._budgets: dict[str, tuple[float, float]] = {}
        self.locked = bool(self._by_hash)

    def by_token(self, given: str) -> Caller | None:
        """Whose token this is, found in a time that tells nothing about any."""
        digest = hash_of(given)
        found = [caller for kept, caller in self._by_hash.items() if hmac.compare_digest(kept, digest)]
        return found[0] if found else None

    def by_cookie(self, cookie: str) -> Caller | None:
        """Whose login this is, while it lasts."""
        until, _, rest = cookie.partition(".")
        signature, _, name = rest.partition(".")
        caller = self._by_name.get(name or OWN_NAME)
        # isdecimal() is true of digits of other scripts too, whose number is a number all the same
        if caller is None or not until.isascii() or not until.isdigit() or int(until[:16]) <= now_ms():
            return None
        return caller if same(signature, _signature(caller.key, until)) else None

    def login(self, token: str) -> str | None:
        """The cookie that stands for a token for LOGIN_DAYS; None where it is nobody's."""
        caller = self.by_token(token)
        return None if caller is None else login_cookie(caller, now_ms() + LOGIN_DAYS * _DAY_MS)

    def spend(self, caller: Caller) -> Budget | None:
        """Takes one request from the caller's budget; None where it has no limit."""
        if not caller.rate_limit:
            return None
        now, a_second = time.monotonic(), caller.rate_limit / WINDOW_S
        left, at = self._budgets.get(caller.name, (float(caller.rate_limit), now))
        left = min(float(caller.rate_limit), left + (now - at) * a_second)
        spent = left < 1
        left -= 0 if spent else 1
        self._budgets[caller.name] = (left, now)
        return Budget(
            limit=caller.rate_limit,
            left=int(left),
            full_s=math.ceil((caller.rate_limit - left) / a_second),
            wait_s=math.ceil((1 - left) / a_second) if spent else 0,
        )


def login_cookie(caller: Caller, until_ms: int) -> str:
    """What a browser shows instead of the token: when it ends, a signature of the server's over that, and whose it is."""
    name = "" if caller.name == OWN_NAME else f".{caller.name}"
    return f"{until_ms}.{_signature(caller.key, str(until_ms))}{name}"


def needs(scope: Scope) -> Callable[[H], H]:
    """Says which scope a route asks for. One that says nothing wants `read` for reading, and `admin` to change anything."""

    def mark(handler: H) -> H:
        handler.scope = scope  # type: ignore[attr-defined]
        return handler

    return mark


def scope_of(handler: object, method: str) -> Scope:
    """The scope that a request to this handler has to have."""
    said: Scope | None = getattr(handler, "scope", None)
    return said or ("read" if method in ("GET", "HEAD", "OPTIONS") else "admin")


def caller_of(request: web.Request) -> Caller:
    """Who asked, once the guard let them in."""
    caller: Caller = request.get(CALLER, ANYBODY)
    return caller


def _with_lower(scopes: Iterable[Scope]) -> frozenset[Scope]:
    return frozenset(SCOPES[: max(SCOPES.index(one) for one in scopes) + 1])


def _signature(key: bytes, until: str) -> str:
    return hmac.new(key, f"exowatch login until {until}".encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()


def same(given: str, wanted: str) -> bool:
    """Whether two texts are the same, in a time that tells nothing about either."""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), wanted.encode())
