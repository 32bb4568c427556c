"""Topic packs: all that is particular to one topic lies in a folder that people edit; this package reads it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import msgspec

from monitor.topic.cited import Cited
from monitor.topic.errors import TopicError, fields_of, read_yaml, texts_of
from monitor.topic.fold import Folded, fold
from monitor.topic.keywords import Keywords, load_keywords
from monitor.topic.lexicon import Lexicon, Proposition, load_lexicon
from monitor.topic.register import Citation, Entry, Register, load_register
from monitor.topic.watchlist import Watchlist, load_watchlist

__all__ = [
    "Citation",
    "Cited",
    "Entry",
    "Folded",
    "Keywords",
    "Lexicon",
    "Proposition",
    "Register",
    "Topic",
    "TopicError",
    "Watchlist",
    "fold",
    "lexicon_folder",
    "load_lexicon",
    "load_topic",
    "load_watchlist",
    "register_folder",
]

_SEARCH = re.compile(r"[^\W_]+(?:[ -][^\W_]+)*")
_MOST_SEARCHES = 20


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """A topic pack as loaded. `version` names the content of its lexicon and keywords; the register and the model have their own.

    `model` is the folder of a trained model; None: the lexicon's wordings do the work. `guide` is what a language model is told
    about reading this topic, beside the lexicon; empty where the pack has none.
    `watchlist` changes no judgement. `searches` is what registers of papers, trials and recalls are asked for.
    """

    name: str
    title: str
    keywords: Keywords
    lexicon: Lexicon
    register: Register
    version: str
    model: Path | None = None
    guide: str = ""
    watchlist: Watchlist = msgspec.field(default_factory=Watchlist)
    searches: tuple[str, ...] = ()


def load_topic(folder: Path, watchlist: Path | None = None, register: Register | None = None) -> Topic:
    """The topic pack in `folder` (see docs/topic-pack.md), with the names of the user's own `watchlist` beside the pack's, and
    with `register` instead of the pack's own where one is given.

    Raises TopicError naming the file, the place and what is allowed.
    """
    values = _overview(folder)
    keywords_file = folder / (values.get("keywords") or "keywords.yaml")
    lexicon_files = lexicon_folder(folder)
    register = register or load_register(register_folder(folder))
    lexicon = load_lexicon(lexicon_files)
    for proposition in (*lexicon.propositions.values(), *lexicon.particulars.values()):
        if proposition.entry is not None and register.get(proposition.entry) is None:
            raise TopicError(
                f"{lexicon_files}: claim {proposition.key}: the register has no entry {proposition.entry!r}; "
                "add it there, or leave entry out for a claim that the burden of proof decides"
            )
    return Topic(
        name=values["name"],
        title=values.get("title") or values["name"],
        keywords=load_keywords(keywords_file),
        lexicon=lexicon,
        register=register,
        model=folder / values["model"] if values.get("model") else None,
        version=_version([keywords_file, *sorted(lexicon_files.rglob("*.yaml"))]),
        guide=_guide(folder / values["guide"]) if values.get("guide") else "",
        watchlist=load_watchlist(folder, watchlist),
        searches=_searches(values.get("searches"), f"{folder / 'topic.yaml'}, searches"),
    )


def lexicon_folder(folder: Path) -> Path:
    """Where the lexicon of the pack in `folder` lies. Raises TopicError where `topic.yaml` cannot be read."""
    return folder / (_overview(folder).get("lexicon") or "lexicon")


def register_folder(folder: Path) -> Path:
    """Where the register of the pack in `folder` lies. Raises TopicError where `topic.yaml` cannot be read."""
    return folder / (_overview(folder).get("register") or "register")


def _overview(folder: Path) -> dict[str, Any]:
    file = folder / "topic.yaml"
    optional = {"title": str, "keywords": str, "lexicon": str, "register": str, "model": str, "guide": str, "searches": list}
    return fields_of(read_yaml(file), str(file), {"name": str}, optional)


def _searches(given: Any, where: str) -> tuple[str, ...]:
    """Words and phrases; they become part of queries in several languages, so no sign may stand in them."""
    if not given:
        return ()
    texts = tuple(text.strip() for text in texts_of(given, where))
    for text in texts:
        if len(text) > 100 or not _SEARCH.fullmatch(text):
            raise TopicError(f"{where}: {text!r} is not a search; write words of letters and digits, such as 'sourdough bread'")
    if len(texts) > _MOST_SEARCHES:
        raise TopicError(f"{where}: {len(texts)} are too many; at most {_MOST_SEARCHES} are asked for")
    return tuple(dict.fromkeys(texts))


def _guide(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise TopicError(f"{file}: cannot be read: {reason}") from None


def _version(files: list[Path]) -> str:
    digest = hashlib.blake2b(digest_size=4)
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return digest.hexdigest()
