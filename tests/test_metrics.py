"""One page of metrics for all processes: what they count together is what was done, whoever dies, and Redis away or not."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from monitor import metrics, telemetry
from monitor.metrics import MAX_LABEL, Series, Snapshot
from monitor.stream import Stream
from monitor.stream.keys import METRICS_KEPT_S, PROCESSES
from tests.api_server import Api
from tests.daemon_process import DaemonProcess, run_command, running_daemon, until
from tests.receiver import Receiver
from tests.servers import RedisServer, every_redis
from tests.standins.feed_server import FeedEntry, FeedServer
from tests.test_roles import write_config

CLASSIFIED = "exowatch_mentions_classified_total"
STORED = "exowatch_mentions_stored_total"
OF_A_PROCESS = {"role", "process"}


class Page:
    """A page of metrics, read as Prometheus reads it: one family of a name, and no series twice."""

    def __init__(self, text: str) -> None:
        families = list(text_string_to_metric_families(text))
        names = [family.name for family in families]
        assert len(names) == len(set(names))
        for mark in ("HELP", "TYPE"):
            assert len(re.findall(f"^# {mark} ", text, re.MULTILINE)) == len(families)
        self.samples: list[Sample] = [sample for family in families for sample in family.samples]
        series = [(one.name, tuple(sorted(one.labels.items()))) for one in self.samples]
        assert len(series) == len(set(series))

    def of(self, name: str, **labels: str) -> list[Sample]:
        return [one for one in self.samples if one.name == name and labels.items() <= one.labels.items()]

    def total(self, name: str, **labels: str) -> float:
        return sum(one.value for one in self.of(name, **labels))

    def by_process(self, name: str = CLASSIFIED, role: str = "work") -> dict[str, float]:
        return {one.labels["process"]: one.value for one in self.of(name, role=role)}


async def page_of(server: DaemonProcess) -> Page:
    status, text = await server.raw("/metrics")
    assert status == 200
    return Page(text + "\n")


async def counted(server: DaemonProcess, number: int) -> Page:
    """The page once it says that so many mentions were classified and stored: a worker counts the one before the other."""
    found = await until(lambda: page_of(server), lambda page: min(page.total(CLASSIFIED), page.total(STORED)) >= number)
    assert isinstance(found, Page)
    return found


def posts(folder: Path, count: int, prefix: str) -> str:
    file = folder / f"{prefix}.jsonl"
    lines = ({"platform": "forum", "id": f"{prefix}{n}", "text": "Exosomes cure arthritis."} for n in range(count))
    file.write_text("\n".join(map(json.dumps, lines)))
    return str(file)


async def recorded(server: DaemonProcess, number: int) -> None:
    await server.until("/claims", lambda page: sum(claim["mentions"] for claim in page["items"]) >= number)


def expire(redis: RedisServer, process: str) -> None:
    """Two minutes later."""
    key = f"exowatch:v1:{{p0}}:metrics:{process}"
    assert 0 < redis.number("TTL", key) <= METRICS_KEPT_S
    assert redis.number("DEL", key) == 1


async def test_what_workers_in_processes_of_their_own_count_adds_up_whoever_is_killed(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    async with AsyncExitStack() as processes:
        config = write_config(tmp_path, redis_server.url, f"sqlite:///{tmp_path}/store.sqlite", "http://127.0.0.1:9/")
        server = await processes.enter_async_context(running_daemon(config, "serve"))
        one, two = [await processes.enter_async_context(running_daemon(config, "work")) for _ in range(2)]
        await server.command("replay", posts(tmp_path, 400, "a"))
        page = await counted(server, 400)
        assert (page.total(CLASSIFIED), page.total("exowatch_classify_seconds_count")) == (400, 400)
        assert len(page.by_process()) == 2
        (killed,) = (name for name in page.by_process() if f":{one.pid}:" in name)
        before = page.by_process()

        await one.kill()
        assert (await page_of(server)).by_process() == before, "its last figures are kept for a while"
        expire(redis_server, killed)
        assert killed not in (await page_of(server)).by_process()

        await one.start()
        await two.stop()
        await server.command("replay", posts(tmp_path, 100, "b"))
        await recorded(server, 500)
        await one.stop()
        page = await page_of(server)
        assert page.by_process() == {
            **{name: value for name, value in before.items() if name != killed},
            **{name: 100 for name in page.by_process() if f":{one.pid}:" in name},
        }, "the new one counts on, and both shared their last figures when they were stopped"
        assert (await server.get("/stats"))["buckets"]
        for name in (killed, *page.by_process()):
            redis_server.ask("DEL", f"exowatch:v1:{{p0}}:metrics:{name}")
        page = await page_of(server)
        assert (page.by_process(), page.total("exowatch_processes")) == ({}, 1)
        assert 0 < redis_server.number("TTL", PROCESSES) <= METRICS_KEPT_S


async def test_the_daemon_shows_what_its_worker_processes_count(tmp_path: Path) -> None:
    config = tmp_path / "monitor.toml"
    config.write_text('data_dir = "data"\n[api]\nport = 0\n')
    async with running_daemon(config, "run", "--workers", "2") as daemon:
        await daemon.command("replay", posts(tmp_path, 500, "a"))
        page = await counted(daemon, 500)
        assert page.total(CLASSIFIED) == page.total(CLASSIFIED, role="run") + page.total(CLASSIFIED, role="work") == 500
        assert page.total(STORED, change="new") == 500
        assert page.total("exowatch_alerts_raised_total") == 1
        assert [one.labels for one in page.of("exowatch_stream_entries")] == [{}], "of the whole installation"


async def test_every_role_shows_what_it_counts(tmp_path: Path, redis_url: str) -> None:
    async with FeedServer() as feed, Receiver() as receiver, AsyncExitStack() as processes:
        config = write_config(tmp_path, redis_url, f"sqlite:///{tmp_path}/store.sqlite", receiver.url, feed.url)
        feed.entries.append(FeedEntry(title="News", body="Our exosomes are FDA approved.", id="1"))
        feed.entries.append(FeedEntry(title="Bread", body="A post about bread.", id="2"))
        roles = ("serve", "deliver", "work", "collect")
        server, *others = [await processes.enter_async_context(running_daemon(config, role)) for role in roles]
        await receiver.got(1)
        for other in others:
            await other.stop()
        page = await page_of(server)
        found = {
            "heard": page.total("exowatch_posts_heard_total", role="collect", source="blog"),
            "matched": page.total("exowatch_posts_matched_total", role="collect", source="blog"),
            "classified": page.total(CLASSIFIED, role="work"),
            "stored": page.total("exowatch_mentions_stored_total", role="work", change="new"),
            "alerted": page.total("exowatch_alerts_raised_total", role="work"),
            "delivered": page.total("exowatch_alerts_delivered_total", role="deliver", endpoint="hook"),
            "processes": page.total("exowatch_processes"),
        }
        assert found == {
            "heard": 2, "matched": 1, "classified": 1, "stored": 1, "alerted": 1, "delivered": 1, "processes": 4,
        }  # fmt: skip


async def shown(api: Api) -> Page:
    async with api.client.get(api.url + "/metrics") as answer:
        assert answer.status == 200
        return Page(await answer.text())


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
async def test_redis_away_costs_the_others_series_and_nothing_else(api: Api, redis_server: RedisServer) -> None:
    async with metrics.shared(api.stream, "work"):
        await until(lambda: shown(api), lambda page: bool(page.of(CLASSIFIED, role="work")))
        for away, back in ((redis_server.stall, redis_server.resume), (redis_server.kill, redis_server.start)):
            away()
            async with asyncio.timeout(metrics.ANSWER_WITHIN_S + 2):
                page = await shown(api)
            assert (len(page.of(CLASSIFIED, role="serve")), len(page.of(CLASSIFIED, role="work"))) == (1, 0)
            for name in ("exowatch_processes", "exowatch_stream_entries", "exowatch_stream_oldest_seconds"):
                assert str(page.total(name)) == "nan", name
            back()
            await until(lambda: shown(api), lambda page: bool(page.of(CLASSIFIED, role="work")))
        redis_server.kill()
    # Here the block has ended although the last figures could not be shared.


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
async def test_what_others_share_is_hostile_text(api: Api, redis_server: RedisServer) -> None:
    name = 'a"b\\c\n# TYPE exowatch_evil counter\nexowatch_evil{x="1"} 1 ☠'
    good = Series("exowatch_posts_heard_total", {"source": name}, 3)
    hostile = [
        b"not JSON",
        b'{"role": "work", "process": "p", "series": [["exowatch_posts_heard_total", {"source": "\\ud800"}, 1]]}',
        b'{"role": "work", "process": "p", "series": [["exowatch_posts_heard_total", {"source": "x"}, null]]}',
        *(
            msgspec.json.encode(Snapshot("work", "hostile:1", [one]))
            for one in (
                Series("exowatch_posts_heard_total", {'source="x"} 1\n': "x"}, 1),
                Series("exowatch_posts_heard_total", {"source": "x" * (MAX_LABEL + 1)}, 1),
                Series("exowatch_posts_heard_total", {"source": "x"}, -1),
            )
        ),
        msgspec.json.encode(Snapshot("work", "known:1", [Series("exowatch_evil_total", {}, 1), good])),
        msgspec.json.encode(Snapshot("w" * 1000, "known:2", [good])),
    ]
    for number, data in enumerate(hostile):
        await api.stream.share_metrics(f"process-{number}", data)
    page = await shown(api)
    (heard,) = page.of("exowatch_posts_heard_total", process="known:1")
    assert (heard.labels["source"], heard.value) == (name, 3)
    assert page.of("exowatch_evil_total") == page.of("exowatch_evil") == []
    assert {one.labels["process"] for one in page.samples if "process" in one.labels} == {"known:1", metrics.process_name()}


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
async def test_names_of_our_own_are_bounded_and_escaped_too(api: Api) -> None:
    names = ['one"\\\n\ud800', "x" * 5_000 + "a", "x" * 5_000 + "b"]
    for name in names:
        telemetry.heard.labels(name).inc(2)
    try:
        own = metrics.snapshot("collect")
        await api.stream.share_metrics("collector", msgspec.json.encode(own))
        page = await shown(api)
    finally:
        for name in names:
            telemetry.heard.remove(name)
    for role in ("collect", "serve"):
        found = {one.labels["source"]: one.value for one in page.of("exowatch_posts_heard_total", role=role)}
        assert found['one"\\\ufffd\ufffd'] == 2
        assert found["x" * MAX_LABEL] == 4, "names that are cut to the same one count together"


@pytest.mark.parametrize("redis_server", every_redis(), indirect=True)
async def test_only_so_much_is_shared_and_read(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.metrics.MAX_SERIES", 10)
    monkeypatch.setattr("monitor.stream.stream.MAX_PROCESSES", 3)
    stream = await Stream.open(redis_server.url)
    try:
        async with metrics.shared(stream, "work"):
            pass
        (data,) = await stream.shared_metrics()
        assert len(msgspec.json.decode(data, type=Snapshot).series) == 10
        for number in range(5):
            await stream.share_metrics(f"process-{number}", b"x")
        assert len(await stream.shared_metrics()) == 3
        redis_server.ask("ZADD", PROCESSES, 1_000, "process-4")  # which last spoke long ago
        await stream.share_metrics("process-5", b"x")
        assert redis_server.number("ZCARD", PROCESSES) == 6, "the first of this test, and all but number 4"
    finally:
        await stream.close()


@pytest.mark.parametrize("label", sorted(OF_A_PROCESS))
def test_no_metric_has_a_label_of_its_own_that_a_process_has(label: str) -> None:
    assert all(label not in sample.labels for metric in telemetry.registry.collect() for sample in metric.samples)


async def test_a_command_shares_nothing(tmp_path: Path, redis_server: RedisServer) -> None:
    config = tmp_path / "monitor.toml"
    config.write_text(f'data_dir = "data"\n[redis]\nurl = "{redis_server.url}"\n')
    status, _, _ = await run_command("--config", str(config), "replay", posts(tmp_path, 3, "a"))
    assert status == 0
    assert redis_server.number("EXISTS", PROCESSES) == 0
