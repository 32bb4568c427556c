"""What the present pack says of a claim on record: its sentence, its verdict and the evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.ids import claim_id_of
from monitor.store.verdicts import Held, OnRecord
from monitor.topic import Topic
from monitor.words import Evidence
from tests.packs import LEXICON, bread, verdict_of
from workers.retell import Propositions, held_now

PLACES = ("US", "UK", "EU")
COOKBOOK = Evidence(id="COOKBOOK", citation="A cookbook", url="https://example.org/cookbook")
OLD = Evidence(id="OLD", citation="An older cookbook", url="https://example.org/old")
NUMBER = "\n    number: {kind: percent, key: 'flour-{number}-part', claim: 'Bread is {number} parts flour.'}"
COUNTED = (LEXICON, '    when: ["made of|from flour"]', f'    when: ["made of|from flour"]{NUMBER}')
GONE = (LEXICON, "key: made-of-flour", "key: made-of-wheat")


def held(**more: Any) -> Held:
    values: dict[str, Any] = {
        "claim": "Bread contains flour.",
        "type": "composition",
        "entry": "made-of-flour",
        "verdict": "supported",
        "verdicts": {"global": "supported"},
        "basis": "register",
        "ruling": "an older sentence",
        "evidence": (OLD,),
    }
    return Held(**(values | more))


def on_record(
    identity: str = "made-of-flour", proposition: str = "made-of-flour", number: str | None = None, **more: Any
) -> OnRecord:
    return OnRecord(id=claim_id_of(identity), proposition=proposition, number=number, held=held(**more), mentions=3)


def now(one: OnRecord, topic: Topic, places: tuple[str, ...] = PLACES) -> OnRecord:
    return held_now(one, topic, Propositions(topic.lexicon), places)


def test_a_claim_of_the_lexicon_is_what_the_pack_says_of_it(tmp_path: Path) -> None:
    topic = bread(tmp_path, verdict_of("made-of-flour", "global: contradicted"))
    said = now(on_record(), topic)
    assert said == msgspec.structs.replace(
        on_record(),
        held=Held(
            claim="Sourdough bread is made of flour.",
            type="composition",
            entry="made-of-flour",
            verdict="contradicted",
            verdicts={"global": "contradicted"},
            basis="register",
            ruling=said.held.ruling,
            evidence=(COOKBOOK,),
        ),
    )
    assert "made-of-flour" in said.held.ruling
    assert "contradicted" in said.held.ruling
    assert now(said, topic) == said


def test_the_verdict_is_that_of_the_places_that_were_chosen(tmp_path: Path) -> None:
    topic = bread(tmp_path, verdict_of("made-of-flour", "US: supported, UK: contradicted"))
    assert now(on_record(), topic, ("US",)).held.verdict == "supported"
    assert now(on_record(), topic, ("UK",)).held.verdict == "contradicted"
    gone = bread(tmp_path / "gone", verdict_of("made-of-flour", "US: supported, UK: contradicted"), GONE)
    assert now(on_record(), gone, ("UK",)).held.verdict == "contradicted"


def test_a_claim_that_stood_elsewhere_goes_to_the_entry_and_type_that_it_has_now(tmp_path: Path) -> None:
    moved = now(on_record(type="safety", entry="cures-coeliac-disease"), bread(tmp_path))
    assert (moved.held.type, moved.held.entry, moved.held.evidence) == ("composition", "made-of-flour", (COOKBOOK,))


def test_a_claim_that_has_no_entry_any_more_is_unsupported(tmp_path: Path) -> None:
    topic = bread(tmp_path, (LEXICON, "    entry: made-of-flour\n", ""))
    bare = now(on_record(), topic).held
    assert (bare.entry, bare.verdict, bare.verdicts, bare.basis, bare.evidence) == (
        *(None, "unsupported", {}, "burden of proof", ()),
    )


# Claims with a number


def test_a_number_stays_in_the_sentence(tmp_path: Path) -> None:
    one = now(on_record("flour-20-billion-part", number="20-billion"), bread(tmp_path, COUNTED))
    assert (one.proposition, one.number, one.held.claim) == ("made-of-flour", "20-billion", "Bread is 20 billion parts flour.")


@pytest.mark.parametrize(
    ("identity", "sentence", "proposition", "number"),
    [
        ("made-of-flour", "Whatever it said.", "made-of-flour", None),
        ("flour-80-part", "Bread is 80 parts flour.", "made-of-flour", "80"),
        ("flour-20-billion-part", "Bread is 20 billion parts flour.", "made-of-flour", "20-billion"),
        ("flour-80-part", "Bread is 81 parts flour.", "", None),  # its id says that it is another
        ("flour-80-part", "Bread is 80 parts rye.", "", None),
        ("flour-80-part", "Cake is 80 parts flour.", "", None),
        ("sourdough-rises", "Sourdough rises.", "", None),
    ],
)
def test_a_claim_of_an_early_version_is_known_by_its_id_and_its_sentence(
    tmp_path: Path, identity: str, sentence: str, proposition: str, number: str | None
) -> None:
    one = now(on_record(identity, "", claim=sentence, entry=None), bread(tmp_path, COUNTED))
    assert (one.proposition, one.number) == (proposition, number)
    assert one.held.entry == ("made-of-flour" if proposition else None)
    assert one.held.claim == ("Sourdough bread is made of flour." if identity == proposition else sentence)


# Claims that the lexicon does not know


def test_one_without_an_entry_stays_as_it_is(tmp_path: Path) -> None:
    made_up = on_record(
        "other-1", "other-1", entry=None, verdict="unsupported", verdicts={}, basis="burden of proof", evidence=()
    )
    assert now(made_up, bread(tmp_path)) is made_up


def test_one_keeps_its_verdict_and_its_grounds_but_for_the_evidence_while_its_entry_says_the_same(tmp_path: Path) -> None:
    one = on_record(verdict="unsupported", ruling="as it was")
    assert now(one, bread(tmp_path, GONE)) == msgspec.structs.replace(
        one, held=held(verdict="unsupported", ruling="as it was", evidence=(COOKBOOK,))
    )


def test_one_whose_entry_says_something_else_follows_it_and_keeps_its_sentence(tmp_path: Path) -> None:
    topic = bread(tmp_path, GONE, verdict_of("made-of-flour", "global: unsupported"))
    one = on_record(number="80")
    after = now(one, topic)
    assert (after.id, after.proposition, after.number, after.mentions) == (one.id, "made-of-flour", "80", 3)
    assert after.held == held(
        verdict="unsupported", verdicts={"global": "unsupported"}, ruling=after.held.ruling, evidence=(COOKBOOK,)
    )
    assert "unsupported" in after.held.ruling


def test_one_whose_entry_is_gone_is_unsupported(tmp_path: Path) -> None:
    after = now(on_record("ash", "ash", entry="made-of-ash"), bread(tmp_path)).held
    assert (after.claim, after.type, after.entry, after.verdict, after.basis, after.evidence) == (
        *("Bread contains flour.", "composition", None, "unsupported", "burden of proof", ()),
    )
