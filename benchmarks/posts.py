"""Posts to measure with: the sample of the topic pack, varied, and filler words as rare and as common as in real talk."""

from __future__ import annotations

import itertools
import json
import random
from functools import cache
from pathlib import Path

import msgspec

from monitor.settings import Settings
from monitor.store.judged import Judged, Origin
from monitor.topic import Topic, load_topic
from monitor.words import Judgement, Post
from workers.alert import drafts
from workers.judgement import Judge

ROOT = Path(__file__).resolve().parents[1]
PACK = ROOT / "config/topics/exosomes"
FIRST_MS = 1_750_000_000_000
YEAR_MS = 365 * 86_400_000
_SYLLABLES = ("ka", "lo", "mi", "ren", "tas", "vu", "pel", "dor", "shi", "nex", "bra", "gul", "fo", "zen", "ty", "wam")
_WORDS = 50_000
_COMMON = "the a to and of in is it you that for was on with my this so just have are not be at as but one all like what".split()  # noqa: SIM905
_SENTENCE = 14  # words
_PLATFORMS = ("reddit", "tiktok", "instagram", "youtube", "clinic")


@cache
def topic() -> Topic:
    """The shipped topic pack."""
    return load_topic(PACK)


@cache
def judge() -> Judge:
    """The judge that the daemon uses."""
    return Judge(topic())


@cache
def sample() -> tuple[str, ...]:
    """The texts of the bundled sample, mean 15 words."""
    return tuple(json.loads(line)["text"] for line in (PACK / "sample.jsonl").read_text().splitlines())


def mixed_texts(count: int, seed: int = 1) -> list[str]:
    """Posts of 30 words in the mean: two of the sample each, and a number, so that hardly two are the same."""
    dice = random.Random(seed)
    texts = sample()
    return [f"{dice.choice(texts)}\n\n{dice.choice(texts)} #{dice.randrange(10**6)}" for _ in range(count)]


def posts(count: int, seed: int = 1) -> list[Post]:
    """`count` different posts of mixed texts, as a collector hears them."""
    dice = random.Random(seed)
    return [
        Post(
            platform=dice.choice(_PLATFORMS),
            id=f"{seed}-{n}",
            text=text,
            url=f"https://social.example/posts/{seed}-{n}",
            author=f"author{dice.randrange(count + 1)}",
            created_at=1_790_000_000_000 + n,
            source=f"source{n % 20}",
        )
        for n, text in enumerate(mixed_texts(count, seed))
    ]


def long_posts(count: int, seed: int = 1, words: int = 200) -> list[Post]:
    """Posts as people write them in forums: the claims of `posts` among `words` words that carry none."""
    dice = random.Random(seed)
    return [msgspec.structs.replace(post, text=f"{post.text}\n\n{_talk(dice, words)}") for post in posts(count, seed)]


def _talk(dice: random.Random, count: int) -> str:
    """Sentences about nothing: half of the words are the commonest, the others may be any."""
    words = [dice.choice(_COMMON) if dice.random() < 0.5 else word(dice.randrange(5_000)) for _ in range(count)]
    sentences = (" ".join(words[start : start + _SENTENCE]) for start in range(0, count, _SENTENCE))
    return " ".join(f"{sentence.capitalize()}." for sentence in sentences)


@cache
def word(rank: int) -> str:
    """The word of this rank in an invented language; no two ranks share one."""
    parts = []
    number = rank + 16
    while number:
        number, digit = divmod(number, 16)
        parts.append(_SYLLABLES[digit])
    return "".join(parts)


@cache
def _weights() -> tuple[float, ...]:
    """Zipf's: the word of rank n comes as often as 1 / (n + 2.7)."""
    return tuple(itertools.accumulate(1 / (n + 2.7) for n in range(_WORDS)))


@cache
def _judged_sample() -> tuple[tuple[str, Judgement, tuple[Origin, ...]], ...]:
    return tuple((text, *judge().weigh("m", text)) for text in sample())


def judged(count: int, *, first: int, spread: int, seed: int = 1) -> list[Judged]:
    """Judged posts numbered from `first`, spread evenly over a year if there are `spread` of them: 15 words of the sample that
    carry the claims, then 25 filler words."""
    dice = random.Random(seed * 1_000_003 + first)
    words, weights = range(_WORDS), _weights()
    settings = Settings()
    found = []
    for n in range(first, first + count):
        text, judgement, origins = dice.choice(_judged_sample())
        filler = " ".join(word(rank) for rank in dice.choices(words, cum_weights=weights, k=25))
        ms = FIRST_MS + YEAR_MS * n // spread
        number = ms << 21 | (n & 0x1FFF)
        post = Post(
            platform=dice.choice(_PLATFORMS),
            id=f"{seed}-{n}",
            text=f"{text}\n\n{filler}",
            url=f"https://social.example/posts/{seed}-{n}",
            author=f"author{dice.randrange(100_000)}",
            created_at=ms,
            source=f"source{n % 20}",
        )
        alerts = drafts(judgement, post, settings.alerts, ())
        found.append(Judged(number=number, seen_ms=ms, post=post, judgement=judgement, origins=origins, alerts=alerts))
    return found
