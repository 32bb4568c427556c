"""What was captured of the posts that carry a claim: their texts, as far as they may still be kept, and the hashes of these."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from monitor.ids import stored_id
from monitor.store import Connection, mentions, overview
from monitor.store.detail import Place
from monitor.words import Mention, Post


class Capture(msgspec.Struct, frozen=True, kw_only=True):
    """A post as it was heard. `fingerprint` was made then and outlives its text; `sha256` is of the text that is kept.

    `intact`: that text still gives that fingerprint.
    """

    mention: Mention
    fingerprint: str
    sha256: str | None
    intact: bool


async def heard(connection: Connection, places: Sequence[Place]) -> dict[str, Mention]:
    """The mentions that these occurrences stand in, by id."""
    return {one.id: one for one in await mentions.load(connection, _numbers(places))}


async def captures(connection: Connection, places: Sequence[Place]) -> dict[str, Capture]:
    """What was captured of the mentions that these occurrences stand in, by the mention's id."""
    numbers = _numbers(places)
    fingerprints = await overview.captured(connection, numbers)
    found = zip(numbers, await mentions.load(connection, numbers), strict=True)
    return {one.id: _capture(one, fingerprints[number]) for number, one in found}


def _numbers(places: Sequence[Place]) -> list[int]:
    found = (stored_id("m", name) for name in dict.fromkeys(place.mention_id for place in places))
    return [number for number in found if number is not None]


def _capture(one: Mention, fingerprint: str) -> Capture:
    if one.text is None:
        return Capture(mention=one, fingerprint=fingerprint, sha256=None, intact=False)
    return Capture(
        mention=one,
        fingerprint=fingerprint,
        sha256=hashlib.sha256(one.text.encode("utf-8", "surrogatepass")).hexdigest(),
        intact=Post(platform=one.platform, id=one.platform_id, text=one.text).version == fingerprint,
    )
