"""What one Reddit post is, whichever way it was heard: by the API and by the public feeds it must be one mention with one text.

Both ways carry the post's rendered HTML, so that is what the text is made from; Markdown serves only where there is no HTML.
"""

from __future__ import annotations

import re

from monitor.collectors.html import html_to_text, one_line, tidy, unescape
from monitor.words import MAX_NAME, MAX_TEXT, compose_text

_GONE = frozenset(("[deleted]", "[removed]", "[deleted by user]", "[ removed by reddit ]", "[removed by reddit]"))
_WRITTEN = re.compile(r'<div class="md"\s*>')


def written(html: str) -> str:
    """The text that a person wrote out of Reddit's HTML; '' where there is only 'submitted by … [link] [comments]'."""
    start = _WRITTEN.search(html)
    if start is None:
        return ""
    end = html.rfind("</div>")
    return html_to_text(html[start.end() : end if end > start.end() else len(html)])


def from_markdown(markdown: str) -> str:
    """A body without HTML, its line breaks kept."""
    return tidy(markdown)


def text_of(title: str, body: str) -> str | None:
    """Title (of a post; comments have none) and body as one text; None where the post was deleted or removed, or says nothing."""
    title = one_line(unescape(title), MAX_TEXT)
    if title.lower() in _GONE or body.strip().lower() in _GONE:
        return None
    return compose_text(title, body)[:MAX_TEXT] or None


def author_of(name: str | None) -> str | None:
    """The bare user name; None for a deleted account."""
    name = one_line(name or "", MAX_NAME).removeprefix("/u/").removeprefix("u/")
    return None if not name or name.lower() in _GONE else name
