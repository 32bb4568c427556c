"""Holds a claim against the register: one verdict of several, its basis, its sources, and a sentence that a person can check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from monitor.topic import Entry, Proposition, Register
from monitor.words import Basis, Evidence, Verdict, why
from workers.classify import Found

_WORST_FIRST: tuple[Verdict, ...] = ("contradicted", "unsupported", "supported")
_STANCES = {
    "asserts": "put forward as true",
    "denies": "denied",
    "asks": "asked about",
    "reports": "reported of others",
}
_MAX_EVIDENCE = 12


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on a claim. `verdicts` are all that the register lists; without an entry there are none."""

    verdict: Verdict
    verdicts: dict[str, Verdict]
    basis: Basis
    evidence: tuple[Evidence, ...]
    entry: str | None
    place: str | None

    @property
    def said(self) -> str:
        """The ruling in words, as the end of a sentence."""
        if self.entry is None:
            return "no register entry covers it, so it is unsupported by the burden of proof"
        where = "everywhere" if self.place == "global" else f"for {self.place}"
        return f"register entry {self.entry} says {self.verdict} {where}"


def one_verdict(verdicts: Mapping[str, Verdict], jurisdictions: Sequence[str], named: str | None) -> tuple[Verdict, str | None]:
    """One verdict of several and the jurisdiction that it is from (None: the burden of proof).

    The named authority's own jurisdiction decides; else the worst of the configured ones that are listed; else the global
    verdict; else, where the entry speaks only of other places, the worst of those. With no verdicts at all it is unsupported.
    """
    if named is not None and named in verdicts:
        return verdicts[named], named
    for places in (jurisdictions, ("global",), tuple(verdicts)):
        listed = [place for place in places if place in verdicts]
        if listed:
            worst = min(listed, key=lambda place: (_WORST_FIRST.index(verdicts[place]), listed.index(place)))
            return verdicts[worst], worst
    return "unsupported", None


def rule(proposition: Proposition, register: Register, jurisdictions: Sequence[str]) -> Ruling:
    """The register's verdict on a proposition."""
    entry = register.get(proposition.entry)
    if entry is None:
        return Ruling(verdict="unsupported", verdicts={}, basis="burden of proof", evidence=(), entry=None, place=None)
    verdict, place = one_verdict(entry.verdicts, jurisdictions, proposition.jurisdiction)
    return Ruling(
        verdict=verdict, verdicts=dict(entry.verdicts), basis="register", evidence=_evidence(entry), entry=entry.id, place=place
    )


def explain(found: Found, ruling: Ruling) -> str:
    """One sentence on how the verdict came about. It names the pack, never the post, which may be deleted."""
    stance = f"{_STANCES[found.stance]}{' with distance' if found.distance else ''} ({found.cue})"
    return why(f"{found.by}, {stance}", ruling.said)


def _evidence(entry: Entry) -> tuple[Evidence, ...]:
    """The entry's citations; where the claim is merely made is no evidence for its verdict."""
    cited = [cite for cite in entry.citations if cite.kind != "claim seen"] or list(entry.citations)
    return tuple(Evidence(id=cite.id, citation=cite.citation, url=cite.url) for cite in cited[:_MAX_EVIDENCE])
