"""Which names of a watchlist a text speaks of, where the list is from, and what is said of a faulty one."""

from __future__ import annotations

import random
import re
import time
from pathlib import Path

import pytest

from monitor.topic import TopicError, load_topic
from monitor.topic.follow import Follower
from monitor.topic.watchlist import MAX_NAMES, Watched, Watchlist, load_watchlist
from tests.test_second_topic import write_pack

PACK = Path(__file__).resolve().parents[1] / "config" / "topics" / "exosomes"
LIST = Watchlist(
    [
        Watched(name="ASCE+", kind="brand", also=("asce plus",)),
        Watched(name="Kimera Labs", kind="brand"),
        Watched(name="Élan Clinic", kind="clinic", also=("엘란 의원",)),
        Watched(name="Nowhere", kind="product"),
        Watched(name="ASCE+ SRLV", kind="product"),
    ]
)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("I had ASCE+ exosomes", ["ASCE+"]),
        ("asce + did it", ["ASCE+"]),
        ("ＡＳＣＥ＋", ["ASCE+"]),
        ("#asceplus, no, asce-plus", ["ASCE+"]),
        ("the ASCE conference", []),
        ("ascertain asceplusses", []),
        ("KIMERA-LABS at the fair", ["Kimera Labs"]),
        ("kimeralabs", ["Kimera Labs"]),
        ("К1mera lаbs with Cyrillic letters", ["Kimera Labs"]),
        ("kimera. Some other labs", []),
        ("kimera                 labs", []),
        ("elan clinic, Élan's clinic", ["Élan Clinic"]),
        ("엘란의원에서 맞았다", ["Élan Clinic"]),
        ("Elan Clinic에서", ["Élan Clinic"]),
        ("now here it is, no where", []),
        ("asce+srlv", ["ASCE+", "ASCE+ SRLV"]),
        ("kimera labs, then ASCE+", ["ASCE+", "Kimera Labs"]),
        ("", []),
        ("\ud83d broken @nowhere_", ["Nowhere"]),
    ],
)
def test_names_are_found_at_the_ends_of_words_whatever_they_are_disguised_as(text: str, names: list[str]) -> None:
    assert list(LIST.find(text)) == names


def test_many_names_in_long_hostile_texts_take_time_that_grows_with_the_text() -> None:
    many = Watchlist([Watched(name=f"Name{n} of x{n}", kind="clinic", also=(f"한국{n} 병원",)) for n in range(MAX_NAMES)])
    dice = random.Random(1)
    texts = ["name1 of " * 5_000, "한국" * 20_000, "".join(dice.choices("ab +é한", k=40_000)), "+" * 40_000]
    for text in texts:
        started = time.process_time()
        assert many.find(text + " Name7 of x7") == ("Name7 of x7",)
        assert time.process_time() - started < 3


def test_the_shipped_list_loads_and_is_of_names_only() -> None:
    entries = load_watchlist(PACK).entries
    assert 12 <= len(entries) <= 20
    assert "ASCE+" in {entry.name for entry in entries}
    for entry in entries:
        assert entry.name in load_watchlist(PACK).find(f"my exosomes were by {entry.name}.")


def test_a_pack_without_a_list_works(tmp_path: Path) -> None:
    write_pack(tmp_path)
    topic = load_topic(tmp_path / "topics/bread")
    assert (topic.watchlist.names, topic.watchlist.find("ASCE+")) == ((), ())


def test_the_users_file_is_added_and_its_entry_wins(tmp_path: Path) -> None:
    (tmp_path / "watchlist.yaml").write_text("- {name: ACME, kind: brand, also: [acme inc]}\n- {name: Other, kind: brand}\n")
    own = tmp_path / "mine.yaml"
    own.write_text("- {name: Acme, kind: clinic, also: [acme ltd]}\n- {name: Mine, kind: person}\n")
    both = load_watchlist(tmp_path, own)
    assert [(entry.name, entry.kind) for entry in both.entries] == [("Acme", "clinic"), ("Other", "brand"), ("Mine", "person")]
    assert both.find("acme ltd and mine") == ("Acme", "Mine")
    own.write_text("# nothing yet\n")
    assert load_watchlist(tmp_path, own).names == ("ACME", "Other")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("names: [a]", r"mine\.yaml: expected a list of names"),
        ("- {name: Acme, kind: shop}", r"mine\.yaml, name 1 \(Acme\): unknown kind 'shop'; allowed are brand, product, clinic"),
        ("- {name: Acme}", r"name 1 \(Acme\): the key 'kind' is missing; allowed are name, kind, also \(optional\)"),
        ("- {name: Acme, kind: brand, bad: true}", r"name 1 \(Acme\): unknown key 'bad'; allowed are name, kind, also"),
        ("- {name: 300, kind: brand}", "name must be a text"),
        ("- {name: Acme, kind: brand, also: [300]}", r"name 1 \(Acme\), also: 300 is not a text; put it in quotes"),
        ("- {name: '+', kind: brand}", "at least two of them letters or digits"),
        ('- {name: "two\\nlines", kind: brand}', "on one line"),
        ("- {name: Acme, kind: brand}\n- {name: AC-ME, kind: brand}", "name 2: 'AC-ME' stands there already"),
        ("- {name: Acme, kind: brand", r"mine\.yaml, line 2: not valid YAML"),
    ],
)
def test_a_fault_is_named_with_its_place_and_what_is_allowed(tmp_path: Path, content: str, says: str) -> None:
    own = tmp_path / "mine.yaml"
    own.write_text(content)
    with pytest.raises(TopicError) as error:
        load_watchlist(tmp_path, own)
    assert re.search(says, str(error.value)), str(error.value)


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(TopicError, match=r"none\.yaml: there is no such file; the setting watchlist names it"):
        load_watchlist(tmp_path, tmp_path / "none.yaml")


def test_both_files_are_followed(tmp_path: Path) -> None:
    write_pack(tmp_path)
    pack, own = tmp_path / "topics/bread", tmp_path / "mine.yaml"
    own.write_text("- {name: Mine, kind: brand}\n")
    follower = Follower(pack, own)
    assert [follower.look(), follower.look()] == [None, None]
    for file, content, names in (
        (own, "- {name: Yours, kind: brand}\n", ("Yours",)),
        (pack / "watchlist.yaml", "- {name: Theirs, kind: brand}\n", ("Theirs", "Yours")),
    ):
        file.write_text(content)
        assert follower.look() is None
        topic = follower.look()
        assert topic is not None
        assert topic.watchlist.names == names
    own.unlink()
    assert follower.look() is None
    with pytest.raises(TopicError, match="no such file"):
        follower.look()
