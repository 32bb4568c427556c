"""HTML becomes the text a reader would see, whatever the HTML."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.collectors.html import html_to_text, one_line, tidy
from monitor.collectors.reddit_text import author_of, text_of, written
from monitor.words import MAX_TEXT


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<p>One <b>bold</b> word.</p><p>Two.</p>", "One bold word.\n\nTwo."),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<ul><li>one</li><li>two</li></ul>end", "one\n\ntwo\n\nend"),
        ("AT&amp;T &lt;3 caf&eacute; &#8217;tis &#x1F600;", "AT&T <3 café ’tis 😀"),
        ("line one\nline two", "line one line two"),
        ("<td>1</td><td>2</td>", "1 2"),
        ("before<script>alert('<p>no</p>')</script>after", "beforeafter"),
        ("before<style>p { x: y }</style> after", "before after"),
        ("<!-- hidden --><![CDATA[x]]>seen<!doctype html>", "seen"),
        ("5 < 6 and 7 > 3, I <3 it", "5 < 6 and 7 > 3, I <3 it"),
        ('<a href="https://e.test/?a=1&amp;b=2">link</a>', "link"),
        ("<IMG SRC=x ONERROR=alert(1)>text", "text"),
        ("a&nbsp;&nbsp;b", "a b"),
        ("NUL \0 and bell \a", "NUL and bell"),
        ("half \ud83d a pair", "half \ufffd a pair"),
        ("&#99999999999999999999;", "\ufffd"),
        ("<svg><text>drawn</text></svg>said", "said"),
        ("<script>never closed", ""),
        ("", ""),
    ],
)
def test_text_of_html(source: str, text: str) -> None:
    assert html_to_text(source) == text


@pytest.mark.parametrize(
    "source",
    [
        "<" * 200_000,
        "<div>" * 20_000 + "deep" + "</div>" * 20_000,
        "<a " * 66_000,
        '<a "' * 50_000,
        "<!--" * 50_000,
        "<!x>" * 50_000,
        "<![x" * 50_000,
        "&#" * 100_000,
        "&#" + "9" * 200_000,
        "&" * 200_000,
        "<script>" * 25_000,
        "<script></script>" * 12_000,
        " \n" * 100_000,
        "a\u0301" * 100_000,
        "\u202e" * 200_000,
    ],
    ids=lambda source: source[:8].strip(),
)
def test_hostile_html_takes_no_time(source: str) -> None:
    started = time.perf_counter()
    text = html_to_text(source)
    assert time.perf_counter() - started < 15
    assert len(text) <= MAX_TEXT


def test_text_in_deep_nesting_is_kept() -> None:
    assert html_to_text("<div>" * 20_000 + "deep") == "deep"


def test_text_is_cut_at_the_limit() -> None:
    assert len(html_to_text("<p>" + "word " * 100_000)) <= MAX_TEXT
    assert html_to_text("<p>" + "x" * 50, 10) == "x" * 10


@given(st.text(alphabet=st.characters(), max_size=300))
@settings(max_examples=200, deadline=None)
def test_result_is_always_storable(source: str) -> None:
    for text in (html_to_text(source), tidy(source), one_line(source, 100)):
        text.encode("utf-8")
        assert "\0" not in text
        assert text == text.strip()


def test_reddit_boilerplate_is_cut() -> None:
    html = (
        '<!-- SC_OFF --><div class="md"><p>It <em>works</em>.</p>\n\n<p>Really.</p>\n</div><!-- SC_ON --> submitted by &#32; '
        '<a href="https://www.reddit.com/user/x"> /u/x </a> <br/> <span><a href="#">[link]</a></span>'
    )
    assert written(html) == "It works.\n\nReally."
    assert written('submitted by <a href="#"> /u/x </a> <span>[link]</span>') == ""


def test_reddit_posts_that_are_gone() -> None:
    assert text_of("A title", "[removed]") is None
    assert text_of("[deleted by user]", "") is None
    assert text_of("Tom &amp; co", "body") == "Tom & co\n\nbody"
    assert author_of("/u/name") == author_of("name") == "name"
    assert author_of("[deleted]") is None
