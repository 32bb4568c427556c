"""What `rejudge` foretells is what happens: how many mentions change and how, with examples, whatever the pages are."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from monitor.ids import claim_id_of
from monitor.store import Database
from monitor.topic.watchlist import Watched, Watchlist
from monitor.words import Mention
from tests.one_database import store_url
from tests.packs import CURES, CURES_TEXT, FLOUR_TEXT, LEXICON, Judging, bread, verdict_of
from tests.test_rejudge import CURED, EVERYTHING, FLOUR, LATER, RYE, RYE_TEXT, everything, found_in, nobody, pack, running
from workers import rejudge, retag
from workers.judgement import Judge
from workers.reader import Given, LocalReader, Weighed
from workers.rejudge import Example, Outlook, Rejudging, VerdictChange
from workers.retag import Retagging

__all__ = ["pack", "store_url"]

HEALTHIER = verdict_of("cures-coeliac-disease", "global: supported")
DOUBTED = verdict_of("made-of-flour", "global: contradicted")
SAID = [
    CURES_TEXT,
    FLOUR_TEXT,
    RYE_TEXT,
    f"They say that {FLOUR_TEXT}",  # with distance
    f"They say that {CURES_TEXT}",
    "According to the label, sourdough cures celiac disease",  # without
    "According to the label, rye bread is made of flour",
    "Does sourdough cure celiac disease?",
    "Is rye bread made of flour?",
    "Sourdough does not cure celiac disease",
    "Rye bread is not made of flour",
    f"{FLOUR_TEXT} and {CURES_TEXT}",
    "My sourdough is made of flour and consists of flour",
    "My sourdough rises",
]


def flips(before: dict[str, Mention], after: dict[str, Mention]) -> tuple[int, int, int, int, int]:
    """Alerts that went on and off, mentions of other claims, and how many claims these gained and lost."""
    pairs = [(before[key], after[key]) for key in before]
    gained = [set(found_in(now)) - set(found_in(was)) for was, now in pairs]
    lost = [set(found_in(was)) - set(found_in(now)) for was, now in pairs]
    return (
        sum(now.alert and not was.alert for was, now in pairs),
        sum(was.alert and not now.alert for was, now in pairs),
        sum(bool(more or less) for more, less in zip(gained, lost, strict=True)),
        sum(map(len, gained)),
        sum(map(len, lost)),
    )


@pytest.mark.parametrize(
    ("edits", "foretold"),
    [
        ((HEALTHIER,), (0, 3, 0, 0, 0)),
        ((DOUBTED,), (3, 0, 0, 0, 0)),
        ((HEALTHIER, DOUBTED), (3, 2, 0, 0, 0)),
        (LATER, (1, 0, 7, 1, 6)),
        ((*LATER, HEALTHIER, DOUBTED), (2, 3, 7, 1, 6)),
    ],
    ids=["healthier", "doubted", "register", "lexicon", "both"],
)
async def test_alerts_and_claims_flip_as_it_was_said(
    database: Database,
    pack: Path,
    monkeypatch: pytest.MonkeyPatch,
    edits: Sequence[tuple[str, str, str]],
    foretold: tuple[int, int, int, int, int],
) -> None:
    monkeypatch.setattr(rejudge, "PAGE", 4)
    by = Judging(bread(pack))
    await by.write(database, *(by.judged(f"p{n:02}", text) for n, text in enumerate(SAID)))
    before, _, _ = await everything(database)
    seen: list[int] = []
    written: list[int] = []
    async with running(database, bread(pack, *edits)) as run:
        outlook = await run.look(EVERYTHING, seen.append)
        applied = await run.apply(asyncio.Event(), written.append)
    after, _, _ = await everything(database)
    assert (outlook.alerts_on, outlook.alerts_off, outlook.other_claims, outlook.gained, outlook.lost) == foretold
    assert flips(before, after) == foretold
    assert seen == written == [4, 4, 4, 2]
    assert (outlook.judged, outlook.up_to_date, applied.mentions) == (14, 0, 14)


async def test_the_whole_outlook_with_the_first_five_of_everything(database: Database, pack: Path) -> None:
    number = "\n    number: {kind: percent, key: 'flour-{number}pct', claim: 'Sourdough bread is {number} per cent flour.'}"
    counted = (LEXICON, '    when: ["made of|from flour"]', f'    when: ["made of|from flour"]{number}')
    by = Judging(bread(pack, counted))
    shares = [f"Rye bread is {share}% made of flour" for share in range(11, 18)]
    await by.write(database, *(by.judged(f"f{n}", text, author=f"a{n}") for n, text in enumerate(shares)))
    await by.write(database, *(by.judged(f"r{n}", RYE_TEXT, author=f"b{n}") for n in range(7)))
    await by.write(database, by.judged("c", f"{CURES_TEXT}, as they say"), by.judged("d", CURES_TEXT, author="z"))
    heard, said, _ = await everything(database)
    later = bread(
        pack,
        (LEXICON, 'when: ["made of|from flour"]', f'when: ["consists of flour"]{number}'),
        LATER[1],
        HEALTHIER,
        DOUBTED,
    )
    async with running(database, later) as run:
        assert await run.count(EVERYTHING) == (16, 0)
        outlook = await run.look(EVERYTHING, nobody)
    shared = sorted(one for one in said if said[one].type == "composition")
    names = {claim_id_of(f"flour-{share}pct"): f"Sourdough bread is {share} per cent flour." for share in range(11, 18)}
    changes = [
        VerdictChange(claim_id=one, claim=names.get(one, CURES), before=said[one].verdict, now=now, mentions=said[one].mentions)
        for one, now in sorted([*((one, "contradicted") for one in shared), (CURED, "supported")])
    ]
    assert outlook == Outlook(
        classifier=Judge(later).classifier.version,
        register=later.register.version,
        judged=16,
        other_claims=14,
        gained=7,
        lost=7,
        verdicts_changed=8,
        alerts_on=7,
        alerts_off=2,
        gained_examples=[
            Example(mention_id=heard[f"r{n}"].id, claim_id=RYE, claim="Sourdough bread is made of rye.", verdict="unsupported")
            for n in range(5)
        ],
        lost_examples=[
            Example(mention_id=heard[f"f{n}"].id, claim_id=claim_id, claim=names[claim_id], verdict="contradicted")
            for n, claim_id in enumerate(list(names)[:5])
        ],
        verdict_examples=changes[:5],
    )


async def test_a_new_claim_comes_with_its_evidence_and_its_quote(database: Database, pack: Path) -> None:
    by = Judging(bread(pack))
    await by.write(database, by.judged("r", RYE_TEXT), by.judged("f", f"{FLOUR_TEXT}, made from rye"))
    later = bread(pack, (LEXICON, "", LATER[1][2].replace("    when", "    entry: made-of-flour\n    when")))
    async with running(database, later) as run:
        outlook = await run.look(EVERYTHING, nobody)
        assert [one.verdict for one in outlook.gained_examples] == ["supported", "supported"]
        await run.apply(asyncio.Event(), nobody)
    heard, said, _ = await everything(database)
    fresh = Judge(later)
    for one in heard.values():
        assert one.text is not None
        judged = fresh.judge("x", one.text).claims
        assert [(place.quote, place.start, place.evidence, place.why) for place in one.claims] == [
            (place.quote, place.start, place.evidence, place.why) for place in judged
        ]
    assert found_in(heard["r"]) == [RYE]
    assert set(found_in(heard["f"])) == {FLOUR, RYE}
    assert said[RYE].verdict == "supported"


async def test_the_same_claims_in_other_words_are_read_otherwise(database: Database, pack: Path) -> None:
    by = Judging(bread(pack))
    await by.write(database, *(by.judged(f"p{n}", CURES_TEXT, author=f"a{n}") for n in range(3)))
    surer = ("lexicon/claims/disease_treatment.yaml", "sure: 0.9", "sure: 0.8")
    async with running(database, bread(pack, surer)) as run:
        outlook = await run.look(EVERYTHING, nobody)
        applied = await run.apply(asyncio.Event(), nobody)
    assert (outlook.judged, outlook.read_otherwise, outlook.other_claims, applied.mentions) == (3, 3, 0, 3)
    heard, _, _ = await everything(database)
    assert {place.confidence for one in heard.values() for place in one.claims} == {0.8}


async def test_a_claim_that_nobody_carries_changes_without_a_word(database: Database, pack: Path) -> None:
    by = Judging(bread(pack))
    await by.write(database, by.judged("a", FLOUR_TEXT))
    async with running(database, bread(pack, *LATER)) as run:
        await run.look(EVERYTHING, nobody)
        await run.apply(asyncio.Event(), nobody)
    async with running(database, bread(pack, *LATER, DOUBTED)) as run:
        outlook = await run.look(EVERYTHING, nobody)
        applied = await run.apply(asyncio.Event(), nobody)
    assert (outlook.verdicts_changed, outlook.verdict_examples, applied.told) == (0, [], 0)


class Choosy(LocalReader):
    """The local reader, for which some posts are too much, and which keeps what it was given."""

    def __init__(self, judge: Judge) -> None:
        super().__init__(judge)
        self.given: list[Given] = []

    async def weigh(self, posts: Sequence[Given]) -> list[Weighed | Exception]:
        self.given += posts
        outcomes = await super().weigh(posts)
        return [
            ValueError("too much for me") if FLOUR_TEXT in post.text else outcome
            for post, outcome in zip(posts, outcomes, strict=True)
        ]


async def test_what_cannot_be_read_now_stays_as_it_is_and_is_named(database: Database, pack: Path) -> None:
    by = Judging(bread(pack))
    texts = {"a": FLOUR_TEXT, "b": RYE_TEXT, "c": f"{FLOUR_TEXT}!"}
    await by.write(database, *(by.judged(key, text) for key, text in texts.items()))
    before, _, _ = await everything(database)
    topic = bread(pack, *LATER)
    reader = Choosy(Judge(topic))
    run = Rejudging(database, topic, reader, ("US",), ())
    try:
        with capture_logs() as logs:
            outlook = await run.look(EVERYTHING, nobody)
        applied = await run.apply(asyncio.Event(), nobody)
    finally:
        run.close()
    assert reader.given == [Given(before[key].id, text, "en") for key, text in texts.items()]
    assert (outlook.judged, outlook.failed, outlook.to_do, applied.mentions) == (3, 2, True, 1)
    after, _, _ = await everything(database)
    assert {key: found_in(one) for key, one in after.items()} == {"a": [FLOUR], "b": [RYE], "c": [FLOUR]}
    warned = [(one["mention"], one["error"]) for one in logs if one["log_level"] == "warning"]
    assert warned == [(before[key].id, "too much for me") for key in ("a", "c")]


async def test_where_all_fail_there_is_nothing_to_do(database: Database, pack: Path) -> None:
    by = Judging(bread(pack))
    await by.write(database, by.judged("a", FLOUR_TEXT))
    topic = bread(pack, *LATER)
    run = Rejudging(database, topic, Choosy(Judge(topic)), ("US",), ())
    try:
        outlook = await run.look(EVERYTHING, nobody)
    finally:
        run.close()
    assert (outlook.judged, outlook.failed, outlook.to_do) == (1, 1, False)


# Names of the watchlist


def listing(*names: str) -> Watchlist:
    return Watchlist([Watched(name=name, kind="brand") for name in names])


async def named(database: Database) -> dict[str, list[str]]:
    heard, _, _ = await everything(database)
    return {key: sorted(one.watch) for key, one in heard.items()}


async def retagged(database: Database, watchlist: Watchlist, stop: asyncio.Event | None = None) -> tuple[int, int]:
    run = Retagging(database, watchlist)
    try:
        return await run.look(EVERYTHING), await run.apply(stop or asyncio.Event())
    finally:
        run.close()


@pytest.mark.parametrize("page", [2, 200])
async def test_names_are_found_and_taken_away_whatever_the_pages_are(
    database: Database, pack: Path, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(retag, "PAGE", page)
    by = Judging(bread(pack))
    texts = ["Mill", "Oven", "neither", "Mill and Oven", "Mill"]
    await by.write(database, *(by.judged(f"p{n}", f"Sourdough by {text}") for n, text in enumerate(texts)))
    assert await retagged(database, listing()) == (0, 0)
    assert await retagged(database, listing("Mill", "Oven")) == (4, 4)
    assert await named(database) == {"p0": ["Mill"], "p1": ["Oven"], "p2": [], "p3": ["Mill", "Oven"], "p4": ["Mill"]}
    assert await retagged(database, listing("Oven", "Mill")) == (0, 0)
    assert await retagged(database, listing("Oven")) == (3, 3)
    assert await named(database) == {"p0": [], "p1": ["Oven"], "p2": [], "p3": ["Oven"], "p4": []}
    assert await retagged(database, listing()) == (2, 2)


async def test_names_are_not_written_once_it_is_to_stop(database: Database, pack: Path) -> None:
    by = Judging(bread(pack))
    await by.write(database, by.judged("p0", "Sourdough by Mill"))
    stop = asyncio.Event()
    stop.set()
    assert await retagged(database, listing("Mill"), stop) == (1, 0)
    assert await named(database) == {"p0": []}


async def test_a_post_that_is_edited_meanwhile_keeps_its_names(database: Database, pack: Path) -> None:
    by = Judging(bread(pack))
    await by.write(database, by.judged("p0", "Sourdough by Mill"), by.judged("p1", "Sourdough of Mill"))
    run = Retagging(database, listing("Mill"))
    try:
        assert await run.look(EVERYTHING) == 2
        await by.write(database, by.judged("p0", "Sourdough by nobody", hours_ago=0.5))
        assert await run.apply(asyncio.Event()) == 1
    finally:
        run.close()
    assert await named(database) == {"p0": [], "p1": ["Mill"]}
