"""HTML to plain text: small, bounded, in one pass.

Not built on `html.parser`: that takes quadratic time on unfinished tags (200 kB of `<a ` keep it busy for minutes), and feeds are
hostile. What is needed here is little: drop tags, keep text, break lines at blocks, decode entities with the standard library.
The two patterns below cannot backtrack (every repetition is possessive and excludes what follows it), so time is linear.
"""

from __future__ import annotations

import html
import re

from monitor.words import MAX_TEXT

_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9:-]*+)([^<>]*+)>")
_NOT_ELEMENT = re.compile(r"<!--|<[!?][A-Za-z\[]")
_LONG_REFERENCE = re.compile(r"&#[xX]?[0-9A-Fa-f]{9,}+;?")
_BLANKS = re.compile(r"[^\S\n]++")
# What an element does to the text around it; every other one (b, a, span) does nothing.
_BREAKS = {
    **dict.fromkeys(("p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "pre", "blockquote", "table", "hr"), "\n\n"),
    **dict.fromkeys(("section", "article", "header", "footer", "aside", "figure", "form", "fieldset"), "\n\n"),
    **dict.fromkeys(("br", "div", "li", "tr", "dt", "dd", "figcaption", "caption", "thead", "tbody", "tfoot"), "\n"),
    **dict.fromkeys(("address", "nav", "main", "option", "legend", "summary", "details"), "\n"),
    **dict.fromkeys(("td", "th"), " "),
}
_UNSEEN = frozenset(("script", "style", "template", "svg", "math", "iframe", "object", "noframes", "select", "head"))
# What text may not hold: NUL and other controls (databases and terminals choke on them) and halves of surrogate pairs.
_REFUSED = dict.fromkeys([*range(9), 11, 12, *range(14, 32), *range(127, 160)]) | {13: "\n", 0x85: "\n"}
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def html_to_text(source: str, limit: int = MAX_TEXT) -> str:
    """The text a reader would see, at most `limit` characters: blocks on lines of their own, paragraphs after a blank line."""
    source = _without_comments(source[: limit * 8])
    parts: list[str] = []
    unseen: str | None = None
    position = length = 0
    for tag in _TAG.finditer(source):
        closing, name = tag[1], tag[2].lower()
        if unseen is not None:
            if closing and name == unseen:
                unseen, position = None, tag.end()
            continue
        words = source[position : tag.start()]
        parts.append(_joined(words))
        length += len(words)
        position = tag.end()
        if length > limit * 2:
            break
        if name in _UNSEEN and not closing and not tag[3].endswith("/"):
            unseen = name
        else:
            parts.append(_BREAKS.get(name, ""))
    if unseen is None:
        parts.append(_joined(source[position : position + limit * 2]))
    return tidy(unescape("".join(parts)), limit)


def unescape(text: str) -> str:
    """Entities decoded once. The standard library's own fails on references with thousands of digits; those become U+FFFD."""
    return html.unescape(_LONG_REFERENCE.sub("\ufffd", text))


def tidy(text: str, limit: int = MAX_TEXT) -> str:
    """Plain text as it is kept: no control characters, no broken surrogates, single blanks, at most one blank line, bounded."""
    text = clean(text.replace("\r\n", "\n")[: limit * 4])
    lines = [_BLANKS.sub(" ", line).strip() for line in text.split("\n")]
    kept: list[str] = []
    for line in lines:
        if line or (kept and kept[-1]):
            kept.append(line)
    return "\n".join(kept).strip()[:limit].rstrip()


def clean(text: str) -> str:
    """`text` without what no database takes: control characters dropped, halves of surrogate pairs replaced."""
    return _SURROGATE.sub("\ufffd", text.translate(_REFUSED))


def one_line(text: str, limit: int) -> str:
    """Like `tidy`, on one line: titles, names."""
    return " ".join(clean(text[: limit * 8]).split())[:limit].rstrip()


def _joined(words: str) -> str:
    """Line breaks in HTML's own text are blanks; `&nbsp;` is decoded later and folds there."""
    return words.replace("\n", " ").replace("\r", " ")


def _without_comments(source: str) -> str:
    """Comments, declarations and processing instructions cut out; an unfinished comment swallows the rest, as in a browser."""
    parts, position = [], 0
    while found := _NOT_ELEMENT.search(source, position):
        comment = found[0] == "<!--"
        end = source.find("-->" if comment else ">", found.end())
        parts.append(source[position : found.start()])
        if end < 0:
            return "".join(parts) + ("" if comment else source[found.start() :])
        position = end + (3 if comment else 1)
    return "".join(parts) + source[position:]
