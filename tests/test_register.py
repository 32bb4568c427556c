"""The evidence register: what the shipped one holds, and what `check` says of a faulty one."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import pytest

from monitor.topic import Citation, Entry, Proposition, Register, TopicError
from monitor.topic.register import load_register

ROW = "entries:\n- {{id: a-b, type: safety, claim: c, verdicts: {{US: supported}}, as_of: 2026-01-01, {}}}\n"
FOLDER = Path(__file__).resolve().parents[1] / "config" / "topics" / "exosomes" / "register"


def entry(**changes: object) -> Entry:
    cite = Citation(id="A", citation="A paper", url="https://example.org/a", kind="controlled trial")
    values: dict[str, object] = {
        "id": "x-treated",
        "type": "disease_treatment",
        "claim": "X treats y.",
        "verdicts": {"global": "unsupported"},
        "as_of": dt.date(2026, 1, 1),
        "citations": (cite,),
    }
    return Entry(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def shipped() -> Register:
    return load_register(FOLDER)


@pytest.fixture
def facts(shared: Path) -> list[dict[str, Any]]:
    """The entries of the record: proposition, verdicts, date, sources and what was found in each, note."""
    lines = (shared / "data" / "register_facts.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_every_fact_of_the_record_is_in_the_register(shipped: Register, facts: list[dict[str, Any]]) -> None:
    assert len(facts) == 90
    for fact in facts:
        found = shipped.get(fact["id"])
        assert found is not None, fact["id"]
        assert (found.type, found.claim, found.verdicts) == (fact["type"], fact["claim"], fact["verdicts"])
        assert found.as_of.isoformat() == fact["as_of"]
        assert [cite.id for cite in found.citations] == fact["cites"]


def test_every_caution_of_the_record_is_in_the_note(shipped: Register, facts: list[dict[str, Any]]) -> None:
    for fact in facts:
        note = shipped.entries[fact["id"]].note
        for caution in re.split(r"(?<=[.;])\s+", fact["note"]):
            if "seed" not in caution.lower():  # the record's word for the article that it began with; the register names it
                assert caution in note, fact["id"]


def test_every_source_is_cited_with_its_mark_and_an_address_where_it_was_read(
    shipped: Register, facts: list[dict[str, Any]]
) -> None:
    cited = {cite.id: cite for entry in shipped.entries.values() for cite in entry.citations}
    for source in (source for fact in facts for source in fact["sources"]):
        cite = cited[source["id"]]
        assert cite.mark == ("from memory" if source["mark"] == "from memory" else "found"), cite.id
        addresses = {url.rstrip("/.") for url in re.findall(r"https?://[^\s);]+", source["source"])}
        named = {url.rstrip("/.") for url in (cite.url, *cite.also) if url}
        assert not addresses or addresses & named, cite.id
        if doi := re.search(r"10\.\d{4,9}/[^\s,]+", source.get("study", "")):
            assert cite.url == f"https://doi.org/{doi[0]}", cite.id


@pytest.mark.parametrize(
    ("cite_id", "kind", "n", "year"),
    [
        ("C-KWON-2020", "controlled trial", 25, 2020),
        ("C-KNEE-RCT-2024", "controlled trial", 29, 2024),
        ("C-THEO-2024", "uncontrolled study", 12, 2024),
        ("C-NCT05354141", "registered trial", 320, None),
        ("C-ALAMEER-2025", "review", 11, 2025),
        ("C-RAHMAN-2025", "survey", 18, 2025),
        ("A-NAHM-2024", "case report", 8, 2024),
        ("US-FDA-PSN-2019", "regulator", None, 2019),
        ("EU-1223", "law", None, 2009),
        ("S-GQ", "claim seen", None, 2024),
    ],
)
def test_a_citation_says_what_kind_of_record_it_is_and_of_how_many(
    shipped: Register, cite_id: str, kind: str, n: int | None, year: int | None
) -> None:
    (cite,) = {cite for entry in shipped.entries.values() for cite in entry.citations if cite.id == cite_id}
    assert (cite.kind, cite.n, cite.year) == (kind, n, year)


def test_every_study_in_people_says_how_many_where_the_record_does(shipped: Register) -> None:
    unknown = {
        cite.id
        for entry in shipped.entries.values()
        for cite in entry.citations
        if cite.kind in ("controlled trial", "uncontrolled study", "case report") and cite.n is None
    }
    assert unknown == {"C-ESTUPINAN-2025", "C-PROFFER-2022", "C-XIE-2023"}, "the record gives no number for these three"


def test_what_the_record_warns_not_to_cite_is_not_cited(shipped: Register) -> None:
    cited = {cite.id for entry in shipped.entries.values() for cite in entry.citations}
    assert "US-DOJ-KIMERA" not in cited, "an unconfirmed court case is not cited"
    for entry_id, caution in {
        "mhra-licensed": "No MHRA page naming exosomes was found",
        "tga-approved": "No TGA page that names exosomes was found",
        "medicine-approved-eu": "No page of EMA",
        "injection-legal-eu-uk": "No notice of AEMPS or ANSM",
        "health-canada-approved": "official text",
        "label-means-exosomes-inside": "No independent laboratory test",
        "journal-proves-hair": "The journal item itself was not met",
        "skin-ageing-reversed": "No ASA ruling on exosomes was found",
        "collagen-increase-300pct": "The origin of the figure",
    }.items():
        assert caution in shipped.entries[entry_id].note


def test_the_shipped_register_is_sound(shipped: Register) -> None:
    assert shipped.check(dt.date(2026, 11, 22)) == []


def test_an_old_record_is_pointed_out_and_is_no_problem() -> None:
    register = Register((entry(as_of=dt.date(2023, 1, 1)),))
    assert register.check(dt.date(2026, 6, 1)) == []
    (stale,) = register.stale(dt.date(2026, 6, 1))
    assert "41 months ago" in stale
    assert Register((entry(as_of=dt.date(2026, 1, 1)),)).stale(dt.date(2026, 6, 1)) == []


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ((entry(citations=()),), "no citation"),
        ((entry(as_of=dt.date(2027, 1, 1)),), "in the future"),
        ((entry(verdicts={"US": "maybe"}),), "'maybe' for US is unknown"),
        ((entry(), entry()), "two entries have this id"),
        ((entry(clashes=("y",)),), "'y', which is not in the register"),
        (
            (entry(verdicts={"EU": "supported"}, clashes=("y-legal",)), entry(id="y-legal", verdicts={"EU": "supported"})),
            "cannot both be supported for EU",
        ),
        (
            (entry(verdicts={"global": "supported"}, clashes=("y-legal",)), entry(id="y-legal", verdicts={"EU": "supported"})),
            "cannot both be supported for EU",
        ),
        ((entry(citations=(Citation(id="A", citation="A", url=None, kind="controlled trial"),)),), "has no address"),
        (
            (
                entry(
                    verdicts={"US": "supported"},
                    citations=(Citation(id="AD", citation="A", url="https://a.example", kind="claim seen"),),
                ),
            ),
            "cites only where the claim is made",
        ),
        (
            (
                entry(),
                entry(id="y", citations=(Citation(id="A", citation="Another paper", url="https://example.org/a", kind="law"),)),
            ),
            "y: citation A is not the same as in x-treated",
        ),
    ],
)
def test_problems_are_named(entries: tuple[Entry, ...], says: str) -> None:
    assert any(says in problem for problem in Register(entries).check(dt.date(2026, 6, 1)))


def test_a_sound_register_has_none() -> None:
    assert Register((entry(),)).check(dt.date(2026, 6, 1)) == []


def proposition(**changes: object) -> Proposition:
    values: dict[str, object] = {"key": "x", "type": "disease_treatment", "claim": "X treats y.", "patterns": ()}
    return Proposition(**{**values, **changes})  # type: ignore[arg-type]


def test_where_lexicon_and_register_do_not_meet_is_pointed_out_and_is_no_problem() -> None:
    register = Register((entry(), entry(id="y-legal", verdicts={"EU": "supported"})))
    assert register.check(dt.date(2026, 6, 1)) == []
    met = [proposition(entry="x-treated", jurisdiction="US"), proposition(entry="y-legal", jurisdiction="EU"), proposition()]
    assert register.loose_ends(met) == []
    (unnamed, unsaid) = register.loose_ends([proposition(entry="y-legal", jurisdiction="CH")])
    assert unnamed == "x-treated: no claim of the lexicon names this entry"
    assert unsaid == "y-legal: says nothing for CH, of which the claim x of the lexicon speaks"


def test_a_scope_is_one_value_or_several(tmp_path: Path) -> None:
    cite = "{id: A, citation: a, kind: law, url: 'https://example.org'}"
    row = ROW.format(f"scope: {{route: [injected, infused], material: human}}, citations: [{cite}]")
    (tmp_path / "all.yaml").write_text(row)
    assert load_register(tmp_path).entries["a-b"].scope == {"route": ("injected", "infused"), "material": ("human",)}


def test_the_version_follows_the_content() -> None:
    one, other = Register((entry(),)), Register((entry(verdicts={"global": "supported"}),))
    assert one.version == Register((entry(),)).version
    assert one.version != other.version


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "entries:\n- {id: a-b, type: nonsense, claim: c, verdicts: {US: supported}, as_of: 2026-01-01, citations: []}",
            "unknown type 'nonsense'",
        ),
        (
            "entries:\n- {id: a-b, type: safety, claim: c, verdicts: {US: perhaps}, as_of: 2026-01-01, citations: []}",
            "unknown verdict 'perhaps' for US",
        ),
        (
            "entries:\n- {id: a-b, type: safety, claim: c, verdicts: {NO: supported}, as_of: 2026-01-01, citations: []}",
            "put it in quotes",
        ),
        (
            "entries:\n- {id: a-b, type: safety, claim: c, verdicts: {US: supported}, as_of: soon, citations: []}",
            "as_of must be a date",
        ),
        (
            "entries:\n- {id: a-b, type: safety, claim: c, verdicts: {Us: supported}, as_of: 2026-01-01, citations: []}",
            "two capital letters, such as US, or global, not 'Us'",
        ),
        (
            ROW.format("citations: [], scope: {route: oral}"),
            "unknown route 'oral'; allowed are topical, injected, infused",
        ),
        (
            ROW.format("citations: [{id: A, citation: a, kind: x}]"),
            "unknown kind 'x'; allowed are regulator",
        ),
        ("entries:\n- {id: a-b, type: safety, claim: c, verdicts: {US: supported}, as_of: 2026-01-01}", "'citations' is missing"),
        ("entries:\n- {id: a-b, typ: safety}", "unknown key 'typ'"),
        ("entries: [", "not valid YAML"),
    ],
)
def test_a_slip_is_one_clear_sentence_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "safety.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(TopicError) as error:
        load_register(tmp_path)
    assert says in str(error.value)
    assert "safety.yaml" in str(error.value)


def test_an_id_used_twice_names_both_files(tmp_path: Path) -> None:
    one = ROW.format("citations: [{id: A, citation: a, kind: law, url: 'https://example.org'}]")
    (tmp_path / "one.yaml").write_text(one, encoding="utf-8")
    (tmp_path / "two.yaml").write_text(one, encoding="utf-8")
    with pytest.raises(TopicError, match=r"two\.yaml.*'a-b'.*one\.yaml"):
        load_register(tmp_path)
