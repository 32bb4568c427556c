"""The steps of each alert that a post raised: which endpoints want it, and what became of its deliveries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from monitor.explain.steps import Step, at, number, step
from monitor.settings import Settings
from monitor.settings.alerting import Filter, refusals
from monitor.settings.endpoint import Endpoint
from monitor.settings.timing import quiet_until
from monitor.store.facts import Facts, Raised
from monitor.times import rfc3339
from monitor.words import Delivery, Occurrence

_ERROR = 200  # characters of a receiver's error that a sentence shows


def of_alerts(facts: Facts, settings: Settings) -> Iterator[Step]:
    """The steps of every alert, the first raised first."""
    for raised in facts.raised:
        alert = raised.alert
        said = f"it raised {alert.kind} at {at(alert.created_at)} ({alert.id}): {alert.summary.rstrip('.')}."
        yield step("alert", True, said, alert_id=alert.id, claim_id=alert.claim_id)
        if not settings.endpoint:
            said = "no endpoint is configured, so nobody is told; the alert stands in the list."
            yield step("endpoint", False, said, alert_id=alert.id)
        occurrence = _spoken_of(facts.mention.claims, raised)
        for endpoint in settings.endpoint:
            yield from _to(endpoint, raised, occurrence, facts)
        known = {endpoint.name for endpoint in settings.endpoint}
        for delivery in raised.deliveries:
            if delivery.endpoint not in known:
                yield _delivery(delivery, facts, ", which is configured no longer")


def _to(endpoint: Endpoint, raised: Raised, occurrence: Occurrence | None, facts: Facts) -> Iterator[Step]:
    about = {"alert_id": raised.alert.id, "endpoint": endpoint.name}
    refusing = list(refusals(endpoint, raised.alert.kind, occurrence, facts.mention.platform, facts.mention.watch))
    if refusing:
        filters = " and ".join(_refused(endpoint, one, raised, occurrence, facts) for one in refusing)
        yield step("endpoint", False, f"the endpoint {endpoint.name} does not want it: {filters}.", **about)
    else:
        yield step("endpoint", True, f"the endpoint {endpoint.name} wants it.", **about)
    delivery = next((one for one in raised.deliveries if one.endpoint == endpoint.name), None)
    waits = partial(_waits, endpoint, raised, facts.at_ms)
    if delivery is not None:
        yield _delivery(delivery, facts, ", whose filters have changed since" if refusing else "", waits(delivery))
    elif (digest := next((one for one in raised.told_in if one.endpoint == endpoint.name), None)) is not None:
        more = f", as a part of the digest {digest.alert_id},"
        yield _delivery(digest, facts, more, waits(digest), alert_id=raised.alert.id)
    elif endpoint.name in raised.digests:
        due = f"it waits for the next digest to {endpoint.name}, which is due at {at(raised.digests[endpoint.name])}"
        yield step("delivery", False, f"{due}{_why_digest(endpoint)}.", **about)
    elif not refusing:
        said = f"there is no delivery to {endpoint.name}: it was configured, or its filters or budget changed, after the alert."
        yield step("delivery", False, said, **about)


def _why_digest(endpoint: Endpoint) -> str:
    """Why an alert is not sent singly, by the present configuration."""
    if endpoint.digest is not None:
        return ": it takes all alerts but reports of harm in digests"
    if endpoint.max_per_hour is not None:
        return f": its budget of {endpoint.max_per_hour} an hour (max_per_hour) was used up"
    return ""


def _waits(endpoint: Endpoint, raised: Raised, at_ms: int, one: Delivery) -> str:
    """Why a pending delivery has not gone out by this time (ms), and when it will."""
    quiet_ms = quiet_until(endpoint.quiet, at_ms)
    if quiet_ms is not None:
        return f"; the endpoint's quiet hours last until {at(rfc3339(quiet_ms))}"
    return f"; it is tried again at {at(raised.again[one.id])}" if one.id in raised.again else ""


def _refused(endpoint: Endpoint, name: Filter, raised: Raised, occurrence: Occurrence | None, facts: Facts) -> str:
    """What a filter allows, and what it was asked about."""
    asked = {"events": raised.alert.kind, "platforms": facts.mention.platform}
    asked["watch"] = f"a mention of {', '.join(facts.mention.watch) or 'none of these names'}"
    if occurrence is not None:
        asked |= {"types": occurrence.type, "verdicts": occurrence.verdict, "min_confidence": number(occurrence.confidence)}
    if name == "min_confidence":
        return f"its min_confidence, {number(endpoint.min_confidence)}, is above {asked[name]}"
    return f"its {name} ({', '.join(getattr(endpoint, name))}) leave out {asked[name]}"


def _delivery(one: Delivery, facts: Facts, more: str, waits: str = "", alert_id: str | None = None) -> Step:
    tries = f"{len(one.attempts)} attempt{'s' * (len(one.attempts) != 1)}"
    last = one.attempts[-1] if one.attempts else None
    failed = last is not None and one.state != "delivered"
    wrong = f"; the last, at {at(last.at)}: {_what(last.status, last.error)}" if last is not None and failed else ""
    if one.state == "delivered":
        how = f" at {at(last.at)}, after {tries}" if last is not None else "; the log of its attempts is forgotten"
        said = f"delivered to {one.endpoint}{more}{how}"
    elif one.state == "dead":
        again = f"`exowatch endpoints redeliver {one.id}` sends it again"
        said = f"the delivery to {one.endpoint}{more} is dead after {tries}{wrong}; {again}"
    else:
        said = f"the delivery to {one.endpoint}{more} is pending after {tries}{wrong}"
    if one.state != "delivered" and one.endpoint in facts.disabled:
        said += f"; the endpoint is disabled: {facts.disabled[one.endpoint] or 'it answered that it wants no more'}"
    elif one.state == "pending":
        said += waits
    passed = one.state == "delivered"
    return step("delivery", passed, f"{said} ({one.id}).", alert_id=alert_id or one.alert_id, endpoint=one.endpoint)


def _what(status: int | None, error: str | None) -> str:
    return (error or f"it answered {status}")[:_ERROR].rstrip(".")


def _spoken_of(claims: Sequence[Occurrence], raised: Raised) -> Occurrence | None:
    """The occurrence that raised the alert; after an edit another of the same claim, or None where there is none left."""
    if raised.occurrence is None:
        return None
    there = claims[raised.occurrence : raised.occurrence + 1]
    return next((one for one in (*there, *claims) if one.claim_id == raised.alert.claim_id), None)
