"""The evidence register: what the public record says of each proposition, where, as of when, and on whose word."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from monitor.topic.errors import TopicError, fields_of, parse_yaml, read_text, texts_of
from monitor.topic.lexicon import Proposition
from monitor.words import CLAIM_TYPES, VERDICTS, ClaimType, Verdict

FROM_MEMORY = "from memory"  # to be looked up
MARKS = ("found", FROM_MEMORY)
CLAIM_SEEN = "claim seen"  # where a claim is merely made: never evidence for its verdict
KINDS = (
    "regulator", "law",
    "controlled trial", "uncontrolled study", "registered trial", "case report", "conference abstract",
    "review", "survey", "laboratory",
    "society", "opinion", "press", "market", CLAIM_SEEN,
)  # fmt: skip
SCOPES = {"route": ("topical", "injected", "infused"), "material": ("human", "plant", "animal")}
STALE_MONTHS = 24
_ID = re.compile(r"^[a-z0-9][a-z0-9-]{1,79}$")
_PLACE = re.compile(r"^(?:[A-Z]{2}|global)$")


class Citation(msgspec.Struct, frozen=True, kw_only=True):
    """One source behind an entry. `mark` says whether it was read for this register or is cited from memory.

    n     how many took part (planned, where a trial is only registered); of a review the studies, of a survey the sellers
    also  further addresses: the copy that was read where `url` is the original, or a second report
    """

    id: str
    citation: str
    url: str | None
    kind: str
    n: int | None = None
    year: int | None = None
    mark: str = "found"
    also: tuple[str, ...] = ()


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the register. `verdicts` are keyed by jurisdiction (US, UK, EU, KR …) or `global`.

    `scope` says for which routes and materials they hold; without one they hold for any.
    """

    id: str
    type: ClaimType
    claim: str
    verdicts: dict[str, Verdict]
    as_of: dt.date
    citations: tuple[Citation, ...]
    scope: dict[str, tuple[str, ...]] = {}
    note: str = ""
    clashes: tuple[str, ...] = ()

    def verdict_in(self, place: str) -> Verdict | None:
        """What the entry says for a jurisdiction, by name or because it says so for all the world."""
        return self.verdicts.get(place, self.verdicts.get("global"))


class Register:
    """All entries, by id. `files` are the texts that they were read from, by the names of the files."""

    def __init__(self, entries: tuple[Entry, ...], files: Mapping[str, str] | None = None) -> None:
        self.entries = {entry.id: entry for entry in entries}
        self.files = dict(files or {})
        self._all = entries
        self.version = _version(entries)

    def get(self, entry_id: str | None) -> Entry | None:
        """The entry of that id, or None."""
        return self.entries.get(entry_id) if entry_id else None

    def __len__(self) -> int:
        return len(self.entries)

    def check(self, today: dt.date | None = None) -> list[str]:
        """What is wrong with the register, one sentence each; empty where all is well. `today` tells what lies in the future."""
        day = today or dt.datetime.now(dt.UTC).date()
        problems: list[str] = []
        seen: set[str] = set()
        cited: dict[str, tuple[Citation, str]] = {}
        for entry in self._all:
            if entry.id in seen:
                problems.append(f"{entry.id}: two entries have this id; ids are distinct")
            seen.add(entry.id)
            problems += _problems_of(entry, day)
            problems += self._clashes_of(entry)
            for cite in entry.citations:
                first, where = cited.setdefault(cite.id, (cite, entry.id))
                if cite != first:
                    problems.append(
                        f"{entry.id}: citation {cite.id} is not the same as in {where}; mend both, or give one another id"
                    )
        return problems

    def stale(self, today: dt.date | None = None) -> list[str]:
        """Entries whose newest record is so old that an editor should look for another, one sentence each. They still hold."""
        day = today or dt.datetime.now(dt.UTC).date()
        ages = ((entry, _months(entry.as_of, day)) for entry in self._all)
        return [
            f"{entry.id}: as of {entry.as_of}, which is {months} months ago; look for a newer record"
            for entry, months in ages
            if months >= STALE_MONTHS
        ]

    def unchecked(self) -> list[str]:
        """Citations that are from memory, one sentence each, in how many entries: to be looked up before anybody quotes them."""
        cited = Counter(cite.id for entry in self._all for cite in entry.citations if cite.mark == FROM_MEMORY)
        return [
            f"{cite_id}: cited from memory in {'one entry' if n == 1 else f'{n} entries'}; look it up"
            for cite_id, n in cited.items()
        ]

    def loose_ends(self, propositions: Collection[Proposition]) -> list[str]:
        """Where lexicon and register do not meet, one sentence each: nothing is wrong, but an editor may have meant more.

        An entry that no proposition names decides nothing, and one that says nothing of the jurisdiction whose authority a
        proposition names decides it by the verdict for another place.
        """
        known = {proposition.entry for proposition in propositions}
        lines = [f"{entry_id}: no claim of the lexicon names this entry" for entry_id in self.entries if entry_id not in known]
        for proposition in propositions:
            entry, place = self.get(proposition.entry), proposition.jurisdiction
            if entry and place and entry.verdict_in(place) is None:
                lines.append(f"{entry.id}: says nothing for {place}, of which the claim {proposition.key} of the lexicon speaks")
        return lines

    def _clashes_of(self, entry: Entry) -> Iterator[str]:
        for other_id in entry.clashes:
            other = self.entries.get(other_id)
            if other is None:
                yield f"{entry.id}: clashes with {other_id!r}, which is not in the register"
                continue
            for place in sorted(entry.verdicts.keys() | other.verdicts.keys()):
                if entry.verdict_in(place) == other.verdict_in(place) == "supported":
                    yield f"{entry.id} and {other_id} cannot both be supported for {place}"


def _problems_of(entry: Entry, day: dt.date) -> Iterator[str]:
    if not entry.citations:
        yield f"{entry.id}: no citation; a verdict needs at least one source"
    elif all(cite.kind == CLAIM_SEEN for cite in entry.citations) and set(entry.verdicts.values()) != {"unsupported"}:
        yield f"{entry.id}: cites only where the claim is made; a verdict other than unsupported needs a source that bears it out"
    for cite in entry.citations:
        if cite.mark == "found" and not cite.url and not cite.also:
            yield f"{entry.id}: citation {cite.id} has no address; it was found on a page, so name it"
    for place, verdict in entry.verdicts.items():
        if verdict not in VERDICTS:
            yield f"{entry.id}: verdict {verdict!r} for {place} is unknown; use one of {', '.join(VERDICTS)}"
    if entry.as_of > day:
        yield f"{entry.id}: as of {entry.as_of}, which is in the future"


def _months(since: dt.date, until: dt.date) -> int:
    return (until.year - since.year) * 12 + until.month - since.month - (until.day < since.day)


def _version(entries: tuple[Entry, ...]) -> str:
    content = msgspec.json.encode(sorted(entries, key=lambda entry: entry.id), order="sorted")
    return hashlib.blake2b(content, digest_size=6).hexdigest()


def load_register(folder: Path) -> Register:
    """The register in `folder`, one YAML file a claim type or any other division. Raises TopicError."""
    return parse_register({file.name: read_text(file) for file in sorted(folder.glob("*.yaml"))}, folder)


def parse_register(files: Mapping[str, str], folder: Path) -> Register:
    """The register of these texts, which stand or stood in files of these names in `folder`. Raises TopicError."""
    if not files:
        raise TopicError(f"{folder}: no register file; put at least one .yaml file with entries there")
    entries: list[Entry] = []
    places: dict[str, str] = {}
    for name, text in sorted(files.items()):
        file = folder / name
        content = fields_of(parse_yaml(text, file), str(file), {"entries": list}, {})
        for number, raw in enumerate(content["entries"], 1):
            entry = _entry(raw, f"{file}, entry {number}")
            if entry.id in places:
                raise TopicError(
                    f"{file}, entry {number}: the id {entry.id!r} stands in {places[entry.id]} too; ids are distinct"
                )
            places[entry.id] = str(file)
            entries.append(entry)
    return Register(tuple(entries), files)


def _entry(raw: Any, where: str) -> Entry:
    if isinstance(raw, dict) and isinstance(raw.get("id"), str):
        where = f"{where} ({raw['id']})"
    needed = {"id": str, "type": str, "claim": str, "verdicts": dict, "as_of": object, "citations": list}
    values = fields_of(raw, where, needed, {"scope": dict, "note": str, "clashes": list})
    if not _ID.match(values["id"]):
        raise TopicError(f"{where}: an id is small letters, digits and hyphens, such as 'cures-gout'")
    if values["type"] not in CLAIM_TYPES:
        raise TopicError(f"{where}: unknown type {values['type']!r}; allowed are {', '.join(CLAIM_TYPES)}")
    return Entry(
        id=values["id"],
        type=values["type"],
        claim=values["claim"].strip(),
        verdicts=_verdicts(values["verdicts"], where),
        as_of=_date(values["as_of"], where),
        citations=tuple(_citation(c, f"{where}, citation {n}") for n, c in enumerate(values["citations"], 1)),
        scope=_scope(values.get("scope") or {}, f"{where}, scope"),
        note=(values.get("note") or "").strip(),
        clashes=texts_of(values["clashes"], f"{where}, clashes") if values.get("clashes") else (),
    )


def _verdicts(raw: dict[Any, Any], where: str) -> dict[str, Verdict]:
    if not raw:
        raise TopicError(f"{where}: verdicts is empty; give at least one, such as 'global: unsupported'")
    for place, verdict in raw.items():
        # YAML reads a bare NO as false: Norway must be quoted.
        if not isinstance(place, str):
            raise TopicError(f"{where}: the jurisdiction {place!r} is not a text; put it in quotes")
        if not _PLACE.match(place):
            raise TopicError(f"{where}: a jurisdiction is two capital letters, such as US, or global, not {place!r}")
        if verdict not in VERDICTS:
            raise TopicError(f"{where}: unknown verdict {verdict!r} for {place}; allowed are {', '.join(VERDICTS)}")
    return dict(raw)


def _scope(raw: dict[Any, Any], where: str) -> dict[str, tuple[str, ...]]:
    values = fields_of(raw, where, {}, dict.fromkeys(SCOPES, (str, list)))
    scope = {}
    for name, value in values.items():
        scope[name] = (value,) if isinstance(value, str) else texts_of(value, f"{where}, {name}")
        for one in scope[name]:
            if one not in SCOPES[name]:
                raise TopicError(f"{where}: unknown {name} {one!r}; allowed are {', '.join(SCOPES[name])}")
    return scope


def _date(raw: Any, where: str) -> dt.date:
    if isinstance(raw, dt.date) and not isinstance(raw, dt.datetime):
        return raw
    raise TopicError(f"{where}: as_of must be a date such as 2026-02-24, not {raw!r}")


def _citation(raw: Any, where: str) -> Citation:
    optional = {"url": str, "also": list, "n": int, "year": int, "mark": str}
    values = fields_of(raw, where, {"id": str, "citation": str, "kind": str}, optional)
    if values["kind"] not in KINDS:
        raise TopicError(f"{where}: unknown kind {values['kind']!r}; allowed are {', '.join(KINDS)}")
    if values.get("mark", "found") not in MARKS:
        raise TopicError(f"{where}: unknown mark {values['mark']!r}; allowed are {', '.join(MARKS)}")
    return Citation(
        id=values["id"],
        citation=values["citation"].strip(),
        url=values.get("url"),
        kind=values["kind"],
        n=values.get("n"),
        year=values.get("year"),
        mark=values.get("mark", "found"),
        also=texts_of(values["also"], f"{where}, also") if values.get("also") else (),
    )
