"""Reviewing by command line, as a user does it: `exowatch claim ID ACTION`, the list by state, and reviews as labelled posts."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from monitor.cli import main
from monitor.ids import claim_id_of
from monitor.settings import Settings
from monitor.store import Database
from monitor.store.judged import Judged, Origin
from tests import shipped
from tests.samples import judged, occurrence, write
from tests.test_cli_query import exowatch

APPROVED, SAFE, CURED = claim_id_of("fda-approved"), claim_id_of("no-side-effects"), claim_id_of("cures-all")
SENTENCE = "A filter needle for exosomes is FDA approved."


def approved(key: str, *, sure: bool = True, hours_ago: float = 3.0, **more: Any) -> Judged:
    text = f"I ({key}) read that exosomes are FDA approved"
    one = judged(key, text, occurrence(text, "FDA approved", "fda-approved", **more), hours_ago=hours_ago, author=key)
    return one if sure else unsure(one)


def unsure(one: Judged) -> Judged:
    """As joined to its claims as the likeliest."""
    origins = tuple(Origin(proposition=origin.proposition, entry=origin.entry, sure=False) for origin in one.origins)
    return Judged(
        number=one.number, seen_ms=one.seen_ms, post=one.post, judgement=one.judgement, origins=origins, alerts=one.alerts
    )


def of_two(key: str) -> Judged:
    text = "Exosomes are FDA approved and cure all"
    cures = occurrence(text, "cure all", "cures-all", type="disease_treatment")
    return judged(key, text, occurrence(text, "FDA approved", "fda-approved"), cures, hours_ago=4)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A config file whose database holds posts of three claims."""
    file = tmp_path / "monitor.toml"
    file.write_text(f'data_dir = "{tmp_path}/var"\n')
    safe = "exosomes have no side effects"
    stored(
        file,
        approved("a"),
        approved("b", sure=False, hours_ago=2),
        of_two("c"),
        judged("s", safe, occurrence(safe, "no side effects", "no-side-effects", type="safety"), hours_ago=1, author="s"),
    )
    return file


def stored(config: Path, *batch: Judged) -> None:
    async def fill() -> None:
        database = Database(Settings(store={"url": f"sqlite:///{config.parent}/var/exowatch.sqlite"}).sqlalchemy_url)
        await database.migrate()
        await write(database, *batch)
        await database.close()

    asyncio.run(fill())


@dataclass
class Shell:
    """Commands against one database, in this process: a process of its own for each would take a second."""

    config: Path
    output: pytest.CaptureFixture[str]

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit status, what it printed, and its errors."""
        self.output.readouterr()
        with pytest.raises(SystemExit) as end:
            main(["--config", str(self.config), *arguments])
        out, err = self.output.readouterr()
        return int(end.value.code or 0), out, err

    def said(self, *arguments: str) -> str:
        """What a command that goes well prints."""
        status, out, err = self.run(*arguments)
        assert (status, err) == (0, "")
        return out

    def detail(self, claim_id: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.said("claim", claim_id, "--format", "json"))
        return found

    def exported(self) -> dict[str, dict[str, Any]]:
        """The labelled posts, by text."""
        status, out, err = self.run("reviews", "export")
        assert status == 0, err
        return {post["text"]: post for post in map(json.loads, out.splitlines())}


@pytest.fixture
def shell(config: Path, capfd: pytest.CaptureFixture[str]) -> Shell:
    """Commands against the database of `config`."""
    return Shell(config, capfd)


def test_a_review_says_what_was_done_and_what_holds_now(config: Path, shell: Shell) -> None:
    real = exowatch("--config", config, "claim", APPROVED, "confirm", "--note", "seen\nit \x1b[31mred", "--reviewer", "ann")
    assert (real.returncode, real.stderr) == (0, "")
    done = real.stdout
    assert done.splitlines()[0] == f"confirmed {APPROVED}"
    assert f"{APPROVED} is confirmed, contradicted" in done
    assert "\x1b" not in done
    done = shell.said("claim", APPROVED, "mute", "--for", "7d")
    assert "is muted until 20" in done
    shown = shell.said("claim", APPROVED)
    lines = shown.partition("\nReviews\n")[2].splitlines()
    assert ["ann confirm “seen it [31mred”" in lines[0], "mute until 20" in lines[1], len(lines)] == [True, True, 2]
    assert "muted until 20" in shown.splitlines()[1]
    assert "is muted for good" in shell.said("claim", APPROVED, "mute")
    assert "is confirmed" in shell.said("claim", APPROVED, "unmute")
    assert "is open" in shell.said("claim", APPROVED, "reopen")


def test_claims_are_listed_by_state_and_other_lists_do_not_know_it(shell: Shell) -> None:
    shell.said("claim", APPROVED, "confirm")
    shell.said("claim", SAFE, "dismiss")
    shell.said("claim", CURED, "confirm")
    shell.said("claim", CURED, "mute")

    def ids(*states: str) -> set[str]:
        chosen = [word for state in states for word in ("--state", state)]
        return {json.loads(line)["id"] for line in shell.said("claims", *chosen, "--format", "jsonl").splitlines()}

    assert (ids("confirmed"), ids("dismissed"), ids("muted"), ids("open")) == ({APPROVED}, {SAFE}, {CURED}, set())
    assert ids("muted", "dismissed") == {SAFE, CURED}
    for arguments in (("mentions", "--state", "open"), ("alerts", "--state", "confirmed"), ("claims", "--state", "sleepy")):
        assert shell.run(*arguments)[0] == 2


def test_a_merge_and_a_split_name_the_claim_that_holds_now(shell: Shell) -> None:
    done = shell.said("claim", CURED, "merge", "--into", APPROVED)
    assert done.splitlines()[0].startswith(f"merged {CURED} into {APPROVED}")
    assert f"{APPROVED} is open" in done
    done = shell.said("claim", CURED, "split", "--mention", "reddit:a", "--as", SENTENCE)
    new = done.split()[1]
    assert (shell.detail(new)["claim"], shell.detail(new)["mentions"]) == (SENTENCE, 1)
    assert f"{new} is open, unsupported (burden of proof), 1 mention by 1 author" in done
    done = shell.said("claim", CURED, "confirm")
    assert done.splitlines()[0] == f"confirmed {APPROVED} (what {CURED} was merged into)"
    shown = shell.said("claim", APPROVED).partition("\nReviews\n")[2]
    assert f"merge from {CURED}" in shown
    assert f"split into {new}: m_" in shown


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("merge", SAFE), f"merge takes '{SAFE}' with an option: --into {SAFE}; see exowatch claim --help"),
        (("split", "reddit:a"), "--mention reddit:a;"),
        (("confirm", "reddit:a", "--note", "x"), "--mention reddit:a;"),
        (("mute", "7d"), "--for 7d;"),
        (("note", "seen on their site"), "--note 'seen on their site';"),
        (("--why", "reddit:a"), "Invalid value for '[ACTION]': 'reddit:a' is not one of 'confirm', 'dismiss'"),
    ],
)
def test_a_word_without_its_option_is_answered_with_the_option(shell: Shell, words: tuple[str, ...], says: str) -> None:
    status, out, err = shell.run("claim", APPROVED, *words)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert says in err
    assert json.loads(shell.said("claim", APPROVED, "--format", "json"))["reviews"] == []


def test_one_sees_how_and_why_occurrences_are_of_the_claim(shell: Shell) -> None:
    shell.said("claim", CURED, "merge", "--into", APPROVED)
    found = shell.detail(APPROVED)
    joined = {(place["platform_id"], place["quote"]): place["joined"] for place in found["occurrences"]["items"]}
    assert joined == {
        ("a", "FDA approved"): "sure",
        ("b", "FDA approved"): "maybe",
        ("c", "FDA approved"): "sure",
        ("c", "cure all"): "by review",
    }
    assert found["proposition"] == "fda-approved"
    table = shell.said("claim", APPROVED).partition("\nOccurrences\n")[2].partition("\nAlerts\n")[0]
    headings, *rows = [line.split("\t") for line in table.strip().splitlines()]
    place = headings.index("joined")
    assert sorted(row[place] for row in rows) == ["", "", "by review", "maybe"]
    assert all("so many words" in row[headings.index("why")] for row in rows)
    whole = shell.said("claim", APPROVED, "--why", "--mention", "reddit:b", "--mention", "reddit:c")
    assert "fda-approved" in whole
    assert whole.count("It says so in so many words") == 3
    assert "joined to this claim as the likeliest" in whole
    assert "put under this claim by a review" in whole
    assert "[maybe]" in whole


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("c_none", "confirm"), 1, "there is no claim c_none"),
        ((APPROVED, "bless"), 2, "confirm"),
        ((APPROVED, "merge"), 2, "--into"),
        ((APPROVED, "merge", "--into", APPROVED), 1, "one claim already"),
        ((APPROVED, "merge", "--into", "c_none"), 1, "there is no claim c_none"),
        ((APPROVED, "split", "--mention", "reddit:a"), 2, "--as"),
        ((APPROVED, "split", "--mention", "reddit:s", "--as", SENTENCE), 1, "does not carry this claim"),
        ((APPROVED, "split", "--mention", "reddit:a", "--as", "short"), 2, "10 to 300"),
        ((APPROVED, "confirm", "--for", "7d"), 2, "--for"),
        ((APPROVED, "mute", "--for", "soon"), 2, "7d"),
        ((APPROVED, "mute", "--for", "1d", "--until", "2099-01-01"), 2, "not both"),
        ((APPROVED, "mute", "--until", "2001-01-01"), 2, "in the future"),
        ((APPROVED, "confirm", "--note", "x" * 2_001), 2, "2,000"),
        ((APPROVED, "--note", "lonely"), 2, "go with an action"),
        ((APPROVED, "--why", "--mention", "reddit:s"), 1, "do not carry it"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_changes_nothing(
    shell: Shell, arguments: tuple[str, ...], status: int, says: str
) -> None:
    got, out, err = shell.run("claim", *arguments)
    assert (got, out, err.count("\n")) == (status, "", 1), err
    assert says in err
    assert shell.detail(APPROVED)["reviews"] == []


def test_reviews_become_labelled_posts_that_evaluate_reads(shell: Shell, config: Path, tmp_path: Path) -> None:
    assert shell.run("reviews", "export")[0] == 1  # nobody said anything yet
    shell.said("claim", APPROVED, "confirm")
    texts = shell.exported()
    assert {text[:7] for text in texts} == {"I (a) r", "I (b) r"}  # of c, one claim is still open
    shell.said("claim", CURED, "dismiss")
    shell.said("claim", SAFE, "dismiss")
    posts = shell.exported()
    assert len(posts) == 4
    counter = posts["exosomes have no side effects"]
    assert (counter["claims"], counter["alert"], counter["traits"]) == ([], False, ["dismissed"])
    both = posts["Exosomes are FDA approved and cure all"]
    assert [(one["quote"], one["claim_key"], one["verdict"]) for one in both["claims"]] == [
        ("FDA approved", "fda-approved", "contradicted")
    ]
    assert (both["alert"], both["text"][both["claims"][0]["start"] :][:12]) == (True, "FDA approved")
    file = tmp_path / "reviewed.jsonl"
    done = exowatch("--config", config, "reviews", "export", file)
    assert (done.returncode, done.stdout) == (0, "")
    assert "4 posts with 3 claims; 1 of them carries none" in done.stderr
    evaluated = exowatch("--config", config, "evaluate", file, "--json")
    assert (evaluated.returncode, evaluated.stderr) == (0, "")
    figures = json.loads(evaluated.stdout)
    assert (figures["posts"], figures["n_claims"], figures["by_trait"]["dismissed"]["number"]) == (4, 3, 2)


def test_merged_and_split_ones_are_labelled_as_they_were_put_and_only_as_far_as_a_person_looked(shell: Shell) -> None:
    shell.said("claim", CURED, "merge", "--into", APPROVED)
    new = shell.said("claim", APPROVED, "split", "--mention", "reddit:a", "--as", SENTENCE).split()[1]
    shell.said("claim", APPROVED, "confirm")
    assert {text[:7] for text in shell.exported()} == {"I (b) r", "Exosome"}  # the new claim is for somebody to look at
    shell.said("claim", new, "confirm")
    posts = {text[:7]: post for text, post in shell.exported().items()}
    own = posts["I (a) r"]
    assert [(one["claim_key"], one["claim"], one["verdict"]) for one in own["claims"]] == [
        (f"own:{new}", SENTENCE, "unsupported")
    ]
    assert own["traits"] == ["moved"]
    assert [(one["quote"], one["claim_key"], one["type"]) for one in posts["Exosome"]["claims"]] == [
        ("FDA approved", "fda-approved", "regulatory_status"),
        ("cure all", "fda-approved", "regulatory_status"),
    ]
    stored(shell.config, approved("later", hours_ago=-0.01))  # half a minute after they decided
    assert not [text for text in shell.exported() if "later" in text]


def test_claims_that_differ_by_a_number_are_labelled_apart_and_agree_with_the_classifier(shell: Shell, tmp_path: Path) -> None:
    judge = shipped.judge()
    texts = [f"These exosomes boost collagen by {number}%, says {key}" for key, number in (("a", 300), ("b", 500), ("c", 300))]
    ids = set()
    for n, text in enumerate(texts):
        judgement, origins = judge.weigh(f"n{n}", text)
        ids |= {one.claim_id for one in judgement.claims}
        stored(shell.config, replace(judged(f"n{n}", text, n=n), judgement=judgement, origins=origins))
    assert len(ids) == 2
    for claim_id in ids:
        shell.said("claim", claim_id, "confirm")
    file = tmp_path / "reviewed.jsonl"
    assert shell.run("reviews", "export", str(file))[0] == 0
    posts = [json.loads(line) for line in file.read_text().splitlines()]
    labels = [(one["claim_key"], one["proposition"]) for post in posts for one in post["claims"]]
    assert len(set(labels)) == 2
    assert {proposition for _, proposition in labels} == {shipped.topic().lexicon.propositions[labels[0][1]].key}
    assert all(claim_id_of(key) in ids for key, _ in labels)
    status, out, _ = shell.run("evaluate", str(file), "--json")
    assert (status, json.loads(out)["identity"], json.loads(out)["detection"]) == (0, 1.0, 1.0)


def test_a_group_without_a_command_shows_its_help_and_names_that_nobody_watches_are_named(shell: Shell) -> None:
    status, out, err = shell.run("reviews")
    assert (status, out) == (2, "")
    assert [
        "Usage: exowatch reviews" in err.splitlines()[0],
        any(line.strip().startswith("export") for line in err.splitlines()),
    ] == [
        True,
        True,
    ]
    status, _, err = shell.run("claims", "--watch", "Nope")
    assert (status, err.count("\n"), "Nope is not on the watchlist" in err) == (0, 1, True)


@pytest.mark.parametrize("listed", ["mentions", "claims", "alerts", "sources"])
def test_a_source_and_a_claim_that_are_none_are_named_beside_the_empty_list(shell: Shell, listed: str) -> None:
    with shell.config.open("a") as file:
        file.write('[[source]]\nname = "box"\nkind = "folder"\npath = "in"\nplatform = "forum"\n')
    status, out, err = shell.run(listed, "--source", "nosuch", "--claim", "c_x", "--format", "jsonl")
    assert (status, out) == (0, "")
    assert err.splitlines() == [
        "exowatch: nosuch is no source; `exowatch sources` lists them",
        "exowatch: c_x is no claim; `exowatch claims` lists them",
    ]
    assert shell.run(listed, "--source", "Box")[2] == "exowatch: Box is no source; did you mean box?\n"
    shell.said(listed, "--source", "box")  # heard nothing yet
    shell.said("claim", CURED, "merge", "--into", APPROVED)
    shell.said(listed, "--source", "skincare", "--claim", CURED)  # brought by posts alone; merged into another
    assert "did you mean ASCE+?" in shell.run("claims", "--watch", "asce+")[2]
