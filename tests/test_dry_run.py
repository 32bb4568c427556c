"""What another threshold, or other filters of an endpoint, would have alerted, worked out from the record."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace
from sqlalchemy import insert, select, update

from monitor.ids import claim_id_of, public_id
from monitor.settings import Settings
from monitor.store import Database, reviews
from monitor.store.dry_run import DryRun, dry_run
from monitor.store.dry_terms import parse_terms
from monitor.store.outbox import new_number
from monitor.store.tables import alert, claim, mention_watch
from monitor.store.tables import mention as mention_table
from monitor.store.tables import occurrence as occurrence_table
from monitor.times import now_ms
from tests.api_server import ENDPOINT
from tests.samples import judged, occurrence, write
from tests.test_explain import reviewed
from workers.alert import drafts

DAY = 24.0


def settings(**endpoint: Any) -> Settings:
    return Settings(endpoint=[ENDPOINT | endpoint])


ONE = settings()


async def heard(database: Database, key: str, claim: str, confidence: float, days_ago: float, **more: Any) -> None:
    """A post that puts a claim forward unless `more` says otherwise, and what the workers then raise."""
    text = "exosomes do it"
    post = {name: more.pop(name) for name in ("platform", "fresh", "author") if name in more}
    found = occurrence(text, "do it", claim, confidence=confidence, **more)
    one = judged(key, text, found, hours_ago=days_ago * DAY, n=sum(key.encode()), **post)
    await write(database, replace(one, alerts=drafts(one.judgement, one.post, ONE.alerts, ONE.endpoint)))


async def tried(database: Database, rules: Settings = ONE, **asked: Any) -> DryRun:
    given = {name: value if isinstance(value, list) else [str(value)] for name, value in asked.items()}
    async with database.read() as connection:
        return await dry_run(connection, parse_terms(given, rules.alerts, rules.endpoint))


def numbers(found: DryRun) -> tuple[int, int, int, int, int]:
    return found.raised, found.would_be, found.kept, found.gained, found.lost


def by_claim(found: DryRun) -> dict[str, str]:
    return {one.claim_id: one.change for one in found.items}


async def some(database: Database) -> None:
    """Over two months: sure and early, sure from late on, never sure, before the window, denied, supported, of a catch-up."""
    await heard(database, "a1", "sure", 0.9, 20)
    await heard(database, "a2", "sure", 0.95, 10)
    await heard(database, "b1", "growing", 0.55, 15)
    await heard(database, "b2", "growing", 0.8, 5)
    await heard(database, "c1", "faint", 0.3, 12)
    await heard(database, "d1", "old", 0.6, 50)
    await heard(database, "d2", "old", 0.9, 8)
    await heard(database, "e1", "denied", 0.9, 7, stance="denies")
    await heard(database, "e2", "at a distance", 0.9, 7, stance="reports", distance=True)
    await heard(database, "f1", "true", 0.9, 6, verdict="supported")
    await heard(database, "g1", "catch-up", 0.9, 4, fresh=False)


async def test_the_present_terms_change_nothing(database: Database) -> None:
    await some(database)
    found = await tried(database)
    assert numbers(found) == (2, 2, 2, 0, 0)
    assert by_claim(found) == {claim_id_of("sure"): "kept", claim_id_of("growing"): "kept"}
    assert all(one.alert_id for one in found.items)


async def test_a_lower_threshold_gains_what_was_too_faint(database: Database) -> None:
    await some(database)
    found = await tried(database, min_confidence=0.2)
    assert numbers(found) == (2, 3, 2, 1, 0)
    (gained,) = [one for one in found.items if one.change == "gained"]
    assert (gained.claim_id, gained.confidence, gained.alert_id) == (claim_id_of("faint"), 0.3, None)


async def test_a_higher_threshold_makes_some_new_later_and_some_for_the_first_time_in_the_window(database: Database) -> None:
    await some(database)
    found = await tried(database, min_confidence=0.7)
    assert by_claim(found) == {claim_id_of("old"): "gained", claim_id_of("growing"): "kept", claim_id_of("sure"): "kept"}
    growing = next(one for one in found.items if one.claim_id == claim_id_of("growing"))
    assert growing.confidence == 0.8, "the first sure enough, not the first"
    lost = await tried(database, min_confidence=0.92)
    assert (numbers(lost), by_claim(lost)) == (
        (2, 1, 1, 0, 1),
        {claim_id_of("growing"): "lost", claim_id_of("sure"): "kept"},
    )
    assert next(one for one in lost.items if one.change == "lost").mention_id is None


async def test_one_sure_enough_before_the_window_is_enough_to_make_it_known(database: Database) -> None:
    await some(database)
    window = {"since": "9d"}
    assert by_claim(await tried(database, **window, min_confidence=0.95)) == {}
    assert by_claim(await tried(database, **window, min_confidence=0.7)) == {
        claim_id_of("old"): "gained",
        claim_id_of("growing"): "gained",
    }
    assert by_claim(await tried(database, **window, min_confidence=0.5)) == {}
    early = await tried(database, since="21d", until="9d", min_confidence=0.7)
    assert by_claim(early) == {claim_id_of("growing"): "lost", claim_id_of("sure"): "kept"}
    lost = next(one for one in early.items if one.change == "lost")
    assert lost.confidence == 0.8, "it would have been told later, and says when"


async def test_what_a_review_silenced_is_not_gained_and_speaks_again_afterwards(database: Database) -> None:
    await heard(database, "q", "approved", 0.9, 20, stance="asks")
    await reviewed(database, "dismiss", hours_ago=19 * DAY)
    await heard(database, "a", "approved", 0.4, 18)
    await reviewed(database, "reopen", hours_ago=17 * DAY)
    await reviewed(database, "mute", hours_ago=16 * DAY)
    await heard(database, "b", "approved", 0.4, 15)
    assert (await tried(database, min_confidence=0.3)).would_be == 0
    await reviewed(database, "unmute", hours_ago=14 * DAY)
    await heard(database, "c", "approved", 0.45, 13)
    (gained,) = (await tried(database, min_confidence=0.3)).items
    assert (gained.change, gained.confidence) == ("gained", 0.45)


async def test_a_claim_whose_changed_verdict_was_told_is_not_new(database: Database) -> None:
    await heard(database, "a", "turned", 0.9, 10, verdict="supported")
    await heard(database, "b", "harder", 0.4, 10, verdict="unsupported")
    await changed(database, "turned", "unsupported")
    await changed(database, "harder", "contradicted")
    await heard(database, "c", "turned", 0.9, -0.001, verdict="unsupported")
    assert numbers(await tried(database, until="2099-01-01")) == (0, 0, 0, 0, 0)
    low = await tried(database, until="2099-01-01", min_confidence=0.3)
    assert by_claim(low) == {claim_id_of("harder"): "gained"}, "it would have been told before its verdict changed"


async def changed(database: Database, identity: str, verdict: str) -> None:
    """What an edit of the register leaves in the record."""
    claim_id = claim_id_of(identity)
    async with database.write() as connection:
        before = (await connection.execute(select(claim.c.verdict).where(claim.c.id == claim_id))).scalar_one()
        await connection.execute(update(claim).where(claim.c.id == claim_id).values(verdict=verdict))
        await connection.execute(update(occurrence_table).where(occurrence_table.c.claim_id == claim_id).values(verdict=verdict))
        told = {"dedupe_key": f"claim.verdict_changed:{claim_id}:1", "created_ms": now_ms(), "summary": "s"}
        subject = {"before": {"verdict": before}}
        kind = "claim.verdict_changed"
        await connection.execute(insert(alert).values(id=new_number(), kind=kind, claim_id=claim_id, subject=subject, **told))


async def test_an_endpoint_is_tried_with_other_filters(database: Database) -> None:
    await some(database)
    await heard(database, "s", "safe", 0.6, 3, type="safety", platform="tiktok")
    law = settings(types=["regulatory_status"])
    same = await tried(database, law, endpoint="case-system")
    assert (numbers(same), same.endpoint and same.endpoint.types) == ((2, 2, 2, 0, 0), ["regulatory_status"])
    wider = await tried(database, law, endpoint="case-system", types=["all"], endpoint_min_confidence=0.58)
    assert by_claim(wider) == {claim_id_of("safe"): "gained", claim_id_of("growing"): "lost", claim_id_of("sure"): "kept"}
    tiktok = await tried(database, law, endpoint="case-system", types=["safety", "mechanism"], platforms=["tiktok"])
    assert numbers(tiktok) == (2, 1, 0, 1, 2)
    assert (await tried(database, law, endpoint="case-system", verdicts=["unsupported"])).would_be == 0
    assert (await tried(database, law, endpoint="case-system", events=["claim.spreading"])).would_be == 0


async def test_the_surest_place_of_the_first_post_speaks(database: Database) -> None:
    text = "exosomes do it, exosomes surely do it"
    weak, sure = occurrence(text, "exosomes do", "x", confidence=0.55), occurrence(text, "surely do it", "x", confidence=0.9)
    one = judged("a", text, weak, sure)
    await write(database, replace(one, alerts=drafts(one.judgement, one.post, ONE.alerts, ())))
    (item,) = (await tried(database, endpoint="case-system", endpoint_min_confidence=0.8)).items
    assert (item.change, item.confidence, item.mention_id) == ("kept", 0.9, public_id("m", one.number))


async def test_a_merged_claim_counts_once_and_the_list_is_cut_while_the_numbers_are_not(database: Database) -> None:
    await some(database)
    async with database.write() as connection:
        await reviews.merge(connection, claim_id_of("growing"), claim_id_of("sure"), "ann")
    assert numbers(await tried(database)) == (1, 1, 1, 0, 0)
    cut = await tried(database, min_confidence=0.2, limit=1)
    assert (cut.gained, cut.kept, [one.change for one in cut.items]) == (1, 1, ["gained"])


async def spread(database: Database) -> None:
    """Twelve authors a day apart, then forty quiet days, and one more."""
    for n in range(12):
        await heard(database, f"s{n:02}", "sure", 0.9, 60 - n, author=f"a{n}")
    await heard(database, "z", "sure", 0.9, 9, author="late")


def kinds(found: DryRun) -> dict[str, tuple[int, int, int, int, int]]:
    return {kind: (one.raised, one.would_be, one.kept, one.gained, one.lost) for kind, one in found.kinds.items()}


async def test_other_steps_of_spreading_are_tried(database: Database) -> None:
    await spread(database)
    assert kinds(await tried(database, since="90d")) == {"claim.new": (1, 1, 1, 0, 0), "claim.spreading": (1, 1, 1, 0, 0)}
    found = await tried(database, since="90d", spreading=["5", "13"])
    assert kinds(found)["claim.spreading"] == (1, 2, 0, 2, 1)
    steps = {(one.change, one.authors): one for one in found.items if one.kind == "claim.spreading"}
    assert set(steps) == {("gained", 5), ("gained", 13), ("lost", 10)}
    assert steps["gained", 5].mention_id is not None
    assert steps["lost", 10].alert_id is not None
    assert kinds(await tried(database, since="20d", spreading=["13", "5"]))["claim.spreading"] == (0, 1, 0, 1, 0)


async def test_another_quiet_time_is_tried(database: Database) -> None:
    await spread(database)
    assert "claim.resurfaced" not in kinds(await tried(database))
    found = await tried(database, resurfaced_after="30d")
    assert kinds(found)["claim.resurfaced"] == (0, 1, 0, 1, 0)
    (back,) = [one for one in found.items if one.kind == "claim.resurfaced"]
    assert (back.claim_id, back.confidence) == (claim_id_of("sure"), 0.9)
    assert "claim.resurfaced" not in kinds(await tried(database, resurfaced_after="45d"))
    assert "claim.resurfaced" not in kinds(await tried(database, resurfaced_after="30d", min_confidence=0.95))


async def test_an_endpoints_other_events_names_and_budget_are_tried(database: Database) -> None:
    await some(database)
    await changed(database, "old", "supported")
    async with database.write() as connection:
        number = (await connection.execute(select(mention_table.c.id).where(mention_table.c.platform_id == "a2"))).scalar_one()
        await connection.execute(insert(mention_watch).values(mention_id=number, name="ASCE+"))
    every = await tried(database, endpoint="case-system", until="2099-01-01")
    assert kinds(every) == {"claim.new": (2, 2, 2, 0, 0), "claim.verdict_changed": (1, 1, 1, 0, 0)}
    new = await tried(database, endpoint="case-system", until="2099-01-01", events=["claim.new"])
    assert kinds(new)["claim.verdict_changed"] == (1, 0, 0, 0, 1)
    (lost,) = [one for one in new.items if one.change == "lost"]
    assert (lost.kind, lost.claim_id, lost.mention_id) == ("claim.verdict_changed", claim_id_of("old"), None)
    watched = await tried(database, endpoint="case-system", watch=["ASCE+"])
    assert kinds(watched)["claim.new"] == (2, 0, 0, 0, 2), "the first post of the claim does not speak of it"
    assert (every.in_digests, every.digests) == (0, 0)
    await heard(database, "h1", "one more", 0.9, 15)
    few = await tried(database, endpoint="case-system", max_per_hour=1)
    assert (few.would_be, few.in_digests, few.digests) == (4, 1, 1)


async def test_what_was_split_off_is_not_gained_and_not_lost(database: Database) -> None:
    await heard(database, "a", "sure", 0.9, 20)
    await heard(database, "b", "sure", 0.9, 10)
    await heard(database, "c", "sure", 0.9, 8)
    async with database.write() as connection:
        new = await reviews.split(connection, claim_id_of("sure"), ["reddit:b"], "Something else is claimed.", "ann")
    assert numbers(await tried(database)) == (1, 1, 1, 0, 0)
    async with database.write() as connection:
        await reviews.split(connection, claim_id_of("sure"), ["reddit:a"], "Another thing is claimed.", "ann")
    found = await tried(database)
    assert (numbers(found), by_claim(found)) == ((1, 1, 1, 0, 0), {claim_id_of("sure"): "kept"})
    assert found.items[0].alert_id is not None
    assert numbers(await tried(database, since="15d")) == (0, 0, 0, 0, 0)
    assert new not in by_claim(found)
