"""Reads a text: is it about the topic, which claims does it make, with what stance, and does it report harm."""

from __future__ import annotations

import msgspec

from monitor.topic import Topic, fold
from monitor.words import MAX_TEXT
from workers.classify.found import Found
from workers.classify.language import guess_language, likely_languages
from workers.classify.learned import Learned
from workers.classify.network import Network
from workers.classify.network import version_of as version_of_model
from workers.classify.rules import Rules


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What the classifier makes of one text."""

    relevant: bool
    language: str | None
    adverse_event: bool
    claims: tuple[Found, ...]


class Classifier:
    """Reads by the rules of the topic pack's lexicon and, where it has one, by its model, to which the rules are hints.

    Pure: the same text and pack give the same reading. Raises TopicError where the model cannot be read.
    """

    def __init__(self, topic: Topic) -> None:
        self._topic = topic
        self._learned = Learned(Network(topic.model), topic.lexicon.propositions) if topic.model else None
        self._rules = Rules(topic)
        self.version = _joined(self._learned.version if self._learned else None, topic)

    def read(self, text: str, lang: str | None = None) -> Reading:
        """The reading of a text, of which MAX_TEXT characters are read. `lang` is the platform's word for the language."""
        text = text[:MAX_TEXT]
        folded = fold(text)
        language = (lang or "").replace("_", "-").split("-")[0].lower() or guess_language(text)
        if not self._topic.keywords.find_folded(folded):
            return Reading(relevant=False, language=language, adverse_event=False, claims=())
        places = self._topic.keywords.places(folded)
        finds = self._rules.find(folded, places, likely_languages(text) | {language or "en"})
        if self._learned:
            finds = self._learned.find(folded, places, finds.claims)
        claims = finds.claims if finds.relevant else ()
        return Reading(relevant=finds.relevant, language=language, adverse_event=finds.harm and finds.relevant, claims=claims)


def version_of(topic: Topic) -> str:
    """The version of the classifier that this topic pack makes, without loading it. Raises TopicError."""
    return _joined(version_of_model(topic.model) if topic.model else None, topic)


def _joined(model: str | None, topic: Topic) -> str:
    return "+".join([*([model] if model else []), Rules.version, topic.version])
