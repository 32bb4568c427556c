"""What makes two claims of one proposition differ beside a number: a condition, a material, a comparator, an authority.

The lexicon names them as data. A post that names one of them makes the claim that speaks of it: `treats-diabetes` of type 2
is the proposition `treats-diabetes-type-2-diabetes`, with a sentence of its own, and everything else as its proposition has it.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from monitor.topic.errors import TopicError, fields_of, texts_of
from monitor.topic.fold import fold
from monitor.topic.patterns import Item, PatternError, parse_phrase

if TYPE_CHECKING:
    from monitor.topic.lexicon import Proposition

Phrase = tuple[Item, ...]
_NAME = re.compile(r"^[a-z][a-z_-]*$")
_MOST = 60  # values of one difference: beyond that it is propositions that are wanted


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """One of the things that a claim can be about: as its sentence names it, and the words by which a post does.

    `entry` and `jurisdiction` are set where they are others than those of the proposition. The `usual` one is what the
    proposition means where nothing is named, so a post that names it makes the claim of the proposition itself.
    """

    name: str
    phrases: tuple[Phrase, ...]
    entry: str | None = None
    jurisdiction: str | None = None
    usual: bool = False

    @property
    def mark(self) -> str:
        """What stands for it in a claim's key."""
        return re.sub(r"[^a-z0-9]+", "-", fold(self.name).text).strip("-")


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A respect in which claims of one proposition differ. In the sentence a value takes the place of `instead_of`.

    `heads` are the phrases of all values with the place of their value, by what their first word is, begins with, or holds.
    """

    name: str
    instead_of: str
    values: tuple[Value, ...]
    heads: dict[str, tuple[tuple[int, Phrase], ...]]
    prefixes: dict[str, tuple[tuple[int, Phrase], ...]]
    inside: dict[str, tuple[tuple[int, Phrase], ...]]


def load_differences(
    raw: Any, where: str, sentences: Sequence[str], cues: Mapping[str, Sequence[Phrase]]
) -> tuple[Difference, ...]:
    """What stands under `differs_by`. `sentences` are those of the proposition. Raises TopicError."""
    found = []
    for name, given in raw.items():
        place = f"{where}, differs_by {name}"
        if not isinstance(name, str) or not _NAME.match(name):
            raise TopicError(f"{where}, differs_by: {name!r} is not a name such as condition, material, comparator or authority")
        fields = fields_of(given, place, {"instead_of": str, "values": dict}, {})
        for sentence in sentences:
            if sentence.count(fields["instead_of"]) != 1:
                raise TopicError(f"{place}: instead_of must stand once in the claim's sentence; it is {sentence!r}")
        if not 0 < len(fields["values"]) <= _MOST:
            raise TopicError(f"{place}: values are 1 to {_MOST} names, each with the wordings by which posts speak of it")
        values = tuple(_value(value, wordings, f"{place}, {value}", cues) for value, wordings in fields["values"].items())
        heads, prefixes, inside = (_by_head(values, kind) for kind in ("words", "prefixes", "inside"))
        found.append(
            Difference(name=name, instead_of=fields["instead_of"], values=values, heads=heads, prefixes=prefixes, inside=inside)
        )
    return tuple(found)


def _by_head(values: Sequence[Value], kind: str) -> dict[str, tuple[tuple[int, Phrase], ...]]:
    found: defaultdict[str, list[tuple[int, Phrase]]] = defaultdict(list)
    for number, value in enumerate(values):
        for phrase in value.phrases:
            for head in getattr(phrase[0], kind):
                found[head].append((number, phrase))
    return {head: tuple(phrases) for head, phrases in found.items()}


def _value(name: Any, raw: Any, where: str, cues: Mapping[str, Sequence[Phrase]]) -> Value:
    fields = raw if isinstance(raw, dict) else {"written": raw}
    fields = fields_of(fields, where, {"written": list}, {"entry": str, "jurisdiction": str, "usual": bool})
    if not isinstance(name, str):
        raise TopicError(f"{where}: {name!r} is not a text; put it in quotes")
    phrases: list[Phrase] = []
    for wording in texts_of(fields["written"], where):
        try:
            phrase = parse_phrase(wording)
        except PatternError as error:
            raise TopicError(f"{where}: {error}") from None
        if any(item.cues for item in phrase):
            phrases += _of_cue(phrase, wording, where, cues)
        else:
            phrases.append(phrase)
    value = Value(
        name=name,
        phrases=tuple(phrases),
        entry=fields.get("entry"),
        jurisdiction=fields.get("jurisdiction"),
        usual=bool(fields.get("usual")),
    )
    if not value.mark:
        raise TopicError(f"{where}: the name needs a letter or digit, since it becomes a part of the claim's key")
    return value


def _of_cue(phrase: Phrase, wording: str, where: str, cues: Mapping[str, Sequence[Phrase]]) -> list[Phrase]:
    """All phrases of the cue that a wording is, in every language."""
    name = phrase[0].cues[0]
    known = [phrases for key, phrases in cues.items() if key.rpartition(":")[2] == name]
    if len(phrase) > 1 or wording != f"@{name}" or not known:
        raise TopicError(f"{where}: {wording!r} is neither words nor @ and the name of one cue")
    return [one for phrases in known for one in phrases]


def all_particulars(proposition: Proposition) -> Iterator[Proposition]:
    """The proposition with each value of what it differs by, alone and together, and not without any."""
    choices = [(None, *(value for value in difference.values if not value.usual)) for difference in proposition.differs_by]
    for chosen in itertools.product(*choices):
        if any(chosen):
            yield with_values(proposition, chosen)


def with_values(proposition: Proposition, values: Sequence[Value | None]) -> Proposition:
    """The proposition of these values, one or None for each of what it differs by; itself where there is none."""
    key, claim, number_key, number_claim = proposition.key, proposition.claim, proposition.number_key, proposition.number_claim
    entry, jurisdiction = proposition.entry, proposition.jurisdiction
    for difference, value in zip(proposition.differs_by, values, strict=True):
        if value is None or value.usual:
            continue
        key = f"{key}-{value.mark}"
        number_key = number_key and f"{number_key}-{value.mark}"
        claim = claim.replace(difference.instead_of, value.name)
        number_claim = number_claim and number_claim.replace(difference.instead_of, value.name)
        entry, jurisdiction = value.entry or entry, value.jurisdiction or jurisdiction
    if key == proposition.key:
        return proposition
    return msgspec.structs.replace(
        proposition,
        key=key,
        of=proposition.key,
        claim=claim[0].upper() + claim[1:],
        number_key=number_key,
        number_claim=number_claim and number_claim[0].upper() + number_claim[1:],
        entry=entry,
        jurisdiction=jurisdiction,
        differs_by=(),
    )
