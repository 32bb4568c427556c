"""The matching benchmark reads the files of CheckThat! 2022, task 2A, and works out MAP@5 as trec_eval does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.claim_set import BM25, ClaimSet, ClaimSetError, map_at_5, read_set

ROOT = Path(__file__).resolve().parents[1]
CLAIMS = {
    "v-1": "Exosome drips cure tinnitus.",
    "v-2": "Exosome serum regrows hair on bald heads.",
    "v-3": "The mayor painted the town hall pink overnight.",
    "v-4": "Eating chalk makes teeth whiter.",
    "v-5": "A goose won the village chess tournament.",
    "v-6": "Rain is forbidden on Sundays by law.",
}
QUERIES = {
    "1": "my ears stopped ringing, exosome drips cured my tinnitus https://example.org/x",
    "2": "so the town hall is pink now because the mayor painted it?",
    "3": "chalk for whiter teeth, and a goose that plays chess",
    "4": "nobody checked this one",
}
RELEVANT = {"1": ["v-1"], "2": ["v-3"], "3": ["v-4", "v-5"]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "vclaims").mkdir()
    for key, claim in CLAIMS.items():
        one = {"vclaim_id": key, "vclaim": claim, "title": "Is it so?", "subtitle": "", "author": "A.", "date": "1 May"}
        (tmp_path / "vclaims" / f"{key}.json").write_text(json.dumps(one))
    lines = ["tweet_id\ttweet_content", *("\t".join(one) for one in QUERIES.items())]
    (tmp_path / "X-Dev_Queries.tsv").write_text("\n".join(lines) + "\n")
    pairs = [f"{key}\t0\t{claim}\t1" for key, claims in RELEVANT.items() for claim in claims]
    (tmp_path / "X-Dev_QRELs.tsv").write_text("\n".join(pairs) + "\n")
    return tmp_path


def test_a_set_is_read_with_the_posts_that_the_qrels_name(folder: Path) -> None:
    found = read_set(folder)
    assert found.queries.keys() == RELEVANT.keys()
    assert found.relevant == {key: set(claims) for key, claims in RELEVANT.items()}
    assert found.claims["v-3"] == "The mayor painted the town hall pink overnight. Is it so?"


def test_claims_may_stand_in_one_table(folder: Path) -> None:
    rows = ["vclaim_id\tvclaim\ttitle", *(f'{key}\t"{claim}"\tIs it so?' for key, claim in CLAIMS.items())]
    for file in (folder / "vclaims").iterdir():
        file.unlink()
    (folder / "verified_claims.docs.tsv").write_text("\n".join(rows))
    assert read_set(folder).claims == {key: f"{claim} Is it so?" for key, claim in CLAIMS.items()}


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClaimSetError, match="found no qrels"):
        read_set(tmp_path)


def test_map_at_5() -> None:
    found = ClaimSet({"a": "", "b": "", "c": ""}, {}, {"a": {"x"}, "b": {"x", "y"}, "c": {"z"}})
    rankings = {"a": ["o", "x"], "b": ["x", "o", "y"], "c": ["1", "2", "3", "4", "5", "z"]}
    # a: 1/2; b: (1/1 + 2/3) / 2; c: the right one is sixth.
    assert map_at_5(found, rankings) == pytest.approx((1 / 2 + (1 + 2 / 3) / 2 + 0) / 3)


def test_bm25_puts_the_rarer_shared_word_first() -> None:
    best = BM25({"one": "the cat sat", "two": "the dog sat", "three": "the the the"}).best("the dog")
    assert best[0] == "two"


def test_the_benchmark_runs_on_a_set_and_is_left_out_without(folder: Path, tmp_path: Path) -> None:
    def run(*options: str) -> subprocess.CompletedProcess[str]:
        output = ["--output", str(tmp_path / "results.json")]
        command = [sys.executable, "-m", "benchmarks", "--quick", "matching", *output, *options]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert "left out; --set FOLDER" in run().stderr
    done = run("--set", str(folder))
    assert done.returncode == 0, done.stderr
    (figure,) = json.loads((tmp_path / "results.json").read_text())
    assert figure["name"] == "matching, MAP@5"
    assert figure["peer"] == {"name": "BM25", "value": 1.0}
    assert 0.5 <= figure["value"] <= 1
    assert figure["note"] == "3 posts, 6 claims"
    assert "there is no folder" in run("--set", str(folder / "nowhere")).stderr
