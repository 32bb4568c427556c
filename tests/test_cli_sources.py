"""Commands about sources, authors and what is forgotten, as processes; and coverage over HTTP."""

from __future__ import annotations

import asyncio
import json
import re
import tomllib
from pathlib import Path

import pytest

from monitor.notices import News
from monitor.pseudonyms import pseudonyms_of
from monitor.settings import load
from monitor.store import Database, coverage, mentions, news, sources
from tests.api_server import serving
from tests.samples import judged, occurrence, write
from tests.test_cli_query import exowatch

SAID = "exosomes are FDA approved"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A config file with a folder as its one source, and a database with a few records."""
    (tmp_path / "in").mkdir()
    file = tmp_path / "monitor.toml"
    file.write_text(f'data_dir = "{tmp_path}/var"\n[[source]]\nname = "box"\nkind = "folder"\npath = "in"\nplatform = "forum"\n')
    posts = [{"id": 1, "text": SAID, "author": "jo"}, {"id": 2, "text": "bread"}]
    (tmp_path / "in" / "a.jsonl").write_text("\n".join(map(json.dumps, posts)) + "\n")
    asyncio.run(fill(file))
    return file


async def fill(file: Path) -> None:
    settings = load(file)
    database = Database(settings.sqlalchemy_url)
    await database.migrate()
    hidden = pseudonyms_of(settings)
    for n, (key, author) in enumerate((("a", "jo"), ("b", "mo"), ("c", "mo"))):
        found = occurrence(SAID, "FDA approved", "approved")
        by = hidden.of("reddit", author)
        await write(database, judged(key, SAID, found, author=by, n=n))
    async with database.write() as connection:
        await sources.declare(connection, {"box": "folder"})
        await coverage.extend(connection, "box", 1_000, 61_000)
        await coverage.note_gap(connection, "box", None, 121_000, "the folder was away")
        items = [News(register="pubmed", id="7", kind="retraction", title="Exosomes, retracted")]
        await news.add(connection, "box", items, [])
        await news.add(connection, "box", items, [])
    await database.close()


async def states(file: Path) -> dict[str, tuple[str, str | None]]:
    """State and author of each mention on record, by the platform's id."""
    database = Database(load(file).sqlalchemy_url)
    async with database.read() as connection:
        found = await mentions.load(connection, list((await connection.exec_driver_sql("SELECT id FROM mention")).scalars()))
    await database.close()
    return {one.platform_id: (one.state, one.author) for one in found}


def test_coverage_is_shown(config: Path) -> None:
    shown = exowatch("sources", "coverage", "box", "--config", config)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.splitlines() == [
        "since\tuntil\twas\twhy",
        "1970-01-01 00:00\t1970-01-01 00:01\tcovered\t",
        "1970-01-01 00:01\t1970-01-01 00:02\tgap, lost\tthe folder was away",
        "1970-01-01 00:02\t\tnot known yet\twaiting",
    ]
    later = json.loads(
        exowatch("sources", "coverage", "box", "--since", "1970-01-01T00:01:30Z", "--format", "json", "--config", config).stdout
    )
    assert (later["covered"], [gap["what"] for gap in later["gaps"]]) == ([], ["the folder was away"])
    missing = exowatch("sources", "coverage", "none", "--config", config)
    assert (missing.returncode, missing.stderr) == (1, "exowatch: there is no source none; `exowatch sources` lists them\n")
    assert "\t1\t" in exowatch("sources", "--config", config).stdout, "the list tells how many gaps"


async def test_coverage_and_news_over_http_are_what_the_commands_print(database: Database, redis_url: str) -> None:
    async with database.write() as connection:
        await sources.declare(connection, {"box/1": "folder"})
        await coverage.extend(connection, "box/1", 1_000, 61_000)
        await news.add(connection, "box/1", [News(register="pubmed", id="7", kind="paper", title="One")], [])
    async with serving(database, redis_url) as api:
        status, told = await api.get("/api/v1/sources/box%2F1/coverage?until=24h")
        assert (status, told["source"], told["late"]) == (200, "box/1", 0)
        assert told["covered"] == [{"since": "1970-01-01T00:00:01.000Z", "until": "1970-01-01T00:01:01.000Z"}]
        assert (await api.get("/api/v1/sources/none/coverage"))[0] == 404
        status, page = await api.get("/api/v1/evidence/news?source=box/1&limit=1")
        assert (status, [one["title"] for one in page["items"]]) == (200, ["One"])


def test_a_source_is_tried_without_storing_anything(config: Path) -> None:
    tried = exowatch("sources", "test", "box", "--format", "jsonl", "--config", config)
    first, second = map(json.loads, tried.stdout.splitlines())
    assert (first["id"], bool(first["matched"]), second["matched"]) == ("1", True, [])
    assert first["author"] == pseudonyms_of(load(config)).of("forum", "jo")
    assert tried.stderr == "2 posts, 1 of them on the topic; 0 deletions, 0 news\n"
    assert len(asyncio.run(states(config))) == 3
    unknown = exowatch("sources", "test", "none", "--config", config)
    assert "there are box" in unknown.stderr


def test_check_says_what_a_source_can_hear(config: Path) -> None:
    checked = exowatch("check", "--config", config)
    assert re.search(r"ok +source box: answers, 2 posts; works: files of posts in .*in\b", checked.stdout), checked.stdout


def test_news_are_listed_once(config: Path) -> None:
    listed = exowatch("evidence", "news", "--format", "jsonl", "--config", config).stdout.splitlines()
    assert [(one["register"], one["item"], one["kind"]) for one in map(json.loads, listed)] == [("pubmed", "7", "retraction")]


def test_csv_is_imported(config: Path) -> None:
    file = config.parent / "posts.csv"
    file.write_text('platform,id,text\nforum,7,"exosomes, again"\nforum,8,bread\nforum,9\n')
    done = exowatch("import", file, "--config", config)
    assert (done.returncode, done.stdout) == (1, "accepted 1, duplicates 0, unmatched 1\n")
    assert done.stderr.splitlines()[0] == 'line 4: "text" is missing or empty'
    assert "duplicates 1" in exowatch("import", file, "--config", config).stdout


def test_a_person_is_forgotten_and_can_be_let_in_again(config: Path) -> None:
    refused = exowatch("forget", "reddit:mo", "--config", config)
    assert (refused.returncode, "--yes" in refused.stderr) == (2, True)
    done = exowatch("forget", "reddit:mo", "--yes", "--config", config)
    assert (done.returncode, done.stdout) == (0, "2 mentions of that author erased; nothing of it is taken in again\n")
    now = asyncio.run(states(config))
    assert now["a"][0] == "live"
    assert sorted((key[:10], state) for key, (state, _) in now.items() if key != "a") == [("forgotten-", ("deleted"))] * 2
    file = config.parent / "posts.jsonl"
    file.write_text(json.dumps({"platform": "reddit", "id": "d", "text": SAID, "author": "mo"}))
    assert exowatch("replay", file, "--config", config).stdout == "accepted 0, duplicates 0, unmatched 1\n"
    assert exowatch("forget", "reddit:mo", "--undo", "--config", config).returncode == 0
    assert exowatch("replay", file, "--config", config).stdout == "accepted 1, duplicates 0, unmatched 0\n"
    assert exowatch("forget", "reddit:mo", "--undo", "--config", config).returncode == 1


def test_a_post_is_forgotten_by_its_address(config: Path) -> None:
    done = exowatch("forget", "https://example.org/a/", "--yes", "--config", config)
    assert done.stdout.startswith("1 mention of the post at that address erased")
    file = config.parent / "posts.jsonl"
    file.write_text(json.dumps({"platform": "reddit", "id": "a", "text": SAID}))
    assert "accepted 0" in exowatch("replay", file, "--config", config).stdout


def test_the_key_of_authors_is_changed(config: Path) -> None:
    before = asyncio.run(states(config))
    done = exowatch("authors", "rotate-key", "--config", config)
    assert (done.returncode, done.stdout) == (0, "2 authors are under key 2 now; restart the daemon, which has the key before\n")
    after = asyncio.run(states(config))
    assert after["b"][1] == after["c"][1] == pseudonyms_of(load(config)).of("reddit", "mo")
    assert not {author for _, author in before.values()} & {author for _, author in after.values()}
    key = config.parent / "var" / "author.key"
    assert (len(key.read_text().splitlines()), key.stat().st_mode & 0o777) == (2, 0o600)
    assert "0 authors" in exowatch("authors", "rotate-key", "--apply", "--config", config).stdout
    text = config.read_text()
    config.write_text('[privacy]\nkey = "one"\n' + text.replace("data_dir", "# data_dir"))
    assert tomllib.loads(config.read_text())["privacy"]["key"] == "one"
    assert "--apply" in exowatch("authors", "rotate-key", "--config", config).stderr
