"""Messages for people: everything that matters, cut to what a platform takes, and nobody mentioned."""

from __future__ import annotations

import html
from typing import Any

import pytest

from monitor import event_types
from workers.deliver.message import Room, compose, harmless, link


def event(kind: Any = "claim.new", quote: str = "FDA approved", **more: Any) -> dict[str, Any]:
    made = event_types.example_of(kind)
    if made["data"].get("occurrence"):
        made["data"]["occurrence"]["quote"] = quote
    made["data"].update(more)
    return made


def test_a_message_says_claim_verdict_quote_link_and_source() -> None:
    message = compose(event(), Room())
    assert message.title == "New contradicted claim on reddit"
    assert message.body.splitlines() == [
        "Claim: The drops are approved by the FDA.",
        "Verdict: contradicted (US contradicted), by the register of evidence",
        "Quote: “FDA approved”",
        "Link: https://www.reddit.com/r/SkincareAddiction/comments/abc123/",
        "Source: Agency A: notice to consumers, 2026 https://agency.example/notice",
        "Alert: a_1hpxk3v9d0c2e",
    ]


@pytest.mark.parametrize("kind", event_types.KINDS)
def test_every_kind_has_a_message(kind: Any) -> None:
    message = compose(event_types.example_of(kind), Room())
    assert message.title not in ("", kind)
    assert message.body.endswith("Alert: a_1hpxk3v9d0c2e")
    assert "None" not in message.title + message.body
    assert "{" not in message.title + message.body


@pytest.mark.parametrize(
    "hostile",
    [
        "@everyone",
        "@here",
        "＠channel",
        "<!here>",
        "<!channel|channel>",
        "<!subteam^S123>",
        "<@U123>",
        "<@&99>",
        "<#C1|x>",
        "<https://evil.example|fda.gov>",
        "[fda.gov](https://evil.example)",
        "mail me@evil.example",
        "https://evil.example",
        "www.evil.example",
        "evil.example.com/x",
        "evil。example",
        "t.me/evil",
        "/start",
        "#channel",
    ],
)
def test_nobody_is_mentioned_and_nothing_in_a_quote_is_a_link(hostile: str) -> None:
    made = event(quote=f"look {hostile} !")
    made["data"]["claim"]["claim"] = f"It is {hostile}."
    made["data"]["evidence"] = []
    made["data"]["mention"]["platform"] = hostile
    made["data"]["mention"]["url"] = f"https://x.example/{hostile}"
    message = compose(made, Room())
    shown = message.title + "\n" + message.body
    (shown_link,) = [line for line in shown.splitlines() if line.startswith("Link: ")]
    for sign in ("@", "<", ">", "](", "＠", "|"):
        assert sign not in shown_link
    for sign in ("@e", "@h", "＠c", "<!", "<@", "<#", "<h", "](", "://evil", ".e", ".c", "。e", ".m", " /s", "#c"):
        assert sign not in shown.replace(shown_link, ""), sign
    assert hostile in shown.replace("\u200b", "").replace("%40", "@"), "it can still be read"


def test_a_number_can_be_read_and_our_own_links_stay_links() -> None:
    quote = "It costs 3.5 dollars, e.g. at U.S. clinics... see evil.example."
    body = compose(event(quote=quote), Room()).body
    assert quote in body.replace("\u200b", "")
    assert "\nLink: https://www.reddit.com/r/SkincareAddiction/comments/abc123/\n" in body
    assert body.splitlines()[4] == "Source: Agency A: notice to consumers, 2026 https://agency.example/notice"
    cited = event(evidence=[{"citation": "fda.gov, a notice to @all", "url": "https://fda.gov/x"}])
    assert "Source: fda.gov, a notice to @\u200ball https://fda.gov/x" in compose(cited, Room()).body


def test_a_text_is_one_line_without_anything_that_steers() -> None:
    assert harmless("a\n\tb\u202e\x1b[31mc\u200bd") == "a b [31mc d"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://www.tiktok.com/@somebody/video/7", "https://www.tiktok.com/%40somebody/video/7"),
        ('https://x.example/a|b>c`d e"f', "https://x.example/a%7Cb%3Ec%60d%20e%22f"),
        ("javascript:alert(1)", ""),
        (None, ""),
    ],
)
def test_a_link_holds_nothing_that_ends_or_mentions(url: str | None, shown: str) -> None:
    assert link(url) == shown


@pytest.mark.parametrize("body", [140, 160, 240, 400, 1_000, 2_000, 4_096])
@pytest.mark.parametrize("title", [0, 20, 250])
@pytest.mark.parametrize("lines", [0, 3, 8])
@pytest.mark.parametrize("quote", ["word " * 3_000, "<&>" * 4_000, "엑소좀 " * 2_000, "👩‍🔬" * 2_000])
def test_a_message_fits_with_its_signs_escaped(body: int, title: int, lines: int, quote: str) -> None:
    message = compose(event(quote=quote), Room(title=title, body=body, lines=lines))
    whole = message.body if title else message.title + "\r\n" + message.body
    assert len(html.escape(whole)) <= body
    assert len(message.title) <= (title or 120)
    assert not lines or message.body.count("\n") < lines
    assert message.body.startswith("Claim: ")


def test_the_quote_is_cut_before_anything_else_goes() -> None:
    message = compose(event(quote="word " * 3_000), Room(body=500))
    assert "…”" in message.body
    assert "Link: https://www.reddit.com" in message.body
    assert "Source: Agency A" in message.body
    assert 490 < len(html.escape(message.body)) <= 500, "no more is cut than must be"


@pytest.mark.parametrize(
    "broken", [{}, {"type": "x"}, {"type": "claim.new", "data": {"claim": None, "mention": 3, "items": "x"}}]
)
def test_whatever_an_event_holds_there_is_a_message(broken: dict[str, Any]) -> None:
    assert compose(broken, Room()).body.startswith("Alert: ")
