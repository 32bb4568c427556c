"""The figures of `evaluate`: right by hand on small cases, and the scorer's own to the last digit on many."""

from __future__ import annotations

import importlib.util
import json
import random
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from monitor.words import CLAIM_TYPES, STANCES, VERDICTS, Judgement, Occurrence, encode
from tests import shipped
from tests.abuse import write_config
from tests.daemon_process import run_command
from tests.samples import occurrence
from tests.standins.chat_server import ChatServer, answer, claim
from tests.test_cli_query import exowatch
from workers.evaluate import Label, Labelled, Pair, evaluate, wrong_alerts

TEXT = "These drops are FDA approved, they triple collagen and nobody ever felt a side effect"


def judgement(*found: Occurrence, id: str = "1", **more: Any) -> Judgement:  # noqa: A002
    values: dict[str, Any] = {"relevant": True, "language": "en", "adverse_event": False, "classifier": "c", "register": "r"}
    return Judgement(id=id, alert=any(one.alerting for one in found), claims=found, **(values | more))


def label(quote: str, key: str, **more: Any) -> Label:
    values: dict[str, Any] = {"type": "regulatory_status", "stance": "asserts", "verdict": "contradicted"}
    return Label(quote=quote, claim_key=key, **(values | more))


def post(*claims: Label, id: str = "1", **more: Any) -> Labelled:  # noqa: A002
    values: dict[str, Any] = {"text": TEXT, "relevant": True, "alert": bool(claims), "lang": "en"}
    return Labelled(id=id, claims=claims, **(values | more))


def found(quote: str, key: str, **more: Any) -> Occurrence:
    return occurrence(TEXT, quote, key, **more)


# By hand


def test_whoever_agrees_in_everything_gets_one_everywhere() -> None:
    pairs = [(post(label("FDA approved", "a")), judgement(found("FDA approved", "x", confidence=1.0)))]
    evaluation = evaluate(pairs)
    assert set(evaluation.figures.values()) == {1.0}
    assert set(evaluation.intervals.values()) == {(1.0, 1.0)}
    assert evaluation.figures.keys() == evaluation.intervals.keys()
    assert wrong_alerts(pairs) == []


def test_figures_on_a_small_file_are_those_that_one_works_out_by_hand() -> None:
    safe = {"type": "safety", "verdict": "unsupported"}
    pairs = [
        (post(label("FDA approved", "a"), id="1"), judgement(found("are FDA approved", "x", confidence=0.75), id="1")),
        (post(label("FDA approved", "a", stance="denies"), id="2", alert=False), judgement(found("FDA approved", "y"), id="2")),
        (post(label("nobody ever felt a side effect", "s", **safe), id="3", lang="de", traits=("ad",)), judgement(id="3")),
        (post(id="4", relevant=False), judgement(id="4", relevant=False)),
    ]
    evaluation = evaluate(pairs)
    by_hand = {
        "relevance": 1.0,
        "detection": 2 * 2 / (2 * 2 + 1),
        "type_micro": 2 * 2 / (2 * 2 + 1),
        "type_macro": 8 / 9,  # all but safety, since what is neither there nor found is right
        "stance": 2 * 1 / (2 * 1 + 1 + 2),
        "verdict": 2 * 2 / (2 * 2 + 1),
        "claims": 2 * 2 / (2 * 2 + 1),
        "quote": (2 * 2 / 5 + 1) / 2,
        "identity": 2 * 1.0 * 0.5 / 1.5,  # one proposition under two names
        "alert_precision": 1 / 2,
        "alert_recall": 1 / 2,
        "alert": 1 / 2,
        "adverse_event": 1.0,
        "calls": 1 - (0.25 + 0.1) / 2,
    }
    assert evaluation.figures == pytest.approx(by_hand)
    assert (evaluation.posts, evaluation.n_claims) == (4, 3)
    regulatory, safety = evaluation.by_type["regulatory_status"], evaluation.by_type["safety"]
    assert (regulatory.number, regulatory.precision, regulatory.recall) == (2, 1.0, 1.0)
    assert (safety.number, safety.precision, safety.recall, safety.f1) == (1, 1.0, 0.0, 0.0)
    asserts, denies = evaluation.by_stance["asserts"], evaluation.by_stance["denies"]
    assert (asserts.number, asserts.precision, asserts.recall) == (2, 0.5, 0.5)
    assert (denies.number, denies.precision, denies.recall) == (1, 1.0, 0.0)
    assert {name: one.number for name, one in evaluation.by_language.items()} == {"en": 3, "de": 1}
    assert evaluation.by_trait.keys() == {"ad"}
    german = evaluation.by_language["de"]
    assert (german.recall, german.alert and german.alert.recall) == (0.0, 0.0)
    assert [labelled.id for labelled, _ in wrong_alerts(pairs)] == ["2", "3"]


def test_an_interval_is_wide_with_few_posts_and_narrow_with_many_and_always_the_same() -> None:
    right = (post(label("FDA approved", "a")), judgement(found("FDA approved", "x")))
    wrong = (post(label("FDA approved", "a")), judgement())
    few, many = evaluate([right, wrong] * 10), evaluate([right, wrong] * 200)
    for evaluation, width in ((few, 0.44), (many, 0.1)):  # of a share of a half: twice 1.96 times sqrt(p (1 - p) / n)
        low, high = evaluation.intervals["alert_recall"]
        assert low < 0.5 < high
        assert high - low == pytest.approx(width, rel=0.2)
    assert evaluate([right, wrong] * 10) == few


def test_every_figure_lies_in_its_interval() -> None:
    evaluation = evaluate(random_pairs(200, seed=3))
    for name in evaluation.figures.keys() - {"calls"}:
        low, high = evaluation.intervals[name]
        assert low < evaluation.figures[name] < high, name


# Against the scorer


@pytest.fixture(scope="module")
def scorer(shared: Path) -> ModuleType:
    """The scorer that comes with the labelled posts."""
    spec = importlib.util.spec_from_file_location("score", shared / "eval" / "score.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def same_figures(scorer: ModuleType, pairs: list[Pair]) -> None:
    gold, predicted = ({one.id: json.loads(encode(one)) for one in side} for side in zip(*pairs, strict=True))
    theirs, per_type = scorer.score(gold, predicted)
    ours = evaluate(pairs, draws=10)
    mine = {"posts": ours.posts, "n_claims": ours.n_claims, **ours.figures}
    assert list(mine) == list(theirs)
    assert mine == pytest.approx(theirs, rel=0, abs=1e-9)
    assert ours.per_type == pytest.approx(per_type, rel=0, abs=1e-9)


def test_the_figures_are_the_scorers_on_labelled_posts(scorer: ModuleType, shared: Path) -> None:
    judge = shipped.judge()
    with (shared / "data" / "dev.jsonl").open("rb") as lines:
        posts = [msgspec.json.decode(line, type=Labelled) for line in lines]
    same_figures(scorer, [(one, judge.judge(one.id, one.text, one.lang)) for one in posts])


@pytest.mark.parametrize("seed", range(20))
def test_the_figures_are_the_scorers_on_whatever_posts(scorer: ModuleType, seed: int) -> None:
    """From a post without a claim to dozens with many each: quotes that overlap and tie, types twice, names shared."""
    same_figures(scorer, random_pairs((1, 2, 5, 40)[seed % 4], seed))


def random_pairs(count: int, seed: int) -> list[Pair]:
    drawing = random.Random(seed)
    words = TEXT.split()

    def quote() -> str:
        start = drawing.randrange(len(words))
        return " ".join(words[start : start + drawing.randint(1, 5)])

    def draw(n: int) -> Pair:
        gold = [
            label(
                *(quote(), f"k{drawing.randint(1, 4)}"),
                type=drawing.choice(CLAIM_TYPES[:4]),
                stance=drawing.choice(STANCES),
                verdict=drawing.choice(VERDICTS),
            )
            for _ in range(drawing.choice((0, 0, 1, 2, 5)))
        ]
        predicted = [
            found(
                *(one.quote if drawing.random() < 0.5 else quote(), f"x{drawing.randint(1, 4)}"),
                type=one.type if drawing.random() < 0.8 else drawing.choice(CLAIM_TYPES),
                stance=one.stance if drawing.random() < 0.7 else drawing.choice(STANCES),
                verdict=one.verdict if drawing.random() < 0.8 else drawing.choice(VERDICTS),
                confidence=drawing.choice((0.0, 0.05, 0.5, 0.8, 0.95, 1.0)),
            )
            for one in gold
            if drawing.random() < 0.8
        ]
        more = {"relevant": drawing.random() < 0.8, "adverse_event": drawing.random() < 0.3}
        return (
            post(*gold, id=str(n), alert=drawing.random() < 0.5, adverse_event=drawing.random() < 0.3, relevant=n % 3 > 0),
            judgement(*predicted, id=str(n), **more),
        )

    return [draw(n) for n in range(count)]


# The command


LINES = [
    {"text": "These exosomes are FDA approved", "alert": True, "traits": ["ad"], "more": "is not looked at"},
    {"text": "Exosomes cure arthritis", "alert": False, "claims": [], "lang": "en"},
    {"text": "The weather \x1b[31m is fine", "alert": True, "relevant": False, "claims": []},
]
FDA = {"quote": "FDA approved", "type": "regulatory_status", "stance": "asserts", "verdict": "contradicted", "claim_key": "k"}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path)


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    file = tmp_path / "labelled.jsonl"
    defaults = {"relevant": True, "claims": [FDA], "adverse_event": False}
    file.write_text("\n".join(json.dumps({"id": f"p{n}", **defaults, **line}) for n, line in enumerate(LINES)))
    return file


def test_the_table_is_plain_in_a_pipe_and_holds_all_figures(
    config: Path, labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)  # pytest-xdist sets it
    answer = exowatch("evaluate", labelled, "--errors", "1", "--config", config)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "\x1b" not in answer.stdout
    assert answer.stdout.startswith("3 posts with 1 claims, judged by ")
    for line in ("relevance        1.000   1.000 to 1.000", "alert_precision  0.500   0.000 to 1.000", "regulatory_status  "):
        assert f"\n{line}" in answer.stdout
    for heading in ("by type", "by stance", "by language", "by trait"):
        assert f"\n{heading} " in answer.stdout
    errors = answer.stdout.partition("2 alerts are wrong\n")[2]
    assert "p1: the alert is raised and not due" in errors
    assert "labelled  no claim" in errors
    assert "judged    disease_treatment asserts unsupported “Exosomes cure arthritis”" in errors
    assert "p2" not in errors, "only the first was asked for"
    assert not (tmp_path / "data").exists()


def test_json_is_one_object_with_the_scorers_names(config: Path, labelled: Path) -> None:
    answer = exowatch("evaluate", labelled, "--json", "--errors", "5", "--config", config)
    said = json.loads(answer.stdout)
    assert answer.stdout.count("\n") == 1
    assert (said["posts"], said["n_claims"], said["relevance"], said["alert_recall"]) == (3, 1, 1.0, 0.5)
    assert said["per_type"].keys() == set(CLAIM_TYPES)
    assert said["intervals"]["alert_recall"] == [0.0, 1.0]
    assert said["by_type"]["regulatory_status"] == {"number": 1, "precision": 1.0, "recall": 1.0, "f1": 1.0}
    assert said["by_trait"]["ad"]["alert"]["f1"] == 1.0
    assert list(said["classifiers"].values()) == [3]
    assert [(one["id"], one["alert"]) for one in said["errors"]] == [
        ("p1", {"labelled": False, "judged": True}),
        ("p2", {"labelled": True, "judged": False}),
    ]
    assert said["wrong_alerts"] == 2
    assert "errors" not in json.loads(exowatch("evaluate", labelled, "--json", "--config", config).stdout)


def test_what_a_post_holds_does_not_reach_the_terminal(config: Path, labelled: Path) -> None:
    answer = exowatch("evaluate", labelled, "--errors", "2", "--config", config)
    assert "The weather is fine" in answer.stdout
    assert "\x1b" not in answer.stdout


def test_a_bad_line_is_named_and_the_others_go_on(config: Path, labelled: Path) -> None:
    good = labelled.read_bytes().splitlines()
    bad = [
        b"no json",
        b'{"id": "x", "text": "exosomes"}',
        good[0].replace(b"regulatory_status", b"gossip"),
        good[0],  # once more
        b"\xff\xfe",
        b"[" * 100_000,
    ]
    labelled.write_bytes(b"\n".join([good[0], b"", *bad, *good[1:]]))
    answer = exowatch("evaluate", labelled, "--json", "--config", config)
    assert answer.returncode == 1
    assert json.loads(answer.stdout)["posts"] == 3
    named = answer.stderr.splitlines()
    assert [line.split(": ")[1] for line in named] == [f"line {number}" for number in range(3, 9)]
    assert "gossip" in named[2]
    assert "p0" in named[3]


def test_a_file_without_posts_is_one_sentence(config: Path, tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").write_text("\n")
    answer = exowatch("evaluate", tmp_path / "none.jsonl", "--config", config)
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr == "exowatch: there is no labelled post in the file\n"
    assert exowatch("evaluate", tmp_path / "nowhere", "--config", config).returncode == 2


async def test_a_configured_model_is_what_is_scored(tmp_path: Path, labelled: Path) -> None:
    async with ChatServer(lambda text: answer(claim(text[-12:], "fda-approved"))) as server:
        section = f'[classifier]\nkind = "openai"\nbase_url = "{server.url}"\nmodel = "reader-1"\napi_key = "sk-test"'
        config = write_config(tmp_path, section)
        status, out, err = await run_command("--config", str(config), "evaluate", str(labelled), "--json")
    said = json.loads(out)
    assert (status, err) == (0, "")
    assert sorted(said["classifiers"].values()) == [1, 2]  # one is not about the topic, and not sent
    assert max(said["classifiers"], key=said["classifiers"].get).startswith("openai-reader-1+")
    assert said["by_type"]["regulatory_status"]["precision"] == 0.5
