"""ClinicalTrials.gov's API v2: pages by tokens that hold only with the same parameters, and that may be empty."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from tests.standins.scripted import ScriptedServer

TODAY = dt.datetime.now(dt.UTC).date()


@dataclass(kw_only=True)
class Study:
    """A trial. `first` and `updated` are days ago."""

    nct: str
    title: str
    status: str = "RECRUITING"
    first: int = 400
    updated: int = 400
    results: bool = False
    more: dict[str, Any] = field(default_factory=dict)

    def json(self) -> dict[str, Any]:
        def day(ago: int) -> dict[str, str]:
            return {"date": (TODAY - dt.timedelta(days=ago)).isoformat(), "type": "ACTUAL"}

        sections = {
            "identificationModule": {"nctId": self.nct, "briefTitle": self.title},
            "statusModule": {
                "overallStatus": self.status,
                "studyFirstPostDateStruct": day(self.first),
                "lastUpdatePostDateStruct": day(self.updated),
            },
            "designModule": {"studyType": "INTERVENTIONAL", "phases": ["PHASE1", "PHASE2"], "enrollmentInfo": {"count": 40}},
            "conditionsModule": {"conditions": ["Hunger"]},
            "armsInterventionsModule": {"interventions": [{"name": "Bread"}]},
            "sponsorCollaboratorsModule": {"leadSponsor": {"name": "A bakery"}},
            "descriptionModule": {"briefSummary": "Whether it helps."},
        }
        for name, values in self.more.items():
            sections[name] |= values
        return {"protocolSection": sections, "hasResults": self.results}


class ClinicalTrialsServer(ScriptedServer):
    """`studies` are what it has. `page` is what one answer holds, less what it `hides`; `empty`: an empty one comes before."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__(host)
        self.studies: list[Study] = []
        self.page = 100
        self.empty = False
        self.hides = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """A page of a search."""
        asked = dict(request.query)
        if request.path != "/api/v2/studies":
            raise web.HTTPNotFound
        token = asked.pop("pageToken", "")
        question = urlencode(sorted(asked.items()))
        at, _, said = token.partition("|")
        if token and said != question:
            return web.Response(status=400, text="Incorrect format of `pageToken` parameter", content_type="text/plain")
        assert int(asked["pageSize"]) <= 1000
        found = [one for one in self.studies if self._matches(one, asked)]
        start, whole = int(at.removesuffix(".5") or 0), not at.endswith(".5")
        most = min(self.page, int(asked["pageSize"]))
        if self.empty and whole and found:
            return web.json_response({"studies": [], "nextPageToken": f"{start}.5|{question}", "totalCount": len(found)})
        page = found[start : start + most]
        body: dict[str, Any] = {"studies": [one.json() for one in page[: len(page) - self.hides]]}
        if asked.get("countTotal") == "true" and not token:
            body["totalCount"] = len(found)
        if start + most < len(found):
            body["nextPageToken"] = f"{start + most}|{question}"
        return web.json_response(body)

    def _matches(self, study: Study, asked: dict[str, str]) -> bool:
        if ids := asked.get("filter.ids"):
            if study.nct not in ids.split("|"):
                return False
        elif not any(word.strip('"').lower() in study.title.lower() for word in asked["query.term"].split(" OR ")):
            return False
        window = re.fullmatch(r"AREA\[LastUpdatePostDate\]RANGE\[(\d{4}-\d\d-\d\d),MAX\]", asked.get("filter.advanced", ""))
        assert window or "filter.advanced" not in asked
        return window is None or (TODAY - dt.timedelta(days=study.updated)).isoformat() >= window[1]
