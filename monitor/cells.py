"""Values as the cells of a file that people open: nothing in them steers a terminal, and no spreadsheet runs them."""

from __future__ import annotations

import re
from typing import Any

from monitor import words

_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -~])|\x9b[0-?]*[ -/]*[@-~]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
# What a spreadsheet takes for the beginning of a formula, the wide forms of East Asian keyboards included.
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def plain(text: str, *, keep_lines: bool = False) -> str:
    """A text without anything that steers a terminal, on one line unless lines are kept."""
    harmless = _CONTROL.sub("", _SEQUENCE.sub("", text))
    return harmless if keep_lines else " ".join(harmless.split())


def csv_cell(value: Any) -> str:
    """A value as a cell: what is nested as JSON, nothing as nothing, and an apostrophe before whatever could be a formula."""
    if isinstance(value, bool) or value is None:
        return "" if value is None else str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    text = plain(value, keep_lines=True) if isinstance(value, str) else words.encode(value).decode()
    # Some programs leave out blanks before they look; and a cell that begins with one of these can break out of its column.
    return "'" + text if text.lstrip().startswith(_FORMULA) or text.startswith(("\t", "\n")) else text
