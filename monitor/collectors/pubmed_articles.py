"""PubMed's articles (efetch XML) and the news that they are: papers, and retractions told by the paper or by its notice."""

from __future__ import annotations

import datetime as dt
import re
from xml.etree.ElementTree import Element

import msgspec

from monitor.collectors.base import SourceError
from monitor.collectors.html import one_line, tidy
from monitor.collectors.registers import day_ms
from monitor.collectors.xml_tree import XmlError, parse, words_of
from monitor.notices import News
from monitor.topic import Cited
from monitor.topic.cited import dois_in

RETRACTED, CITED = "retracted", "retracted; cited by the register"
_RETRACTED_TYPE = "retracted publication"
_NOTICE_TYPES = ("retraction of publication", "retraction notice")
_PLAIN_TYPES = ("journal article", "english abstract")
_PMID = re.compile(r"[0-9]{1,9}")
_MAX_TITLE, _MAX_SUMMARY = 1_000, 4_000


class Other(msgspec.Struct, frozen=True):
    """Another publication that an article is joined to: its number, if PubMed has it, and what it is cited as."""

    pmid: str
    cited_as: str

    @property
    def doi(self) -> str:
        return next(iter(dois_in(self.cited_as)), "")


class Article(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of an article. `entered` (ms): when PubMed took it in."""

    pmid: str
    title: str
    doi: str = ""
    journal: str = ""
    abstract: str = ""
    types: tuple[str, ...] = ()
    entered: int | None = None
    retracted_in: tuple[Other, ...] = ()
    retraction_of: tuple[Other, ...] = ()

    @property
    def is_notice(self) -> bool:
        return bool(self.retraction_of) or any(one.lower() in _NOTICE_TYPES for one in self.types)

    @property
    def is_retracted(self) -> bool:
        return bool(self.retracted_in) or any(one.lower() == _RETRACTED_TYPE for one in self.types)


def read_articles(body: bytes) -> list[Article]:
    """The articles of an answer, books left out. Raises SourceError for an answer of another sort."""
    try:
        root = parse(body)
    except XmlError as error:
        raise SourceError(f"PubMed's answer cannot be read: {error}; it may be overloaded") from None
    if root.tag != "PubmedArticleSet":
        said = one_line(words_of(root.find("ERROR")), 160)
        raise SourceError(f"PubMed gives no articles but {said or f'a document of {root.tag[:40]!r}'}")
    articles = (_article(node) for node in root.findall("PubmedArticle"))
    return [article for article in articles if article is not None]


def news_of(article: Article, cited: Cited, *, papers_since: int | None) -> list[News]:
    """What there is to tell: a retraction, however old the paper; or the paper, where it came in since then (None: no papers)."""
    if article.is_notice:
        notice = f"Retraction notice: PMID {article.pmid}, {article.journal}"
        targets = [
            Article(pmid=one.pmid, title=article.title, doi=one.doi, abstract=one.cited_as) for one in article.retraction_of
        ]
        unnamed = msgspec.structs.replace(article, doi="")  # the notice's own number and DOI stand for what it does not name
        return [
            _retraction(one if one.pmid else msgspec.structs.replace(one, pmid=article.pmid), cited, notice, article.entered)
            for one in targets or [unnamed]
        ]
    if article.is_retracted:
        where = "; ".join(f"{one.cited_as} (PMID {one.pmid})" if one.pmid else one.cited_as for one in article.retracted_in)
        return [_retraction(article, cited, f"Retracted in: {where}" if where else "", None)]
    if papers_since is None or article.entered is None or article.entered < papers_since:
        return []
    kinds = ", ".join(one for one in article.types if one.lower() not in _PLAIN_TYPES)
    return [
        News(
            register="pubmed",
            id=article.pmid,
            kind="paper",
            title=article.title,
            url=_url(article.pmid),
            published_at=article.entered,
            summary=_summary(kinds, article.journal, article.abstract),
            entries=cited.entries(pmid=article.pmid, doi=article.doi),
        )
    ]


def _retraction(paper: Article, cited: Cited, how: str, told: int | None) -> News:
    entries = cited.entries(pmid=paper.pmid, doi=paper.doi)
    return News(
        register="pubmed",
        id=paper.pmid,
        kind="retraction",
        title=paper.title,
        url=_url(paper.pmid),
        published_at=told,
        state=CITED if entries else RETRACTED,
        summary=_summary(how, paper.journal, paper.abstract),
        entries=entries,
    )


def _summary(*parts: str) -> str:
    return "\n".join(filter(None, parts))[:_MAX_SUMMARY]


def _url(pmid: str) -> str:
    return f"https://pubmed.ncbi.nlm.nih.gov/{pmid}/"


def _article(node: Element) -> Article | None:
    pmid = words_of(node.find("MedlineCitation/PMID")).strip()
    article = node.find("MedlineCitation/Article")
    if not _PMID.fullmatch(pmid) or article is None:
        return None
    title = one_line(words_of(article.find("ArticleTitle")), _MAX_TITLE)
    title = title or one_line(words_of(article.find("VernacularTitle")), _MAX_TITLE)
    return Article(
        pmid=pmid,
        title=title or f"PMID {pmid}",
        doi=_doi(node),
        journal=one_line(words_of(article.find("Journal/Title")), 200),
        abstract=_abstract(article),
        types=tuple(one_line(words_of(one), 80) for one in article.findall("PublicationTypeList/PublicationType")[:50]),
        entered=_entered(node),
        retracted_in=_others(node, "RetractionIn"),
        retraction_of=_others(node, "RetractionOf"),
    )


def _doi(node: Element) -> str:
    """The article's own: what it cites has such lists too."""
    own = [*node.findall("PubmedData/ArticleIdList/ArticleId"), *node.findall("MedlineCitation/Article/ELocationID")]
    return next((words_of(one).strip() for one in own if "doi" in (one.get("IdType"), one.get("EIdType"))), "")


def _abstract(article: Element) -> str:
    parts = []
    for one in article.findall("Abstract/AbstractText")[:50]:
        label = one_line(one.get("Label") or "", 60)
        text = one_line(words_of(one), _MAX_SUMMARY)
        parts.append(f"{label}: {text}" if label else text)
    return tidy("\n".join(parts), _MAX_SUMMARY)


def _others(node: Element, how: str) -> tuple[Other, ...]:
    joined = node.findall("MedlineCitation/CommentsCorrectionsList/CommentsCorrections")
    found = [one for one in joined if one.get("RefType") == how][:50]
    numbers = [words_of(one.find("PMID")).strip() for one in found]
    cited_as = [one_line(words_of(one.find("RefSource")), 300) for one in found]
    return tuple(Other(n if _PMID.fullmatch(n) else "", text) for n, text in zip(numbers, cited_as, strict=True))


def _entered(node: Element) -> int | None:
    dates = {one.get("PubStatus"): one for one in node.findall("PubmedData/History/PubMedPubDate")}
    for status in ("entrez", "pubmed", "medline"):
        if (date := dates.get(status)) is not None:
            parts = [words_of(date.find(name)).strip() for name in ("Year", "Month", "Day")]
            if all(part.isascii() and part.isdigit() and len(part) < 5 for part in parts):
                try:
                    return day_ms(dt.date(*map(int, parts)))
                except ValueError:
                    continue
    return None
