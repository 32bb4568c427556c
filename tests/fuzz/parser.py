"""What one entry of the table of parsers is."""

from __future__ import annotations

from collections.abc import Callable

import msgspec


class Parser(msgspec.Struct, frozen=True):
    """One parser: what it is given in good order, what takes it, and by which errors that may refuse."""

    samples: tuple[bytes, ...]
    parse: Callable[[bytes], object]
    errors: tuple[type[Exception], ...] = ()
