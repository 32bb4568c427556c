"""Why a mention did or did not raise an alert: what the record holds of it, step by step and in one sentence."""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import func, insert, select, update

from monitor.explain import Explanation, Present, Step, explain
from monitor.explain.steps import at
from monitor.ids import claim_id_of, stored_id
from monitor.settings import Settings
from monitor.store import Database, deliveries, endpoints, reviews, texts
from monitor.store.budgets import hour_of
from monitor.store.deliveries import Tried
from monitor.store.facts import facts
from monitor.store.judged import Judged
from monitor.store.tables import alert, delivery, digest_item, mention, review
from monitor.times import now_ms, rfc3339
from tests.api_server import ENDPOINT
from tests.samples import asking, judged, occurrence, write
from workers.alert import drafts

TEXT = "Great: FDA approved exosomes"
CLAIM = claim_id_of("approved")
PRESENT = Present(classifier="c1", register="r1")
KEYWORDS = [("exosomes", 20, 28)]


def settings(*endpoints: dict[str, Any], **alerts: Any) -> Settings:
    return Settings(endpoint=[ENDPOINT | one for one in endpoints], alerts=alerts)


ONE = settings({})


def said(key: str, *, rules: Settings = ONE, hours_ago: float = 1.0, post: dict[str, Any] | None = None, **more: Any) -> Judged:
    """A post that puts the claim forward unless `more` says otherwise, with what the workers ask to be raised for it."""
    one = judged(key, TEXT, occurrence(TEXT, "FDA approved", "approved", **more), hours_ago=hours_ago, **(post or {}))
    return asking(one, partial(drafts, post=one.post, alerts=rules.alerts, endpoints=rules.endpoint))


async def why(database: Database, name: str, rules: Settings = ONE, present: Present = PRESENT) -> Explanation:
    async with database.read() as connection:
        found = await facts(connection, name)
    assert found is not None
    return explain(found, KEYWORDS if found.mention.text else [], present, rules)


def one(explanation: Explanation, name: str) -> Step:
    (found,) = [step for step in explanation.steps if step.step == name]
    return found


def passed(explanation: Explanation) -> dict[str, str]:
    return {step.step: step.passed for step in explanation.steps}


async def test_a_new_claim_is_followed_from_the_post_to_the_delivery(database: Database) -> None:
    await write(database, said("a"))
    found = await why(database, "reddit:a")
    assert passed(found) == {
        "heard": "yes",
        "matched": "yes",
        "read": "yes",
        "harm": "no",
        "claim": "yes",
        "confidence": "yes",
        "review": "yes",
        "new": "yes",
        "spreading": "no",
        "resurfaced": "no",
        "alert": "yes",
        "endpoint": "yes",
        "delivery": "no",
    }
    (alert_id,) = found.alerts
    assert '"exosomes" at 20' in one(found, "matched").sentence
    for part in ('"FDA approved"', "regulatory_status", "asserts", "contradicted", "entry approved", "in so many words"):
        assert part in one(found, "claim").sentence
    assert "0.9, reaches alerts.min_confidence, 0.5" in one(found, "confidence").sentence
    assert "1 distinct author put it forward so far; the next step is 10" in one(found, "spreading").sentence
    assert "pending after 0 attempts" in one(found, "delivery").sentence
    assert found.conclusion == f"It raised claim.new ({alert_id}): not delivered yet to case-system."


async def test_a_known_claim_names_who_was_first(database: Database) -> None:
    await write(database, said("a", hours_ago=3))
    await write(database, said("b"))
    first, second = await why(database, "reddit:a"), await why(database, "reddit:b")
    new = one(second, "new")
    assert (new.passed, new.alert_id, second.alerts) == ("no", first.alerts[0], ())
    assert f"by the mention {first.mention_id} ({first.alerts[0]})" in new.sentence
    assert second.conclusion.startswith("It raised no alert: the claim was not new: it is known since 20")
    assert "put forward 2h before" in one(second, "resurfaced").sentence


@pytest.mark.parametrize(
    ("more", "stops", "says", "ends"),
    [
        ({"stance": "denies"}, "claim", "denies it", 'it denies "The claim approved", and so does not put it forward.'),
        ({"stance": "asks"}, "claim", "asks about it", 'it asks about "The claim approved", and so does not put it forward.'),
        (
            *({"stance": "reports", "distance": True}, "claim", "at a distance"),
            'it reports at a distance "The claim approved", and so does not put it forward.',
        ),
        (
            *({"verdict": "supported"}, "claim", "supported by the register's entry"),
            '"The claim approved" is supported by the register\'s entry approved.',
        ),
        (
            {"confidence": 0.4996},
            "confidence",
            "0.4996, is below",
            "its confidence, 0.4996, is below alerts.min_confidence, 0.5.",
        ),
        (
            *({"confidence": 0.42}, "confidence", "0.42, is below alerts.min_confidence, 0.5"),
            "its confidence, 0.42, is below alerts.min_confidence, 0.5.",
        ),
    ],
)
async def test_what_stops_a_claim_is_its_last_step(
    database: Database, more: dict[str, Any], stops: str, says: str, ends: str
) -> None:
    await write(database, said("a", **more))
    found = await why(database, "reddit:a")
    last = found.steps[-1]
    assert (last.step, last.passed, found.alerts) == (stops, "no", ())
    assert says in last.sentence
    assert found.conclusion == f"It raised no alert: {ends}"


async def test_of_several_claims_each_reason_is_named_once(database: Database) -> None:
    text = "Not FDA approved, really not FDA approved; pills exist"
    denied = [occurrence(text, quote, "approved", stance="denies") for quote in ("FDA approved,", "not FDA approved;")]
    await write(database, judged("a", text, *denied, occurrence(text, "pills exist", "pills", verdict="supported")))
    assert (await why(database, "reddit:a")).conclusion == (
        'It raised no alert: none of its 3 claims may raise one: it denies "The claim approved", and so does not put it forward; '
        '"The claim pills" is supported by the register\'s entry pills.'
    )


async def test_a_known_claim_that_was_only_the_likeliest_says_how_to_tell_it_apart(database: Database) -> None:
    likely = said("b")
    likely = replace(likely, origins=tuple(replace(origin, sure=False) for origin in likely.origins))
    await write(database, said("a", hours_ago=3), likely)
    found = await why(database, "reddit:b")
    assert f"`exowatch claim {CLAIM} split --mention {found.mention_id} --as SENTENCE`" in found.conclusion
    async with database.write() as connection:
        await reviews.confirm_mentions(connection, CLAIM, ["reddit:b"], "ann")
    assert "likeliest" not in (await why(database, "reddit:b")).conclusion


async def test_what_has_not_gone_out_says_what_it_waits_for(database: Database) -> None:
    hour = dt.datetime.now(dt.UTC)
    quiet = {"quiet": f"{hour - dt.timedelta(hours=1):%H:%M}-{hour + dt.timedelta(hours=2):%H:%M}"}
    rules = settings(
        {"name": "night"} | quiet, {"name": "law"}, {"name": "few", "max_per_hour": 1}, {"name": "sum", "digest": "hourly"}
    )
    await write(database, judged("z", "pills exist", occurrence("pills exist", "pills exist", "pills")))
    await write(database, said("y", rules=rules, claim="Another one.", post={"platform": "tiktok"}))
    async with database.write() as connection:
        await reviews.judge(connection, CLAIM, "confirm", "ann")
        (due,) = await deliveries.lease_due(connection, "law", now_ms(), 1, 60_000)
        later = now_ms() + 3_600_000
        await deliveries.settle(connection, due, Tried(at_ms=now_ms(), ms=5, status=500, error="answered 500"), "pending", later)
    found = await why(database, "tiktok:y", rules)
    sent = {step.endpoint: step.sentence for step in found.steps if step.step == "delivery"}
    assert f"the endpoint's quiet hours last until {hour + dt.timedelta(hours=2):%Y-%m-%d %H:%M}:00 UTC" in sent["night"]
    assert f"answered 500; it is tried again at {at(rfc3339(later))}" in sent["law"]
    assert sent["sum"].endswith("UTC: it takes all alerts but reports of harm in digests.")
    assert "is pending after 0 attempts (d_" in sent["few"]
    await write(database, said("x", rules=settings({"name": "few", "max_per_hour": 1}, spreading=[1]), post={"author": "x2"}))
    over = await why(database, "reddit:x", rules)
    (waits,) = [step.sentence for step in over.steps if step.step == "delivery" and step.endpoint == "few"]
    assert waits.endswith("UTC: its budget of 1 an hour (max_per_hour) was used up.")


async def test_a_post_without_a_claim_or_off_the_topic_says_so(database: Database) -> None:
    plain = judged("a", "what do exosomes cost?")
    off = judged("b", "exosomes of the plant kind")
    await write(database, plain, replace(off, judgement=replace(off.judgement, relevant=False)))
    assert (await why(database, "reddit:a")).conclusion == "It raised no alert: no claim was found in it."
    assert "as not about the topic" in (await why(database, "reddit:b")).conclusion


async def test_an_old_post_of_a_catch_up_raises_nothing(database: Database) -> None:
    await write(database, said("a", post={"fresh": False, "created_at": now_ms() - 9 * 86_400_000}))
    found = await why(database, "reddit:a")
    assert passed(found)["heard"] == "no"
    assert "new" not in passed(found)
    assert "9d after it was posted" in one(found, "heard").sentence
    assert "older than alerts.max_age (7d now)" in found.conclusion


async def test_a_review_that_silenced_the_claim_is_named_even_when_it_is_over(database: Database) -> None:
    await write(database, said("q", stance="asks", hours_ago=6))
    await reviewed(database, "dismiss", hours_ago=5)
    await write(database, said("a", hours_ago=4))
    await reviewed(database, "reopen", hours_ago=3)
    await reviewed(database, "mute", hours_ago=2.5)
    await write(database, said("b", hours_ago=2))
    await reviewed(database, "unmute", hours_ago=1.5)
    await write(database, said("c", hours_ago=1))
    dismissed, muted, loud = [await why(database, f"reddit:{key}") for key in "abc"]
    assert (one(dismissed, "review").passed, dismissed.alerts, "new" in passed(dismissed)) == ("no", (), False)
    assert "the claim was dismissed by ann at 20" in dismissed.conclusion
    assert '("a joke"), so nothing was raised' in dismissed.conclusion
    assert "for good" in muted.conclusion
    assert (one(loud, "review").passed, one(loud, "new").passed, len(loud.alerts)) == ("yes", "yes", 1)


async def reviewed(database: Database, action: Any, *, hours_ago: float) -> None:
    async with database.write() as connection:
        await reviews.judge(connection, CLAIM, action, "ann", "a joke")
        newest = select(func.max(review.c.id)).scalar_subquery()
        at_ms = now_ms() - round(hours_ago * 3_600_000)
        await connection.execute(update(review).where(review.c.id == newest).values(at_ms=at_ms))


async def test_harm_is_a_step_of_its_own(database: Database) -> None:
    calm = judged("h", "my face swelled up after exosomes")
    harm = replace(calm, judgement=replace(calm.judgement, adverse_event=True))
    await write(database, replace(harm, alerts=drafts(harm.judgement, harm.post, ONE.alerts, ONE.endpoint)))
    found = await why(database, "reddit:h")
    assert passed(found)["harm"] == "yes"
    assert found.conclusion.startswith("It raised safety.signal (a_")


async def test_words_that_are_gone_and_versions_that_changed_are_said(database: Database) -> None:
    await write(database, said("a"))
    number = stored_id("m", (await why(database, "reddit:a")).mention_id)
    async with database.write() as connection:
        await texts.erase_texts(connection, [number or 0])
        await connection.execute(update(mention).values(state="expired"))
    found = await why(database, "reddit:a", present=Present(classifier="c2", register="r1"))
    assert "its text has expired" in one(found, "matched").sentence
    assert "in words that are kept no longer" in one(found, "claim").sentence
    assert "FDA approved" not in str(found)
    assert "by the classifier c1" in one(found, "read").sentence
    assert "the classifier is now c2, which" in one(found, "read").sentence


async def test_each_endpoint_says_which_filter_refuses_and_what_became_of_its_delivery(database: Database) -> None:
    rules = settings(
        {"name": "law"},
        {"name": "care", "types": ["safety"], "platforms": ["tiktok"]},
        {"name": "sure", "min_confidence": 0.95},
        {"name": "trend", "events": ["claim.spreading"]},
    )
    await write(database, said("a", rules=rules))
    async with database.write() as connection:
        (due,) = await deliveries.lease_due(connection, "law", now_ms(), 1, 60_000)
        await deliveries.settle(connection, due, Tried(at_ms=now_ms(), ms=5, status=500, error="answered 500"), "dead", 0)
    later = settings({"name": "new"})
    both = Settings(endpoint=[*rules.endpoint, *later.endpoint])
    found = await why(database, "reddit:a", both)
    by_endpoint = {step.endpoint: step for step in found.steps if step.step == "endpoint"}
    assert {name: step.passed for name, step in by_endpoint.items()} == {
        "law": "yes",
        "care": "no",
        "sure": "no",
        "trend": "no",
        "new": "yes",
    }
    assert (
        "platforms (tiktok) leave out reddit and its types (safety) leave out regulatory_status" in by_endpoint["care"].sentence
    )
    assert "min_confidence, 0.95, is above 0.9" in by_endpoint["sure"].sentence
    assert "events (claim.spreading) leave out claim.new" in by_endpoint["trend"].sentence
    sent = {step.endpoint: step for step in found.steps if step.step == "delivery"}
    assert set(sent) == {"law", "new"}
    assert "dead after 1 attempt" in sent["law"].sentence
    assert "answered 500" in sent["law"].sentence
    assert "exowatch endpoints redeliver d_" in sent["law"].sentence
    assert "no delivery to new" in sent["new"].sentence
    async with database.write() as connection:
        await endpoints.register(connection, ["law"])
        await endpoints.disable(connection, "law", "it answered 410")
    (gone,) = [step for step in (await why(database, "reddit:a", later)).steps if step.endpoint == "law"]
    assert "which is configured no longer" in gone.sentence
    assert "the endpoint is disabled: it answered 410" in gone.sentence


async def test_an_alert_that_waits_for_a_digest_says_until_when(database: Database) -> None:
    rules = settings({"name": "law"})
    await write(database, said("a", rules=settings()))
    number = stored_id("a", (await why(database, "reddit:a", rules)).alerts[0])
    async with database.write() as connection:
        await connection.execute(insert(digest_item).values(endpoint="law", alert_id=number, due_ms=1_795_348_800_000))
    found = await why(database, "reddit:a", rules)
    assert "due at 2026-11-22 12:00:00 UTC" in one(found, "delivery").sentence
    assert found.conclusion.endswith(": waits for the next digest to law.")


async def test_an_alert_that_a_digest_told_of_is_delivered_with_it(database: Database) -> None:
    rules = settings({"name": "law"})
    await write(database, said("a", rules=settings()))
    alert_id = (await why(database, "reddit:a", rules)).alerts[0]
    number = (stored_id("a", alert_id) or 0) + 1
    async with database.write() as connection:
        told = {
            "kind": "digest",
            "dedupe_key": f"digest:law:{hour_of(number >> 21)}",
            "created_ms": number >> 21,
            "summary": "1 alert.",
        }
        await connection.execute(insert(alert).values(id=number, subject={"items": [{"id": alert_id}]}, **told))
        sent = {"webhook_id": "msg_1", "state": "delivered", "next_ms": 0}
        await connection.execute(insert(delivery).values(id=1, alert_id=number, endpoint="law", **sent))
    found = await why(database, "reddit:a", rules)
    assert one(found, "delivery").passed == "yes"
    assert "as a part of the digest a_" in one(found, "delivery").sentence
    assert found.conclusion.endswith("delivered to law.")


async def test_the_surest_of_several_places_speaks_for_its_claim(database: Database) -> None:
    text = "FDA approved exosomes. Really, FDA approved exosomes!"
    weak = occurrence(text, "FDA approved exosomes.", "approved", confidence=0.3)
    sure = occurrence(text, "Really, FDA approved", "approved", confidence=0.8)
    both = judged("a", text, weak, sure)
    await write(database, replace(both, alerts=drafts(both.judgement, both.post, ONE.alerts, ())))
    steps = [step for step in (await why(database, "reddit:a")).steps if step.step == "confidence"]
    assert [step.passed for step in steps] == ["no", "yes"]
    assert "another place" in steps[0].sentence


async def test_a_post_that_brought_it_to_ten_authors_and_one_that_came_after_a_quiet_time(database: Database) -> None:
    rules = settings(spreading=[2, 3], resurfaced_after="10h")
    await write(database, said("a", rules=rules, hours_ago=30, post={"author": "a"}))
    await write(database, said("b", rules=rules, hours_ago=2, post={"author": "b"}))
    found = await why(database, "reddit:b", rules)
    assert (passed(found)["spreading"], passed(found)["resurfaced"], passed(found)["new"]) == ("yes", "yes", "no")
    assert "to 2 distinct authors" in one(found, "spreading").sentence
    assert "the next step is 3" in one(found, "spreading").sentence
    assert "28h before" in one(found, "resurfaced").sentence
    assert len(found.alerts) == 2


async def test_a_mention_that_is_not_on_record_is_none(database: Database) -> None:
    async with database.read() as connection:
        for name in ("reddit:none", "m_0000000000000", "nonsense"):
            assert await facts(connection, name) is None


async def test_after_a_merge_it_says_who_put_the_post_there_and_what_the_alert_told_of_then(database: Database) -> None:
    text = "The FDA cleared exosomes"
    other = judged("b", text, occurrence(text, "FDA cleared", "cleared"), hours_ago=1)
    await write(database, said("a", hours_ago=3), replace(other, alerts=drafts(other.judgement, other.post, ONE.alerts, ())))
    async with database.write() as connection:
        await reviews.judge(connection, CLAIM, "dismiss", "bob")
        await reviews.merge(connection, CLAIM, claim_id_of("cleared"), "ann")
    first, second = await why(database, "reddit:a"), await why(database, "reddit:b")
    assert f"ann merged {CLAIM} into it at " in one(first, "claim").sentence
    assert (one(first, "new").passed, one(second, "new").passed) == ("yes", "yes")
    assert one(second, "review").passed == "yes", "the other claim was dismissed, not this one"
    await write(database, replace(said("c", hours_ago=0.5), alerts=()))
    third = await why(database, "reddit:c")
    assert f"which told of {CLAIM}, before a review put that under this claim" in one(third, "new").sentence


async def test_after_a_split_the_story_is_that_of_the_claim_it_was_split_off_from(database: Database) -> None:
    await write(database, said("a", hours_ago=3))
    await write(database, said("b", hours_ago=1))
    async with database.write() as connection:
        await reviews.split(connection, CLAIM, ["reddit:b"], "A filter needle is FDA approved.", "ann")
    found = await why(database, "reddit:b")
    assert f"ann split it off from {CLAIM} at " in one(found, "claim").sentence
    assert f"split the claim off from {CLAIM} at " in one(found, "new").sentence
    assert found.conclusion.startswith("It raised no alert: a review split the claim off")
