"""The lexicon: cues (words and phrases, one file a language) and propositions (what can be claimed, one file a claim type)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec

from monitor.topic.errors import TopicError, fields_of, read_yaml, texts_of
from monitor.topic.particulars import Difference, all_particulars, load_differences
from monitor.topic.patterns import Item, Pattern, PatternError, cue_names, parse_pattern, parse_phrase
from monitor.words import CLAIM_TYPES, ClaimType

# What may stand in a proposition as a number: read from the post and part of the claim's identity.
NumberKind = Literal["percent", "share", "count", "number", "factor", "duration", "years"]
# Of a proposition that names only the kind: the end of its key, and what its sentence says in brackets.
_IN_SHORT: dict[str, tuple[str, str]] = {
    "percent": ("{number}pct", "{number} per cent"),
    "share": ("{number}pct", "in {number} per cent of people"),
    "count": ("{number}", "{number}"),
    "number": ("{number}", "{number}"),
    "factor": ("{number}x", "{number} times"),
    "duration": ("{number}", "{number}"),
    "years": ("{number}-years", "{number} years"),
}
TOPIC_CUE = "topic"  # always there: wherever a keyword of the topic stands
_KEY = re.compile(r"^[a-z0-9][a-z0-9-]{1,79}$")
_FILLED = re.compile(r"^[0-9][0-9.]*(?:-[a-z]+)?$")  # what a number is in a key


class Proposition(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that can be claimed. `claim` is the plain positive sentence; `{number}` in it is filled from the post.

    number_key, number_claim  take the place of `key` and `claim` where the post gives a number of that kind
    differs_by    what else makes claims of it differ; `of` is the key of the proposition that one of these claims is of
    denied        patterns that find its denial ("banned")
    unless        phrases that, in the same sentence, make the find a chance one
    over          propositions that give way where both are found in one sentence; `any-safety`: all of that type
    jurisdiction  set where the proposition names an authority
    negative      the proposition is itself worded with a negation ("no side effects"), which is then no denial
    harm          it reports harm
    yields        its denial gives way to any other claim of the sentence, of which "no evidence" then speaks
    sure          how often it is right when its pattern is found
    """

    key: str
    type: ClaimType
    claim: str
    patterns: tuple[Pattern, ...]
    denied: tuple[Pattern, ...] = ()
    negative: bool = False
    entry: str | None = None
    unless: tuple[tuple[Item, ...], ...] = ()
    over: tuple[str, ...] = ()
    jurisdiction: str | None = None
    number: NumberKind | None = None
    number_key: str | None = None
    number_claim: str | None = None
    differs_by: tuple[Difference, ...] = ()
    of: str | None = None
    harm: bool = False
    yields: bool = False
    sure: float = 0.8

    @property
    def base(self) -> str:
        """The key of the proposition, whatever makes this one differ from its like."""
        return self.of or self.key


class Lexicon(msgspec.Struct, frozen=True, kw_only=True):
    """All cues by name (those of one language as `es:hair`) and all propositions by key; `particulars` are the claims of these
    that differ by what `differs_by` says."""

    cues: dict[str, tuple[tuple[Item, ...], ...]]
    propositions: dict[str, Proposition]
    particulars: dict[str, Proposition] = {}

    def find(self, key: str) -> Proposition | None:
        """The proposition with this key, also where it is one of the particulars."""
        return self.propositions.get(key) or self.particulars.get(key)

    def base_of(self, key: str) -> str | None:
        """The key of the proposition that a claim's key is of, whatever number or particular it names, or None."""
        known = self.find(key)
        if known is not None:
            return known.base
        for one in (*self.propositions.values(), *self.particulars.values()):
            before, hole, after = (one.number_key or "").partition("{number}")
            fits = hole and key.startswith(before) and key.endswith(after)
            if fits and _FILLED.match(key[len(before) : len(key) - len(after)]):
                return one.base
        return None

    @property
    def authorities(self) -> dict[str, str]:
        """The jurisdictions of the authorities that propositions name, by key; of those that name one."""
        return {key: one.jurisdiction for key, one in self.propositions.items() if one.jurisdiction}

    @property
    def numbered(self) -> dict[str, str]:
        """The keys that propositions take with a number in them, by their own key; of those that have one."""
        return {key: one.number_key for key, one in self.propositions.items() if one.number_key}


def load_lexicon(folder: Path) -> Lexicon:
    """The lexicon in `folder`. Raises TopicError naming file, place and what is allowed."""
    cues = _load_cues(folder / "cues")
    known = {name.rpartition(":")[2] for name in cues}
    files = sorted((folder / "claims").glob("*.yaml"))
    if not files:
        raise TopicError(f"{folder / 'claims'}: no claims file; put at least one .yaml file with claims there")
    propositions: dict[str, Proposition] = {}
    for file in files:
        content = fields_of(read_yaml(file), str(file), {"type": str, "claims": list}, {})
        if content["type"] not in CLAIM_TYPES:
            raise TopicError(f"{file}: unknown type {content['type']!r}; allowed are {', '.join(CLAIM_TYPES)}")
        for number, raw in enumerate(content["claims"], 1):
            proposition = _proposition(raw, content["type"], f"{file}, claim {number}", cues, known)
            if proposition.key in propositions:
                raise TopicError(f"{file}, claim {number}: the key {proposition.key!r} is used twice; keys are distinct")
            propositions[proposition.key] = proposition
    for proposition in propositions.values():
        for other in proposition.over:
            if other not in propositions and other.removeprefix("any-") not in CLAIM_TYPES:
                raise TopicError(
                    f"{folder}: claim {proposition.key}: over names {other!r}, which is no claim here, nor any- and a type"
                )
    return Lexicon(cues=cues, propositions=propositions, particulars=_particulars(folder, propositions))


def _particulars(folder: Path, propositions: dict[str, Proposition]) -> dict[str, Proposition]:
    found: dict[str, Proposition] = {}
    for proposition in propositions.values():
        for one in all_particulars(proposition):
            if one.key in propositions or one.key in found:
                raise TopicError(
                    f"{folder}: claim {proposition.key}: differs_by makes the key {one.key!r}, which there is already; "
                    "give one of them another name"
                )
            if not _KEY.match(one.key):
                raise TopicError(f"{folder}: claim {proposition.key}: differs_by makes the key {one.key!r}; use shorter names")
            found[one.key] = one
    return found


def _load_cues(folder: Path) -> dict[str, tuple[tuple[Item, ...], ...]]:
    cues: dict[str, list[tuple[Item, ...]]] = {}
    for file in sorted(folder.glob("*.yaml")):
        content = fields_of(read_yaml(file), str(file), {"cues": dict}, {"language": str})
        prefix = f"{content['language']}:" if content.get("language") else ""
        for name, wordings in content["cues"].items():
            where = f"{file}, cue {name}"
            if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_-]*", name) or name == TOPIC_CUE:
                raise TopicError(f"{where}: a cue's name is small letters, digits and hyphens, and not {TOPIC_CUE!r}")
            for wording in texts_of(wordings, where):
                phrase = _parsed(parse_phrase, wording, where)
                if any(item.cues for item in phrase):
                    raise TopicError(f"{where}: {wording!r} names another cue; cues hold plain words only")
                cues.setdefault(prefix + name, []).append(phrase)
    return {name: tuple(phrases) for name, phrases in cues.items()}


def _proposition(raw: Any, kind: Any, where: str, cues: dict[str, Any], known: set[str]) -> Proposition:
    if isinstance(raw, dict) and isinstance(raw.get("key"), str):
        where = f"{where} ({raw['key']})"
    optional: dict[str, Any] = {"entry": str, "unless": list, "over": list, "jurisdiction": str, "harm": bool}
    optional |= {"number": (str, dict), "differs_by": dict}
    optional |= {"sure": (float, int), "denied": list, "negative": bool, "yields": bool, "when": list}
    values = fields_of(raw, where, {"key": str, "claim": str}, optional)
    if not _KEY.match(values["key"]):
        raise TopicError(f"{where}: a key is small letters, digits and hyphens")
    patterns = _patterns(values, "when", where)
    denied = _patterns(values, "denied", where)
    unless = tuple(
        _parsed(parse_phrase, wording, f"{where}, unless")
        for wording in (texts_of(values["unless"], f"{where}, unless") if values.get("unless") else ())
    )
    named = {name for pattern in (*patterns, *denied) for name in cue_names(pattern)} | {
        n for p in unless for i in p for n in i.cues
    }
    unknown = sorted(named - known - {TOPIC_CUE})
    if unknown:
        raise TopicError(f"{where}: there is no cue named {unknown[0]!r}; cues are {', '.join(sorted(known)) or 'none yet'}")
    claim = values["claim"].strip()
    number = _number(values["number"], values["key"], claim, where) if values.get("number") else None
    sentences = (claim, number["claim"]) if number else (claim,)
    sure = 0.8 if values.get("sure") is None else values["sure"]
    if not 0 <= sure <= 1:
        raise TopicError(f"{where}: sure is a share from 0 to 1, not {sure!r}")
    return Proposition(
        key=values["key"],
        type=kind,
        claim=claim,
        patterns=patterns,
        denied=denied,
        negative=bool(values.get("negative")),
        entry=values.get("entry"),
        unless=unless,
        over=texts_of(values["over"], f"{where}, over") if values.get("over") else (),
        jurisdiction=values.get("jurisdiction"),
        number=number["kind"] if number else None,
        number_key=number["key"] if number else None,
        number_claim=number["claim"] if number else None,
        differs_by=load_differences(values["differs_by"], where, sentences, cues) if values.get("differs_by") else (),
        harm=bool(values.get("harm")),
        yields=bool(values.get("yields")),
        sure=float(sure),
    )


def _number(raw: str | dict[str, Any], key: str, claim: str, where: str) -> dict[str, Any]:
    """What is said under `number`: the kind, and key and sentence of a claim with a number; the kind alone says it in short."""
    short = isinstance(raw, str)
    number: dict[str, Any] = {"kind": raw}
    if not isinstance(raw, str):
        number = fields_of(raw, f"{where}, number", {"kind": str, "key": str, "claim": str}, {})
    if number["kind"] not in get_args(NumberKind):
        raise TopicError(f"{where}, number: unknown kind {number['kind']!r}; allowed are {', '.join(get_args(NumberKind))}")
    if short:
        mark, said = _IN_SHORT[number["kind"]]
        return number | {"key": f"{key}-{mark}", "claim": f"{claim.removesuffix('.')} ({said})."}
    for field in ("key", "claim"):
        if "{number}" not in number[field]:
            raise TopicError(f"{where}, number: {field} must hold {{number}}, where the number of the post is put")
    return number


def _patterns(values: dict[str, Any], field: str, where: str) -> tuple[Pattern, ...]:
    if not values.get(field):
        return ()
    return tuple(_parsed(parse_pattern, wording, f"{where}, {field}") for wording in texts_of(values[field], f"{where}, {field}"))


def _parsed(parse: Any, wording: str, where: str) -> Any:
    try:
        return parse(wording)
    except PatternError as error:
        raise TopicError(f"{where}: {error}") from None
