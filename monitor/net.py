"""Which addresses exowatch may connect to, checked at connect time on the resolved address and on literals alike.

A webhook address comes from configuration, but a redirect or a DNS answer can point it inwards (server-side request forgery).
`addresses.py` says which are public.
"""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from monitor.addresses import is_public

__all__ = ["PrivateAddressError", "connector", "is_public"]


class PrivateAddressError(aiohttp.ClientConnectionError):
    """The host is, or resolves to, an address that is not public."""


class _OwnThreadsResolver(AbstractResolver):
    """Resolves in threads of its own.

    The threads that asyncio shares out are few, and a name server that does not answer holds one for many seconds: names of one
    peer could keep everything else in the program waiting.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="resolve")

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        ask = partial(socket.getaddrinfo, host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class _PublicOnlyResolver(_OwnThreadsResolver):
    """Refuses a host with any answer that is not public, so that no answer can be swapped in."""

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        answers = await super().resolve(host, port, family)
        if not all(is_public(answer["host"]) for answer in answers):
            raise PrivateAddressError(f"{host} resolves to an address that is not public")
        return answers


class _PublicOnlyConnector(aiohttp.TCPConnector):
    """aiohttp asks no resolver about IP literals, so those are checked here, at the same moment of connecting."""

    async def _resolve_host(self, host: str, port: int, traces: Any = None) -> list[ResolveResult]:
        try:
            public = is_public(host)
        except ValueError:
            return await super()._resolve_host(host, port, traces)
        if not public:
            raise PrivateAddressError(f"{host} is not a public address")
        return await super()._resolve_host(host, port, traces)


def connector(*, allow_private: bool, limit: int = 100, keepalive_s: float = 15.0) -> aiohttp.TCPConnector:
    """A connector for one kind of peer; with `allow_private` false it reaches public addresses only.

    Nothing is cached between connections, so every connection is checked on the answer that it uses. An idle connection is kept
    for `keepalive_s` seconds.
    """
    if allow_private:
        return aiohttp.TCPConnector(limit=limit, resolver=_OwnThreadsResolver(), keepalive_timeout=keepalive_s)
    return _PublicOnlyConnector(limit=limit, resolver=_PublicOnlyResolver(), use_dns_cache=False, keepalive_timeout=keepalive_s)
