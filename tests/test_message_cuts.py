"""What goes first where a platform takes less than a message has, to the last character."""

from __future__ import annotations

import html
from typing import Any

import pytest

from tests.test_message import event
from workers.deliver.message import Room, compose, plain_cost, units

CLAIM = "Claim: The drops are approved by the FDA."
VERDICT = "Verdict: contradicted (US contradicted), by the register of evidence"
QUOTE = "Quote: “FDA approved”"
LINK = "Link: https://www.reddit.com/r/SkincareAddiction/comments/abc123/"
SOURCE = "Source: Agency A: notice to consumers, 2026 https://agency.example/notice"
ALERT = "Alert: a_1hpxk3v9d0c2e"
WHOLE = "\n".join([CLAIM, VERDICT, QUOTE, LINK, SOURCE, ALERT])
WITHOUT_SOURCE = "\n".join([CLAIM, VERDICT, QUOTE, LINK, ALERT])
TITLE = "New contradicted claim on reddit"


def body(room: Room, **more: Any) -> str:
    return compose(event(**more), room).body


@pytest.mark.parametrize(("text", "length"), [("", 0), ("a\uffff", 2), ("a\U00010000", 3), ("😀é", 3), ("👩‍🔬", 5)])
def test_an_emoji_counts_as_two(text: str, length: int) -> None:
    assert units(text) == length


@pytest.mark.parametrize(
    ("title", "text", "cost"),
    [("", "", 0), ("", "ab", 2), ("", "a<b", 6), ("t", "ab", 7), ("<", "", 8), ("😀", "😀", 8)],
)
def test_signs_cost_their_escapes_and_a_title_its_joint(title: str, text: str, cost: int) -> None:
    assert plain_cost(title, text) == cost


@pytest.mark.parametrize(
    ("room", "title"),
    [
        (33, TITLE),
        (32, TITLE),
        (31, "New contradicted claim on redd…"),
        (2, "N…"),
        (1, "…"),
    ],
)
def test_a_title_is_cut_to_its_room(room: int, title: str) -> None:
    assert compose(event(), Room(title=room)).title == title


def test_a_title_is_measured_with_its_signs_escaped() -> None:
    made = event()
    made["data"]["mention"]["platform"] = "&" * 9
    escaped = len(html.escape("New contradicted claim on &&&&"))
    assert compose(made, Room(title=escaped)).title == "New contradicted claim on &&&…"
    assert compose(made, Room(title=escaped + 25)).title == "New contradicted claim on " + "&" * 9


@pytest.mark.parametrize(("letters", "end"), [(93, "x" * 93), (94, "x" * 94), (95, "x" * 93 + "…"), (300, "x" * 93 + "…")])
def test_a_title_that_stands_before_the_body_takes_120_at_most(letters: int, end: str) -> None:
    made = event()
    made["data"]["mention"]["platform"] = "x" * letters
    assert compose(made, Room(title=0)).title == "New contradicted claim on " + end


@pytest.mark.parametrize(("title", "taken"), [(250, 0), (32, 0), (0, len(TITLE) + 4)])
def test_the_sources_go_when_one_character_is_missing(title: int, taken: int) -> None:
    needed = len(html.escape(WHOLE)) + taken
    assert body(Room(title=title, body=needed)) == WHOLE
    assert body(Room(title=title, body=needed - 1)) == WITHOUT_SOURCE


def test_a_cost_of_the_platforms_own_is_what_counts() -> None:
    asked: list[tuple[str, str]] = []

    def cost(title: str, text: str) -> int:
        asked.append((title, text))
        return 10 if SOURCE in text else 9

    assert body(Room(title=0, body=10, cost=cost)) == WHOLE
    assert body(Room(title=0, body=9, cost=cost)) == WITHOUT_SOURCE
    assert {title for title, _ in asked} == {TITLE}
    asked.clear()
    assert body(Room(title=99, body=9, cost=cost)) == WITHOUT_SOURCE
    assert {title for title, _ in asked} == {""}, "a title with a place of its own costs the body nothing"


@pytest.mark.parametrize(
    ("lines", "shown"),
    [
        (0, [CLAIM, VERDICT, QUOTE, LINK, SOURCE, ALERT]),
        (7, [CLAIM, VERDICT, QUOTE, LINK, SOURCE, ALERT]),
        (6, [CLAIM, VERDICT, QUOTE, LINK, SOURCE, ALERT]),
        (5, [CLAIM, VERDICT, QUOTE, LINK, ALERT]),
        (4, [CLAIM, VERDICT, QUOTE, LINK]),
        (3, [CLAIM, VERDICT, QUOTE]),
        (1, [CLAIM]),
    ],
)
def test_so_many_lines_and_no_more(lines: int, shown: list[str]) -> None:
    assert body(Room(lines=lines)).splitlines() == shown


SIX = [{"citation": f"Paper {n}", "url": f"https://p.example/{n}"} for n in range(1, 7)]
ONE_LINE = "Source: Paper {} https://p.example/{}"
THREE_SHOWN = [*(ONE_LINE.format(n, n) for n in (1, 2, 3)), "Sources: 3 more"]
ONE_SHOWN = [ONE_LINE.format(1, 1), "Sources: 5 more"]


def message(quote: str, sources: list[str]) -> str:
    return "\n".join([CLAIM, VERDICT, f"Quote: “{quote}”", LINK, *sources, ALERT])


@pytest.mark.parametrize(
    ("sources", "fewer"),
    [
        (THREE_SHOWN, ONE_SHOWN),  # then two of the three go
        (ONE_SHOWN, []),  # then the last
    ],
)
def test_a_quote_is_cut_down_to_sixty_characters_before_sources_go(sources: list[str], fewer: list[str]) -> None:
    quote = "abcdefghi " * 300
    shortest = message(quote[:59] + "…", sources)
    assert body(Room(body=len(shortest)), quote=quote, evidence=SIX) == shortest
    less = body(Room(body=len(shortest) - 1), quote=quote, evidence=SIX)
    longer = 59 + len("\n".join(sources)) - len("\n".join(fewer)) - (0 if fewer else -1)
    assert less == message(quote[: longer - 1] + "…", fewer)


@pytest.mark.parametrize("letters", [59, 60, 61, 62])
def test_a_quote_that_just_fits_is_whole(letters: int) -> None:
    quote = "x" * letters
    whole = message(quote, THREE_SHOWN)
    assert body(Room(body=len(whole)), quote=quote, evidence=SIX) == whole
    shorter = message(quote[:-2] + "…", THREE_SHOWN) if letters > 60 else message(quote, ONE_SHOWN)
    assert body(Room(body=len(whole) - 1), quote=quote, evidence=SIX) == shorter


def test_of_a_long_quote_as_much_is_shown_as_fits() -> None:
    least = len(message("x" * 60, THREE_SHOWN))
    for more in range(70):
        shown = body(Room(body=least + more), quote="x" * 100, evidence=SIX)
        letters = min(100, 60 + more)
        assert shown == message("x" * 100 if letters == 100 else "x" * (letters - 1) + "…", THREE_SHOWN)


@pytest.mark.parametrize("quote", ["x" * 100, "x" * 40])
def test_where_even_that_is_too_much_the_end_goes(quote: str) -> None:
    shown = quote if len(quote) <= 60 else quote[:59] + "…"
    least = "\n".join([CLAIM, VERDICT, f"Quote: “{shown}”", LINK, ALERT])
    assert body(Room(body=len(least)), quote=quote, evidence=SIX) == least
    for room in range(2, len(least)):
        assert body(Room(body=room), quote=quote, evidence=SIX) == least[: room - 1] + "…"
    assert body(Room(body=1), quote=quote) == "…"
    assert body(Room(body=0), quote=quote) == ""


def test_lines_that_are_too_long_are_cut_too() -> None:
    three = "\n".join([CLAIM, VERDICT, f"Quote: “{'x' * 59}…”"])
    assert body(Room(lines=3, body=len(three)), quote="x" * 100) == three
    assert body(Room(lines=3, body=len(three) - 1), quote="x" * 100) == three[:-2] + "…"
    assert body(Room(lines=3, body=50), quote="x" * 100) == three[:49] + "…"
