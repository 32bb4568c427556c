"""PubMed as NCBI's E-utilities show it: esearch (JSON, counts are texts, 10,000 ids and no more) and efetch (XML)."""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from aiohttp import web

from tests.standins.scripted import ScriptedServer

TODAY = dt.datetime.now(dt.UTC).date()
_CLAUSE = re.compile(r'"?([^"\[]+)"?\[(\w+)\]')
_DOCTYPE = (
    '<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, 1st January 2025//EN" "https://dtd.test/pubmed_250101.dtd">'
)


@dataclass(kw_only=True)
class Paper:
    """An article. `entered` and `touched` are days ago; the joined ones are (PMID or '', what it is cited as)."""

    pmid: str
    title: str
    abstract: str = ""
    doi: str = ""
    types: tuple[str, ...] = ("Journal Article",)
    entered: int = 5
    touched: int = 5
    retracted_in: tuple[tuple[str, str], ...] = ()
    retraction_of: tuple[tuple[str, str], ...] = ()

    def matches(self, clause: str) -> bool:
        wanted, field = _CLAUSE.fullmatch(clause.strip("() ")).groups()  # type: ignore[union-attr]
        return {
            "tiab": wanted.lower() in f"{self.title} {self.abstract}".lower(),
            "pt": wanted.lower() in [one.lower() for one in self.types],
            "uid": wanted == self.pmid,
            "aid": wanted == self.doi.lower(),
        }[field]

    def xml(self) -> str:
        day = TODAY - dt.timedelta(days=self.entered)
        joined = "".join(
            f"<CommentsCorrections RefType={quoteattr(how)}><RefSource>{escape(cited_as)}</RefSource>"
            + (f'<PMID Version="1">{pmid}</PMID>' if pmid else "")
            + "</CommentsCorrections>"
            for how, others in (
                ("RetractionIn", self.retracted_in),
                ("RetractionOf", self.retraction_of),
                ("Cites", (("9", "x"),)),
            )
            for pmid, cited_as in others
        )
        types = "".join(f'<PublicationType UI="D0">{escape(one)}</PublicationType>' for one in self.types)
        own = f'<ArticleId IdType="doi">{escape(self.doi)}</ArticleId>' if self.doi else ""
        return f"""<PubmedArticle><MedlineCitation Status="MEDLINE"><PMID Version="1">{self.pmid}</PMID>
            <Article PubModel="Print"><Journal><Title>Annals of Baking</Title></Journal><ArticleTitle>{self.title}</ArticleTitle>
            <Abstract><AbstractText Label="RESULTS">{escape(self.abstract)}</AbstractText></Abstract>
            <PublicationTypeList>{types}</PublicationTypeList></Article>
            <CommentsCorrectionsList>{joined}</CommentsCorrectionsList></MedlineCitation>
            <PubmedData><History><PubMedPubDate PubStatus="entrez"><Year>{day.year}</Year><Month>{day.month}</Month>
            <Day>{day.day}</Day></PubMedPubDate></History>
            <ArticleIdList><ArticleId IdType="pubmed">{self.pmid}</ArticleId>{own}</ArticleIdList>
            <ReferenceList><Reference><ArticleIdList>
            <ArticleId IdType="doi">10.5555/bread.(7)</ArticleId></ArticleIdList></Reference></ReferenceList>
            </PubmedData></PubmedArticle>"""


class PubMedServer(ScriptedServer):
    """`papers` are what it has. `most` is what a search gives at most; `page` what one answer holds of that."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__(host)
        self.papers: list[Paper] = []
        self.most = 10_000
        self.page = 10_000

    def searches(self) -> list[str]:
        """The terms that were searched for."""
        return [one.query["term"] for one in self.asked if one.path.endswith("esearch.fcgi")]

    def fetched(self) -> list[str]:
        """The ids whose articles were asked for."""
        return [id_ for one in self.asked if one.path.endswith("efetch.fcgi") for id_ in one.query["id"].split(",")]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """A search, or articles."""
        asked = dict(request.query)
        assert (asked["db"], asked["tool"]) == ("pubmed", "exowatch")
        if request.path == "/entrez/eutils/efetch.fcgi":
            wanted = asked["id"].split(",")
            assert (asked["retmode"], len(wanted) <= 200) == ("xml", True)
            found = "".join(one.xml() for one in self.papers if one.pmid in wanted)
            text = f'<?xml version="1.0" ?>\n{_DOCTYPE}\n<PubmedArticleSet>{found}</PubmedArticleSet>'
            return web.Response(text=text, content_type="text/xml")
        assert (request.path, asked["retmode"]) == ("/entrez/eutils/esearch.fcgi", "json")
        groups = [group.split(" OR ") for group in asked["term"].split(" AND ")]
        found_ids = [
            one.pmid
            for one in self.papers
            if all(any(one.matches(clause) for clause in group) for group in groups) and self._in_window(one, asked)
        ]
        start = int(asked["retstart"])
        page = found_ids[: self.most][start : start + min(int(asked["retmax"]), self.page)]
        result = {"count": str(len(found_ids)), "retmax": str(len(page)), "retstart": str(start), "idlist": page}
        return web.Response(text=json.dumps({"header": {"type": "esearch"}, "esearchresult": result}))

    def _in_window(self, paper: Paper, asked: dict[str, str]) -> bool:
        if "datetype" not in asked:
            return True
        day = TODAY - dt.timedelta(days={"mdat": paper.touched, "edat": paper.entered}[asked["datetype"]])
        return asked["mindate"] <= f"{day:%Y/%m/%d}" <= asked["maxdate"]
