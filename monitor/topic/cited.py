"""What the register cites, by the identifiers under which others keep it: DOI, PubMed, a trial's number."""

from __future__ import annotations

import re

from monitor.topic.register import Register

_DOI = re.compile(r"\b10\.[0-9]{4,9}/[^\s\"<>?#]+")
_PMID = re.compile(r"(?:\bPMID:? ?|pubmed\.ncbi\.nlm\.nih\.gov/)([0-9]{1,8})\b")
_TRIAL = re.compile(r"\bNCT[0-9]{8}\b")
_AFTER_DOI = ("/full", "/pdf", "/abstract", "/epdf", "/html", "/fulltext")


class Cited:
    """Which entries of a register cite a paper or a trial: a citation names it in its text or in an address, or the note does."""

    def __init__(self, register: Register) -> None:
        self._by: dict[str, dict[str, None]] = {}
        for entry in register.entries.values():
            texts = [text for cite in entry.citations for text in (cite.citation, cite.url, *cite.also) if text]
            for name in _names("\n".join((*texts, entry.note))):
                self._by.setdefault(name, {})[entry.id] = None

    def entries(self, *, pmid: str = "", doi: str = "", trial: str = "") -> tuple[str, ...]:
        """The ids of the entries that cite what has one of these identifiers, in the register's order."""
        names = (f"pmid {pmid}", f"doi {doi.lower()}", f"trial {trial.upper()}")
        return tuple(dict.fromkeys(entry for name in names for entry in self._by.get(name, ())))

    def ids(self, what: str) -> tuple[str, ...]:
        """All identifiers of a sort (`pmid`, `doi`, `trial`) that are cited, in order."""
        return tuple(sorted(name.partition(" ")[2] for name in self._by if name.startswith(f"{what} ")))


def dois_in(text: str) -> list[str]:
    """The DOIs in a text, in small letters, without what follows them in addresses and sentences."""
    return [_bare(found[0]) for found in _DOI.finditer(text)]


def _names(text: str) -> list[str]:
    pmids = [f"pmid {found[1].lstrip('0')}" for found in _PMID.finditer(text)]
    return [*pmids, *(f"doi {doi}" for doi in dois_in(text)), *(f"trial {found[0]}" for found in _TRIAL.finditer(text))]


def _bare(doi: str) -> str:
    doi = doi.lower().rstrip(".,;:'")
    while (doi.endswith(")") and doi.count("(") < doi.count(")")) or (doi.endswith("]") and doi.count("[") < doi.count("]")):
        doi = doi[:-1].rstrip(".,;:'")
    for end in _AFTER_DOI:
        doi = doi.removesuffix(end)
    return doi.rstrip("/")
