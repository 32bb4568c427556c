"""Holds what the seed says against what SQL, Redis and the receipts say. Reads the tables by the plain driver of the database,
the dead letters of the stream by plain commands and the file of receipts, and asks exowatch nothing."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.campaign.talk import Talk, number_in
from tests.checker import query

MENTIONS = "SELECT platform, platform_id FROM mention"
STORED = "SELECT COUNT(*) FROM mention"
UNINDEXED = "SELECT COUNT(*) FROM mention WHERE id NOT IN (SELECT mention_id FROM mention_text)"
ALERTS = """
    SELECT alert.dedupe_key, claim.claim, claim.id, delivery.webhook_id, delivery.state
    FROM alert JOIN claim ON claim.id = alert.claim_id LEFT JOIN delivery ON delivery.alert_id = alert.id
"""
PENDING = "SELECT COUNT(*) FROM delivery WHERE state = 'pending'"
COUNTS = "SELECT id, mentions FROM claim WHERE mentions <> 0"
CARRIED = "SELECT claim_id, COUNT(DISTINCT mention_id) FROM occurrence GROUP BY claim_id"
CARRIERS = """
    SELECT mention.platform, mention.platform_id, claim.claim
    FROM occurrence JOIN mention ON mention.id = occurrence.mention_id JOIN claim ON claim.id = occurrence.claim_id
"""
DEAD = "exowatch:v1:{{p{}}}:dead"
ANSWERS_WITHIN_S = 60.0  # a Redis that was just killed is started again by its daemon

Ask = Callable[..., bytes]  # the raw answer of one redis-server to a command; nothing, or an OSError, where it is away


@dataclass
class Verdict:
    """What is wrong, each as a number of cases, and a few of them in words. `again` is not wrong: an alert that came twice under
    the same webhook-id, as a receiver has to expect."""

    lost: int = 0  # posts that are not on record
    twice: int = 0  # posts on record twice or never said, alerts raised twice or under two ids
    unalerted: int = 0  # alerts that have to be there and were not raised
    unheard: int = 0  # alerts that were raised and never arrived
    late_order: int = 0  # claims whose alerts arrived in another order than they were raised in
    dead: int = 0  # deliveries that were given up, and posts that the stream set aside
    refused: int = 0  # deliveries whose signature or time the receiver did not take
    again: int = 0
    words: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not (self.lost or self.twice or self.unalerted or self.unheard or self.late_order or self.dead)

    def say(self, what: str, cases: object) -> int:
        """Notes cases in words; how many there are."""
        some = sorted(map(str, cases)) if isinstance(cases, list | set) else [str(cases)]
        if some:
            self.words.append(f"{len(some)} {what}: {', '.join(some[:4])}")
        return len(some)


@dataclass(frozen=True)
class Receipt:
    """One delivery that arrived and was taken."""

    webhook: str
    alert: str
    kind: str


def receipts(file: Path) -> tuple[list[Receipt], int]:
    """What arrived, in order, and how many deliveries were refused."""
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    taken = [Receipt(one["webhook"], one["alert"], one["type"]) for one in lines if "webhook" in one]
    return taken, len(lines) - len(taken)


async def settled(store_url: str, talk: Talk, released: int, file: Path) -> tuple[int, int, int]:
    """How many posts, alerts and arrivals are missing still; nothing is looked at closely."""
    (stored,) = (await query(store_url, STORED))[0]
    (pending,) = (await query(store_url, PENDING))[0]
    arrived = len({one.webhook for one in receipts(file)[0]})
    assert isinstance(stored, int)
    assert isinstance(pending, int)
    return len(talk.names(released)) - stored, pending, len(talk.alerts(released)) - arrived


async def check(
    store_url: str, talk: Talk, released: int, file: Path, servers: Sequence[Ask] = (), partitions: int = 1
) -> Verdict:
    """Looks at everything: each post of the talk so far, each alert, each receipt, and what the stream set aside as dead.

    `servers`: those of Redis; the first of them that has a partition is asked for it. Without any nothing is asked.
    """
    verdict = Verdict()
    await _posts(verdict, store_url, talk, released)
    await _alerts(verdict, store_url, talk, released, file)
    for partition in range(partitions if servers else 0):
        key = DEAD.format(partition)
        if aside := await _length(servers, key):
            verdict.dead += aside
            verdict.say("streams with posts that were set aside", [f"{aside} in {key}"])
    return verdict


async def _length(servers: Sequence[Ask], key: str) -> int:
    """How many entries the stream has at that key. Raises TimeoutError where no server can say."""
    over = time.monotonic() + ANSWERS_WITHIN_S
    while time.monotonic() < over:
        for ask in servers:
            try:
                answer = await asyncio.to_thread(ask, "XLEN", key)
            except OSError:
                continue
            if answer.startswith(b":"):
                return int(answer[1:])
        await asyncio.sleep(0.1)
    raise TimeoutError(f"no Redis says how long {key} is")


async def _posts(verdict: Verdict, store_url: str, talk: Talk, released: int) -> None:
    wanted = talk.names(released)
    there = Counter((str(platform), str(name)) for platform, name in await query(store_url, MENTIONS))
    verdict.lost = verdict.say("posts lost", wanted - set(there))
    doubled = [name for name, times in there.items() if times > 1]
    verdict.twice = verdict.say("posts stored twice", doubled) + verdict.say("posts that nobody wrote", set(there) - wanted)
    (without_text,) = (await query(store_url, UNINDEXED))[0]
    if without_text:
        verdict.lost += verdict.say("posts without their text", [f"{without_text} in all"])
    numbers = {talk.name(post): post.number for post in talk.said[:released]}
    wrong = [
        f"{name}: {claim}"
        for platform, name, claim in await query(store_url, CARRIERS)
        if numbers.get((str(platform), str(name))) != number_in(str(claim))
    ]
    carried, counted = dict(await query(store_url, CARRIED)), dict(await query(store_url, COUNTS))
    wrong += [f"{claim} counts {counted.get(claim)} of {carried.get(claim)}" for claim in carried if carried != counted]
    verdict.twice += verdict.say("counts or claims that are not what was said", wrong)


async def _alerts(verdict: Verdict, store_url: str, talk: Talk, released: int, file: Path) -> None:
    rows = [tuple(map(str, row)) for row in await query(store_url, ALERTS)]
    raised = Counter((key.replace(f":{claim_id}", ""), number_in(claim)) for key, claim, claim_id, _, _ in rows)
    wanted = talk.alerts(released)
    verdict.unalerted = verdict.say("alerts not raised", wanted - set(raised))
    verdict.twice += verdict.say("alerts raised without need", set(raised) - wanted)
    verdict.twice += verdict.say("alerts raised twice", [one for one, times in raised.items() if times > 1])
    verdict.dead = verdict.say("deliveries given up", [key for key, _, _, _, state in rows if state == "dead"])

    taken, verdict.refused = receipts(file)
    of_webhook = {webhook: (key, claim_id) for key, _, claim_id, webhook, _ in rows}
    arrived = {one.webhook for one in taken}
    verdict.unheard = verdict.say("alerts that never arrived", {of_webhook[one] for one in set(of_webhook) - arrived})
    verdict.twice += verdict.say("deliveries that nobody raised", arrived - set(of_webhook))
    pairs = {(one.webhook, one.alert) for one in taken}
    verdict.twice += verdict.say("alerts under two ids", [alert for alert, n in Counter(a for _, a in pairs).items() if n > 1])
    verdict.again = len(taken) - len(arrived)

    order: dict[str, list[int]] = {}
    for webhook in dict.fromkeys(one.webhook for one in taken if one.webhook in of_webhook):
        key, claim_id = of_webhook[webhook]
        order.setdefault(claim_id, []).append(_rank(key))
    verdict.late_order = verdict.say(
        "claims out of order", [f"{c} {ranks}" for c, ranks in order.items() if ranks != sorted(ranks)]
    )


def _rank(key: str) -> int:
    """When in a claim's life its alert comes: first that it is new, then that so many authors say it."""
    kind, _, rest = key.partition(":")
    return 0 if kind == "claim.new" else int(rest.rpartition(":")[2])
