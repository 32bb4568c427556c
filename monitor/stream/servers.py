"""Which server is to be asked: the one, the primary that Sentinels name, or the node of a Cluster that holds a key.

redis-py's own clients for Sentinel and Cluster try again by themselves, transactions too, and bound no pool as ours is bounded.
Here each server has a plain client, whatever named it: so commands, scripts, transactions, blocking reads and failures are the
same on all, and the rights that are needed are few.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from redis import exceptions as redis_errors
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.crc import key_slot

from monitor.settings.redis_url import RedisAddress
from monitor.stream.keys import CURSORS, PREFIX

Argument = str | bytes | int
Node = tuple[str, int]


class Servers(Protocol):
    """Where commands go. Both methods raise what redis-py raises."""

    spread: bool  # whether partitions may lie on different servers

    async def at(self, words: Sequence[Argument], /) -> Any:
        """The client of the server that is to be asked this."""
        ...

    def doubt(self) -> None:
        """Says that a server failed or is no longer the right one: who it is is looked up before the next command."""
        ...

    async def close(self) -> None:
        """Lets go of all connections."""
        ...


class Clients:
    """Makes plain clients with the same bounds for each server."""

    def __init__(self, *, connections: int, connect_s: float, answer_s: float) -> None:
        self._connections = connections
        self._connect_s = connect_s
        self._answer_s = answer_s

    def of(self, url: str) -> Any:
        """A client of the server at a plain address; it connects when it is first asked. Raises ValueError, TypeError."""
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=self._connections,
            timeout=self._connect_s,
            socket_connect_timeout=self._connect_s,
            socket_timeout=self._answer_s,
            retry=Retry(NoBackoff(), 0),
            protocol=2,  # pinned: replies keep their shape on every server and version
            driver_info=None,  # CLIENT SETINFO is no right that a user needs, nor a refusal that should fill Redis' ACL log
        )
        pool.connection_class(**pool.connection_kwargs)  # connects nothing, but knows its options
        return Redis(connection_pool=pool)


class OneServer:
    """The server that the address names."""

    spread = False

    def __init__(self, address: RedisAddress, clients: Clients) -> None:
        self._client = clients.of(address.url)

    async def at(self, _: Sequence[Argument]) -> Any:
        return self._client

    def doubt(self) -> None:
        pass

    async def close(self) -> None:
        await _close(self._client)


class PrimaryOfSentinels:
    """The primary of a service, looked up anew whenever it has failed."""

    spread = False

    def __init__(self, address: RedisAddress, clients: Clients) -> None:
        self._address = address
        self._clients = clients
        self._sentinels = [clients.of(address.sentinel(*host)) for host in address.hosts]
        self._client: Any = clients.of(address.server(*address.hosts[0]))  # never asked, but its options are known to be right
        self._node: Node | None = None
        self._sure = False
        self._one_at_a_time = asyncio.Lock()
        self._left: list[Any] = []

    async def at(self, _: Sequence[Argument]) -> Any:
        if not self._sure:
            async with self._one_at_a_time:
                if not self._sure:
                    await self._look()
        return self._client

    def doubt(self) -> None:
        self._sure = False

    async def close(self) -> None:
        for client in (self._client, *self._left, *self._sentinels):
            await _close(client)

    async def _look(self) -> None:
        node = await self._primary()
        if node != self._node:
            self._left.append(self._client)  # what still waits there fails by itself
            self._client, self._node = self._clients.of(self._address.server(*node)), node
            for client in self._left:
                await client.connection_pool.disconnect(inuse_connections=False)
        self._sure = True

    async def _primary(self) -> Node:
        """Asks the sentinels, the one that knew it last first. Raises ConnectionError where none knows one that is up."""
        unheard: Exception | None = None
        for place, sentinel in enumerate(self._sentinels):
            try:
                found = (await sentinel.sentinel_masters()).get(self._address.service)
            except redis_errors.AuthenticationError:
                raise
            except (redis_errors.ConnectionError, redis_errors.TimeoutError, OSError) as error:
                unheard = error
                continue
            if found and found["is_master"] and not found["is_sdown"] and not found["is_odown"]:
                self._sentinels.insert(0, self._sentinels.pop(place))
                return found["ip"], found["port"]
            unheard = redis_errors.ConnectionError(f"no sentinel names a primary of {self._address.service} that is up")
        raise unheard or redis_errors.ConnectionError("no sentinel is known")


class ClusterNodes:
    """The nodes of a cluster, each with a client; which of them holds what is looked up anew whenever one has failed."""

    spread = True

    def __init__(self, address: RedisAddress, clients: Clients) -> None:
        self._address = address
        self._clients = clients
        self._nodes: dict[Node, Any] = {node: clients.of(address.server(*node)) for node in address.hosts}
        self._ranges: list[tuple[int, int, Node]] = []
        self._sure = False
        self._one_at_a_time = asyncio.Lock()

    async def at(self, words: Sequence[Argument]) -> Any:
        if not self._sure:
            async with self._one_at_a_time:
                if not self._sure:
                    await self._look()
        slot = key_slot(_key_of(words).encode())
        for first, last, node in self._ranges:
            if first <= slot <= last:
                return self._nodes[node]
        raise redis_errors.ClusterDownError("CLUSTERDOWN no node holds what is asked for")

    def doubt(self) -> None:
        self._sure = False

    async def close(self) -> None:
        for client in self._nodes.values():
            await _close(client)

    async def _look(self) -> None:
        """Asks the nodes, known ones first, until one says how the keys are spread. Raises what the last one said."""
        failure: Exception = redis_errors.ConnectionError("no node of the cluster is known")
        for node in list(self._nodes):
            try:
                found = await self._nodes[node].execute_command("CLUSTER", "SLOTS")
            except (redis_errors.ConnectionError, redis_errors.TimeoutError, redis_errors.ClusterDownError, OSError) as error:
                failure = error
                continue
            # Raw: [first, last, [host, port, …] of the primary, then of its replicas]. No host means the one that was asked.
            shards = [(int(first), int(last), [_node(one, node) for one in nodes]) for first, last, *nodes in found]
            self._ranges = [(first, last, nodes[0]) for first, last, nodes in shards]
            known = {one: None for _, _, nodes in shards for one in nodes}
            # Who has just answered is asked first the next time, and those of the address last, whatever became of the others.
            order = dict.fromkeys((node, *known, *self._address.hosts))
            before = self._nodes
            self._nodes = {one: before.get(one) or self._clients.of(self._address.server(*one)) for one in order}
            for gone in before.keys() - self._nodes.keys():
                await _close(before[gone])
            self._sure = True
            return
        raise failure


def open_servers(address: RedisAddress, clients: Clients) -> Servers:
    """What the address names; connects nothing. Raises ValueError, TypeError."""
    kinds: dict[str, type[OneServer] | type[PrimaryOfSentinels] | type[ClusterNodes]] = {
        "server": OneServer,
        "sentinel": PrimaryOfSentinels,
        "cluster": ClusterNodes,
    }
    return kinds[address.kind](address, clients)


def _key_of(words: Sequence[Argument]) -> str:
    """The first key among the words of a command; what has none is asked of the node that has the cursors."""
    return next((word for word in words if isinstance(word, str) and word.startswith(PREFIX)), CURSORS)


def _node(found: Sequence[Any], asked: Node) -> Node:
    host = (found[0] or b"").decode()
    return (host if host not in ("", "?") else asked[0]), int(found[1])


async def _close(client: Any) -> None:
    await client.aclose()
    await client.connection_pool.disconnect()
