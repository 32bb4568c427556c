"""What a judged post raises: one alert for each claim that it puts forward and the record does not carry."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.ids import claim_id_of
from monitor.settings.endpoint import Endpoint
from monitor.settings.model import Alerts
from monitor.store.outbox import AlertDraft
from monitor.words import Judgement, Occurrence, Post
from tests.receiver import SECRET
from tests.test_store import carries
from workers.alert import drafts

TEXT = "They say FDA approved. It cures arthritis. Really: FDA approved!"


def endpoint(name: str, **filters: Any) -> Endpoint:
    return Endpoint(name=name, kind="webhook", url="https://example.org", secret=[SECRET], **filters)


def names(draft: AlertDraft) -> tuple[str, ...]:
    return tuple(one.name for one in draft.recipients)


def raised(
    *claims: Occurrence, fresh: bool = True, harm: bool = False, endpoints: tuple[Endpoint, ...] = (), least: float = 0.5
) -> tuple[AlertDraft, ...]:
    post = Post(platform="reddit", id="a", text=TEXT, source="s", fresh=fresh)
    judgement = Judgement(
        id="a", relevant=True, language="en", adverse_event=harm, alert=True, claims=claims, classifier="c", register="r"
    )
    return drafts(judgement, post, Alerts(min_confidence=least), endpoints)


def test_each_claim_is_raised_by_its_surest_occurrence() -> None:
    found = raised(
        carries(TEXT, "FDA approved", confidence=0.6),
        carries(TEXT, "cures arthritis", "arthritis", verdict="unsupported", confidence=0.8),
        carries(TEXT, "Really: FDA approved", confidence=0.9),
    )
    assert [(one.kind, one.dedupe_key, one.occurrence) for one in found if one.kind == "claim.new"] == [
        ("claim.new", f"claim.new:{claim_id_of('arthritis')}", 1),
        ("claim.new", f"claim.new:{claim_id_of('fda-approved')}", 2),
    ]


def test_each_may_also_be_spreading_or_back_where_the_record_says_so() -> None:
    found = raised(carries(TEXT, "FDA approved"))
    assert [(one.kind, one.authors, one.quiet_ms) for one in found] == [
        ("claim.new", 0, 0),
        ("claim.spreading", 10, 0),
        ("claim.spreading", 100, 0),
        ("claim.spreading", 1000, 0),
        ("claim.resurfaced", 0, 90 * 86_400_000),
    ]
    assert len({one.dedupe_key for one in found}) == len(found)


def test_harm_is_raised_with_or_without_a_claim() -> None:
    (one,) = raised(harm=True, endpoints=(endpoint("all"), endpoint("new", events=["claim.new"])))
    assert (one.kind, one.dedupe_key, one.occurrence, names(one)) == (
        "safety.signal",
        "safety.signal:reddit:a",
        None,
        ("all",),
    )
    assert raised(harm=True, fresh=False) == ()


@pytest.mark.parametrize(
    "silent",
    [
        {"stance": "denies"},
        {"stance": "asks"},
        {"stance": "reports", "distance": True},
        {"verdict": "supported"},
        {"confidence": 0.49},
    ],
)
def test_what_is_not_put_forward_or_carried_by_the_record_or_unsure_raises_nothing(silent: dict[str, Any]) -> None:
    assert raised(carries(TEXT, "FDA approved", **silent)) == ()


def test_the_surest_occurrence_counts_only_among_those_that_put_the_claim_forward() -> None:
    (one, *_) = raised(
        carries(TEXT, "FDA approved", stance="denies", confidence=0.99),
        carries(TEXT, "Really: FDA approved", stance="reports", confidence=0.5),
    )
    assert one.occurrence == 1


def test_a_post_from_a_catch_up_raises_nothing() -> None:
    assert raised(carries(TEXT, "FDA approved"), fresh=False) == ()


def test_each_endpoint_hears_of_the_claims_that_it_wants() -> None:
    found = raised(
        carries(TEXT, "FDA approved"),
        carries(TEXT, "cures arthritis", "arthritis", type="disease_treatment"),
        endpoints=(endpoint("all"), endpoint("law", types=["regulatory_status"]), endpoint("tiktok", platforms=["tiktok"])),
    )
    assert [names(one) for one in found if one.kind == "claim.new"] == [("all", "law"), ("all",)]


def test_an_alert_that_no_endpoint_wants_is_raised_all_the_same() -> None:
    (one, *_) = raised(carries(TEXT, "FDA approved"), endpoints=(endpoint("spread", events=["claim.spreading"]),))
    assert names(one) == ()


def test_the_summary_is_a_sentence_without_the_posts_words() -> None:
    (one, *_) = raised(carries(TEXT, "FDA approved", claim="Exosome products are approved by the FDA."))
    assert one.summary == "New contradicted claim on reddit: Exosome products are approved by the FDA."
    assert "FDA approved" not in one.summary


def test_each_kind_says_in_its_own_words_what_is_raised() -> None:
    post = Post(platform="mastodon", id="7", text=TEXT, source="s")
    one = carries(TEXT, "cures arthritis", "arthritis", verdict="unsupported", claim="It treats arthritis.")
    judgement = Judgement(
        id="7", relevant=True, language="en", adverse_event=True, alert=True, claims=(one,), classifier="c", register="r"
    )
    alerts = Alerts(spreading=[20, 1, 20], resurfaced_after=90_000)
    found = drafts(judgement, post, alerts, ())
    claim = claim_id_of("arthritis")
    assert [(one.dedupe_key, one.summary) for one in found] == [
        (f"claim.new:{claim}", "New unsupported claim on mastodon: It treats arthritis."),
        (f"claim.spreading:{claim}:1", "Unsupported claim of 1 author: It treats arthritis."),
        (f"claim.spreading:{claim}:20", "Unsupported claim of 20 authors: It treats arthritis."),
        (f"claim.resurfaced:{claim}", "Unsupported claim back on mastodon: It treats arthritis."),
        ("safety.signal:mastodon:7", "A post on mastodon reports harm."),
    ]
    assert [one.authors for one in found] == [0, 1, 20, 0, 0]
    assert [one.quiet_ms for one in found] == [0, 0, 0, 90_000_000, 0]


def test_each_kind_reaches_the_endpoints_that_want_it_of_this_platform_and_these_names() -> None:
    post = Post(platform="reddit", id="a", text=TEXT, source="s")
    judgement = Judgement(
        id="a",
        relevant=True,
        language="en",
        adverse_event=True,
        alert=True,
        claims=(carries(TEXT, "FDA approved"),),
        classifier="c",
        register="r",
    )
    endpoints = (
        endpoint("harm", events=["safety.signal"]),
        endpoint("spread", events=["claim.spreading"]),
        endpoint("back", events=["claim.resurfaced"]),
        endpoint("elsewhere", platforms=["tiktok"]),
        endpoint("here", platforms=["reddit"]),
        endpoint("acme", watch=["Acme"]),
        endpoint("other", watch=["Other"]),
        endpoint("surer", min_confidence=0.95),
    )

    def told(*watch: str) -> dict[str, tuple[str, ...]]:
        found = drafts(judgement, post, Alerts(spreading=[3]), endpoints, watch)
        return {one.kind: names(one) for one in found}

    expected = {
        "claim.new": ("here", "acme"),
        "claim.spreading": ("spread", "here", "acme"),
        "claim.resurfaced": ("back", "here", "acme"),
        "safety.signal": ("harm", "here", "acme", "surer"),
    }
    assert told("Acme").items() >= expected.items()
    unnamed = {kind: tuple(name for name in reached if name != "acme") for kind, reached in expected.items()}
    assert told().items() >= unnamed.items()
    assert not any(one.kind == "claim.spreading" for one in drafts(judgement, post, Alerts(spreading=[]), endpoints))
