"""The evidence register: what the shipped one holds, and what `check` says of a faulty one."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from monitor.topic import Citation, Entry, Register, TopicError
from monitor.topic.register import load_register

FOLDER = Path(__file__).resolve().parents[1] / "config" / "topics" / "exosomes" / "register"


def entry(**changes: object) -> Entry:
    cite = Citation(id="A", citation="A paper", url="https://example.org/a", kind="trial")
    values: dict[str, object] = {
        "id": "x-treated",
        "type": "disease_treatment",
        "claim": "X treats y.",
        "verdicts": {"global": "unsupported"},
        "as_of": dt.date(2026, 1, 1),
        "citations": (cite,),
    }
    return Entry(**{**values, **changes})  # type: ignore[arg-type]


def test_every_fact_of_the_record_is_in_the_register(shared: Path) -> None:
    register = load_register(FOLDER)
    for line in (shared / "data" / "register_facts.jsonl").read_text(encoding="utf-8").splitlines():
        fact = json.loads(line)
        found = register.get(fact["id"])
        assert found is not None, fact["id"]
        assert (found.type, found.claim, found.verdicts) == (fact["type"], fact["claim"], fact["verdicts"])
        assert found.as_of.isoformat() == fact["as_of"]
        assert [cite.id for cite in found.citations] == fact["cites"]


def test_marks_from_memory_are_kept(shared: Path) -> None:
    register = load_register(FOLDER)
    cites = {cite.id: cite for e in register.entries.values() for cite in e.citations}
    assert cites["S-BOS-2000"].mark == "from memory"
    assert cites["US-FDA-PSN-2019"].mark == "found"
    assert cites["US-FDA-PSN-2019"].url is not None
    assert cites["US-FDA-PSN-2019"].url.startswith("https://www.fda.gov/")
    assert "US-DOJ-KIMERA" not in cites, "an unconfirmed court case is not cited"


def test_the_shipped_register_is_sound() -> None:
    assert load_register(FOLDER).check(dt.date(2026, 11, 22)) == []


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
        ((entry(citations=(Citation(id="A", citation="A", url=None, kind="trial"),)),), "has no address"),
    ],
)
def test_problems_are_named(entries: tuple[Entry, ...], says: str) -> None:
    assert any(says in problem for problem in Register(entries).check(dt.date(2026, 6, 1)))


def test_a_sound_register_has_none() -> None:
    assert Register((entry(),)).check(dt.date(2026, 6, 1)) == []


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
    cite = "{id: A, citation: a, kind: trial, url: 'https://example.org'}"
    one = (
        f"entries:\n- {{id: a-b, type: safety, claim: c, verdicts: {{US: supported}}, as_of: 2026-01-01, citations: [{cite}]}}\n"
    )
    (tmp_path / "one.yaml").write_text(one, encoding="utf-8")
    (tmp_path / "two.yaml").write_text(one, encoding="utf-8")
    with pytest.raises(TopicError, match=r"two\.yaml.*'a-b'.*one\.yaml"):
        load_register(tmp_path)
