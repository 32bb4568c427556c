"""ClinicalTrials.gov, through the real client over HTTP: new trials, changes of state, empty pages, and what goes wrong."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from monitor.collectors import clinicaltrials, open_collector
from monitor.collectors.base import Collector
from monitor.collectors.clinicaltrials import trial_of
from monitor.settings.sources.clinicaltrials import ClinicalTrialsSource
from monitor.topic import Topic
from tests.evidence import before_it_fails, news_in, told, topic_of
from tests.packs import bread
from tests.standins.clinicaltrials_server import ClinicalTrialsServer, Study
from tests.standins.polling import fails, poll
from tests.standins.scripted import Reply


@pytest.fixture
async def site() -> AsyncIterator[ClinicalTrialsServer]:
    async with ClinicalTrialsServer() as server:
        yield server


@pytest.fixture
def topic(tmp_path: Path) -> Topic:
    return topic_of(tmp_path, "a trial, NCT00000099, still open")


@pytest.fixture
async def collector(site: ClinicalTrialsServer, topic: Topic) -> AsyncIterator[Collector]:
    made = opened(site, lambda: topic)
    yield made
    await made.close()


def opened(site: ClinicalTrialsServer, topic: Any) -> Any:
    return open_collector(ClinicalTrialsSource(kind="clinicaltrials", name="trials", base_url=site.origin), None, topic)


def study(number: int, title: str = "Sourdough for hunger", **more: Any) -> Study:
    return Study(nct=f"NCT{number:08}", title=title, **more)


async def test_a_new_trial_is_told_once(site: ClinicalTrialsServer, collector: Collector) -> None:
    site.studies = [study(1, first=3, updated=3), study(2, "Wheat", first=3, updated=3), study(3), study(4, updated=2)]
    (news,), cursor = await told(collector)
    assert (news.register, news.id, news.kind, news.state) == ("clinicaltrials", "NCT00000001", "trial", "recruiting")
    assert (news.title, news.url) == ("Sourdough for hunger", "https://clinicaltrials.gov/study/NCT00000001")
    assert news.summary == "interventional, phase 1, phase 2. 40 participants. Hunger. Bread. A bakery\nWhether it helps."
    assert news.published_at is not None
    assert (await told(collector, cursor))[0] == []


async def test_each_change_of_a_trials_state_is_told(site: ClinicalTrialsServer, collector: Collector) -> None:
    trial = study(1)
    site.studies = [trial]
    news, cursor = await told(collector)
    assert news == [], "it was there before exowatch was"
    trial.updated = 0
    assert (await told(collector, cursor))[0] == [], "an update that leaves the state as it is"
    trial.status, trial.more = "TERMINATED", {"statusModule": {"whyStopped": "No flour"}}
    (news_now,), cursor = await told(collector, cursor)
    assert news_now.state == "terminated"
    assert "Why it stopped: No flour" in news_now.summary
    trial.results = True
    (news_now,), cursor = await told(collector, cursor)
    assert news_now.state == "terminated; results posted"
    assert (await told(collector, cursor))[0] == []


async def test_a_trial_that_the_register_cites_is_watched_whatever_it_is_called(
    site: ClinicalTrialsServer, collector: Collector
) -> None:
    trial = study(99, "Wheat")
    site.studies = [trial]
    news, cursor = await told(collector)
    assert news == []
    trial.updated, trial.status = 0, "COMPLETED"
    (news_now,), _ = await told(collector, cursor)
    assert (news_now.id, news_now.state, news_now.entries) == ("NCT00000099", "completed", ("made-of-flour",))


async def test_a_stop_of_any_length_is_caught_up(site: ClinicalTrialsServer, collector: Collector) -> None:
    trial = study(1)
    site.studies = [trial]
    _, cursor = await told(collector)
    trial.updated, trial.status = 100, "COMPLETED"
    assert (await told(collector, cursor))[0] == []
    batches = await poll(collector, json.dumps(json.loads(cursor) | {"until": "2026-01-02"}))
    assert [one.state for one in news_in(batches)] == ["completed"]
    assert batches[-1].covered is not None
    assert batches[-1].covered.since == 1_767_052_800_000


@pytest.mark.parametrize("empty", [False, True])
async def test_all_pages_are_read_and_an_empty_one_is_not_the_last(
    site: ClinicalTrialsServer, collector: Collector, empty: bool
) -> None:
    site.page, site.empty = 3, empty
    site.studies = [study(number, first=1, updated=1) for number in range(1, 11)]
    batches = await poll(collector)
    assert [one.id for one in news_in(batches)] == [one.nct for one in site.studies]
    assert all(batch.gap is None for batch in batches)


async def test_trials_that_are_counted_and_not_shown_are_a_gap(site: ClinicalTrialsServer, collector: Collector) -> None:
    site.studies = [study(number, first=1, updated=1) for number in range(1, 4)]
    site.hides = 1
    (gap,) = [batch.gap for batch in await poll(collector) if batch.gap is not None]
    assert "1 of 3" in gap.cause


async def test_pages_without_end_are_left(
    site: ClinicalTrialsServer, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clinicaltrials, "PAGES", 2)
    site.page = 2
    site.studies = [study(number, first=1, updated=1) for number in range(1, 9)]
    batches = await poll(collector)
    assert len(news_in(batches)) == 4
    assert [batch.gap is not None for batch in batches].count(True) == 1
    site.studies = []
    site.next(Reply(200, '{"studies": [], "nextPageToken": "a"}'), Reply(200, '{"studies": [], "nextPageToken": "a"}'))
    monkeypatch.setattr(clinicaltrials, "PAGES", 9)
    assert "again and again" in str(await fails(collector))


async def test_a_failure_on_the_second_page_loses_nothing(site: ClinicalTrialsServer, collector: Collector) -> None:
    site.page = 2
    site.studies = [study(number, first=1, updated=1) for number in range(1, 6)]
    site.next(None, None, Reply(500))
    heard = await before_it_fails(collector)
    assert len(news_in(heard)) == 2
    rest, _ = await told(collector, heard[-1].cursor)
    assert [one.id[-1] for one in [*news_in(heard), *rest]] == list("12345")


async def test_other_searches_are_read_from_the_beginning(site: ClinicalTrialsServer, tmp_path: Path) -> None:
    present = [topic_of(tmp_path / "a")]
    collector = opened(site, lambda: present[0])
    site.studies = [study(1), study(2, "Brioche", first=2, updated=2), study(3, "Brioche")]
    news, cursor = await told(collector)
    assert news == []
    present[0] = bread(tmp_path / "b", ("topic.yaml", "", "searches: [brioche, sourdough]\n"))
    site.studies[0].status = "COMPLETED"
    news, cursor = await told(collector, cursor)
    assert sorted(one.id[-1] for one in news) == ["1", "2"]
    site.studies[2].status, site.studies[2].updated = "COMPLETED", 0
    assert [one.id[-1] for one in (await told(collector, cursor))[0]] == ["3"]
    await collector.close()


@pytest.mark.parametrize(
    ("reply", "said", "wait"),
    [
        (Reply(400, "Invalid field name: X", {"Content-Type": "text/plain"}), "Invalid field name", None),
        (Reply(429, "", {"Retry-After": "9"}), "fewer requests", 9),
        (Reply(200, "<html>"), "web page", None),
        (Reply(200, '{"total": 3}'), "no list of studies", None),
        (Reply(200, '{"studies":' + "[" * 200_000), "instead of data", None),
        (Reply(503), "trouble", None),
        (Reply(endless=True), "sends more than", None),
        (Reply(hang=True), "did not answer", None),
    ],
)
async def test_what_goes_wrong_is_said_and_nothing_is_lost(
    site: ClinicalTrialsServer, collector: Collector, monkeypatch: pytest.MonkeyPatch, reply: Reply, said: str, wait: float | None
) -> None:
    if reply.hang:
        monkeypatch.setattr(collector._fetcher, "_timeout", 0.5)  # type: ignore[attr-defined]
    site.studies = [study(1, first=1, updated=1)]
    site.next(reply)
    problem = await fails(collector)
    assert said in str(problem)
    assert (problem.retry_after, problem.permanent) == (wait, False)
    if not reply.hang:
        assert len((await told(collector))[0]) == 1


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"protocolSection": []},
        {"protocolSection": {"identificationModule": {"nctId": "../../etc"}, "statusModule": {"overallStatus": "RECRUITING"}}},
        {"protocolSection": {"identificationModule": {"nctId": "NCT00000001"}, "statusModule": {"overallStatus": None}}},
    ],
)
def test_studies_of_another_shape_are_left_out(found: dict[str, Any]) -> None:
    assert trial_of(found) is None


def test_hostile_values_do_no_harm() -> None:
    found = study(1, "\0a\ud800" * 9_000, status="X" * 900).json()
    section = found["protocolSection"]
    section["statusModule"]["studyFirstPostDateStruct"] = {"date": "2026-99-99"}
    section["designModule"] = {"phases": [1, None, "PHASE9" * 900], "enrollmentInfo": {"count": True}}
    section["conditionsModule"]["conditions"] = "none"
    section["armsInterventionsModule"]["interventions"] = [{"name": ["x"]}, 5]
    section["descriptionModule"]["briefSummary"] = "y" * 99_999
    trial = trial_of(found)
    assert trial is not None
    assert (len(trial.title), len(trial.state), trial.first) == (1_000, 60, None)
    assert len(trial.summary) < 7_000
    assert "\0" not in trial.title
    assert "\ud800" not in trial.title


async def test_recorded_studies_are_read(shared: Path, site: ClinicalTrialsServer, collector: Collector) -> None:
    for file in sorted((shared / "wire/dev/clinicaltrials").glob("search_*.json")):
        studies = json.loads(file.read_bytes())["studies"]
        trials = [trial for one in studies if (trial := trial_of(one)) is not None]
        assert len(trials) == len(studies) > 0
        assert all(one.title and one.state and one.summary for one in trials)
    one = json.loads((shared / "wire/dev/clinicaltrials/get_nct02576665_20260811.json").read_bytes())
    trial = trial_of(one)
    assert trial is not None
    assert (trial.nct, trial.state) == ("NCT02576665", "terminated")
    assert trial_of(json.loads((shared / "wire/dev/clinicaltrials/study_contacts.json").read_bytes())) is None
    empty = Reply(200, '{"studies": []}')
    site.next(empty, Reply(200, json.dumps({"studies": [one]})))
    _, cursor = await told(collector)
    one["protocolSection"]["statusModule"]["overallStatus"] = "COMPLETED"
    site.next(empty, Reply(200, json.dumps({"studies": [one]})))
    assert [news.state for news in (await told(collector, cursor))[0]] == ["completed"]
