"""A small topic pack to edit, and posts that are judged by it as the workers do, without a stream."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from monitor.settings.endpoint import Endpoint
from monitor.settings.model import Alerts
from monitor.store import Database, record
from monitor.store.judged import Judged
from monitor.times import now_ms
from monitor.topic import Topic, load_topic
from monitor.words import Post
from tests.samples import HOUR_MS
from tests.test_second_topic import PACK
from workers.alert import drafts
from workers.judgement import Judge

CURES, FLOUR = "Sourdough bread cures coeliac disease.", "Sourdough bread is made of flour."
CURES_TEXT, FLOUR_TEXT = "My sourdough cures celiac disease", "Rye bread is made of flour"
REGISTER, LEXICON = "register/all.yaml", "lexicon/claims/composition.yaml"
RULES = Alerts(spreading=[3, 5], resurfaced_after=10 * 3600.0)


def bread(folder: Path, *edits: tuple[str, str, str]) -> Topic:
    """The pack about bread in `folder`, each edit (file, old, new) made in it: at the end of the file where `old` is empty."""
    contents = dict(PACK)
    for name, old, new in edits:
        content = contents[name]
        assert old in content, old
        contents[name] = content.replace(old, new, 1) if old else content + new
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return load_topic(folder)


def verdict_of(entry: str, verdicts: str) -> tuple[str, str, str]:
    """An edit of the register: other verdicts, `global: supported`, for one of its two entries."""
    end, old = {
        "cures-coeliac-disease": ("cures coeliac disease.", "global: contradicted"),
        "made-of-flour": ("made of flour.", "global: supported"),
    }[entry]
    line = f"{end}\n    verdicts: {{%s}}"
    return REGISTER, line % old, line % verdicts


class Judging:
    """Judges posts by a pack. `n` keeps apart what is heard in the same millisecond."""

    def __init__(self, topic: Topic, endpoints: tuple[Endpoint, ...] = ()) -> None:
        self._judge = Judge(topic)
        self._endpoints = endpoints
        self._n = 0
        self.version = self._judge.classifier.version

    def judged(self, key: str, text: str, *, author: str = "x", hours_ago: float = 1.0, fresh: bool = True) -> Judged:
        post = Post(platform="forum", id=key, text=text, author=author, source="board", fresh=fresh)
        judgement, origins = self._judge.weigh(key, text)
        seen_ms = now_ms() - round(hours_ago * HOUR_MS)
        self._n += 1
        asks = partial(drafts, post=post, alerts=RULES, endpoints=self._endpoints)
        return Judged(
            number=seen_ms << 21 | self._n,
            seen_ms=seen_ms,
            post=post,
            judgement=judgement,
            origins=origins,
            alerts=asks(judgement),
            asks=asks,
        )

    async def write(self, database: Database, *batch: Judged) -> record.Recorded:
        async with database.write() as connection:
            return await record.record(connection, batch)
