"""Mentions are tagged with the watched names that they speak of, and lists, claims and endpoints can be asked by them."""

from __future__ import annotations

import asyncio
import itertools
import json
from pathlib import Path

import msgspec
import pytest

from monitor.ids import claim_id_of
from monitor.settings import Settings, SettingsError, load
from monitor.settings.alerting import wants
from monitor.settings.endpoint import Endpoint
from monitor.settings.model import Alerts
from monitor.store import Database, alerts, claims, deliveries, mentions, parse_filters, reviews, sources
from monitor.store.detail import find
from monitor.store.judged import Judged
from monitor.store.stats import stats
from monitor.stream import Stream
from monitor.topic import load_topic
from monitor.topic.watchlist import Watched, Watchlist
from monitor.words import Occurrence
from tests.abuse import post_of, write_config
from tests.api_server import serving
from tests.daemon_process import running_daemon
from tests.receiver import SECRET
from tests.samples import judged, occurrence, write
from tests.test_cli_query import exowatch
from tests.test_pipeline import done, item, posts, working
from tests.test_second_topic import write_pack
from workers.alert import drafts
from workers.judgement import Judge

APPROVED, SAFE = claim_id_of("approved"), claim_id_of("safe")


def said(key: str, *watch: str, hours_ago: float = 1, safe: bool = False, **more: object) -> Judged:
    """A post that puts a claim forward and speaks of these names."""
    text = "they are safe" if safe else "they are approved"
    quote = text.rsplit(maxsplit=1)[-1]
    found: Occurrence = occurrence(text, quote, quote, type="safety" if safe else "regulatory_status")
    return msgspec.structs.replace(judged(key, text, found, hours_ago=hours_ago, **more), watch=watch)


async def fill(database: Database) -> None:
    await write(
        database,
        said("a", "ASCE+", "BENEV", hours_ago=6),
        said("b", hours_ago=5, platform="tiktok", source="tag"),
        said("c", "ASCE+", hours_ago=4, platform="tiktok", source="tag"),
        said("d", "BENEV", hours_ago=3, safe=True),
        said("e", hours_ago=2, safe=True),
        said("f", "Other's", hours_ago=1, safe=True, platform="tiktok"),
    )


async def listed(database: Database, **given: list[str]) -> list[str]:
    """The platform's ids of the mentions that pass."""
    async with database.read() as connection:
        return [one.platform_id for one in (await mentions.page(connection, parse_filters(given))).items]


async def test_mentions_say_what_they_name_and_are_found_by_it(database: Database) -> None:
    await fill(database)
    async with database.read() as connection:
        one = await mentions.find(connection, "reddit:a")
        other = await mentions.find(connection, "tiktok:b")
    assert one is not None
    assert other is not None
    assert (one.watch, other.watch) == (("ASCE+", "BENEV"), ())
    assert await listed(database, watch=["ASCE+"]) == ["c", "a"]
    assert await listed(database, watch=["ASCE+", "BENEV"]) == ["d", "c", "a"]
    assert await listed(database, watch=["Other's"]) == ["f"]
    assert await listed(database, watch=["asce"]) == []


async def test_it_goes_with_every_other_filter(database: Database) -> None:
    await fill(database)
    watches: dict[str, set[str]] = {"ASCE+": {"a", "c"}, "BENEV": {"a", "d"}, "Other's": {"f"}}
    others: list[tuple[dict[str, list[str]], set[str]]] = [
        ({}, set("abcdef")),
        ({"type": ["safety"]}, set("def")),
        ({"claim": [APPROVED]}, set("abc")),
        ({"platform": ["tiktok"]}, set("bcf")),
        ({"source": ["skincare"]}, set("adef")),
        ({"text": ["approved"]}, set("abc")),
        ({"text": ["they"], "type": ["safety"], "verdict": ["contradicted"]}, set("def")),
        ({"since": ["210m"]}, set("def")),
    ]
    for name, (first, one), (second, two) in itertools.product([*watches], others, others):
        if first.keys() & second.keys():
            continue
        found = await listed(database, watch=[name], **first, **second)
        assert found == sorted(watches[name] & one & two, reverse=True), (name, first, second)


async def test_pages_follow_each_other(database: Database) -> None:
    await fill(database)
    seen: list[str] = []
    cursor: str | None = ""
    async with database.read() as connection:
        while cursor is not None:
            given = {"watch": ["ASCE+", "BENEV"], "limit": ["1"], "cursor": [cursor]}
            page = await mentions.page(connection, parse_filters(given))
            seen += [one.platform_id for one in page.items]
            cursor = page.next
    assert seen == ["d", "c", "a"]


async def test_claims_alerts_deliveries_sources_and_counts_are_asked_by_it(database: Database) -> None:
    await fill(database)
    endpoint = Endpoint(name="e", kind="webhook", url="https://example.org", secret=[SECRET])
    async with database.write() as connection:
        await sources.declare(connection, {"skincare": "reddit", "tag": "feed"})
        await deliveries.raise_test(connection, endpoint)
    async with database.read() as connection:

        async def of_claims(**given: list[str]) -> set[str]:
            return {one.id for one in (await claims.page(connection, parse_filters(given))).items}

        assert await of_claims(watch=["ASCE+"]) == {APPROVED}
        assert await of_claims(watch=["BENEV"]) == {APPROVED, SAFE}
        assert await of_claims(watch=["BENEV"], platform=["tiktok"]) == set(), "one mention must be both"
        assert await of_claims(watch=["ASCE+"], platform=["tiktok"], stance=["asserts"]) == {APPROVED}
        assert await of_claims(watch=["nobody"]) == set()
        for given, expected in (
            ({"watch": ["ASCE+"]}, {APPROVED}),
            ({"watch": ["BENEV"]}, {APPROVED, SAFE}),
            ({"watch": ["BENEV"], "type": ["safety"]}, {SAFE}),
            ({"watch": ["nobody"]}, set()),
        ):
            page = await alerts.page(connection, parse_filters(given))
            assert {one.claim_id for one in page.items} == expected, given
        assert (await deliveries.page(connection, parse_filters({"watch": ["ASCE+"]}))).items == []
        assert [one.name for one in (await sources.page(connection, parse_filters({"watch": ["BENEV"]}))).items] == ["skincare"]
        counted = (await stats(connection, "day", parse_filters({"watch": ["ASCE+", "BENEV"]}))).buckets
        assert sum(bucket.mentions for bucket in counted) == 3
        one = await find(connection, APPROVED, parse_filters({"watch": ["BENEV"]}))
    assert one is not None
    assert one.watch == {"ASCE+": 2, "BENEV": 1}
    assert [place.platform_id for place in one.occurrences.items] == ["a"]


async def test_an_edit_changes_what_is_named_and_a_repeat_changes_nothing(database: Database) -> None:
    await fill(database)
    await fill(database)
    assert await listed(database, watch=["BENEV"]) == ["d", "a"]
    later = said("a", "Other's", safe=True, hours_ago=0.5)
    assert (await write(database, later)).edited
    assert await listed(database, watch=["BENEV"]) == ["d"]
    assert await listed(database, watch=["Other's"]) == ["f", "a"]
    assert await listed(database, watch=["BENEV"], text=["they"]) == ["d"]
    assert await listed(database, watch=["Other's"], text=["they"]) == ["f", "a"]


async def test_a_review_leaves_the_names_searchable(database: Database) -> None:
    await fill(database)
    async with database.write() as connection:
        await reviews.merge(connection, SAFE, APPROVED, "ann")
    assert await listed(database, watch=["BENEV"], text=["they"], claim=[APPROVED]) == ["d", "a"]


def test_an_endpoint_hears_of_its_names_only() -> None:
    endpoints = [
        Endpoint(name=name, kind="webhook", url="https://example.org", secret=[SECRET], watch=names)
        for name, names in (("all", []), ("asce", ["ASCE+"]), ("two", ["BENEV", "Other"]))
    ]
    one = said("a", "ASCE+", "XoGlo")
    judgement = msgspec.structs.replace(one.judgement, adverse_event=True)
    told = drafts(judgement, one.post, Alerts(), endpoints, one.watch)
    assert {(draft.kind, tuple(to.name for to in draft.recipients)) for draft in told} == {
        ("claim.new", ("all", "asce")),
        ("claim.spreading", ("all", "asce")),
        ("claim.resurfaced", ("all", "asce")),
        ("safety.signal", ("all", "asce")),
    }
    told = drafts(judgement, one.post, Alerts(), endpoints)
    assert {to.name for draft in told for to in draft.recipients} == {"all"}
    assert wants(endpoints[1], "source.down", None, None), "what has no mention cannot be asked"


async def test_workers_tag_what_they_record(stream: Stream, database: Database) -> None:
    judge = Judge(msgspec.structs.replace(load_topic(load().topic_folder), model=None))
    names = Watchlist([Watched(name="Arthritis Inc", kind="brand", also=("arthritis. (1",)), Watched(name="No", kind="brand")])
    await stream.publish([item(post) for post in posts(3)])
    async with working(stream, database, judge, watchlist=names):
        await done(stream)
    assert await listed(database, watch=["Arthritis Inc"]) == ["p1"]
    assert len(await listed(database)) == 3


async def test_http_and_the_command_line_take_it(database: Database, redis_url: str, tmp_path: Path, store_url: str) -> None:
    await fill(database)
    async with serving(database, redis_url) as api:
        status, page = await api.get("/api/v1/mentions?watch=ASCE%2B&platform=reddit")
        assert (status, [one["watch"] for one in page["items"]]) == (200, [["ASCE+", "BENEV"]])
        _, page = await api.get("/api/v1/claims?watch=BENEV")
        assert {one["id"] for one in page["items"]} == {APPROVED, SAFE}
        _, one = await api.get(f"/api/v1/claims/{APPROVED}")
        assert one["watch"] == {"ASCE+": 2, "BENEV": 1}
        assert [step["platform"] for step in one["lineage"]["path"]] == ["reddit", "tiktok"]
        assert one["lineage"]["variants"]["items"][0]["quote"] == "approved"
        _, described = await api.get("/api/v1/openapi.json")
    assert "lineage" in described["components"]["schemas"]["ClaimDetail"]["properties"]
    config = tmp_path / "monitor.toml"
    config.write_text(f'[store]\nurl = "{store_url}"\n')

    async def run(*arguments: str) -> str:
        done = await asyncio.to_thread(exowatch, *arguments, "--config", config)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    found = await run("mentions", "--watch", "ASCE+", "--watch", "BENEV", "--format", "jsonl")
    assert [json.loads(line)["platform_id"] for line in found.splitlines()] == ["d", "c", "a"]
    shown = await run("claim", APPROVED)
    for wanted in (
        "Lineage",
        "First put forward: ",
        "Path: reddit ",
        "-> tiktok ",
        "Watched names: ASCE+ 2, BENEV 1",
        "approved",
    ):
        assert wanted in shown
    assert json.loads(await run("claim", APPROVED, "--format", "json")) == one


def test_the_setting_stands_beside_the_config_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "monitor.toml"
    config.write_text('watchlist = "names/mine.yaml"\n')
    assert load(config).watchlist_file == tmp_path / "names/mine.yaml"
    monkeypatch.setenv("EXOWATCH_WATCHLIST", "/elsewhere.yaml")
    assert load(config).watchlist_file == Path("/elsewhere.yaml")
    monkeypatch.delenv("EXOWATCH_WATCHLIST")
    config.write_text('watchlist = "a\\u0000b"\n')
    with pytest.raises(SettingsError, match="watchlist: a file is a path"):
        load(config)
    assert Settings().watchlist_file is None


async def test_a_name_that_is_added_is_taken_up_without_a_restart_and_checked(tmp_path: Path) -> None:
    write_pack(tmp_path)
    own = tmp_path / "mine.yaml"
    own.write_text("- {name: Acme, kind: brand}\n")
    config = write_config(tmp_path)
    hook = f'[[endpoint]]\nname = "h"\nkind = "webhook"\nurl = "http://127.0.0.1:9"\nsecret = "{SECRET}"\nallow_private = true\n'
    plain = 'topic = "bread"\nwatchlist = "mine.yaml"\n' + config.read_text()
    config.write_text(plain)
    async with running_daemon(config) as daemon:
        await daemon.post("/mentions", [post_of("1", "Rye bread by Acme and by Bolt.")])
        page = await daemon.until("/mentions", lambda page: len(page["items"]) == 1)
        assert page["items"][0]["watch"] == ["Acme"]
        own.write_text("- {name: Acme, kind: brand}\n- {name: Bolt, kind: clinic}\n")
        await daemon.until("/mentions", lambda _: "judged by the changed topic pack" in daemon.log())
        await daemon.post("/mentions", [post_of("2", "Rye bread by BOLT.")])
        page = await daemon.until("/mentions?watch=Bolt", lambda page: len(page["items"]) == 1)
        assert [one["platform_id"] for one in page["items"]] == ["2"]
        config.write_text(plain + "\n" + hook + 'watch = ["Bolt", "Nobody"]\n')
        status, out, _ = await daemon.command("check")
        assert status == 1
        assert "2 names on the watchlist" in out
        assert "the watchlist has no name 'Nobody'; write it as it stands there (Acme, Bolt)" in out
