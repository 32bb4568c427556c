"""Which alerts a judged post asks for. Pure: whether a claim is new is the record's to say, by the `dedupe_key`."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.settings.model import Alerts, Endpoint
from monitor.store.record import AlertDraft
from monitor.words import Judgement, Occurrence, Post
from workers.deliver.wants import wants


def drafts(judgement: Judgement, post: Post, alerts: Alerts, endpoints: Sequence[Endpoint]) -> tuple[AlertDraft, ...]:
    """A `claim.new` for each claim that the post puts forward and the record does not carry, in the order of the text.

    Where a post carries a claim several times, the occurrence of the highest confidence speaks for it. Nothing is raised, and so
    no claim's novelty used up, by an occurrence below `alerts.min_confidence` or by a post that is not fresh.
    """
    if not post.fresh:
        return ()
    best: dict[str, int] = {}
    for n, one in enumerate(judgement.claims):
        before = best.get(one.claim_id)
        if one.alerting and (before is None or one.confidence > judgement.claims[before].confidence):
            best[one.claim_id] = n
    return tuple(
        _claim_new(judgement.claims[n], n, post.platform, endpoints)
        for n in sorted(best.values())
        if judgement.claims[n].confidence >= alerts.min_confidence
    )


def _claim_new(occurrence: Occurrence, n: int, platform: str, endpoints: Sequence[Endpoint]) -> AlertDraft:
    return AlertDraft(
        kind="claim.new",
        dedupe_key=f"claim.new:{occurrence.claim_id}",
        # The claim's own sentence and never the post's words, which must be deletable.
        summary=f"New {occurrence.verdict} claim on {platform}: {occurrence.claim}",
        endpoints=tuple(one.name for one in endpoints if wants(one, "claim.new", occurrence, platform)),
        occurrence=n,
    )
