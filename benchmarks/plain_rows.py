"""The rows of a batch, and the statements that plain drivers write them with: what `monitor.store.record` writes, no more.

What is new, edited or known is not looked for (all of it is new), and the words are cut and folded beforehand: the plain drivers
do only what the databases must do in any case.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from monitor.store import search
from monitor.store.judged import Judged
from monitor.store.outbox import new_number
from monitor.store.record import _mention_row, occurrence_rows
from monitor.store.tables import alert, claim, claim_author, claim_platform, mention, mention_text, occurrence
from monitor.store.tags import tags_of

_ALERT = ("id", "kind", "dedupe_key", "created_ms", "claim_id", "mention_id", "occurrence_n", "summary")
_MENTION = tuple(column.name for column in mention.c if column.name not in ("edited_ms", "state"))
_OCCURRENCE = tuple(column.name for column in occurrence.c)
_CLAIM = tuple(
    column.name for column in claim.c if column.name not in ("state", "authors", "muted_until_ms", "merged_into", "behind")
)
_JSON = ("verdicts", "evidence")


class Rows(msgspec.Struct, frozen=True):
    """The rows of one batch by table, each a tuple in the order of the statement's columns; claims' authors by claim."""

    mentions: list[tuple[Any, ...]]
    texts: list[tuple[int, str]]
    words: list[tuple[Any, ...]]
    claims: list[tuple[Any, ...]]
    platforms: list[tuple[str, str, int]]
    authors: dict[str, list[tuple[str, str, str]]]
    occurrences: list[tuple[Any, ...]]
    alerts: list[tuple[Any, ...]]


def rows_of(batch: Sequence[Judged], dialect: str) -> Rows:
    """The rows that this batch means, where every post in it is new."""
    claims: dict[str, dict[str, Any]] = {}
    platforms: Counter[tuple[str, str]] = Counter()
    authors: dict[str, set[tuple[str, str, str]]] = {}
    for one in batch:
        for found, origin in zip(one.judgement.claims, one.origins_of_claims, strict=True):
            values = {"id": found.claim_id, "register": one.judgement.register, "mentions": 0, "first_seen_ms": one.seen_ms}
            values |= msgspec.structs.asdict(origin) | {"put_forward_ms": None}
            known = claims.setdefault(found.claim_id, msgspec.structs.asdict(found) | values)
            known["last_seen_ms"] = one.seen_ms
            known["evidence"] = msgspec.to_builtins(found.evidence)
            if found.put_forward:
                known["put_forward_ms"] = one.seen_ms
            if found.put_forward and one.post.author:
                authors.setdefault(found.claim_id, set()).add((found.claim_id, one.post.platform, one.post.author))
        for claim_id in {found.claim_id for found in one.judgement.claims}:
            claims[claim_id]["mentions"] += 1
            platforms[claim_id, one.post.platform] += 1
    return Rows(
        mentions=[_tuple(_mention_row(one.number, one), _MENTION) for one in batch],
        texts=[(one.number, one.post.text) for one in batch],
        words=[
            tuple(search.index_row(dialect, one.number, one.post.text, tags_of(one.post, one.judgement)).values())
            for one in batch
        ],
        claims=[_tuple(claims[claim_id], _CLAIM) for claim_id in sorted(claims)],
        platforms=[(claim_id, platform, n) for (claim_id, platform), n in sorted(platforms.items())],
        authors={claim_id: sorted(found) for claim_id, found in sorted(authors.items())},
        occurrences=[_tuple(row, _OCCURRENCE) for one in batch for row in occurrence_rows(one.number, one)],
        alerts=[
            (
                new_number(), draft.kind, draft.dedupe_key, one.seen_ms,
                one.judgement.claims[draft.occurrence or 0].claim_id, one.number, draft.occurrence, draft.summary,
            )
            for one in batch
            for draft in one.alerts
            if draft.kind == "claim.new"  # of the others few are ever raised
        ],
    )  # fmt: skip


def statements(dialect: str) -> dict[str, str]:
    """The statement of each table, with parameters as this driver writes them."""
    claims = _insert(dialect, claim.name, _CLAIM)
    greatest, least = ("max", "min") if dialect == "sqlite" else ("greatest", "least")
    return {
        "mentions": _insert(dialect, mention.name, _MENTION),
        "texts": _insert(dialect, mention_text.name, ("mention_id", "text")),
        "words": _index(dialect),
        "claims": f"{claims} ON CONFLICT (id) DO UPDATE SET"
        f" first_seen_ms = {least}(claim.first_seen_ms, excluded.first_seen_ms),"
        f" last_seen_ms = {greatest}(claim.last_seen_ms, excluded.last_seen_ms), put_forward_ms = excluded.put_forward_ms,"
        f" mentions = claim.mentions + excluded.mentions",
        "platforms": _insert(dialect, claim_platform.name, ("claim_id", "platform", "mentions"))
        + " ON CONFLICT (claim_id, platform) DO UPDATE SET mentions = claim_platform.mentions + excluded.mentions",
        "authors": _insert(dialect, claim_author.name, ("claim_id", "platform", "author")) + " ON CONFLICT DO NOTHING",
        "counts": "UPDATE claim SET authors = authors + {} WHERE id = {}".format(*_places(dialect, 2)),
        "occurrences": _insert(dialect, occurrence.name, _OCCURRENCE),
        "alerts": _insert(dialect, alert.name, _ALERT) + " ON CONFLICT (dedupe_key) DO NOTHING",
    }


def _tuple(row: dict[str, Any], names: Sequence[str]) -> tuple[Any, ...]:
    return tuple(json.dumps(row[name]) if name in _JSON else row[name] for name in names)


def _places(dialect: str, count: int) -> list[str]:
    return ["?"] * count if dialect == "sqlite" else [f"${n + 1}" for n in range(count)]


def _index(dialect: str) -> str:
    statement = search.index_statement(dialect)
    for name, place in zip((":id", ":words", ":tags"), _places(dialect, 3), strict=True):
        statement = statement.replace(name, place)
    return statement


def _insert(dialect: str, table: str, names: Sequence[str]) -> str:
    places = ", ".join(_places(dialect, len(names)))
    return f"INSERT INTO {table} ({', '.join(chr(34) + name + chr(34) for name in names)}) VALUES ({places})"
