"""Whole lists as files: mentions, occurrences, claims or alerts as CSV, JSON lines or Parquet, page by page.

`pages` reads a list through, `writer` makes the bytes; neither ever holds more than a page of it (Parquet: a row group).
"""

from monitor.export.rows import KINDS, LISTED, Kind, pages
from monitor.export.writers import CONTENT_TYPES, FORMATS, FormatMissing, Writer, writer

__all__ = [
    "CONTENT_TYPES",
    "FORMATS",
    "KINDS",
    "LISTED",
    "FormatMissing",
    "Kind",
    "Writer",
    "pages",
    "writer",
]
