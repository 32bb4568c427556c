"""What the network answers, number by number, over a model of five pieces that is written out by hand."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest

from monitor.topic import TopicError
from tests.tiny_reader import GLANCES, SPECIAL, STANCES, TYPES, Word, card, heads, learned, network, opinion, write
from workers.classify.network import Array, Network, version_of

WIDTH, HIDDEN, GLANCE, TOLD = 6, 5, 3, 2  # all of another size, so that no two can be taken for each other
PIECES = ["skin", "glows", "überall"]
KEYS = ("firms", "lifts", "glows", "cures")


def chances_of(folder: Path, **more: object) -> tuple[Network, dict[str, Array], dict[str, Array]]:
    """A network of arbitrary numbers, the tables of its encoder, and its heads."""
    some = np.random.default_rng(7)

    def numbers(*shape: int) -> Array:
        return some.normal(0, 0.6, shape).astype(np.float32)

    rows = len(SPECIAL) + len(PIECES)
    tables = {"states": numbers(rows, WIDTH), "tags": numbers(rows, 2 * len(TYPES)), "post": numbers(rows, len(TYPES) + 3)}
    values = {
        "span.weight": numbers(3 * WIDTH + GLANCES * TOLD, HIDDEN),
        "span.bias": numbers(HIDDEN),
        "kind.weight": numbers(len(TYPES), HIDDEN),
        "stance.weight": numbers(HIDDEN, len(STANCES)),
        "stance.bias": numbers(len(STANCES)),
        "own.weight": numbers(HIDDEN, 2),
        "own.bias": numbers(2),
        "key.weight": numbers(HIDDEN, len(KEYS)),
        "key.bias": numbers(len(KEYS)),
        "ask.weight": numbers(WIDTH, GLANCES * GLANCE),
        "ask.bias": numbers(GLANCES * GLANCE),
        "name.weight": numbers(WIDTH, GLANCES * GLANCE),
        "told.weight": numbers(WIDTH, GLANCES * TOLD),
        "told.bias": numbers(GLANCES * TOLD),
        "key.centre": 3 * numbers(len(KEYS), HIDDEN),
    }
    about = card(keys=KEYS, doubted=(), **more)
    read = write(folder, about, [*SPECIAL, *PIECES], values, *(tables[name].tolist() for name in ("states", "tags", "post")))
    return read, tables, values


def logistic(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def softmax(x: Array) -> Array:
    return np.asarray(np.exp(x) / np.exp(x).sum())


def gelu(x: float) -> float:
    return 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def glance(states: Array, mean: Array, values: dict[str, Array]) -> Array:
    """As `training.network.Reader.glance` does it, question by question: every piece is named, weighed and told."""
    found = []
    for g in range(GLANCES):
        of_name, of_told = slice(g * GLANCE, (g + 1) * GLANCE), slice(g * TOLD, (g + 1) * TOLD)
        ask = mean @ values["ask.weight"][:, of_name] + values["ask.bias"][of_name]
        weight = softmax(states @ values["name.weight"][:, of_name] @ ask / math.sqrt(GLANCE))
        found.append(weight @ (states @ values["told.weight"][:, of_told] + values["told.bias"][of_told]))
    return np.concatenate(found)


def test_a_window_is_seen_piece_by_piece_and_as_a_whole(tmp_path: Path) -> None:
    network, tables, _ = chances_of(tmp_path)
    numbers = [2, 4, 6, 5, 3]
    seen = network.look(numbers)
    assert seen.states == pytest.approx(tables["states"][numbers])
    chances = logistic(tables["tags"][[4, 6, 5]])
    assert seen.inside == pytest.approx(chances[:, :3], rel=1e-5)
    assert seen.begin == pytest.approx(chances[:, 3:], rel=1e-5)
    whole = logistic(tables["post"][numbers].max(axis=0))
    assert seen.types == pytest.approx(whole[:3], rel=1e-5)
    assert [seen.harm, seen.relevant, seen.alerting] == pytest.approx(whole[3:].tolist(), rel=1e-5)


@pytest.mark.parametrize(("kind", "first", "last"), [(0, 0, 2), (1, 1, 2), (2, 1, 3), (0, 0, 3), (1, 2, 3)])
def test_a_span_is_judged_by_its_words_the_whole_and_what_it_finds_elsewhere(
    tmp_path: Path, kind: int, first: int, last: int
) -> None:
    network, _, values = chances_of(tmp_path)
    states = network.look([2, 4, 6, 5, 3]).states
    told = network.judge(states, kind, first, last)
    part = states[1 + first : 1 + last]
    mean = sum(part) / len(part)
    seen = np.concatenate([mean, np.max(part, axis=0), states[0], glance(states, mean, values)])
    hidden = np.array([gelu(float(x)) for x in seen @ values["span.weight"] + values["span.bias"] + values["kind.weight"][kind]])
    logits = hidden @ values["key.weight"] + values["key.bias"]
    own, alerting = logistic(hidden @ values["own.weight"] + values["own.bias"]).tolist()
    assert told.stances == pytest.approx(softmax(hidden @ values["stance.weight"] + values["stance.bias"]), rel=1e-4)
    assert told.keys == pytest.approx(softmax(logits), rel=1e-4)
    assert told.logits == pytest.approx(logits, rel=1e-4, abs=1e-5)
    assert [told.own, told.alerting] == pytest.approx([own, alerting], rel=1e-4)
    assert told.vector == pytest.approx(hidden, rel=1e-4, abs=1e-5)
    assert told.words == pytest.approx(mean, rel=1e-4, abs=1e-5)
    assert {array.dtype for array in (told.stances, told.keys, told.logits, told.vector, told.words)} == {np.dtype(np.float32)}


def test_what_is_said_very_loudly_makes_no_number_endless(tmp_path: Path) -> None:
    read = network(
        tmp_path, {"loud": Word(says={"denies": 500.0, "own": 500.0, "treats-arthritis": 500.0, "fda-approved": 499.0})}
    )
    told = read.judge(read.look([2, 4, 3]).states, 0, 0, 1)
    assert told.stances.tolist() == [0, 1, 0, 0, 0]
    assert told.own == 1.0
    assert told.keys[:2] == pytest.approx([1 / (1 + math.exp(-1)), 1 / (1 + math.e)])


def test_questions_that_shout_make_no_number_endless(tmp_path: Path) -> None:
    _, _, values = chances_of(tmp_path / "a")
    rows = np.eye(7, WIDTH, dtype=np.float32) * 40
    loud = {**values, "ask.weight": values["ask.weight"] * 50, "name.weight": values["name.weight"] * 50}
    tags, post = np.zeros((7, 6)).tolist(), np.zeros((7, 6)).tolist()
    network = write(tmp_path / "b", card(keys=KEYS, doubted=()), [*SPECIAL, *PIECES], loud, rows.tolist(), tags, post)
    told = network.judge(network.look([2, 4, 5, 3]).states, 0, 0, 2)
    assert np.isfinite(told.vector).all()
    assert float(told.keys.sum()) == pytest.approx(1.0)


def test_chances_are_kept_from_overflowing(tmp_path: Path) -> None:
    tags = np.full((5, 6), 500.0)
    tags[4] = -500.0
    read = write(tmp_path, card(), [*SPECIAL, "x"], heads(), np.zeros((5, 14)).tolist(), tags.tolist(), tags.tolist())
    with np.errstate(over="raise"):
        seen = read.look([2, 4, 0, 3])
    least = 1 / (1 + math.exp(30))
    assert seen.inside[0].tolist() == pytest.approx([least] * 3, rel=1e-3)
    assert seen.inside[1].tolist() == [1.0] * 3


def test_nearness_is_the_cosine_with_the_centre_of_a_key(tmp_path: Path) -> None:
    network, _, values = chances_of(tmp_path)
    vector = np.array([1, -2, 0.5, 3, 0], dtype=np.float32)
    for key, centre in enumerate(values["key.centre"]):
        cosine = float(vector @ centre) / float(np.linalg.norm(vector) * np.linalg.norm(centre))
        assert network.nearness(opinion(vector=vector), key) == pytest.approx(cosine, rel=1e-4)
    assert network.nearness(opinion(vector=np.zeros(5, dtype=np.float32)), 0) == 0.0


def test_a_key_without_posts_has_no_centre_and_nothing_is_near_it(tmp_path: Path) -> None:
    read, _, values = chances_of(tmp_path / "a")
    values["key.centre"][1] = 0
    tables = [np.zeros((7, width)).tolist() for width in (WIDTH, 6, 6)]
    some = write(tmp_path / "b", read.card, [*SPECIAL, *PIECES], values, *tables)
    assert some.nearness(opinion(vector=np.ones(5, dtype=np.float32)), 1) == 0.0
    del values["key.centre"]
    none = write(tmp_path / "c", read.card, [*SPECIAL, *PIECES], values, *tables)
    assert none.nearness(opinion(vector=np.ones(5, dtype=np.float32)), 1) == 0.0


def test_familiarity_counts_the_odds_of_the_key_twice_as_much_as_its_nearness(tmp_path: Path) -> None:
    network, _, _ = chances_of(tmp_path, familiar=(2.0, 4.0, 0.5, 0.1))
    one = opinion(logits=np.array([0, 12, 0, 0], dtype=np.float32), vector=np.array([1, -2, 0.5, 3, 0], dtype=np.float32))
    strong, near = (12 - 2) / 4, (network.nearness(one, 1) - 0.5) / 0.1
    assert network.familiarity(one, 1) == pytest.approx((2 * strong + near) / 3)
    assert network.familiarity(one, 0) != network.familiarity(one, 2)


def test_the_vocabulary_is_read_line_by_line(tmp_path: Path) -> None:
    network, _, _ = chances_of(tmp_path)
    assert network.vocabulary == [*SPECIAL, *PIECES]


def test_likeness_takes_off_what_is_usual_in_the_models_own_heads(tmp_path: Path) -> None:
    usual = np.array([0.6, 0.0], dtype=np.float32)
    values = {**heads(), "claim.mean": usual}
    nothing = np.zeros((5, 6)).tolist()
    read = write(tmp_path, card(), [*SPECIAL, "x"], values, np.zeros((5, 14)).tolist(), nothing, nothing)
    made = read.likeness.vector(np.array([3, 4], dtype=np.float32), np.zeros(2, dtype=np.float32), "")
    assert made[0] == 0
    assert made[1] > 0


def test_the_version_names_the_content_of_every_file(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    first = learned(folder).version
    assert first == version_of(folder)
    assert first.startswith("tiny-")
    assert len(first) == len("tiny-") + 8
    versions = {first}
    for name in ("vocabulary.txt", "encoder.onnx", "heads.npz"):
        (folder / name).write_bytes((folder / name).read_bytes() + b"\n")
        versions.add(version_of(folder))
    (folder / "model.json").write_bytes(msgspec.json.encode(card(name="other")))
    assert len(versions) == 4
    assert version_of(folder).startswith("other-")


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted as Linux shows them")
def test_a_network_takes_one_core_and_starts_no_threads(tmp_path: Path) -> None:
    read = network(tmp_path)
    before = len(list(Path("/proc/self/task").iterdir()))
    again = Network(tmp_path)
    again.look([2, 4, 3])
    assert len(list(Path("/proc/self/task").iterdir())) == before
    assert again.version == read.version


def test_every_missing_file_is_named(tmp_path: Path) -> None:
    network(tmp_path)
    (tmp_path / "encoder.onnx").unlink()
    (tmp_path / "heads.npz").unlink()
    with pytest.raises(TopicError) as error:
        Network(tmp_path)
    assert str(error.value) == f"{tmp_path}: the model lacks encoder.onnx, heads.npz; `make train` writes it whole"


def test_a_version_without_a_readable_card_is_one_clear_error(tmp_path: Path) -> None:
    network(tmp_path)
    (tmp_path / "model.json").write_bytes(b'{"name": 3}')
    with pytest.raises(TopicError, match=r"the model cannot be read \(.+\); `make train` writes it anew") as error:
        version_of(tmp_path)
    assert str(error.value).startswith(f"{tmp_path}: ")
    (tmp_path / "model.json").unlink()
    with pytest.raises(TopicError, match="the model cannot be read"):
        version_of(tmp_path)


def test_heads_that_hold_code_are_refused(tmp_path: Path) -> None:
    network(tmp_path)
    np.savez(tmp_path / "heads.npz", **{**heads(), "span.bias": np.array([{"any": "object"}], dtype=object)})  # type: ignore[arg-type]
    with pytest.raises(TopicError, match=r"the model cannot be read .*pickle"):
        Network(tmp_path)


def test_a_card_with_a_field_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    network(tmp_path)
    about = msgspec.json.decode((tmp_path / "model.json").read_bytes())
    (tmp_path / "model.json").write_bytes(msgspec.json.encode({**about, "mood": 1}))
    with pytest.raises(TopicError, match="mood"):
        Network(tmp_path)
