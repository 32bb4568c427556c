"""Why a mention did or did not raise an alert, step by step: pure, over what the record holds of it (`monitor.store.facts`).

The first steps are of the post, then come those of each claim up to the one that stops it, and at last those of each alert
that was raised, and of its way to the endpoints. What the record does not hold (the threshold or the filters of another day) is
said to be so.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from monitor.explain.alerts import of_alerts
from monitor.explain.claims import of_claims, why_none_may_raise
from monitor.explain.post import of_post
from monitor.explain.steps import Keyword, Present, Step, StepName
from monitor.settings import Settings
from monitor.store.facts import Facts

__all__ = ["Explanation", "Present", "Step", "explain", "not_on_record"]

_STOPPING: tuple[StepName, ...] = ("claim", "confidence", "review", "new")  # in the order in which a claim meets them


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why a mention did or did not raise an alert: the alerts that it raised, every step, and one sentence that says it all."""

    mention_id: str
    platform: str
    platform_id: str
    url: str | None
    alerts: tuple[str, ...]
    steps: tuple[Step, ...]
    conclusion: str


def explain(facts: Facts, keywords: Sequence[Keyword], present: Present, settings: Settings) -> Explanation:
    """The steps and the conclusion. `keywords` are those that the mention's text holds, in order; none where the text is gone."""
    post = tuple(of_post(facts, keywords, present, settings))
    claims = tuple(of_claims(facts, settings))
    alerts = tuple(of_alerts(facts, settings))
    return Explanation(
        mention_id=facts.mention.id,
        platform=facts.mention.platform,
        platform_id=facts.mention.platform_id,
        url=facts.mention.url,
        alerts=tuple(one.alert.id for one in facts.raised),
        steps=post + claims + alerts,
        conclusion=_raised(facts, settings) if facts.raised else f"It raised no alert: {_stopped(facts, post, claims)}",
    )


def not_on_record(name: str) -> str:
    """What to say of a mention that is not there, and how to find out."""
    return (
        f"there is no mention {name[:80]} on record; posts that do not match the topic are not stored: hand the post in again "
        "with `exowatch replay` (or POST /api/v1/mentions), which counts it as accepted, duplicate or unmatched"
    )


def _raised(facts: Facts, settings: Settings) -> str:
    named = ", ".join(f"{one.alert.kind} ({one.alert.id})" for one in facts.raised)
    sent = [delivery for one in facts.raised for delivery in (*one.deliveries, *one.told_in)]
    ways = {
        "delivered to": {one.endpoint for one in sent if one.state == "delivered"},
        "waits for the next digest to": {endpoint for one in facts.raised for endpoint in one.digests},
        "not delivered yet to": {one.endpoint for one in sent if one.state == "pending"},
        "given up on the way to": {one.endpoint for one in sent if one.state == "dead"},
    }
    parts = [f"{what} {', '.join(sorted(endpoints))}" for what, endpoints in ways.items() if endpoints]
    nobody = "no endpoint wants it" if settings.endpoint else "no endpoint is configured"
    return f"It raised {named}: {' and '.join(parts) or nobody}."


def _stopped(facts: Facts, post: Sequence[Step], claims: Sequence[Step]) -> str:
    """What kept it from raising one: the step of the post, or else of the claim that came furthest."""
    for one in post:
        if one.step in ("heard", "read") and one.passed == "no":
            return _small(one.sentence)
    stops = [one for one in claims if one.step in _STOPPING and one.passed == "no"]
    last = max(stops, key=lambda one: _STOPPING.index(one.step))
    if last.step == "claim" and last.claim_id is not None:
        return why_none_may_raise(facts)
    which = f"of {last.claim_id}, the claim that came furthest, " if len(facts.claims) > 1 else ""
    return which + _small(last.sentence)


def _small(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
