"""The whole way from a text to its judgement: classify, identify, judge. The pipeline and `exowatch classify` both call this."""

from __future__ import annotations

from collections.abc import Sequence

from monitor import tracing
from monitor.store.judged import Origin
from monitor.topic import Topic
from monitor.words import Judgement, Occurrence
from workers.classify import Classifier, Found, Reading
from workers.identify import identify
from workers.judge import Ruling, explain, rule


class Judge:
    """Judges texts by a topic pack. `jurisdictions` are the configured ones, most important first."""

    def __init__(self, topic: Topic, jurisdictions: Sequence[str] = ("US", "UK", "EU")) -> None:
        self._topic = topic
        self._jurisdictions = tuple(jurisdictions)
        self.classifier = Classifier(topic)

    def judge(self, id: str, text: str, lang: str | None = None) -> Judgement:  # noqa: A002 - the word that users see
        """The judgement of one text. Pure, and quick for texts of any length."""
        return self.weigh(id, text, lang)[0]

    def weigh(self, id: str, text: str, lang: str | None = None) -> tuple[Judgement, tuple[Origin, ...]]:  # noqa: A002
        """The judgement, and where the identity of each of its claims is from."""
        with tracing.span("classify"):
            reading = self.classifier.read(text, lang)
        with tracing.span("identify and judge"):
            return self.weigh_reading(id, text, reading, self.classifier.version)

    def weigh_reading(
        self,
        id: str,  # noqa: A002
        text: str,
        reading: Reading,
        classifier: str,
    ) -> tuple[Judgement, tuple[Origin, ...]]:
        """As `weigh`, for a text that `classifier` (a version) has read."""
        weighed = [(found, rule(found.proposition, self._topic.register, self._jurisdictions)) for found in reading.claims]
        claims = tuple(_occurrence(text, found, ruling) for found, ruling in weighed)
        judgement = Judgement(
            id=id,
            relevant=reading.relevant,
            language=reading.language,
            adverse_event=reading.adverse_event,
            alert=any(claim.alerting for claim in claims),
            claims=claims,
            classifier=classifier,
            register=self._topic.register.version,
        )
        return judgement, tuple(_origin(found, ruling) for found, ruling in weighed)


def _origin(found: Found, ruling: Ruling) -> Origin:
    proposition = found.proposition
    number = found.number if proposition.number_key else None
    return Origin(
        proposition=proposition.key,
        number=number,
        entry=ruling.entry,
        ruling=ruling.said,
        sure=found.sure,
        wording=found.wording,
    )


def _occurrence(text: str, found: Found, ruling: Ruling) -> Occurrence:
    identity = identify(found.proposition, found.number)
    return Occurrence(
        quote=text[found.start : found.end],
        start=found.start,
        end=found.end,
        type=found.type,
        stance=found.stance,
        distance=found.distance,
        testimonial=found.testimonial,
        claim_id=identity.claim_id,
        claim=identity.claim,
        verdict=ruling.verdict,
        verdicts=ruling.verdicts,
        basis=ruling.basis,
        confidence=found.confidence,
        evidence=ruling.evidence,
        why=explain(found, ruling),
    )
