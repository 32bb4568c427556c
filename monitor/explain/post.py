"""The steps of the post itself: heard, matched, read; and whether it reports harm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from monitor.explain.steps import Keyword, Present, Step, at, long, step
from monitor.settings import Settings
from monitor.store.facts import Facts
from monitor.times import parse_time

_PLACES = 10  # at which keywords stand that a sentence names


def of_post(facts: Facts, keywords: Sequence[Keyword], present: Present, settings: Settings) -> Iterator[Step]:
    """`keywords` are those that the text mentions by the present topic pack."""
    yield _heard(facts, settings)
    yield _matched(facts, keywords)
    yield _read(facts, present)
    yield _harm(facts)


def _heard(facts: Facts, settings: Settings) -> Step:
    one = facts.mention
    source = f" from the source {one.source}" if one.source else ""
    said = f"heard on {one.platform}{source} at {at(one.seen_at)}"
    if one.created_at is not None:
        age = (parse_time(one.seen_at) - parse_time(one.created_at)) / 1000
        said += f", {long(age)} after it was posted" if age >= 0 else ", before the time at which it says it was posted"
    if facts.fresh:
        said += "; it is fresh"
    else:
        said += (
            f"; a collector's catch-up found it when it was older than alerts.max_age ({long(settings.alerts.max_age)} now), "
            "so it is stored and raises nothing"
        )
    if one.edited_at is not None:
        said += f"; what follows is of its text as edited, heard at {at(one.edited_at)}"
    return step("heard", facts.fresh, said + ".")


def _matched(facts: Facts, keywords: Sequence[Keyword]) -> Step:
    text = facts.mention.text
    if text is None:
        gone = "was deleted at its platform" if facts.mention.state == "deleted" else "has expired"
        said = f"it matched the topic, as all that is stored does; its text {gone}, so it cannot be shown where"
    elif not keywords:
        said = "it matched the topic when it was heard; the keywords have changed since, and the present ones do not find it"
    else:
        places: dict[str, list[str]] = {}
        for name, start, end in keywords[:_PLACES]:
            places.setdefault(name, []).append(f'"{text[start:end]}" at {start}')
        said = "it matches the topic by " + " and ".join(f"the keyword {name} ({', '.join(on)})" for name, on in places.items())
        if len(keywords) > _PLACES:
            said += f" and {len(keywords) - _PLACES} more places"
    return step("matched", True, said + ".")


def _read(facts: Facts, present: Present) -> Step:
    said = f"read by the classifier {facts.mention.classifier} as {'' if facts.mention.relevant else 'not '}about the topic"
    said += f", and held against the register {facts.mention.register}"
    changed = [
        f"the {what} is now {now}"
        for what, then, now in (
            ("classifier", facts.mention.classifier, present.classifier),
            ("register", facts.mention.register, present.register),
        )
        if then != now
    ]
    said += f"; {' and '.join(changed)}, which may judge it otherwise" if changed else "; both are the present ones"
    return step("read", facts.mention.relevant, said + ".")


def _harm(facts: Facts) -> Step:
    said = "it reports no harm, so there is no safety.signal"
    if facts.mention.adverse_event:
        said = f"it reports harm, which {'raises' if facts.fresh else 'would, were it fresh, raise'} a safety.signal"
    return step("harm", facts.mention.adverse_event, said + ".")
