"""The kind `clinicaltrials`: new trials on the topic, and each change of their state (API v2). They become news for the editor.

The first poll reads every trial of the topic's searches and notes its state without a word, but for those that are new; from then
on what was updated since is read, and told where its state is another one.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import AsyncGenerator, AsyncIterator
from itertools import islice
from typing import Any
from urllib.parse import urlencode

import msgspec

from monitor.collectors.base import Access, Batch, Gap, Kind, SourceError
from monitor.collectors.budget import Budgets, Rate
from monitor.collectors.feed import read_cursor
from monitor.collectors.html import one_line, tidy
from monitor.collectors.http import MAX_LISTING, Answer, Fetcher, read_json
from monitor.collectors.registers import Subject, date_ms, day_ms, reading, recent
from monitor.collectors.wire import mapping, objects, text
from monitor.notices import News
from monitor.settings.sources.clinicaltrials import ClinicalTrialsSource
from monitor.topic import Cited

STUDIES = "https://clinicaltrials.gov/api/v2/studies"
RATE = Rate(1, 1)
PAGE = 100  # studies; one page of documentation speaks of 1,000, another of 100
PAGES = 300  # of one search
OVERLAP = 3  # days
KNOWN = 20_000
CITED_AT_ONCE = 50
_NCT = re.compile(r"NCT[0-9]{8}")
_FIELDS = (
    "NCTId", "BriefTitle", "OverallStatus", "WhyStopped", "StudyFirstPostDate", "LastUpdatePostDate", "LeadSponsorName",
    "BriefSummary", "Condition", "StudyType", "Phase", "EnrollmentCount", "InterventionName", "HasResults",
)  # fmt: skip


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of a trial. Times in ms; `summary` is the particulars and the register's own words."""

    nct: str
    title: str
    state: str
    summary: str = ""
    first: int | None = None
    updated: int | None = None


class State(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Up to which day all was read, with which searches, and the states of the trials: `NCT… state`, the latest read first."""

    until: str = ""
    searches: str = ""
    known: list[str] = []


class ClinicalTrialsCollector:
    """A source of kind `clinicaltrials`."""

    def __init__(self, source: ClinicalTrialsSource, budgets: Budgets, topic: Subject) -> None:
        self._source = source
        self._topic = topic
        budget = budgets.of("clinicaltrials", source.base_url or "clinicaltrials.gov", rate=RATE)
        self._fetcher = Fetcher(base_url=source.base_url, max_body=MAX_LISTING, budget=budget)

    async def poll(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """The trials of the searches, and those that the register cites, page by page; see `Collector.poll`."""
        topic, state = self._topic(), read_cursor(cursor, State)
        now = reading(topic, state.until, state.searches, backfill=self._source.backfill, overlap=OVERLAP)
        state = State(until=now.until, searches=now.digest, known=state.known)
        cited = Cited(topic.register)
        known = dict(_of_line(line) for line in state.known)
        for search in (*_of_cited(cited), {"query.term": " OR ".join(f'"{one}"' for one in now.searches)}):
            async for trials, gap in self._pages(search, None if now.anew else now.since):
                changed = [one for one in trials if known.get(one.nct) != one.state]
                told = [one for one in changed if not now.anew or one.nct in known or (one.first or 0) >= day_ms(now.since)]
                known |= {one.nct: one.state for one in changed}
                lines = recent([_line(one) for one in changed], _but(state.known, changed), KNOWN)
                state = msgspec.structs.replace(state, known=lines)
                news = [_news(one, cited) for one in told]
                if news or gap is not None:
                    yield Batch(news=news, cursor=_text(state), gap=gap)
        state = msgspec.structs.replace(state, until=now.today.isoformat())
        yield Batch(cursor=_text(state), covered=now.covered)

    async def close(self) -> None:
        """Closes the connections."""
        await self._fetcher.close()

    async def _pages(self, search: dict[str, str], since: dt.date | None) -> AsyncIterator[tuple[list[Trial], Gap | None]]:
        """The trials of a search, updated since then; an empty page is not the last one where it names another."""
        asked = search | {"fields": ",".join(_FIELDS), "pageSize": str(PAGE), "countTotal": "true"}
        if since is not None:
            asked["filter.advanced"] = f"AREA[LastUpdatePostDate]RANGE[{since.isoformat()},MAX]"
        token, tokens, total = "", set[str](), 0
        found: set[str] = set()
        for _ in range(PAGES):
            page = _page(await self._fetcher.get(f"{STUDIES}?{urlencode(asked | ({'pageToken': token} if token else {}))}"))
            trials = [trial for study in objects(page["studies"]) if (trial := trial_of(study)) is not None]
            found |= {text(_part(study, "identificationModule").get("nctId")) for study in objects(page["studies"])}
            count = page.get("totalCount")
            total = count if isinstance(count, int) else total
            token = text(page.get("nextPageToken"))
            if token in tokens:
                raise SourceError(
                    "ClinicalTrials.gov names the same page again and again; if this lasts, exowatch needs an update"
                )
            tokens |= {token} - {""}
            missing = total - len(found)
            yield (
                trials,
                Gap(cause=f"ClinicalTrials.gov left out {missing} of {total} trials") if not token and missing > 0 else None,
            )
            if not token:
                return
        yield [], Gap(cause=f"the searches have more trials than {PAGES} pages hold; make them narrower")


def trial_of(study: dict[str, Any]) -> Trial | None:
    """A study of the API as a trial; None for one of another shape."""
    identity, status = _part(study, "identificationModule"), _part(study, "statusModule")
    design, sponsor = _part(study, "designModule"), mapping(_part(study, "sponsorCollaboratorsModule").get("leadSponsor"))
    nct, state = text(identity.get("nctId")), _words(status.get("overallStatus"))
    if not _NCT.fullmatch(nct) or not state:
        return None
    count = mapping(design.get("enrollmentInfo")).get("count")
    particulars = (
        ", ".join([_words(design.get("studyType")), *(_phase(one) for one in _texts(design.get("phases")) if one != "NA")]),
        f"{count} participants" if isinstance(count, int) and not isinstance(count, bool) else "",
        ", ".join(_texts(_part(study, "conditionsModule").get("conditions"))),
        "; ".join(text(one.get("name")) for one in objects(_part(study, "armsInterventionsModule").get("interventions"))),
        text(sponsor.get("name")),
    )
    why = one_line(text(status.get("whyStopped")), 500)
    first = ". ".join(one_line(part, 500) for part in particulars if part)
    rest = tidy(text(_part(study, "descriptionModule").get("briefSummary")), 3_000)
    return Trial(
        nct=nct,
        title=one_line(text(identity.get("briefTitle")), 1_000) or nct,
        state=f"{state}; results posted" if study.get("hasResults") is True else state,
        summary="\n".join(filter(None, (first, f"Why it stopped: {why}" if why else "", rest))),
        first=date_ms(text(mapping(status.get("studyFirstPostDateStruct")).get("date"))),
        updated=date_ms(text(mapping(status.get("lastUpdatePostDateStruct")).get("date"))),
    )


def _news(trial: Trial, cited: Cited) -> News:
    return News(
        register="clinicaltrials",
        id=trial.nct,
        kind="trial",
        title=trial.title,
        url=f"https://clinicaltrials.gov/study/{trial.nct}",
        published_at=trial.updated or trial.first,
        state=trial.state,
        summary=trial.summary,
        entries=cited.entries(trial=trial.nct),
    )


def _of_cited(cited: Cited) -> list[dict[str, str]]:
    trials = cited.ids("trial")
    return [{"filter.ids": "|".join(trials[at : at + CITED_AT_ONCE])} for at in range(0, len(trials), CITED_AT_ONCE)]


def _page(answer: Answer) -> dict[str, Any]:
    """A page. Raises SourceError, in the register's own words where it does not take the question."""
    if answer.status == 400 and "json" not in answer.headers.get("Content-Type", ""):
        raise SourceError(
            f"ClinicalTrials.gov does not take the search: {one_line(answer.body[:2_000].decode('utf-8', 'replace'), 160)}"
        )
    page = mapping(read_json(answer))
    if not isinstance(page.get("studies"), list):
        raise SourceError(
            "ClinicalTrials.gov answers with JSON that is no list of studies; if this lasts, exowatch needs an update"
        )
    return page


def _part(study: dict[str, Any], module: str) -> dict[str, Any]:
    return mapping(mapping(study.get("protocolSection")).get(module))


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)][:20] if isinstance(value, list) else []


def _words(value: Any) -> str:
    return one_line(text(value), 60).replace("_", " ").lower()


def _phase(value: str) -> str:
    return one_line(value, 20).replace("_", " ").lower().replace("phase", "phase ")


def _line(trial: Trial) -> str:
    return f"{trial.nct} {trial.state}"


def _of_line(line: str) -> tuple[str, str]:
    nct, _, state = line.partition(" ")
    return nct, state


def _but(lines: list[str], trials: list[Trial]) -> list[str]:
    gone = {one.nct for one in trials}
    return [line for line in islice(lines, KNOWN) if _of_line(line)[0] not in gone] if gone else lines


def _text(state: State) -> str:
    return msgspec.json.encode(state).decode()


def _access(source: ClinicalTrialsSource) -> Access:  # noqa: ARG001 - open to all
    return Access(works="new trials and changes of their state as news for the register's editor; needs no credentials")


KIND = Kind(open=ClinicalTrialsCollector, access=_access, by_topic=True)
