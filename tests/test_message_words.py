"""The words of every message, whole: what people read in a chat or a mailbox."""

from __future__ import annotations

from typing import Any

import pytest

from monitor import event_types
from workers.deliver.message import Message, Room, compose, link

LINK = "https://www.reddit.com/r/SkincareAddiction/comments/abc123/"
CLAIM = "Claim: The drops are approved by the FDA."
VERDICT = "Verdict: contradicted (US contradicted), by the register of evidence"
SOURCE = "Source: Agency A: notice to consumers, 2026 https://agency.example/notice"
ALERT = "Alert: a_1hpxk3v9d0c2e"
HEARD = "Last success: 2026-11-22T09:12:44.\u200b000Z"


def changed(kind: Any, **data: Any) -> Message:
    """The message of the kind's example with these in its data; None takes one out."""
    event = event_types.example_of(kind)
    event["data"].update(data)
    event["data"] = {name: value for name, value in event["data"].items() if value is not None}
    return compose(event, Room())


def part(kind: Any, name: str, **more: Any) -> dict[str, Any]:
    """A part of the kind's example, with these in it."""
    return {**event_types.example_of(kind)["data"][name], **more}


@pytest.mark.parametrize(
    ("kind", "title", "lines"),
    [
        ("claim.new", "New contradicted claim on reddit", [CLAIM, VERDICT, "Quote: “FDA approved”", f"Link: {LINK}", SOURCE]),
        (
            "claim.spreading",
            "Contradicted claim is spreading: 1 authors",
            [CLAIM, VERDICT, "Quote: “FDA approved”", f"Link: {LINK}", SOURCE],
        ),
        (
            "claim.resurfaced",
            "Contradicted claim is back on reddit",
            [CLAIM, VERDICT, "Quote: “FDA approved”", f"Link: {LINK}", SOURCE],
        ),
        ("claim.verdict_changed", "Verdict changed: unsupported to contradicted", [CLAIM, VERDICT, SOURCE]),
        (
            "safety.signal",
            "A post on reddit reports harm",
            ["Quote: “Have you heard? These drops are FDA approved.”", f"Link: {LINK}"],
        ),
        ("mention.deleted", "A post on reddit was deleted", [f"Link: {LINK}"]),
        (
            "source.down",
            "The source skincare-reddit is down",
            ["State: down", "Last error: the server answered 503", HEARD],
        ),
        ("source.silent", "The source skincare-reddit is silent", ["State: silent", HEARD]),
        ("source.recovered", "The source skincare-reddit has recovered", ["State: ok", HEARD]),
        ("evidence.news", "News for the register of evidence", ["- Phase 2; 40 took part or are to"]),
        ("endpoint.disabled", "The endpoint other is disabled", ["State: disabled"]),
        ("digest", "1 alert", ["- New contradicted claim on reddit: The drops are approved by the FDA."]),
        ("test", "A test of the endpoint case-system", ["State: ok"]),
    ],
)
def test_what_each_kind_says(kind: Any, title: str, lines: list[str]) -> None:
    assert compose(event_types.example_of(kind), Room()) == Message(title, "\n".join([*lines, ALERT]))


def test_no_kind_was_forgotten_above() -> None:
    (table,) = (mark for mark in test_what_each_kind_says.pytestmark if mark.name == "parametrize")  # type: ignore[attr-defined]
    assert {case[0] for case in table.args[1]} == set(event_types.KINDS)


def test_a_kind_without_words_of_its_own_is_called_by_its_name() -> None:
    event = {"type": "claim.lost", "data": {"alert_id": "a_1"}}
    assert compose(event, Room()) == Message("claim.\u200blost", "Alert: a_1")


@pytest.mark.parametrize(
    ("kind", "data", "title"),
    [
        ("claim.new", {"mention": {}}, "New contradicted claim"),
        ("claim.new", {"occurrence": None}, "New contradicted claim on reddit"),
        ("claim.new", {"occurrence": part("claim.new", "occurrence", verdict="unsupported")}, "New unsupported claim on reddit"),
        ("claim.new", {"occurrence": None, "claim": {}}, "New  claim on reddit"),
        ("claim.resurfaced", {"mention": None}, "Contradicted claim is back"),
        ("claim.spreading", {"claim": part("claim.new", "claim", authors=100)}, "Contradicted claim is spreading: 100 authors"),
        ("claim.verdict_changed", {"before": {}}, "Verdict changed:  to contradicted"),
        ("claim.verdict_changed", {"before": {"verdict": "@x"}}, "Verdict changed: @\u200bx to contradicted"),
        ("safety.signal", {"mention": {"platform": "#x"}}, "A post on #\u200bx reports harm"),
        ("safety.signal", {"mention": None}, "A post reports harm"),
        ("mention.deleted", {"mention": None}, "A post was deleted"),
        ("source.down", {"source": {"name": "@news.example"}}, "The source @\u200bnews.example is down"),
        ("source.down", {"source": {"state": "down"}}, "The source  is down"),
        ("endpoint.disabled", {"endpoint": {"name": "#desk"}}, "The endpoint #\u200bdesk is disabled"),
        ("digest", {"count": 0}, "0 alerts"),
        ("digest", {"count": 2}, "2 alerts"),
    ],
)
def test_a_title_says_what_is_known(kind: Any, data: dict[str, Any], title: str) -> None:
    assert changed(kind, **data).title == title


@pytest.mark.parametrize(
    ("ruled", "said"),
    [
        ({"verdict": "supported"}, "supported"),
        ({"verdict": "supported", "verdicts": {}, "basis": "a guess"}, "supported"),
        ({"verdict": "unsupported", "basis": "burden of proof"}, "unsupported, nobody has shown it"),
        ({"verdict": "supported", "basis": "register"}, "supported, by the register of evidence"),
        (
            {"verdict": "contradicted", "verdicts": {"US": "contradicted", "EU": "unsupported"}, "basis": "register"},
            "contradicted (US contradicted, EU unsupported), by the register of evidence",
        ),
        ({"verdict": "@a", "verdicts": {"@b": "@c"}}, "@\u200ba (@\u200bb @\u200bc)"),
    ],
)
def test_a_verdict_says_where_it_holds_and_what_it_rests_on(ruled: dict[str, Any], said: str) -> None:
    occurrence = changed("claim.new", occurrence={"quote": "so", **ruled})
    claim = changed("claim.new", occurrence={}, claim={"claim": "It heals.", **ruled})
    assert occurrence.body.splitlines()[:2] == [CLAIM, f"Verdict: {said}"]
    assert claim.body.splitlines()[:2] == ["Claim: It heals.", f"Verdict: {said}"]


@pytest.mark.parametrize(
    ("kind", "data", "quote"),
    [
        ("claim.new", {"occurrence": {"quote": "so it is"}}, "so it is"),
        ("claim.new", {"occurrence": {"quote": None}}, None),  # the post's whole text is not what was read as the claim
        ("claim.new", {"occurrence": None}, "Have you heard? These drops are FDA approved."),
        ("safety.signal", {"mention": {"text": "It burns me."}}, "It burns me."),
        ("safety.signal", {"mention": {"text": None}}, None),
        ("safety.signal", {"mention": {}}, None),
        ("safety.signal", {"mention": None}, None),
    ],
)
def test_the_quote_is_the_claims_or_else_the_posts(kind: Any, data: dict[str, Any], quote: str | None) -> None:
    quotes = [line for line in changed(kind, **data).body.splitlines() if line.startswith("Quote: ")]
    assert quotes == ([] if quote is None else [f"Quote: “{quote}”"])


def test_an_occurrence_that_is_null_has_no_quote() -> None:
    event = event_types.example_of("claim.new")
    event["data"]["occurrence"] = None
    assert compose(event, Room()).body == "\n".join([CLAIM, VERDICT, f"Link: {LINK}", SOURCE, ALERT])


def cited(number: int) -> list[dict[str, Any]]:
    return [{"citation": f"Paper {n}", "url": f"https://p.example/{n}"} for n in range(1, number + 1)]


@pytest.mark.parametrize(
    ("number", "more"), [(0, []), (1, []), (3, []), (4, ["Sources: 1 more"]), (5, ["Sources: 2 more"]), (9, ["Sources: 6 more"])]
)
def test_three_sources_are_named_and_the_rest_counted(number: int, more: list[str]) -> None:
    shown = [f"Source: Paper {n} https://p.example/{n}" for n in range(1, min(3, number) + 1)]
    assert changed("claim.new", evidence=cited(number)).body.splitlines()[4:] == [*shown, *more, ALERT]


@pytest.mark.parametrize(
    ("evidence", "line"),
    [
        ({"citation": "Paper 1"}, "Source: Paper 1"),
        ({"citation": "Paper 1", "url": "ftp://p.example/1"}, "Source: Paper 1"),
        ({"citation": "By @a", "url": "https://p.example/@a"}, "Source: By @\u200ba https://p.example/%40a"),
    ],
)
def test_a_source_is_named_and_linked_where_it_can_be(evidence: dict[str, Any], line: str) -> None:
    assert changed("claim.new", evidence=[evidence]).body.splitlines()[4] == line


@pytest.mark.parametrize(
    ("kind", "data", "lines"),
    [
        ("digest", {"items": [{"summary": "One.", "title": "no"}, {"summary": "Two @a."}]}, ["- One.", "- Two @\u200ba."]),
        ("evidence.news", {"items": [{"title": "A trial", "summary": ""}, {}, 3]}, ["- A trial", "- ", "- "]),
        ("digest", {"items": [{"summary": "One."}], "truncated": True}, ["- One.", "And more: see the list of alerts."]),
        ("digest", {"items": [{"summary": "One."}], "truncated": False}, ["- One."]),
        ("digest", {"items": []}, []),
        ("test", {"truncated": True}, ["State: ok"]),
        (
            "source.down",
            {"source": {"last_error": "no @a", "last_success": "now"}},
            ["Last error: no @\u200ba", "Last success: now"],
        ),
        ("source.down", {"source": None, "endpoint": {"state": "ok"}}, ["State: ok"]),
    ],
)
def test_lists_and_states_stand_line_by_line(kind: Any, data: dict[str, Any], lines: list[str]) -> None:
    assert changed(kind, **data).body == "\n".join([*lines, ALERT])


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://x.example/a", "http://x.example/a"),
        ("https://x.example/a", "https://x.example/a"),
        (
            "https://x.example:8/a-b_c.d~e?f=g&h=i%20j#k!l$m'n*o+p,q;r",
            "https://x.example:8/a-b_c.d~e?f=g&h=i%20j#k!l$m'n*o+p,q;r",
        ),
        ("https://x.example/(a)[b]{c}\\^é", "https://x.example/%28a%29%5Bb%5D%7Bc%7D%5C%5E%C3%A9"),
        ("ftp://x.example/a", ""),
        (7, ""),
    ],
)
def test_an_address_leads_where_it_led(url: object, shown: str) -> None:
    assert link(url) == shown
    mention = part("safety.signal", "mention", url=url)
    links = [line for line in changed("safety.signal", mention=mention).body.splitlines() if line.startswith("Link: ")]
    assert links == ([f"Link: {shown}"] if shown else [])
