"""The steps of each claim of a post, up to the one that stops it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from monitor.explain.steps import Step, at, long, number, step
from monitor.settings import Settings
from monitor.settings.alerting import is_sure, speakers
from monitor.store.conditions import NOVELTY
from monitor.store.facts import AboutClaim, Facts, Told
from monitor.store.reviews import Review
from monitor.times import parse_time
from monitor.words import AlertKind, Occurrence

_QUOTE = 160  # characters that a sentence shows
_NOT_FORWARD = {"denies": "it denies", "asks": "it asks about", "reports": "it reports at a distance"}
_STANCES = {"asserts": "asserts it", "denies": "denies it", "asks": "asks about it"}


def of_claims(facts: Facts, settings: Settings) -> Iterator[Step]:
    """The steps of every claim, in the order of the text."""
    found = facts.mention.claims
    if not found:
        yield step("claim", False, "no claim was found in it.")
    speaking = set(speakers(found).values())
    for n, one in enumerate(found):
        about = facts.claims[one.claim_id]
        yield _claim(one, about)
        if not one.alerting:
            continue
        if n not in speaking:
            said = "it puts the same claim forward in another place, more surely or earlier, and that place speaks for it."
            yield step("confidence", False, said, claim_id=one.claim_id)
            continue
        sure = _confidence(one, settings)
        yield sure
        own = [told for told in about.told if told.alert.mention_id == facts.mention.id]
        if own or (facts.fresh and sure.passed == "yes"):
            yield from _standing(facts, about, own, settings)


def why_none_may_raise(facts: Facts) -> str:
    """Why none of a post's claims may raise an alert, in one sentence that begins with a small letter."""
    found = facts.mention.claims
    if len(found) == 1:
        return f"{_why_not(found[0], facts)}."
    return f"none of its {len(found)} claims may raise one: {'; '.join(dict.fromkeys(_why_not(one, facts) for one in found))}."


def _why_not(one: Occurrence, facts: Facts) -> str:
    name = f'"{one.claim.rstrip(".")}"'
    if not one.put_forward:
        return f"{_NOT_FORWARD[one.stance]} {name}, and so does not put it forward"
    entry = facts.claims[one.claim_id].claim.entry
    return f"{name} is supported" + (f" by the register's entry {entry}" if entry else "")


def _claim(one: Occurrence, about: AboutClaim) -> Step:
    quote = one.quote if len(one.quote) <= _QUOTE else one.quote[: _QUOTE - 1] + "…"
    where = f'in "{quote}"' if quote else "in words that are kept no longer"
    stance = _STANCES.get(one.stance, "reports it of others, " + ("at a distance" if one.distance else "without distance"))
    basis = f"by the register's entry {about.claim.entry}" if one.basis == "register" else "by the burden of proof"
    said = (
        f'the claim "{one.claim.rstrip(".")}" ({one.type}): the post {stance} {where}, which '
        f"{'puts' if one.put_forward else 'does not put'} it forward, and it is {one.verdict} {basis}, so this "
        f"{'may' if one.alerting else 'cannot'} raise an alert. Why: {one.why}{_put_there(about)}"
    )
    return step("claim", one.alerting, said, claim_id=one.claim_id)


def _put_there(about: AboutClaim) -> str:
    """By which review it came under this claim; nothing where it was found as this claim."""
    if not about.found_as:
        return ""
    split = _split_of(about)
    if split is not None:
        return f" {split.reviewer} split it off from {(split.detail or {})['from']} at {at(split.at)}."
    merges = [one for one in about.reviews if one.action == "merge" and (one.detail or {}).get("from") in about.found_as]
    return "".join(f" {one.reviewer} merged {(one.detail or {})['from']} into it at {at(one.at)}." for one in merges[-1:])


def _split_of(about: AboutClaim) -> Review | None:
    """The review that split the claim off from another one."""
    own = (one for one in about.reviews if one.claim_id == about.claim.id and one.action == "split")
    return next((one for one in own if "from" in (one.detail or {})), None)


def _confidence(one: Occurrence, settings: Settings) -> Step:
    least = settings.alerts.min_confidence
    sure = is_sure(one.confidence, settings.alerts)
    said = (
        f"its confidence, {number(one.confidence)}, {'reaches' if sure else 'is below'} alerts.min_confidence, {number(least)}."
    )
    return step("confidence", sure, said, claim_id=one.claim_id)


def _standing(facts: Facts, about: AboutClaim, own: Sequence[Told], settings: Settings) -> Iterator[Step]:
    judged_at = facts.mention.edited_at or facts.mention.seen_at
    # What was said of the claims that were merged into it counts for what was found as one of them.
    speaking = [one for one in about.reviews if one.claim_id == about.claim.id or one.claim_id in about.found_as]
    silence = silenced(speaking, judged_at)
    yield _review(about, silence)
    if silence is not None and not own:
        return
    yield _new(facts, about)
    yield _spreading(about, own, settings)
    yield _resurfaced(about, own, judged_at, settings)


def silenced(reviews: Sequence[Review], time: str) -> Review | None:
    """The review by which a claim was silent at a time: that dismissed it, or that muted it. `reviews`: the oldest first."""
    dismissed = muted = None
    for one in reviews:
        if one.at > time:
            break
        if one.action in ("dismiss", "confirm", "reopen") and not one.detail:  # a detail names single mentions
            dismissed = one if one.action == "dismiss" else None
        elif one.action in ("mute", "unmute"):
            muted = one if one.action == "mute" else None
    if muted is not None and muted.until is not None and muted.until <= time:
        muted = None
    return dismissed or muted


def _review(about: AboutClaim, silence: Review | None) -> Step:
    if silence is not None:
        said = f"the claim was {_REVIEWED[silence.action]} by {silence.reviewer} at {at(silence.at)}"
        if silence.action == "mute":
            said += f" {'until ' + at(silence.until) if silence.until else 'for good'}"
        said += f' ("{silence.note}")' if silence.note else ""
        said += ", so nothing was raised"
    else:
        said = "no review silenced the claim when this post was heard"
        if about.claim.state in ("dismissed", "muted"):
            said += f"; it is {about.claim.state} now, so nothing more is raised"
    return step("review", silence is None, said + ".", claim_id=about.claim.id)


_REVIEWED = {"dismiss": "dismissed", "mute": "muted"}


def _new(facts: Facts, about: AboutClaim) -> Step:
    claim_id, mention = about.claim.id, facts.mention
    telling = [told.alert for told in about.told if told.alert.kind in NOVELTY]
    own = next((alert for alert in telling if alert.kind == "claim.new" and alert.mention_id == mention.id), None)
    if own is not None:
        said = f"the claim was new: this post raised it at {at(own.created_at)} ({own.id})."
        return step("new", True, said, claim_id=claim_id, alert_id=own.id)
    split = _split_of(about)
    if split is not None and (not telling or telling[0].mention_id != mention.id):
        source = (split.detail or {})["from"]
        said = (
            f"a review split the claim off from {source} at {at(split.at)}: when the post was heard it was one of that claim's, "
            f"and what was told of that one counts (`exowatch claim {source}` shows it)."
        )
        return step("new", False, said, claim_id=claim_id)
    if not telling:
        said = (
            "the claim is new by what the record holds now, and no alert has told of it: the threshold, the verdict, a review or "
            "the post's text was another when it was judged."
        )
        return step("new", False, said, claim_id=claim_id)
    first = telling[0]
    of = next((told.of for told in about.told if told.alert is first and told.of), None)
    then = f", which told of {of}, before a review put that under this claim" if of else ""
    if first.mention_id is None:
        said = f"the claim was not new: its changed verdict was told of at {at(first.created_at)} ({first.id}){then}."
    elif first.mention_id < mention.id:
        known = f"{at(first.created_at)} by the mention {first.mention_id} ({first.id}){then}"
        said = f"the claim was not new: it is known since {known}."
        if about.doubtful:
            said += (
                " The post was joined to it as the likeliest claim, which may be wrong: if it says something else that is new, "
                f"`exowatch claim {claim_id} split --mention {mention.id} --as SENTENCE` makes a claim of its own of it."
            )
    else:
        said = (
            f"the claim is known since {at(first.created_at)} by the mention {first.mention_id} ({first.id}), which was heard "
            "later: this post was judged after that one, or by another text, threshold, verdict or review than now."
        )
    return step("new", False, said, claim_id=claim_id, alert_id=first.id)


def _own(own: Sequence[Told], kind: AlertKind) -> Told | None:
    return next((told for told in reversed(own) if told.alert.kind == kind), None)


def _spreading(about: AboutClaim, own: Sequence[Told], settings: Settings) -> Step:
    claim_id, told = about.claim.id, _own(own, "claim.spreading")
    if settings.privacy.authors == "none":
        so_far = "authors are not kept (privacy.authors), so no claim is seen to spread"
    else:
        done = {one.authors for one in about.told}
        steps = [one for one in sorted(set(settings.alerts.spreading)) if one not in done]
        coming = f"the next step is {steps[0]}" if steps else "no further step is set in alerts.spreading"
        so_far = f"{about.claim.authors} distinct author{'s' * (about.claim.authors != 1)} put it forward so far; {coming}"
    if told is None:
        return step("spreading", False, so_far + ".", claim_id=claim_id)
    said = f"this post brought the claim to {told.authors} distinct authors ({told.alert.id}); {so_far}."
    return step("spreading", True, said, claim_id=claim_id, alert_id=told.alert.id)


def _resurfaced(about: AboutClaim, own: Sequence[Told], judged_at: str, settings: Settings) -> Step:
    claim_id, told = about.claim.id, _own(own, "claim.resurfaced")
    wanted = long(settings.alerts.resurfaced_after)
    if about.before is None:
        quiet = "no fresh post had put it forward before, so it is not back after a quiet time"
    else:
        gap = long((parse_time(judged_at) - parse_time(about.before)) / 1000)
        quiet = f"it was put forward {gap} before, at {at(about.before)}; one told of is back after {wanted} of quiet"
    if told is None:
        return step("resurfaced", False, quiet + ".", claim_id=claim_id)
    said = f"this post brought the claim back ({told.alert.id}): {quiet}."
    return step("resurfaced", True, said, claim_id=claim_id, alert_id=told.alert.id)
