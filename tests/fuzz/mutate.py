"""Makes hostile data out of sound data: changes values and keys inside JSON, and bytes of everything else, by the seed alone."""

from __future__ import annotations

import json
import random
from typing import Any

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, 10**400, 1e308, -0.0, float("nan"), float("inf")),
    *("", " ", "\0", "\ud800", "x" * 5_000, "-1", "NaN", "1e999", "9" * 5_000, "é" * 50, "\u202e<script>&amp;&#0;&#x110000;"),
    *(
        "9999-12-31T23:59:59Z",
        "0000-00-00T00:00:00Z",
        "2026-02-30",
        "99999999999999",
        "2026-11-22T12:00:00+99:99",
        "٣",
        "http://[::1",
    ),
    *("http://\u2028", "javascript:alert(1)", "../../..", "%00%ff", "{}", "[]", "null"),
    *([], {}, [[]], [None], {"": None}, [{}], {"id": {"id": {"id": 1}}}),
)
BYTES = (
    b"\0",
    b"\xff\xfe",
    b"<",
    b"&",
    b"]]>",
    b"<!DOCTYPE x [",
    b"&#x110000;",
    b"'",
    b'"',
    b"{",
    b"[",
    b"\r\n",
    b"\xed\xa0\x80",
    b"9" * 50,
)


def mutated(body: bytes, chance: random.Random) -> bytes:
    """The body with one to three changes: inside its JSON where it is JSON (mostly), else of its bytes."""
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    if not isinstance(value, dict | list) or chance.random() < 0.15:
        return _of_bytes(body, chance)
    for _ in range(chance.randint(1, 3)):
        value = _of_value(value, chance)
    try:
        return json.dumps(value).encode()
    except (ValueError, RecursionError):
        return body


def _of_value(root: Any, chance: random.Random) -> Any:
    places = list(_places(root))
    if not places:
        return chance.choice(ODD)
    inside, key = chance.choice(places)
    how = chance.random()
    if how < 0.15:
        del inside[key]
    elif how < 0.25:
        other, there = chance.choice(places)
        inside[key] = json.loads(json.dumps(other[there]))
    elif how < 0.3 and isinstance(inside, list):
        inside.extend(json.loads(json.dumps(inside[:20])))
    elif how < 0.35:
        inside[key] = json.loads("[" * 200 + "]" * 200)
    else:
        inside[key] = json.loads(json.dumps(chance.choice(ODD)))
    return root


def _places(value: Any) -> Any:
    """Every container inside with a key of it."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])


def _of_bytes(body: bytes, chance: random.Random) -> bytes:
    for _ in range(chance.randint(1, 3)):
        start = chance.randint(0, len(body))
        end = min(len(body), start + chance.choice((0, 1, 3, 20, 200)))
        put = chance.choice((b"", chance.choice(BYTES), body[start:end] * 2, bytes(chance.randrange(256) for _ in range(4))))
        body = body[:start] + put + body[end:]
    return body
