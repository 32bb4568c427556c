"""Traces: the whole journey of a post in one trace, through the real daemon; nothing of its words; nothing waits for them."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from monitor import tracing
from monitor.settings import Telemetry
from monitor.words import Post
from tests.abuse import claim_of, feed, post_of, quick_config, replay_file
from tests.daemon_process import ROOT, run_command, running_daemon, until
from tests.receiver import Receiver
from tests.standins.feed_server import FeedEntry, FeedServer
from tests.standins.otlp_receiver import OtlpReceiver

JOURNEY = ["publish", "weigh", "classify", "identify and judge", "record", "deliver"]
HOSTILE = "zebrafinch"
POST = Post(platform="clinic", id="post-1", text="Exosomes heal.")


def traced(folder: Path, address: str, *parts: str, hook: str = "", sample: float = 1.0) -> Path:
    return quick_config(folder, f'[telemetry]\notlp = "{address}"\nsample = {sample}', *parts, hook=hook)


async def test_a_post_is_followed_from_its_source_to_its_delivery_in_one_trace(tmp_path: Path) -> None:
    async with OtlpReceiver() as otlp, FeedServer() as source, Receiver() as receiver:
        source.entries.append(
            FeedEntry(title=f"Exosomes raise collagen by 300% {HOSTILE}", id=f"{source.origin}/?key={HOSTILE}", author=HOSTILE)
        )
        config = traced(tmp_path, otlp.address, feed("clinic-blog", source.url), hook=receiver.url)
        async with running_daemon(config) as daemon:
            await receiver.got(1)
            (mention,) = (await daemon.get("/mentions"))["items"]
            await daemon.raw(f"/api/v1/mentions/{mention['id']}?")
            await daemon.raw(f"/api/v1/mentions?text={HOSTILE}&nonsense={HOSTILE}")
            await daemon.raw(f"/{HOSTILE}/%0a{HOSTILE}?token={HOSTILE}")
        # What was made is sent when the daemon ends in order, at the latest.
        (published,) = otlp.named("publish")
        journey = otlp.of_trace(published.trace)
        assert sorted(one.name for one in journey) == sorted(JOURNEY)
        by_name = {one.name: one for one in journey}
        assert published.parent == ""
        for name in ("weigh", "record", "deliver"):
            assert by_name[name].parent == published.id, name
        for name in ("classify", "identify and judge"):
            assert by_name[name].parent == by_name["weigh"].id, name
        assert by_name["deliver"].attributes["exowatch.endpoint"] == "hook"
        assert by_name["deliver"].attributes["http.response.status_code"] == 204
        assert by_name["weigh"].attributes["exowatch.mention"] == mention["id"]
        assert all(one.began <= one.ended for one in otlp.spans)

        batches = {one.id: one.name for one in otlp.spans}
        assert batches[by_name["weigh"].links[0]] == "work", "a post's span leads to the batch that it was part of"
        assert batches[published.links[0]] == "collect"
        assert "take deliveries" in batches.values()

        requests = {one.name: one.attributes for one in otlp.spans if "http.route" in one.attributes}
        assert requests["GET /api/v1/mentions/{id}"]["http.response.status_code"] == 200
        assert requests["GET nothing here"]["http.response.status_code"] == 404
        assert HOSTILE.encode() not in otlp.raw, "no word, author, id, address or query of strangers"
        assert "300" not in "".join(str(one.attributes) for one in otlp.spans if one.name in JOURNEY)


async def test_all_processes_make_the_same_share_of_the_traces_and_each_of_those_whole(tmp_path: Path) -> None:
    async with OtlpReceiver() as otlp, Receiver() as receiver:
        config = traced(tmp_path, otlp.address, hook=receiver.url, sample=0.5)
        async with running_daemon(config, "run", "--workers", "2") as daemon:
            await daemon.post("/mentions", [post_of(str(n), claim_of(300 + n)) for n in range(40)])
            await receiver.got(40)
        published = otlp.named("publish")
        assert 5 < len(published) < 35
        for one in published:
            assert sorted(span.name for span in otlp.of_trace(one.trace)) == sorted(JOURNEY)


async def test_a_collector_that_is_dead_stops_nothing_and_is_one_warning(tmp_path: Path) -> None:
    async with Receiver() as receiver:
        config = traced(tmp_path, "http://127.0.0.1:9", hook=receiver.url)
        async with running_daemon(config) as daemon:
            await daemon.post("/mentions", [post_of(str(n), claim_of(300 + n)) for n in range(20)])
            await receiver.got(20)
            await until(lambda: _told(daemon.log()), lambda times: times > 0)
            status, out, err = await daemon.command("replay", replay_file(tmp_path, post_of("more", claim_of(999))))
            assert (status, err) == (0, ""), out
            await receiver.got(21)
            began = time.monotonic()
            assert await daemon.stop() == 0
            assert time.monotonic() - began < 60
        assert await _told(daemon.log()) == 1
        assert "opentelemetry" not in daemon.log()


async def _told(log: str) -> int:
    return log.count("traces do not arrive")


async def test_where_it_is_not_installed_one_sentence_says_how_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.delitem(sys.modules, "monitor.tracing_otel", raising=False)
    with (
        pytest.raises(tracing.TracingError, match=r"make extras"),
        tracing.exporting(Telemetry(otlp="http://127.0.0.1:4318"), "run"),
    ):
        pass
    assert not tracing.on()


async def test_a_wrong_address_is_one_sentence(tmp_path: Path) -> None:
    status, out, err = await run_command("--config", str(quick_config(tmp_path, '[telemetry]\notlp = "localhost"')), "check")
    assert (status, out) == (2, "") or status == 1
    assert "telemetry.otlp" in err


def test_off_nothing_is_imported_and_a_span_costs_next_to_nothing() -> None:
    # redis-py imports some of OpenTelemetry by itself where it is installed.
    wanted = ("monitor.tracing_otel", "opentelemetry.sdk.trace", "opentelemetry.exporter")
    code = f"import sys, monitor.cli, monitor.daemon; print([name for name in {wanted} if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"
    assert tracing.mark(POST) is None
    began = time.process_time()
    for _ in range(20_000):
        with tracing.span("weigh", None, mention="m_1"):
            pass
    assert (time.process_time() - began) / 20_000 < 20e-6
