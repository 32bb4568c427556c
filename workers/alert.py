"""Which alerts a judged post asks for. Pure: what the record has to say to it stands in the draft as a condition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from monitor.settings.alerting import is_sure, speakers
from monitor.settings.model import Alerts, Endpoint
from monitor.store.outbox import AlertDraft
from monitor.store.recipients import recipients
from monitor.words import AlertKind, Judgement, Occurrence, Post


def drafts(
    judgement: Judgement, post: Post, alerts: Alerts, endpoints: Sequence[Endpoint], watch: Sequence[str] = ()
) -> tuple[AlertDraft, ...]:
    """What the post raises: for each claim that it puts forward and the record does not carry, in the order of the text, that it
    is new, spreading, or back after a quiet time; and that it reports harm.

    Where a post carries a claim several times, the occurrence of the highest confidence speaks for it. Nothing is raised, and so
    no claim's novelty used up, by an occurrence below `alerts.min_confidence` or by a post that is not fresh.
    `watch` are the names of the watchlist that the post speaks of.
    """
    if not post.fresh:
        return ()
    found = [
        draft
        for n in sorted(speakers(judgement.claims).values())
        if is_sure(judgement.claims[n].confidence, alerts)
        for draft in _about_claim(judgement.claims[n], n, post.platform, alerts, endpoints, watch)
    ]
    if judgement.adverse_event:
        found.append(_harm(post, endpoints, watch))
    return tuple(found)


def _about_claim(
    occurrence: Occurrence, n: int, platform: str, alerts: Alerts, endpoints: Sequence[Endpoint], watch: Sequence[str]
) -> Iterator[AlertDraft]:
    """The alerts that a claim may raise. Their summaries are the claim's own sentence and never the post's words, which must be
    deletable."""

    def draft(kind: AlertKind, key: str, summary: str, *, authors: int = 0, quiet_ms: int = 0) -> AlertDraft:
        return AlertDraft(
            kind=kind,
            dedupe_key=key,
            summary=f"{summary}: {occurrence.claim}",
            recipients=recipients(endpoints, kind, occurrence, platform, watch),
            occurrence=n,
            authors=authors,
            quiet_ms=quiet_ms,
        )

    claim, verdict = occurrence.claim_id, occurrence.verdict
    yield draft("claim.new", f"claim.new:{claim}", f"New {verdict} claim on {platform}")
    for number in sorted(set(alerts.spreading)):
        by = "1 author" if number == 1 else f"{number} authors"
        yield draft(
            "claim.spreading", f"claim.spreading:{claim}:{number}", f"{verdict.capitalize()} claim of {by}", authors=number
        )
    quiet_ms = round(alerts.resurfaced_after * 1000)
    back = f"{verdict.capitalize()} claim back on {platform}"
    yield draft("claim.resurfaced", f"claim.resurfaced:{claim}", back, quiet_ms=quiet_ms)


def _harm(post: Post, endpoints: Sequence[Endpoint], watch: Sequence[str]) -> AlertDraft:
    return AlertDraft(
        kind="safety.signal",
        dedupe_key=f"safety.signal:{post.platform}:{post.id}",
        summary=f"A post on {post.platform} reports harm.",
        recipients=recipients(endpoints, "safety.signal", None, post.platform, watch),
    )
