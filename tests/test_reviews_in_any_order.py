"""Posts, edits, merges, splits, takings back, readings anew and changed verdicts in whatever order: claims stay whole.

What should hold is worked out beside the record in the plainest way: of each mention, what was read in it and where a person put
that; of each claim, what it was merged into. Everything else follows from these.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from sqlalchemy import select

from monitor.ids import claim_id_of
from monitor.settings.model import Alerts
from monitor.store import Database, alerts, claims, mentions, parse_filters, rejudged, reviews, verdicts
from monitor.store.conditions import NOVELTY
from monitor.store.judged import Judged, Origin
from monitor.store.rejudged import Reread
from monitor.store.tables import alert, claim, mention
from monitor.words import Claim, Mention, Occurrence, Verdict
from tests.samples import asking, judged, occurrence, write
from workers.alert import drafts

QUOTES = {"approved": "FDA approved", "cleared": "FDA cleared", "pills": "pills exist", "safe": "no risk"}
TEXT = f"Exosomes: {', '.join(QUOTES.values())}"
VERDICTS: tuple[Verdict, ...] = ("supported", "unsupported", "contradicted")
RULES = Alerts(spreading=[2, 4])
STEPS, CHECK_EVERY = 60, 4

Found = tuple[str, str]  # what the reader found: the claim's identity, the stance


class Heard(msgspec.Struct):
    """A mention as it should be: who said it where, what was read in it, and where a person put what was read as a claim."""

    platform: str
    author: str
    found: list[Found]
    put: dict[str, str]


class World:
    """What should be on record; every change is made in both."""

    def __init__(self, database: Database, dice: random.Random) -> None:
        self._database = database
        self._dice = dice
        self.log: list[str] = []
        self.heard: dict[str, Heard] = {}
        self.merged: dict[str, str] = {}  # claim id: the one that it was merged into
        self.verdict: dict[str, Verdict] = {claim_id_of(one): "contradicted" for one in QUOTES}
        self.verdict[claim_id_of("safe")] = "supported"
        self._count = 0
        self._made: set[str] = set()

    def root(self, claim_id: str) -> str:
        while claim_id in self.merged:
            claim_id = self.merged[claim_id]
        return claim_id

    def claims_of(self, one: Heard) -> list[str]:
        ids = [claim_id_of(name) for name, _ in one.found]
        return [self.root(one.put.get(claim_id, claim_id)) for claim_id in ids]

    def known(self) -> list[str]:
        """Claims that a mention was ever read as, or that a review made, merged ones included."""
        return sorted(self._made)

    # What may happen

    async def hear(self) -> None:
        key = f"p{len(self.heard)}"
        one = Heard(self._dice.choice(("reddit", "tiktok")), f"a{self._dice.randrange(6)}", self._reading(), {})
        self.heard[key] = one
        await self._offer(key, one)

    async def edit(self) -> None:
        key = self._some_mention()
        self.heard[key].found = self._reading()
        await self._offer(key, self.heard[key])

    async def merge(self) -> None:
        claim_id, into = self._some_claim(), self._some_claim()
        source, target = self.root(claim_id), self.root(into)
        self.log.append(f"merge {claim_id} into {into}")
        async with self._database.write() as connection:
            if source == target:
                with pytest.raises(reviews.ReviewError, match="one claim already"):
                    await reviews.merge(connection, claim_id, into, "ann")
                return
            assert await reviews.merge(connection, claim_id, into, "ann") == target
        self.merged[source] = target

    async def unmerge(self) -> None:
        claim_id = self._some_claim()
        self.log.append(f"unmerge {claim_id}")
        async with self._database.write() as connection:
            if claim_id not in self.merged:
                with pytest.raises(reviews.ReviewError, match="is not merged"):
                    await reviews.unmerge(connection, claim_id, "bob")
                return
            assert await reviews.unmerge(connection, claim_id, "bob") == claim_id
        del self.merged[claim_id]

    async def split(self) -> None:
        source = self.root(self._some_claim())
        carrying = [key for key, one in self.heard.items() if source in self.claims_of(one)]
        if len(carrying) < 2:
            return
        chosen = self._dice.sample(carrying, self._dice.randrange(1, len(carrying)))
        names = [f"{self.heard[key].platform}:{key}" for key in chosen]
        async with self._database.write() as connection:
            new = await reviews.split(connection, source, names, "A claim of its own.", "ann")
        self.log.append(f"split {names} off from {source} as {new}")
        self._put(chosen, source, lambda _: new)
        self._made.add(new)
        self.verdict[new] = "unsupported"

    async def confirm(self) -> None:
        source = self.root(self._some_claim())
        carrying = [key for key, one in self.heard.items() if source in self.claims_of(one)]
        if not carrying:
            return
        chosen = self._dice.sample(carrying, self._dice.randrange(1, len(carrying) + 1))
        names = [f"{self.heard[key].platform}:{key}" for key in chosen]
        self.log.append(f"confirm {names} of {source}")
        async with self._database.write() as connection:
            await reviews.confirm_mentions(connection, source, names, "ann")
        self._put(chosen, source, lambda home: home)

    async def read_again(self) -> None:
        chosen = self._dice.sample(sorted(self.heard), min(len(self.heard), 3))
        self.log.append(f"read again {chosen}")
        self._count += 1
        batch = []
        async with self._database.write() as connection:
            for key in chosen:
                one = self.heard[key]
                one.found = self._reading()
                self._made.update(claim_id_of(name) for name, _ in one.found)
                row = (await connection.execute(select(mention).where(mention.c.platform_id == key))).one()
                anew = self._judged(key, one)
                batch.append(
                    Reread(
                        number=row.id, text_version=row.text_version, classifier=f"c{self._count}", register="r1",
                        judgement=anew.judgement, origins=anew.origins,
                    )
                )  # fmt: skip
            assert len(await rejudged.rerecord(connection, batch)) == len(batch)
        await self._follow()

    async def judge_otherwise(self) -> None:
        claim_id, now = self._some_claim(), self._dice.choice(VERDICTS)
        self.log.append(f"{claim_id} is {now}")
        async with self._database.write() as connection:
            one = (await verdicts.load(connection, [claim_id]))[claim_id]
            held = replace(one.held, verdict=now, verdicts={"US": now})
            await verdicts.change(connection, one, replace(one, held=held), "r2", None)
        self.verdict[claim_id] = now
        await self._follow()

    # How

    def _reading(self) -> list[Found]:
        names = self._dice.choices(list(QUOTES), k=self._dice.randrange(4))
        return [(name, self._dice.choice(("asserts", "asserts", "denies"))) for name in names]

    def _some_mention(self) -> str:
        return self._dice.choice(sorted(self.heard))

    def _some_claim(self) -> str:
        return self._dice.choice(self.known())

    def _put(self, keys: list[str], source: str, where: Callable[[str], str]) -> None:
        for key in keys:
            one = self.heard[key]
            for name, _ in one.found:
                home = one.put.get(claim_id_of(name), claim_id_of(name))
                if self.root(home) == source:
                    one.put[claim_id_of(name)] = where(home)

    def _judged(self, key: str, one: Heard) -> Judged:
        text = f"{TEXT} {self._count}"
        found = [self._occurrence(text, *each) for each in one.found]
        said = judged(key, text, *found, platform=one.platform, author=one.author, hours_ago=1 - self._count / 1e4)
        origins = tuple(Origin(proposition=name) for name, _ in one.found)
        return asking(replace(said, origins=origins), partial(drafts, post=said.post, alerts=RULES, endpoints=()))

    def _occurrence(self, text: str, name: str, stance: str) -> Occurrence:
        verdict = self.verdict[claim_id_of(name)]
        return occurrence(text, QUOTES[name], name, stance=stance, verdict=verdict, verdicts={"US": verdict})

    async def _offer(self, key: str, one: Heard) -> None:
        self._count += 1
        self.log.append(f"{key} by {one.author} on {one.platform} says {one.found}")
        before = await self._novelties()
        await write(self._database, self._judged(key, one))
        self._made.update(claim_id_of(name) for name, _ in one.found)
        now = self._now()
        after = await self._novelties()
        for claim_id, (name, stance) in zip(self.claims_of(one), one.found, strict=True):
            if stance == "asserts" and self.verdict[claim_id] != "supported":
                assert after[claim_id], f"{now}: nothing was ever told of {claim_id}, as which {name} counts"
        for claim_id, number in (after - before).items():
            assert number == 1, f"{now}: {claim_id} was told {number} times at once"
            assert not before[claim_id], f"{now}: {claim_id} was told again"

    async def _novelties(self) -> Counter[str]:
        """How often each claim was told as new: by an alert that is its, or that was its and went with a split."""
        async with self._database.read() as connection:
            rows = (await connection.execute(select(alert).where(alert.c.kind.in_(NOVELTY)))).all()
        return Counter(claim_id for row in rows for claim_id in {row.claim_id, row.dedupe_key.split(":")[1]})

    async def _follow(self) -> None:
        """As whoever holds the claims does: brings to date what a change has left behind."""
        async with self._database.read() as connection:
            behind = list((await connection.execute(select(claim.c.id).where(claim.c.behind.is_not(None)))).scalars())
        for claim_id in behind:
            async with self._database.write() as connection:
                one = (await verdicts.load(connection, [claim_id]))[claim_id]
                assert await verdicts.follow(connection, claim_id, one.held) is None

    def _now(self) -> str:
        return "\n".join(self.log)

    # What should hold

    async def check(self) -> None:
        async with self._database.read() as connection:
            everything = parse_filters({"limit": ["500"]})
            on_record = {one.platform_id: one for one in (await mentions.page(connection, everything)).items}
            listed = {one.id: one for one in (await claims.page(connection, everything)).items}
            told = (await alerts.page(connection, everything)).items
            carried = {
                claim_id: (await mentions.page(connection, parse_filters({"claim": [claim_id]}))).items
                for claim_id in self.known()
            }
            found = {claim_id: await claims.find(connection, claim_id) for claim_id in self.known()}
        assert on_record.keys() == self.heard.keys()
        for key, one in self.heard.items():
            self._check_mention(on_record[key], one)
        assert listed.keys() == {claim_id for claim_id in self.known() if claim_id not in self.merged}, self._now()
        for said in listed.values():
            self._check_claim(said)
        for claim_id in self.known():
            carrying = {key for key, one in self.heard.items() if self.root(claim_id) in self.claims_of(one)}
            assert {one.platform_id for one in carried[claim_id]} == carrying, f"{self._now()}: mentions of {claim_id}"
            now = found[claim_id]
            assert now is not None
            assert now.id == self.root(claim_id), self._now()
        assert {one.claim_id for one in told} <= listed.keys(), f"{self._now()}: an alert is of a merged claim"

    def _check_mention(self, found: Mention, one: Heard) -> None:
        where = f"{self._now()}: {found.platform_id}"
        assert [place.claim_id for place in found.claims] == self.claims_of(one), where
        assert [place.verdict for place in found.claims] == [self.verdict[claim_id] for claim_id in self.claims_of(one)], where
        assert [place.stance for place in found.claims] == [stance for _, stance in one.found], where
        assert found.alert == any(place.alerting for place in found.claims), where

    def _check_claim(self, found: Claim) -> None:
        carrying = [one for one in self.heard.values() if found.id in self.claims_of(one)]
        platforms = Counter(one.platform for one in carrying)
        forward = {(one.platform, one.author) for one in carrying if self._puts_forward(one, found.id)}
        assert (found.verdict, found.mentions, found.platforms, found.authors) == (
            self.verdict[found.id],
            len(carrying),
            dict(platforms),
            len(forward),
        ), f"{self._now()}: {found.id}"

    def _puts_forward(self, one: Heard, claim_id: str) -> bool:
        return any(
            where == claim_id and stance == "asserts" for where, (_, stance) in zip(self.claims_of(one), one.found, strict=True)
        )


def steps(world: World, dice: random.Random) -> Iterator[Any]:
    for _ in range(STEPS):
        if len(world.known()) < 2:
            yield world.hear
            continue
        yield dice.choices(
            (
                *(world.hear, world.edit, world.read_again, world.judge_otherwise),
                *(world.merge, world.unmerge, world.split, world.confirm),
            ),
            (6, 3, 2, 1, 3, 3, 2, 1),
        )[0]


@pytest.mark.parametrize("seed", [3, 8, 14])
async def test_claims_stay_whole(database: Database, seed: int) -> None:
    dice = random.Random(seed)
    world = World(database, dice)
    for n, step in enumerate(steps(world, dice), start=1):
        await step()
        if n % CHECK_EVERY == 0:
            await world.check()
