"""A search with filters finds what a reading of every mention finds, whichever way the database goes."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from monitor.store import Database, mentions, parse_filters
from monitor.words import Mention
from tests.samples import judged, occurrence, write

TYPES, STANCES, VERDICTS = ("safety", "hair_efficacy"), ("asserts", "denies"), ("contradicted", "supported")
PLATFORMS, SOURCES = ("reddit", "tiktok"), ("a'b\\c", "tag")
WORDS = ("common", "middling", "rare")
CLAIM = {"type": TYPES, "stance": STANCES, "verdict": VERDICTS}
FILTERS: dict[str, tuple[str, ...]] = CLAIM | {"platform": PLATFORMS, "source": SOURCES, "text": WORDS}


async def fill(database: Database) -> list[Mention]:
    """Sixty mentions with up to two claims each; all of them."""
    dice = random.Random(5)
    batch = []
    for n in range(60):
        said = [word for word, one_in in zip(WORDS, (1, 3, 20), strict=True) if n % one_in == 0]
        text = f"{' '.join(said)} claim{n}x claim{n}y"
        found = [
            occurrence(text, f"claim{n}{letter}", f"{n}{letter}", **{name: dice.choice(all_) for name, all_ in CLAIM.items()})
            for letter in "xy"[: dice.randrange(3)]
        ]
        more = {"platform": dice.choice(PLATFORMS), "source": dice.choice(SOURCES)}
        batch.append(judged(str(n), text, *found, n=n, **more))
    await write(database, *batch)
    async with database.read() as connection:
        return list((await mentions.page(connection, parse_filters({"limit": ["500"]}))).items)


def passes(mention: Mention, given: dict[str, list[str]]) -> bool:
    asked = {name: values for name, values in given.items() if name in CLAIM}
    return (
        all(word in (mention.text or "").split() for word in given["text"])
        and mention.platform in given.get("platform", PLATFORMS)
        and mention.source in given.get("source", SOURCES)
        and (not asked or any(all(getattr(one, name) in values for name, values in asked.items()) for one in mention.claims))
    )


@pytest.fixture(params=["walked", "hits first"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How PostgreSQL goes: the look at the newest says that hits are common, or that there are hardly any."""
    if request.param == "hits first":
        monkeypatch.setattr("monitor.store.mentions._LOOKED_AT", 1)
        monkeypatch.setattr("monitor.store.mentions._FAR", 0)
    return str(request.param)


async def test_every_combination_finds_what_reading_all_finds(database: Database, way: str) -> None:
    everything = await fill(database)
    choices = [[None, values[:1], values[1:2], values] for values in FILTERS.values()]
    found_some = 0
    async with database.read() as connection:
        for chosen in itertools.islice(itertools.product(*choices), 0, None, 7):
            given = {name: list(values) for name, values in zip(FILTERS, chosen, strict=True) if values}
            if "text" not in given:
                continue
            page = await mentions.page(connection, parse_filters({**given, "limit": ["500"]}))
            assert [one.id for one in page.items] == [one.id for one in everything if passes(one, given)], given
            found_some += bool(page.items)
    assert found_some > 50


async def test_pages_of_a_search_follow_each_other(database: Database, way: str) -> None:
    everything = await fill(database)
    given = {"text": ["common"], "type": ["safety"]}
    seen: list[str] = []
    cursor: str | None = ""
    async with database.read() as connection:
        while cursor is not None:
            page = await mentions.page(connection, parse_filters({**given, "limit": ["7"], "cursor": [cursor]}))
            seen += [one.id for one in page.items]
            cursor = page.next
    assert seen == [one.id for one in everything if passes(one, given)]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda post, found: (post, (msgspec.structs.replace(found, stance="denies"),)), {"stance": ["denies"]}),
        (lambda post, found: (post, (msgspec.structs.replace(found, type="safety", claim_id="c_other"),)), {"type": ["safety"]}),
        (lambda post, found: (msgspec.structs.replace(post, source="other"), (found,)), {"source": ["other"]}),
    ],
)
async def test_an_edit_is_found_by_what_it_is_now(
    database: Database, way: str, change: Callable[[Any, Any], Any], found: dict[str, list[str]]
) -> None:
    before = {"stance": ["asserts"], "type": ["regulatory_status"], "source": ["skincare"]}
    first = judged("a", "it is approved", occurrence("it is approved", "approved", "approved"))
    post, claims = change(msgspec.structs.replace(first.post, text="now approved"), first.judgement.claims[0])
    claims = tuple(msgspec.structs.replace(one, start=4, end=12) for one in claims)
    later = msgspec.structs.replace(
        first, number=first.number + 1, post=post, judgement=msgspec.structs.replace(first.judgement, claims=claims)
    )
    await write(database, first)
    await write(database, later)
    (name,) = found
    async with database.read() as connection:
        for given, count in ((found, 1), ({name: before[name]}, 0)):
            page = await mentions.page(connection, parse_filters({"text": ["approved"], **given}))
            assert len(page.items) == count, given
