"""Holds what was offered against what the database and the receiver have. Reads the tables itself, not through the program."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg

from monitor.stream.keys import GROUP, mentions_key
from tests.receiver import Got
from tests.servers import ask

MENTIONS = "SELECT platform, platform_id FROM mention"
CLAIMS = "SELECT DISTINCT claim_id FROM occurrence WHERE stance = 'asserts' AND verdict <> 'supported' AND confidence >= 0.5"
TAKEN_AWAY = "SELECT id FROM claim WHERE id NOT IN (SELECT claim_id FROM occurrence)"
ALERTS = "SELECT claim_id FROM alert WHERE kind = 'claim.new'"
ALL_ALERTS = "SELECT COUNT(*) FROM alert WHERE kind = 'claim.new'"  # the kind that the receiver wants
COUNTS = "SELECT id, mentions FROM claim WHERE mentions <> 0"  # an edit may have taken the last one away
CARRIED = "SELECT claim_id, COUNT(DISTINCT mention_id) FROM occurrence GROUP BY claim_id"
PLATFORMS = "SELECT claim_id, platform, mentions FROM claim_platform WHERE mentions <> 0"
HEARD_ON = """
    SELECT o.claim_id, m.platform, COUNT(DISTINCT m.id)
    FROM occurrence o JOIN mention m ON m.id = o.mention_id GROUP BY o.claim_id, m.platform
"""
AUTHORS = "SELECT id, authors FROM claim WHERE authors <> 0"
NAMED = "SELECT claim_id, COUNT(*) FROM claim_author GROUP BY claim_id"
DELIVERIES = "SELECT webhook_id, state FROM delivery"
UNINDEXED = "SELECT COUNT(*) FROM mention WHERE id NOT IN (SELECT mention_id FROM mention_text)"


async def query(store_url: str, statement: str) -> list[tuple[object, ...]]:
    """Rows of a statement, by the plain driver of the database."""
    parts = urlsplit(store_url)
    if parts.scheme == "sqlite":
        with closing(sqlite3.connect(parts.path, timeout=60)) as connection, connection:
            return connection.execute(statement).fetchall()
    host = parse_qs(parts.query)["host"][0]
    opened = await asyncpg.connect(host=host, user=parts.username, database=parts.path.lstrip("/"))
    try:
        return [tuple(row) for row in await opened.fetch(statement)]
    finally:
        await opened.close()


async def leases_over(store_url: str) -> None:
    """Half a minute later: what senders that were killed had in hand may be taken by others."""
    await query(store_url, "UPDATE delivery SET next_ms = 0 WHERE state = 'pending' AND attempts = 0")


def rests_over(redis_socket: Path) -> None:
    """A minute later: posts that workers had in hand when they were killed may be taken by others."""
    script = """
        for _, pending in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 100000)) do
          redis.call('XCLAIM', KEYS[1], ARGV[1], pending[2], 0, pending[1], 'IDLE', 60000, 'JUSTID')
        end
    """
    assert ask(redis_socket, "EVAL", script, 1, mentions_key(0), GROUP).startswith(b"$-1")


async def check(store_url: str, offered: set[tuple[str, str]], received: list[Got], claims: set[str] | None = None) -> None:
    """As `check_record`, and fails where an alert was lost on its way or came twice."""
    await check_record(store_url, offered, claims)
    deliveries = dict(await query(store_url, DELIVERIES))
    assert set(deliveries.values()) == {"delivered"}
    sent = {(got.id, got.event["data"]["alert_id"]) for got in received}
    assert {webhook_id for webhook_id, _ in sent} == set(deliveries), "an alert that never arrived, or one that nobody raised"
    assert [(len(sent),)] == await query(store_url, ALL_ALERTS), "one alert under two ids, or two under one"


async def check_record(store_url: str, offered: set[tuple[str, str]], claims: set[str] | None = None) -> None:
    """Fails with what is wrong: a post lost or stored twice, a claim with no alert or two, a wrong count.

    `claims` are those that must have been told of as new, no more and no fewer; without them, those that the occurrences ask for
    and those that an edit took away.
    """
    mentions = Counter(await query(store_url, MENTIONS))
    assert set(mentions) == offered, f"lost {len(offered - set(mentions))}, invented {len(set(mentions) - offered)}"
    assert max(mentions.values()) == 1, "stored twice"
    assert (await query(store_url, UNINDEXED)) == [(0,)], "a mention without its text"
    alerts = Counter(row[0] for row in await query(store_url, ALERTS))
    assert max(alerts.values(), default=0) <= 1, "alerted twice"
    carried = {row[0] for row in await query(store_url, CLAIMS)}
    wanted = carried | {row[0] for row in await query(store_url, TAKEN_AWAY)} if claims is None else claims
    assert set(alerts) == wanted, f"{len(wanted - set(alerts))} without alert, {len(set(alerts) - wanted)} without claim"
    assert carried <= wanted, "a claim on record that nobody put forward"
    assert dict(await query(store_url, COUNTS)) == dict(await query(store_url, CARRIED)), "a claim's count is not what it carries"
    assert set(await query(store_url, PLATFORMS)) == set(await query(store_url, HEARD_ON)), (
        "a platform's count is not what it has"
    )
    assert dict(await query(store_url, AUTHORS)) == dict(await query(store_url, NAMED)), "a claim's authors are not counted right"


def embedded_url(data_dir: Path) -> str:
    """The database of a daemon with its embedded one."""
    return f"sqlite://{data_dir / 'exowatch.sqlite'}"
