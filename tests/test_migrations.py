"""The schema: up from every earlier revision with data in it, on both databases, and never down."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from monitor.settings import Settings
from monitor.store import Database, StoreError, alerts, claims, inbox, mentions, news, parse_filters, sources
from monitor.store.database import _alembic
from monitor.store.tables import metadata

REVISIONS = [script.revision for script in ScriptDirectory.from_config(_alembic()).walk_revisions()]

# What a database of each revision may hold: rows by plain SQL, as that revision's program wrote them. A new revision brings the
# rows of the one before it along. The text index is another thing on each database, and its rows are in `INDEX`.
_FIRST = """
        INSERT INTO claim
            (id, claim, type, verdict, verdicts, basis, evidence, register, first_seen_ms, last_seen_ms, mentions)
        VALUES
            ('c_1', 'Bread is approved.', 'regulatory_status', 'contradicted', '{"US": "contradicted"}', 'register', '[]',
             'r1', 5, 6, 1);

        INSERT INTO mention
            (id, platform, platform_id, source, seen_ms, relevant, adverse_event, alert, classifier, register,
             text_version, entry_number)
        VALUES
            (7, 'forum', 'a', 's', 5, true, false, true, 'k', 'r1', 'v', 7);

        INSERT INTO mention_text (mention_id, text) VALUES (7, 'approved bread');

        INSERT INTO occurrence
            (mention_id, n, claim_id, type, stance, distance, testimonial, start, "end", verdict, verdicts, basis,
             confidence, why)
        VALUES
            (7, 0, 'c_1', 'regulatory_status', 'asserts', false, false, 0, 8, 'contradicted', '{}', 'register', 0.9,
             'read as approved; register entry X-1 says contradicted for US.');

        INSERT INTO alert (id, kind, dedupe_key, created_ms, claim_id, mention_id, occurrence_n, summary)
        VALUES (9, 'claim.new', 'claim.new:c_1', 6, 'c_1', 7, 0, 'New.')
    """
_GAPS = """;
        INSERT INTO source (name, kind, state, gaps)
        VALUES ('s', 'feed', 'ok', '[{"at": "2026-11-22T10:00:00.000Z", "what": "possible gap"}]')"""
_SPENT = ";\nINSERT INTO spending (day, unit, amount) VALUES ('2026-11-22', 'tokens', 12)"
_REVIEWED = ";\nINSERT INTO review (id, claim_id, at_ms, action, reviewer) VALUES (1, 'c_1', 7, 'confirm', 'ann')"
_FAILING = ";\nINSERT INTO endpoint (name, state, failing_since_ms, spent_until_ms) VALUES ('hook', 'failing', 5, 7.5)"
_PUSHED = (
    ";\nINSERT INTO websub (token, source, hub, topic, callback, private, secret, state, next_ms)"
    " VALUES ('t', 's', 'h', 'f', 'c', false, 'x', 'asked', 5)"
)
_HELD = ";\nUPDATE endpoint SET held_until_ms = 9 WHERE name = 'hook'"
_COVERED = """;
        INSERT INTO coverage (source, since_ms, until_ms) VALUES ('s', 5, 6)"""
_NEWS = """;
        INSERT INTO evidence_news (id, register, item, state, kind, source, title, summary, seen_ms)
        VALUES (11, 'pubmed', '7', '', 'paper', 's', 'Bread, a trial', '', 7)"""
_IN_USE = (
    ";\nINSERT INTO register_version (version, at_ms, files) VALUES ('r1', 4, '{}')"
    ";\nINSERT INTO register_use (at_ms, version) VALUES (4, 'r1')"
)
_ASSIGNED = (
    ";\nUPDATE alert SET assignee = 'ann', state = 'done' WHERE id = 9"
    ";\nINSERT INTO alert_review (id, alert_id, at_ms, action, reviewer, assignee) VALUES (1, 9, 7, 'assign', 'ben', 'ann')"
)
ROWS = {
    "0001": _FIRST + _GAPS,
    "0002": _FIRST + _GAPS,
    "0003": _FIRST + _GAPS + _SPENT,
    "0004": _FIRST + _GAPS + _SPENT + _REVIEWED,
    "0005": _FIRST + _GAPS + _SPENT + _REVIEWED + _IN_USE,
    "0006": _FIRST + _SPENT + _REVIEWED + _IN_USE + _COVERED,
    "0007": _FIRST + _SPENT + _REVIEWED + _IN_USE + _COVERED + _FAILING + _NEWS,
    "0008": _FIRST + _SPENT + _REVIEWED + _IN_USE + _COVERED + _FAILING + _NEWS + _ASSIGNED,
    "0009": _FIRST + _SPENT + _REVIEWED + _IN_USE + _COVERED + _FAILING + _NEWS + _ASSIGNED,
    "0010": _FIRST + _SPENT + _REVIEWED + _IN_USE + _COVERED + _FAILING + _NEWS + _ASSIGNED + _PUSHED,
    "0011": _FIRST + _SPENT + _REVIEWED + _IN_USE + _COVERED + _FAILING + _NEWS + _ASSIGNED + _PUSHED + _HELD,
}
_FTS5 = "INSERT INTO mention_search (rowid, words) VALUES (7, 'approved bread')"
_WORDS = "'approved:1 bread:2'"
_TAGS = "'{claim:c_1,platform:forum,source:s,stance:asserts,type:regulatory_status,verdict:contradicted}'"


def index_of(revision: str, dialect: str) -> str:
    """The row of the text index: its tags came with the second revision."""
    if dialect == "sqlite":
        return _FTS5
    tags, value = (", tags", f", {_TAGS}") if revision > "0001" else ("", "")
    return f"INSERT INTO mention_search (id, words{tags}) VALUES (7, {_WORDS}{value})"


FOUND: tuple[dict[str, list[str]], ...] = (
    {"text": ["bread"]},
    {"text": ["bread"], "type": ["regulatory_status"], "stance": ["asserts"], "verdict": ["contradicted"]},
    {"text": ["bread"], "claim": ["c_1"], "platform": ["forum", "other"], "source": ["s"]},
)
NOT_FOUND: tuple[dict[str, list[str]], ...] = (
    {"text": ["bread"], "type": ["safety"]},
    {"text": ["bread"], "type": ["regulatory_status"], "stance": ["denies"]},
    {"text": ["bread"], "platform": ["regulatory_status"]},
    {"text": ["soap"], "type": ["regulatory_status"]},
)


def open_database(store_url: str) -> Database:
    return Database(Settings(store={"url": store_url}).sqlalchemy_url)


def upgrade(connection: Connection, revision: str) -> None:
    config = _alembic()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


@pytest.mark.parametrize("revision", REVISIONS)
async def test_a_database_of_each_revision_comes_up_with_its_data(empty_store_url: str, revision: str) -> None:
    database = open_database(empty_store_url)
    async with database.write() as connection:
        await connection.run_sync(upgrade, revision)
        for statement in (*ROWS[revision].split(";\n"), index_of(revision, database.dialect)):
            await connection.exec_driver_sql(statement)
    await database.migrate()
    async with database.read() as connection:
        (mention,) = (await mentions.page(connection, parse_filters({}))).items
        (claim,) = (await claims.page(connection, parse_filters({}))).items
        (alert,) = (await alerts.page(connection, parse_filters({}))).items
        gaps = [(gap.at, gap.what) for source in await sources.listing(connection) for gap in source.gaps]
        (task,) = (await inbox.page(connection, parse_filters({}))).items
        listed = (await news.page(connection, parse_filters({}))).items
        for given in FOUND:
            assert len((await mentions.page(connection, parse_filters(given))).items) == 1, given
        for given in NOT_FOUND:
            assert (await mentions.page(connection, parse_filters(given))).items == [], given
    await database.close()
    assert (mention.text, mention.claims[0].quote) == ("approved bread", "approved")
    assert (claim.verdicts, claim.mentions) == ({"US": "contradicted"}, 1)
    assert mention.claims[0].why.startswith("read as approved")
    assert mention.claims[0].why.count("register entry") <= 1
    assert alert.claim_id == "c_1"
    assert [(one.title, one.entries) for one in listed] == ([("Bread, a trial", ())] if revision > "0006" else [])
    assert gaps == ([("2026-11-22T10:00:00.000Z", "possible gap")] if revision < "0006" else [])
    assert (task.state, task.assignee) == (("done", "ann") if revision >= "0008" else ("open", None))


async def test_the_migrations_make_what_the_tables_describe(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        def ours(name: str | None, kind: str, _: object) -> bool:
            return not (kind == "table" and (name or "").startswith("mention_search"))

        return compare_metadata(MigrationContext.configure(connection, opts={"include_name": ours}), metadata)

    async with database.read() as connection:
        assert await connection.run_sync(differences) == []


async def test_processes_that_start_together_migrate_once(empty_store_url: str) -> None:
    databases = [open_database(empty_store_url) for _ in range(4)]
    await asyncio.gather(*(database.migrate() for database in databases))
    async with databases[0].read() as connection:
        assert (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalars().all() == [REVISIONS[0]]
    for database in databases:
        await database.close()


async def test_a_process_waits_while_another_makes_the_file(tmp_path: Path) -> None:
    file = tmp_path / "store.sqlite"
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("CREATE TABLE theirs (a)")
    database = Database(f"sqlite+aiosqlite:///{file}")
    migrating = asyncio.create_task(database.migrate())
    assert not (await asyncio.wait([migrating], timeout=0.3))[0]
    other.execute("COMMIT")
    await migrating
    other.close()
    await database.close()


async def test_a_database_of_a_newer_program_is_left_alone(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"newer exowatch \(revision 9999\)"):
        await database.migrate()


async def test_what_is_written_to_a_file_that_was_there_is_seen_by_other_programs(tmp_path: Path) -> None:
    file = tmp_path / "store.sqlite"
    file.touch()  # as where another process is about to make it too
    database = Database(Settings(store={"url": f"sqlite:///{file}"}).sqlalchemy_url)
    await database.migrate()

    async def seen_by_another() -> bytes:
        look = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); print([*c.execute('SELECT name FROM source')]); c.close()"
        words = [sys.executable, "-c", look, str(file)]
        return (await asyncio.to_thread(subprocess.run, words, check=True, capture_output=True)).stdout

    assert await seen_by_another() == b"[]\n"  # and as it ends it finds that others have the file open
    async with database.write() as connection:
        await sources.declare(connection, {"blog": "feed"})
    assert await seen_by_another() == b"[('blog',)]\n"
    await database.close()
