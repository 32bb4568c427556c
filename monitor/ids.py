"""Ids that users see: a letter for the kind and thirteen characters of Crockford's base 32, so that they sort by time as text."""

from __future__ import annotations

import hashlib
from typing import Literal

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUES = {char: value for value, char in enumerate(_ALPHABET)}
IdKind = Literal["m", "a", "d", "n"]  # mention, alert, delivery, news

# Two digits at once, from a local name: an id is made for every row that is read.
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]


def _base32(number: int) -> str:
    pairs = _PAIRS
    return (
        _ALPHABET[number >> 60 & 31]
        + pairs[number >> 50 & 1023]
        + pairs[number >> 40 & 1023]
        + pairs[number >> 30 & 1023]
        + pairs[number >> 20 & 1023]
        + pairs[number >> 10 & 1023]
        + pairs[number & 1023]
    )


def public_id(kind: IdKind, number: int) -> str:
    """The id that users see for a stored number below 2**63."""
    return f"{kind}_{_base32(number)}"


def stored_id(kind: IdKind, public: str) -> int | None:
    """The number behind a public id, or None where it is not an id of that kind."""
    prefix, _, digits = public.partition("_")
    if prefix != kind or len(digits) != 13 or not all(char in _VALUES for char in digits):
        return None
    number = 0
    for char in digits:
        number = number * 32 + _VALUES[char]
    return number if number < 2**63 else None


def claim_id_of(identity: str) -> str:
    """A claim's id: named by its identity alone, so that every machine gives the same one without asking another."""
    digest = hashlib.blake2b(identity.encode(), digest_size=8).digest()
    return f"c_{_base32(int.from_bytes(digest) >> 1)}"
