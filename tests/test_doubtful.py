"""Occurrences that were joined to their claims as the likeliest: found by a filter, and sure once a person has said so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from monitor.store import Database, alerts, claims, mentions, parse_filters, reviews, stats
from monitor.store.judged import Judged
from tests.api_server import serving
from tests.samples import judged, occurrence, write
from tests.test_review_cli import APPROVED as FDA
from tests.test_review_cli import CURED, SENTENCE, Shell, config, shell
from tests.test_reviews import APPROVED, CLEARED, LAW, approved, cleared, mention_of

__all__ = ["config", "shell"]


def likely(one: Judged) -> Judged:
    return replace(one, origins=tuple(replace(origin, sure=False) for origin in one.origins))


async def found(database: Database, **more: str) -> tuple[list[str], list[str], int]:
    """Claims, mentions and how many alerts there are that are doubtful and pass other filters."""
    filters = parse_filters({"doubtful": ["true"]} | {name: [value] for name, value in more.items()})
    async with database.read() as connection:
        said = [one.id for one in (await claims.page(connection, filters)).items]
        heard = [one.platform_id for one in (await mentions.page(connection, filters)).items]
        counted = sum(one.mentions for one in (await stats.stats(connection, "day", filters)).buckets)
        assert counted == len(heard)
        return said, heard, len((await alerts.page(connection, filters)).items)


async def some(database: Database) -> None:
    await write(
        database, approved("a"), likely(approved("b", author="other")), cleared("c"), likely(approved("d", stance="asks"))
    )


async def test_every_list_can_be_asked_for_them_and_other_filters_go_along(database: Database) -> None:
    await some(database)
    assert await found(database) == ([APPROVED], ["d", "b"], 0)
    assert await found(database, stance="asks") == ([APPROVED], ["d"], 0)
    assert await found(database, text="approved", claim=APPROVED) == ([APPROVED], ["d", "b"], 0)
    assert await found(database, platform="tiktok") == ([], [], 0)
    assert await found(database, claim=CLEARED) == ([], [], 0)
    async with database.read() as connection:
        plain = await claims.page(connection, parse_filters({"doubtful": ["false"]}))
    assert len(plain.items) == 2


async def test_a_confirmation_of_the_claim_takes_the_mark_from_all_of_it_and_keeps_it_off(database: Database) -> None:
    await some(database)
    async with database.write() as connection:
        await reviews.judge(connection, APPROVED, "confirm", "ann")
    assert await found(database) == ([], [], 0)
    await write(database, likely(approved("late")))
    assert await found(database) == ([APPROVED], ["late"], 0)
    edited = f"{LAW} (edited)"
    again = judged("b", edited, occurrence(edited, "FDA approved", "approved"), hours_ago=0.5, author="other")
    assert (await write(database, likely(again))).edited
    assert (await found(database))[1] == ["late"]


async def test_one_place_is_confirmed_by_itself_and_the_claim_stays_as_it_was(database: Database) -> None:
    await some(database)
    async with database.write() as connection:
        await reviews.confirm_mentions(connection, APPROVED, ["reddit:b"], "ann", "it does say so")
        assert [one.state for one in await claims.load(connection, [APPROVED])] == ["open"]
        (said,) = await reviews.history(connection, APPROVED)
    assert (said.action, said.detail) == ("confirm", {"mentions": [(await mention_of(database, "reddit:b")).id]})
    assert await found(database) == ([APPROVED], ["d"], 0)
    async with database.write() as connection:
        await reviews.split(connection, APPROVED, ["reddit:d"], "A filter needle is FDA approved.", "ann")
    assert await found(database) == ([], [], 0)


async def test_what_was_confirmed_in_a_merged_claim_goes_back_with_it(database: Database) -> None:
    await write(database, approved("a"), likely(cleared("b")), likely(cleared("c")))
    async with database.write() as connection:
        await reviews.merge(connection, CLEARED, APPROVED, "ann")
        await reviews.judge(connection, APPROVED, "confirm", "ann")
        await reviews.unmerge(connection, CLEARED, "ann")
    for key in "bc":
        (place,) = (await mention_of(database, f"tiktok:{key}")).claims
        assert (place.claim_id, "likeliest" in place.why) == (CLEARED, False)


def test_the_command_line_lists_shows_and_confirms_them(shell: Shell) -> None:
    def listed(*more: str) -> list[str]:
        return [json.loads(line)["id"] for line in shell.said("claims", "--doubtful", *more, "--format", "jsonl").splitlines()]

    assert listed() == [FDA]
    assert f"Doubtful: 1 occurrence; exowatch mentions --claim {FDA} --doubtful" in shell.said("claim", FDA)
    assert shell.said("mentions", "--claim", FDA, "--doubtful").count("\treddit\t") == 1
    done = shell.said("claim", FDA, "confirm", "--mention", "reddit:b")
    assert done.splitlines()[0] == f"confirmed that reddit:b say {FDA}"
    assert (listed(), shell.detail(FDA)["doubtful"], shell.detail(FDA)["state"]) == ([], 0, "open")
    assert "confirm: m_" in shell.said("claim", FDA).partition("\nReviews\n")[2]


def test_the_command_line_takes_a_merge_back_and_warns_of_one(shell: Shell) -> None:
    done = shell.said("claim", CURED, "merge", "--into", FDA)
    assert (
        f"Warning: the two claims differ in authority (none and US) and register entry (cures-all and {'fda-approved'})" in done
    )
    done = shell.said("claim", CURED, "unmerge", "--note", "a slip")
    assert done.splitlines()[0] == f"took the merge of {CURED} back; it is a claim of its own again"
    assert f"{CURED} is open" in done
    assert f"unmerge into {CURED}" in shell.said("claim", FDA)
    status, _, err = shell.run("claim", CURED, "unmerge")
    assert (status, err.count("\n"), "is not merged" in err) == (1, 1, True)
    status, _, err = shell.run("claim", CURED, "unmerge", "--as", SENTENCE)
    assert (status, "--as is for split" in err) == (2, True)
    warned = json.loads(shell.said("claim", CURED, "merge", "--into", FDA, "--format", "json"))
    assert "unmerge" in warned["warning"]


async def test_http_has_the_filter_the_warning_and_the_way_back(database: Database, redis_url: str, tmp_path: Path) -> None:
    await some(database)

    async def review(api: Any, claim_id: str, **body: Any) -> tuple[int, Any]:
        return await api.post(f"/api/v1/claims/{claim_id}/review", json=body)  # type: ignore[no-any-return]

    async with serving(database, redis_url) as api:
        status, page = await api.get("/api/v1/claims?doubtful=true")
        assert (status, [one["id"] for one in page["items"]]) == (200, [APPROVED])
        status, claim = await api.get(f"/api/v1/claims/{APPROVED}?doubtful=true")
        assert (claim["doubtful"], {place["joined"] for place in claim["occurrences"]["items"]}) == (2, {"maybe"})
        status, problem = await api.get("/api/v1/claims?doubtful=perhaps")
        assert (status, "true, false" in problem["detail"]) == (400, True)
        status, claim = await review(api, APPROVED, action="confirm", mentions=["reddit:b"])
        assert (status, claim["doubtful"], claim["state"], "warning" in claim) == (200, 1, "open", False)
        status, claim = await review(api, CLEARED, action="merge", into=APPROVED)
        assert (status, claim["id"], "register entry (cleared and approved)" in claim["warning"]) == (200, APPROVED, True)
        status, claim = await review(api, CLEARED, action="unmerge")
        assert (status, claim["id"], claim["mentions"]) == (200, CLEARED, 1)
        assert (await review(api, CLEARED, action="unmerge"))[0] == 409
        _, described = await api.get("/api/v1/openapi.json")
    body = described["paths"]["/api/v1/claims/{id}/review"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    ways = {one["title"]: one["properties"] for one in body["anyOf"]}
    assert {"unmerge", "confirm mentions"} < set(ways)
    asked = ways["split mentions claim"]
    assert (asked["note"]["anyOf"][0]["maxLength"], asked["reviewer"]["anyOf"][0]["maxLength"]) == (2_000, 100)
    assert (asked["mentions"]["maxItems"], asked["claim"]["minLength"], asked["claim"]["maxLength"]) == (500, 10, 300)
