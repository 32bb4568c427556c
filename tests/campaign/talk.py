"""All that will be said, from the seed alone: posts of several sources that put forward a known number of claims, and by whom.

The topic is a made-up one of one proposition with a number, so that who reads the post knows which claim it carries without
asking exowatch: the claim is the number.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

FIRST_NUMBER = 101  # per cent; each claim has the next one
SPREADING = (3, 12)  # distinct authors, as in the configuration
OFF_TOPIC = 20  # one post in so many is about something else
AUTHORS = 400

PACK = {
    "topic.yaml": "name: bread\ntitle: Sourdough bread\n",
    "keywords.yaml": 'keywords:\n  - name: sourdough\n    written: ["*sourdough*"]\n',
    "lexicon/cues/en.yaml": "cues:\n  raise: [raises, lifts, boosts, increases, doubles down on]\n  fibre: [fibre, fiber]\n",
    "lexicon/claims/composition.yaml": """
type: composition
claims:
  - key: more-fibre
    claim: Sourdough bread raises fibre.
    entry: more-fibre
    when: ["@raise + @fibre"]
    number: {kind: percent, key: "more-fibre-{number}pct", claim: "Sourdough bread raises fibre by {number} per cent."}
    sure: 0.9
""",
    "register/all.yaml": """
entries:
  - id: more-fibre
    type: composition
    claim: Sourdough bread raises fibre.
    verdicts: {global: contradicted}
    as_of: 2026-03-01
    citations:
      - {id: BREAD-REVIEW, citation: A review of fermented wheat, kind: review, url: "https://example.org/bread", year: 2025}
""",
}

_WORDINGS = (
    "Sourdough raises fibre by {n}%.",
    "My baker says sourdough bread boosts fiber by {n}%!",
    "Did you know? Sourdough increases fibre by {n}%.",
    "Read it on the bag: this sourdough lifts fibre by {n}%.",
    "Honestly, sourdough raises your fiber by {n}%, and it keeps for a week.",
    "Since March I bake at home. Sourdough boosts fibre by {n}%.",
)
_ENDINGS = ("", " Try it.", " My aunt swears by it.", " Ask for the dark loaf.", " Who else?", " Saw it at the market.")
_ELSEWHERE = ("My bicycle needs oil", "The train was late again", "Rain until Thursday, they say")


@dataclass(frozen=True)
class Said:
    """One post. `source` is which of the sources carries it; `number` is its claim, None where it is off topic."""

    n: int
    source: int
    author: str
    text: str
    number: int | None


@dataclass(frozen=True)
class Talk:
    """What will be said: `posts` posts with `claims` claims, spread over `sources` sources. The last source is the stream."""

    seed: int
    posts: int
    claims: int
    sources: int

    @cached_property
    def said(self) -> list[Said]:
        dice = random.Random(self.seed)
        every = max(1, self.posts // self.claims)
        found = []
        for n in range(self.posts):
            newest = min(n // every, self.claims - 1)
            claim = newest if n % every == 0 else dice.randint(0, newest)  # else most would never be repeated
            off = n % every != 0 and dice.randrange(OFF_TOPIC) == 0
            wording = dice.choice(_ELSEWHERE) if off else dice.choice(_WORDINGS).format(n=FIRST_NUMBER + claim)
            found.append(
                Said(
                    n=n,
                    source=dice.randrange(self.sources),
                    author=f"author{dice.randrange(AUTHORS)}",
                    text=f"{wording}{dice.choice(_ENDINGS)} ({n})",
                    number=None if off else FIRST_NUMBER + claim,
                )
            )
        return found

    def name(self, post: Said) -> tuple[str, str]:
        """Platform and id of a post, as they have to stand on record."""
        if post.source == self.sources - 1:
            return "bluesky", f"at://{did(post.author)}/app.bsky.feed.post/{post.n}"
        return f"forum{post.source}", f"https://talk.example/{self.seed}/{post.n}"

    def names(self, released: int) -> set[tuple[str, str]]:
        """Every post on topic among the first so many."""
        return {self.name(post) for post in self.said[:released] if post.number is not None}

    def alerts(self, released: int) -> set[tuple[str, int]]:
        """What has to have been raised once the first so many posts are judged, in whatever order: (kind, number of the claim),
        the kind as in the alert's key: `claim.new`, `claim.spreading:3`."""
        authors: dict[int, set[tuple[str, str]]] = {}
        for post in self.said[:released]:
            if post.number is not None:
                authors.setdefault(post.number, set()).add((self.name(post)[0], post.author))
        wanted = {("claim.new", number) for number in authors}
        for least in SPREADING:
            wanted |= {(f"claim.spreading:{least}", number) for number, who in authors.items() if len(who) >= least}
        return wanted


def did(author: str) -> str:
    """An author's name on the stream."""
    return f"did:plc:{author}"


def number_in(claim: str) -> int | None:
    """The claim's number, out of its sentence on record."""
    found = re.search(r"by (\d+) per cent", claim)
    return int(found[1]) if found else None


def write_pack(folder: Path) -> None:
    """The topic pack, beside a config file in `folder` that says `topic = "bread"`."""
    for name, content in PACK.items():
        file = folder / "topics" / "bread" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)


def of_source(said: Iterable[Said], source: int) -> list[Said]:
    """The posts that one source carries, the oldest first."""
    return [post for post in said if post.source == source]
