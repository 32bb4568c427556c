"""The conditions of alerts, as posts come in: how the claims that they speak of stand, and what that lets through."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store.judged import Judged
from monitor.store.outbox import AlertDraft
from monitor.store.tables import alert, claim
from monitor.times import now_ms
from monitor.words import AlertKind


class Standing(msgspec.Struct, kw_only=True):
    """How a claim stands when a post of a batch asks for alerts about it.

    `authors` are the distinct ones who put it forward, that post's included. `put_forward_ms`: when a fresh post last did, before
    it. `raised` are the dedupe keys of the claim's alerts so far. One that was dismissed, or is muted now, is `silenced`.
    """

    silenced: bool
    authors: int
    put_forward_ms: int | None
    raised: set[str]


NOVELTY: tuple[AlertKind, ...] = ("claim.new", "claim.verdict_changed")  # after either, a claim is not new any more


def due(draft: AlertDraft, standing: Standing, seen_ms: int) -> AlertDraft | None:
    """The draft as it is to be raised for a post that was heard at `seen_ms`, or None where the claim's standing forbids it.

    A claim whose verdict changed is not new any more: that alert has told of it.
    """
    if standing.silenced or standing.authors < draft.authors or _told(draft, standing.raised):
        return None
    if draft.quiet_ms:
        last = standing.put_forward_ms
        if last is None or seen_ms - last < draft.quiet_ms or not standing.raised:
            return None
        draft = msgspec.structs.replace(draft, dedupe_key=f"{draft.dedupe_key}:{last}")
    return draft


def _told(draft: AlertDraft, raised: Collection[str]) -> bool:
    """Whether the claim's alerts so far have said this. After a merge, keys may name the claim that it was."""
    kinds = tuple(f"{kind}:" for kind in (NOVELTY if draft.kind == "claim.new" else (draft.kind,)))
    step = f":{draft.authors}" if draft.authors else ""
    return not draft.quiet_ms and any(key.startswith(kinds) and key.endswith(step) for key in raised)


async def last_put_forward(connection: AsyncConnection, claim_ids: Collection[str]) -> dict[str, int | None]:
    """When claims on record were last put forward by a fresh post (ms)."""
    if not claim_ids:
        return {}
    rows = await connection.execute(select(claim.c.id, claim.c.put_forward_ms).where(claim.c.id.in_(claim_ids)))
    return {row.id: row.put_forward_ms for row in rows}


async def standings(
    connection: AsyncConnection, before: Mapping[str, int | None], claim_ids: Collection[str]
) -> dict[str, Standing]:
    """How claims on record stand; `before` is what `last_put_forward` said before the batch."""
    if not claim_ids:
        return {}
    # Where a review split off the mention that a claim was told for, the alert went with it, and the claim has still been told.
    gone = {f"claim.new:{claim_id}": claim_id for claim_id in claim_ids}
    theirs = or_(alert.c.claim_id.in_(claim_ids), alert.c.dedupe_key.in_(gone))
    keys: dict[str, set[str]] = {}
    for row in await connection.execute(select(alert.c.claim_id, alert.c.dedupe_key).where(theirs)):
        for claim_id in {row.claim_id, gone.get(row.dedupe_key, row.claim_id)}:
            keys.setdefault(claim_id, set()).add(row.dedupe_key)
    now = now_ms()
    wanted = (claim.c.id, claim.c.state, claim.c.muted_until_ms, claim.c.authors)
    return {
        row.id: Standing(
            silenced=row.state == "dismissed" or (row.muted_until_ms or 0) > now,
            authors=row.authors,
            put_forward_ms=before.get(row.id),
            raised=keys.get(row.id, set()),
        )
        for row in await connection.execute(select(*wanted).where(claim.c.id.in_(claim_ids)))
    }


class Standings:
    """How claims stand, post by post as a batch goes by: so the same posts raise the same alerts in batches of any size."""

    def __init__(self, after: Mapping[str, Standing], new_authors: Collection[tuple[str, str, str]]) -> None:
        """`after` is how they stand after the batch, `new_authors` (claim id, platform, author) whom it brought."""
        self._now = after
        self._yet_to_come = {key for key in new_authors if key[0] in after}
        for claim_id, _, _ in self._yet_to_come:
            after[claim_id].authors -= 1

    def hear(self, judged: Judged) -> None:
        """Counts in the author of the next post; before it asks for alerts."""
        for one in judged.judgement.claims:
            key = (one.claim_id, judged.post.platform, judged.post.author or "")
            if key in self._yet_to_come and one.put_forward:
                self._yet_to_come.remove(key)
                self._now[one.claim_id].authors += 1

    def due(self, draft: AlertDraft, claim_id: str, seen_ms: int) -> AlertDraft | None:
        """The draft as it is to be raised, or None; what is to be raised counts as raised from then on."""
        standing = self._now[claim_id]
        ready = due(draft, standing, seen_ms)
        if ready is not None:
            standing.raised.add(ready.dedupe_key)
        return ready

    def note(self, judged: Judged) -> None:
        """Counts in when the post put its claims forward; after it has asked for alerts."""
        for one in judged.judgement.claims:
            standing = self._now.get(one.claim_id)
            if standing is not None and judged.post.fresh and one.put_forward:
                standing.put_forward_ms = max(standing.put_forward_ms or 0, judged.seen_ms)
