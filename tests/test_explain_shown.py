"""`exowatch explain`, `exowatch alerts --dry-run` and the same over HTTP, as users ask for them."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from urllib.parse import quote

import pytest

from monitor.ids import claim_id_of
from monitor.settings import Settings, load
from monitor.store import Database
from monitor.topic import load_topic
from tests.api_server import serving
from tests.daemon_process import running_daemon
from tests.samples import judged, occurrence, write, write_some
from tests.test_cli_query import ESCAPES, ROOT, configured, exowatch
from workers.retell import keep_register


def test_explain_prints_the_steps_and_what_follows(tmp_path: Path, store_url: str) -> None:
    config = configured(tmp_path, store_url)
    shown = exowatch("explain", "reddit:a", "--config", config)
    assert (shown.returncode, shown.stderr) == (0, "")
    lines = shown.stdout.splitlines()
    assert lines[-1].startswith("It raised claim.new (a_")
    assert any(line.startswith("yes matched ") and '"exosomes" at 20' in line for line in lines)
    assert any(line.startswith("no  delivery") for line in lines)
    found = json.loads(exowatch("explain", "tiktok:b", "--format", "json", "--config", config).stdout)
    assert {"mention_id", "steps", "conclusion", "alerts"} < set(found)
    read = next(step for step in found["steps"] if step["step"] == "read")
    assert load_topic(ROOT / "config/topics/exosomes").register.version in read["sentence"]
    again = exowatch("explain", found["mention_id"], "--format", "json", "--config", config)
    assert json.loads(again.stdout) == found


def test_explain_goes_by_the_register_that_judges_where_its_files_are_broken(tmp_path: Path) -> None:
    config = configured(tmp_path, f"sqlite:///{tmp_path}/var/exowatch.sqlite")
    pack = tmp_path / "topics/exosomes"
    shutil.copytree(ROOT / "config/topics/exosomes", pack, ignore=shutil.ignore_patterns("model"))
    (pack / "topic.yaml").write_text((pack / "topic.yaml").read_text().replace("model:", "# model:"))
    version = asyncio.run(_kept(config))
    (pack / "register/safety.yaml").write_text("entries: [")
    shown = exowatch("explain", "reddit:a", "--config", config)
    assert (shown.returncode, shown.stderr.count("\n")) == (0, 1), shown.stderr
    assert version in shown.stderr
    assert "safety.yaml" in shown.stderr
    assert shown.stdout.splitlines()[-1].startswith("It raised claim.new (a_")


async def _kept(config: Path) -> str:
    settings = load(config)
    topic = load_topic(settings.topic_folder)
    database = Database(settings.sqlalchemy_url)
    await keep_register(database, topic)
    await database.close()
    return topic.register.version


def test_explain_takes_hostile_words_and_unknown_mentions(tmp_path: Path) -> None:
    config = configured(tmp_path, f"sqlite:///{tmp_path}/var/exowatch.sqlite")
    shown = exowatch("explain", "reddit:esc", "--config", config)
    assert shown.returncode == 0
    assert not [char for char in shown.stdout if char in "\x1b\x07\x9b\u202e"]
    assert ESCAPES not in shown.stdout
    missing = exowatch("explain", "reddit:none\x1b[31m", "--config", config)
    assert (missing.returncode, missing.stdout, missing.stderr.count("\n")) == (1, "", 1)
    for part in ("reddit:none", "exowatch replay", "unmatched", "not stored"):
        assert part in missing.stderr


async def test_http_explains_a_mention(database: Database, redis_url: str) -> None:
    await write_some(database)
    address = "https://example.org/a?b=1"
    text = "exosomes: 100% safe"
    await write(database, judged(address, text, occurrence(text, "100% safe", "other", confidence=0.2)))
    async with serving(database, redis_url) as api:
        status, found = await api.get("/api/v1/mentions/reddit:a/explain")
        assert (status, found["steps"][1]["step"], len(found["alerts"])) == (200, "matched", 1)
        assert '"exosome" at 20' in found["steps"][1]["sentence"]
        assert (await api.get(f"/api/v1/mentions/{found['mention_id']}/explain"))[1] == found
        status, other = await api.get(f"/api/v1/mentions/{quote('reddit:' + address, safe='')}/explain")
        assert (status, other["platform_id"]) == (200, address)
        status, problem = await api.get("/api/v1/mentions/reddit:none/explain")
        assert (status, "unmatched" in problem["detail"]) == (404, True)
        assert (await api.get("/api/v1/mentions/reddit:a/explain?limit=1"))[0] == 400


async def test_http_and_the_command_line_give_the_same_dry_run(tmp_path: Path, store_url: str, redis_url: str) -> None:
    config = await asyncio.to_thread(configured, tmp_path, store_url)
    asked = ("--min-confidence", "0.95", "--since", "2026-01-01", "--until", "2099-01-01")
    shown = json.loads(exowatch("alerts", "--dry-run", *asked, "--format", "json", "--config", config).stdout)
    assert (shown["raised"], shown["would_be"], shown["lost"], len(shown["items"])) == (3, 0, 3, 3)
    assert {one["change"] for one in shown["items"]} == {"lost"}
    database = Database(Settings(store={"url": store_url}).sqlalchemy_url)
    async with serving(database, redis_url) as api:
        status, found = await api.get("/api/v1/alerts/dry-run?min_confidence=0.95&since=2026-01-01&until=2099-01-01")
        assert (status, found) == (200, shown)
        query = "endpoint=case-system&types=safety&types=mechanism&endpoint_min_confidence=0.8"
        _, found = await api.get(f"/api/v1/alerts/dry-run?{query}")
        assert (found["raised"], found["kept"], found["lost"], found["endpoint"]["types"]) == (3, 2, 1, ["safety", "mechanism"])
        for wrong, says in (
            ("min_confidence=2", "0 to 1"),
            ("min_confidence=nan", "0 to 1"),
            ("types=safety", "name the endpoint too"),
            ("endpoint=none", "configured: case-system"),
            ("endpoint=case-system&types=nonsense", "skin_efficacy"),
            ("endpoint=case-system&platforms=%00", "platform"),
            ("endpoint=case-system&events=new", "claim.new"),
            ("verdict=supported", "unknown parameter"),
            ("limit=0", "1 to 500"),
            ("since=soon", "24h"),
        ):
            status, problem = await api.get(f"/api/v1/alerts/dry-run?{wrong}")
            assert (wrong, status) == (wrong, 404 if "endpoint" in says or "configured" in says else 400)
            assert says in problem["detail"]
    await database.close()


def test_the_dry_run_is_a_table_with_its_numbers_first(tmp_path: Path) -> None:
    config = configured(tmp_path, f"sqlite:///{tmp_path}/var/exowatch.sqlite")
    shown = exowatch("alerts", "--dry-run", "--endpoint", "case-system", "--types", "safety", "--limit", "2", "--config", config)
    assert (shown.returncode, shown.stderr) == (0, "")
    lines = shown.stdout.splitlines()
    assert "for case-system" in lines[0]
    assert lines[1] == "claim.new: 3 raised, 1 would be: 1 kept, 0 gained, 2 lost"
    assert [line.split("\t")[0] for line in lines[3:]] == [
        "change",
        "lost",
        "lost",
        "1 more are left out; --limit shows up to 500",
    ]
    kept = exowatch("alerts", "--dry-run", "--format", "jsonl", "--config", config)
    rows = [json.loads(line) for line in kept.stdout.splitlines()]
    assert ({row["change"] for row in rows}, claim_id_of("safe") in {row["claim_id"] for row in rows}) == ({"kept"}, True)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--min-confidence", "0.7"), "goes with --dry-run"),
        (("--types", "safety"), "goes with --dry-run"),
        (("--dry-run", "--type", "safety"), "--types, with --endpoint"),
        (("--dry-run", "--text", "x"), "only narrows a list"),
        (("--dry-run", "--min-confidence", "high"), "0 to 1"),
        (("--dry-run", "--endpoint", "none"), "configured: case-system"),
    ],
)
def test_options_that_do_not_go_together_are_one_sentence(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    config = configured(tmp_path, f"sqlite:///{tmp_path}/var/exowatch.sqlite")
    shown = exowatch("alerts", *arguments, "--config", config)
    assert (shown.returncode, shown.stdout, shown.stderr.count("\n")) == (2, "", 1)
    assert says in shown.stderr


async def test_a_daemon_and_the_command_explain_a_post_by_the_same_present_versions(tmp_path: Path) -> None:
    file = tmp_path / "monitor.toml"
    file.write_text('data_dir = "data"\n[api]\nport = 0\n')
    posts = tmp_path / "posts.jsonl"
    posts.write_text('{"platform": "forum", "id": "1", "text": "These exosomes are FDA approved"}\n')
    async with running_daemon(file) as daemon:
        assert (await daemon.command("replay", str(posts)))[0] == 0
        await daemon.until("/alerts", lambda page: bool(page["items"]))
        found = await daemon.get("/mentions/forum:1/explain")
        status, out, _ = await daemon.command("explain", "forum:1", "--format", "json")
    assert (status, json.loads(out)) == (0, found)
    read = next(step for step in found["steps"] if step["step"] == "read")
    assert read["sentence"].endswith("both are the present ones.")
    assert "no endpoint is configured" in found["conclusion"]
