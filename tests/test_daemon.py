"""The whole daemon as a process: a post on a platform becomes one signed alert, and stays one."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.checker import leases_over
from tests.daemon_process import DaemonProcess, run_command, running_daemon
from tests.quick_pack import rules_alone
from tests.receiver import SECRET, Receiver
from tests.standins.feed_server import FeedEntry, FeedServer
from tests.standins.reddit_server import CLIENT_ID, CLIENT_SECRET, RedditServer


def write_config(
    folder: Path,
    store_url: str = "",
    *,
    feed: FeedServer | None = None,
    reddit: RedditServer | None = None,
    hook: str | None = None,
) -> Path:
    parts = [f'data_dir = "data"\n[api]\nport = 0\n[store]\nurl = "{store_url}"\n']
    if feed:
        parts.append(
            f'[[source]]\nname = "clinic-blog"\nkind = "feed"\nurl = "{feed.url}"\nplatform = "clinic"\ninterval = "2s"\n'
        )
    if reddit:
        parts.append(
            f'[[source]]\nname = "reddit"\nkind = "reddit"\nsubreddits = ["SkincareAddiction"]\ninterval = "2s"\n'
            f'base_url = "{reddit.origin}"\nclient_id = "{CLIENT_ID}"\nclient_secret = "{CLIENT_SECRET}"\n'
        )
    if hook:
        parts.append(
            f'[[endpoint]]\nname = "hook"\nkind = "webhook"\nurl = "{hook}"\nsecret = "{SECRET}"\n'
            'events = ["claim.new"]\nallow_private = true\n'
        )
    config = folder / "monitor.toml"
    config.write_text("\n".join(parts))
    return config


async def wait_for_mentions(daemon: DaemonProcess, number: int) -> list[dict[str, Any]]:
    answer = await daemon.until("/mentions", lambda page: len(page["items"]) >= number)
    return list(answer["items"])


async def new_claims(daemon: DaemonProcess) -> list[dict[str, Any]]:
    return [alert for alert in (await daemon.get("/alerts"))["items"] if alert["kind"] == "claim.new"]


async def test_three_wordings_from_two_platforms_raise_one_signed_alert_across_a_restart(
    tmp_path: Path, store_url: str, shared: Path
) -> None:
    async with FeedServer() as feed, RedditServer() as reddit, Receiver() as receiver:
        config = write_config(tmp_path, store_url, feed=feed, reddit=reddit, hook=receiver.url)
        # Recorded posts about other things all around, as on any subreddit.
        recorded = shared / "wire/dev/reddit/sub_new__TestSubredditStreams.test_submissions__1__p.json"
        reddit.load("new", json.loads(recorded.read_text()))
        reddit.add_post("SkincareAddiction", title="My clinic says its exosomes are FDA approved", selftext="Booked for Friday!")
        reddit.add_comment("SkincareAddiction", body="The exosome brand that I use got approval from the FDA last year.")
        reddit.add_post("SkincareAddiction", title="What does a session of exosomes cost?")
        reddit.add_post("SkincareAddiction", title="Weekly thread", selftext="Nothing about the topic here.")
        feed.entries.append(
            FeedEntry(title="News from our clinic", body="Good to know: our exosome serum is approved by the FDA.", id="post-1")
        )
        async with running_daemon(config) as daemon:
            found = await wait_for_mentions(daemon, 4)
            assert {mention["platform"] for mention in found} == {"reddit", "clinic"}
            assert len(found) == 4, "the post that is off topic must not be stored"
            (got,) = await receiver.got(1)

            data = got.event["data"]
            assert got.event["type"] == "claim.new"
            assert data["occurrence"]["verdict"] == "contradicted"
            assert data["occurrence"]["type"] == "regulatory_status"
            assert data["occurrence"]["quote"] in data["mention"]["text"]
            assert data["mention"]["text"][data["occurrence"]["start"] : data["occurrence"]["end"]] == data["occurrence"]["quote"]
            assert data["evidence"], "an alert names the sources of its verdict"
            assert data["mention"]["author"] != "someone", "authors are pseudonyms by default"

            (claim,) = [c for c in (await daemon.get("/claims"))["items"] if c["entry"] == "fda-approved"]
            assert claim["mentions"] == 3
            assert set(claim["platforms"]) == {"reddit", "clinic"}
            carrying = (await daemon.get(f"/mentions?claim={claim['id']}"))["items"]
            status, out, err = await daemon.command("mentions", "--claim", claim["id"], "--format", "json")
            assert (status, err) == (0, "")
            assert json.loads(out)["items"] == carrying
            status, out, _ = await daemon.command("claim", claim["id"])
            assert status == 0
            assert "contradicted" in out
            assert await daemon.stop() == 0

        async with running_daemon(config) as daemon:
            reddit.add_comment("SkincareAddiction", body="Same here, mine are FDA-approved exosomes, or so the leaflet says.")
            await wait_for_mentions(daemon, 5)
            (claim,) = [c for c in (await daemon.get("/claims"))["items"] if c["entry"] == "fda-approved"]
            assert claim["mentions"] == 4
            assert len(await new_claims(daemon)) == 1
            await daemon.until("/endpoints", lambda page: page["items"][0]["pending"] == 0)
        assert len(receiver.kept) == 1
        assert receiver.forged == 0


async def test_killed_daemon_is_taken_over_and_nothing_is_lost_or_said_twice(tmp_path: Path, store_url: str) -> None:
    posts = tmp_path / "posts.jsonl"
    lines = [
        {"platform": "forum", "id": str(n), "text": "Exosomes raise collagen by 300%.", "author": f"a{n}"} for n in range(400)
    ]
    posts.write_text("\n".join(map(json.dumps, lines)))
    async with Receiver() as receiver:
        config = write_config(tmp_path, store_url, hook=receiver.url)
        daemon = DaemonProcess(config)
        await daemon.start()
        replaying = asyncio.create_task(daemon.command("replay", str(posts)))
        await daemon.until("/mentions", lambda page: bool(page["items"]))
        await daemon.kill()
        await replaying  # it may have been cut off or not: its posts are offered again below
        async with running_daemon(config) as daemon:
            status, out, _ = await daemon.command("replay", str(posts))
            assert status == 0
            assert "unmatched 0" in out
            await daemon.until("/claims", lambda page: bool(page["items"]) and page["items"][0]["mentions"] == 400)
            (claim,) = (await daemon.get("/claims"))["items"]
            assert claim["authors"] == 400
            assert len(await new_claims(daemon)) == 1
            await leases_over(store_url)
            await daemon.until("/endpoints", lambda page: page["items"][0]["pending"] == 0)
            await receiver.got(1)
        assert len({got.id for got in receiver.kept}) == 1


async def test_a_second_daemon_on_the_same_data_folder_is_refused_in_one_sentence(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    async with running_daemon(config) as daemon:
        status, out, err = await daemon.command("run")
        assert status == 1
        assert out == ""
        assert "data_dir" in err
        assert len(err.strip().splitlines()) == 1
        assert (await daemon.get("/mentions"))["items"] == []


async def test_one_broken_source_stops_nothing_else(tmp_path: Path, store_url: str) -> None:
    async with FeedServer() as feed, FeedServer() as broken:
        feed.entries.append(FeedEntry(title="Exosomes explained", body="They are vesicles.", id="1"))
        config = write_config(tmp_path, store_url, feed=feed)
        with config.open("a") as file:
            file.write(f'[[source]]\nname = "broken"\nkind = "feed"\nurl = "{broken.origin}/nothing-here"\ninterval = "2s"\n')
        async with running_daemon(config) as daemon:
            await wait_for_mentions(daemon, 1)
            states = await daemon.until(
                "/sources", lambda page: {s["name"]: s["state"] for s in page["items"]}["broken"] != "waiting"
            )
            by_name = {source["name"]: source for source in states["items"]}
            assert by_name["broken"]["state"] == "failing"
            assert "404" in by_name["broken"]["last_error"]
            await daemon.until("/sources", lambda page: {s["name"]: s["state"] for s in page["items"]}["clinic-blog"] == "ok")
            status, out, _ = await daemon.command("check")
            assert status == 1
            assert "FAILED source broken" in out
            assert "ok     source clinic-blog" in out


async def test_check_finds_nothing_wrong_with_a_sound_installation(tmp_path: Path) -> None:
    async with FeedServer() as feed, Receiver() as receiver:
        feed.entries.append(FeedEntry(title="Exosomes explained", id="1"))
        config = write_config(tmp_path, feed=feed, hook=receiver.url)
        status, out, err = await run_command("--config", str(config), "check")
        assert (status, err) == (0, "")
        whats = [line.removeprefix("ok").strip().split(":")[0] for line in out.splitlines()]
        assert whats == ["config", "register", "servers", "source clinic-blog", "endpoint hook"]
        assert receiver.kept == [], "it tells nobody"


async def test_check_says_why_an_endpoint_gets_nothing_and_shows_no_address(tmp_path: Path) -> None:
    async def answer_nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"nonsense \x1b[31m\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer_nonsense, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        wanted = {
            "plain": ("http://198.51.100.7/hook?key=hunter2", False, "starts with http://"),
            "private": ("https://10.0.0.7/hook?key=hunter2", False, "allow_private = true"),
            "nonsense": (f"http://127.0.0.1:{port}/hook?key=hunter2", True, "could not be read as HTTP"),
            "closed": ("http://127.0.0.1:1/hook?key=hunter2", True, "no connection to 127.0.0.1"),
        }
        config = write_config(tmp_path)
        with config.open("a") as file:
            for name, (url, private, _) in wanted.items():
                file.write(f'[[endpoint]]\nname = "{name}"\nkind = "webhook"\nurl = "{url}"\nsecret = "{SECRET}"\n')
                file.write(f"allow_private = {str(private).lower()}\n")
        status, out, err = await run_command("--config", str(config), "check")
    assert (status, err) == (1, "")
    lines = {line.split(":")[0]: line for line in out.splitlines()}
    for name, (_, _, said) in wanted.items():
        assert said in lines[f"FAILED endpoint {name}"]
    assert "hunter2" not in out
    assert "\x1b" not in out


async def test_posts_wait_in_the_stream_for_a_daemon_that_is_not_running(tmp_path: Path, store_url: str) -> None:
    config = write_config(tmp_path, store_url)
    posts = tmp_path / "posts.jsonl"
    posts.write_text(
        '{"platform": "forum", "id": "1", "text": "Exosomes cure arthritis."}\n'
        "not json\n"
        '{"platform": "forum", "id": "2", "text": "A post about bread."}\n'
        '{"platform": "forum", "id": "1", "text": "Exosomes cure arthritis."}\n'
    )
    status, out, err = await run_command("--config", str(config), "replay", str(posts))
    assert status == 1
    assert out == "accepted 1, duplicates 1, unmatched 1\n"
    assert "line 2: not JSON" in err
    async with running_daemon(config) as daemon:
        (mention,) = await wait_for_mentions(daemon, 1)
        assert mention["alert"] is True


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[alerts]\nmin_confidence = "high"', "alerts.min_confidence"),
        ('topic = "bread"', "bread"),
        ('[redis]\nurl = "redis://127.0.0.1:1/0"', "127.0.0.1:1"),
        ('[store]\nurl = "postgresql://127.0.0.1:1/x"', "127.0.0.1:1"),
    ],
)
async def test_what_keeps_the_daemon_from_starting_is_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    config = tmp_path / "monitor.toml"
    config.write_text('data_dir = "data"\n' + text)
    status, out, err = await run_command("--config", str(config), "run")
    assert status == 1
    assert out == ""
    assert said in err
    assert "Traceback" not in err


@pytest.mark.parametrize("command", ["run", "work", "demo", "check"])
async def test_a_pack_that_cannot_judge_is_said_before_anything_calls_itself_ready(tmp_path: Path, command: str) -> None:
    pack = rules_alone(tmp_path)
    (pack / "topic.yaml").write_text("name: exosomes\nmodel: model\n")
    status, out, err = await run_command("--config", str(write_config(tmp_path)), command)
    assert status == 1
    assert "Traceback" not in err
    assert "ready" not in out
    if command == "check":
        assert [line.split(": ")[0] for line in out.splitlines() if "the model lacks model.json" in line] == ["FAILED topic"]
    else:
        assert out == ""
        assert "the model lacks model.json" in err.splitlines()[-1]


async def test_the_demo_plays_its_sample_and_every_alert_is_received(tmp_path: Path) -> None:
    status, out, err = await run_command(
        "demo", "--no-open", EXOWATCH_STORE__URL=f"sqlite:///{tmp_path}/must-not-be-touched.sqlite"
    )
    assert status == 0, err
    summary = out.strip().splitlines()[-1]
    assert "72 posts played" in summary
    assert ", 0 refused" in summary
    raised, received = (int(summary.split(f" {word}")[0].split()[-1]) for word in ("alerts raised", "received with"))
    assert raised == received > 15
    assert "FDA" in out
    assert not (tmp_path / "must-not-be-touched.sqlite").exists()


async def test_it_leaves_no_process_behind(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    async with running_daemon(config):
        state = json.loads((tmp_path / "data" / "redis" / "server.json").read_text())
    assert not Path(f"/proc/{state['pid']}").exists()
    assert not Path(state["socket"]).exists()
