"""What `redis.url` says: one server, the primary that Sentinels name, or a Cluster."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from pydantic import AfterValidator

from monitor.settings.values import with_a_port

SENTINEL_PORT, REDIS_PORT = 26_379, 6_379
FORMS = (
    "write redis://host:port/0, rediss://…, unix:///path, redis+sentinel://host:port,host:port/service/0 or"
    ' redis+cluster://host:port,host:port, or "" for the embedded server'
)
_SCHEMES: dict[str, tuple[Literal["server", "sentinel", "cluster"], bool]] = {
    "redis": ("server", False),
    "rediss": ("server", True),
    "unix": ("server", False),
    "redis+sentinel": ("sentinel", False),
    "rediss+sentinel": ("sentinel", True),
    "redis+cluster": ("cluster", False),
    "rediss+cluster": ("cluster", True),
}
_OF_SENTINELS = ("sentinel_username", "sentinel_password")
_MAX_SOCKET_PATH = 107  # bytes, on Linux


@dataclass(frozen=True, kw_only=True, repr=False)
class RedisAddress:
    """`hosts` are the server, the sentinels, or some nodes of the cluster. `where` names them without a secret."""

    kind: Literal["server", "sentinel", "cluster"]
    url: str
    where: str
    secure: bool = False
    hosts: tuple[tuple[str, int], ...] = ()
    login: str = ""  # user:password@ of the servers, as it stands in the address
    service: str = ""  # under which the sentinels know the primary
    db: int = 0
    options: str = ""
    sentinel_login: str = ""

    def server(self, host: str, port: int) -> str:
        """The address of one server of these."""
        return self._plain(self.login, host, port, self.db)

    def sentinel(self, host: str, port: int) -> str:
        """The address of one of the sentinels."""
        return self._plain(self.sentinel_login, host, port, 0)

    def _plain(self, login: str, host: str, port: int, db: int) -> str:
        named = f"[{host}]" if ":" in host else host
        options = f"?{self.options}" if self.options else ""
        return f"redis{'s' if self.secure else ''}://{login}{named}:{port}/{db}{options}"


def read_redis_url(url: str) -> RedisAddress:
    """What the address says. Raises ValueError in words that hold nothing of it."""
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES:
        raise ValueError(FORMS)
    kind, secure = _SCHEMES[parts.scheme]
    login, at, named = parts.netloc.rpartition("@")
    if kind == "server":
        with_a_port(url)
        if parts.scheme == "unix" and not 1 <= len(os.fsencode(unquote(parts.path))) <= _MAX_SOCKET_PATH:
            raise ValueError(f"write unix:///path, with a path of at most {_MAX_SOCKET_PATH} bytes")
        where = parts.path if parts.scheme == "unix" else named or "redis.url"
        return RedisAddress(kind=kind, url=url, where=where, secure=secure)
    default = SENTINEL_PORT if kind == "sentinel" else REDIS_PORT
    hosts = tuple(_host(one, default) for one in named.split(","))
    service, _, db = unquote(parts.path).strip("/").partition("/")
    if kind == "cluster":
        service, db = "", service
        if db not in ("", "0"):
            raise ValueError("a Redis Cluster has no database but 0")
    elif not service:
        raise ValueError("name the service after the sentinels: redis+sentinel://host:port,host:port/service/0")
    if db and not (db.isascii() and db.isdigit() and len(db) < 6):
        raise ValueError("the database after the service is a number, as in redis+sentinel://host:port/service/0")
    options = parse_qsl(parts.query, keep_blank_values=True)
    own = dict(one for one in options if one[0] in _OF_SENTINELS)
    return RedisAddress(
        kind=kind,
        url=url,
        where=named,
        secure=secure,
        hosts=hosts,
        login=login + at,
        service=service,
        db=int(db or 0),
        options=urlencode([one for one in options if one[0] not in _OF_SENTINELS]),
        sentinel_login=_login(own.get("sentinel_username", ""), own.get("sentinel_password", "")),
    )


def _host(named: str, default: int) -> tuple[str, int]:
    parts = urlsplit(f"//{named}")
    if not parts.hostname or parts.path or parts.query or parts.fragment:
        raise ValueError("several hosts are written host:port,host:port, and signs such as / and @ in a password %2F and %40")
    return parts.hostname, urlsplit(with_a_port(f"//{named}")).port or default


def _login(user: str, password: str) -> str:
    return f"{quote(user, safe='')}:{quote(password, safe='')}@" if user or password else ""


def _redis_url(url: str) -> str:
    if url:
        read_redis_url(url)
    return url


RedisUrl = Annotated[str, AfterValidator(_redis_url)]
