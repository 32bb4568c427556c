"""When a delivery is tried again, and the signature that every attempt carries."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks

from tests.receiver import OTHER_SECRET, SECRET
from workers.deliver import schedule
from workers.deliver.schedule import WAITS, Answer, outcome
from workers.deliver.webhook import signed_headers

NOW = 1_790_000_000_000  # 2026-09-21T14:13:20Z


def test_the_schedule_is_the_published_one() -> None:
    hours = [3600 * n for n in (2, 5, 10, 14, 20, 24)]
    assert [wait // 1000 for wait in WAITS] == [5, 60, 300, 1800, *hours]


def test_jitter_is_a_tenth_at_most_and_not_always_the_same() -> None:
    factors = [schedule.jitter() for _ in range(1000)]
    assert 0.9 <= min(factors) < 0.93
    assert 1.07 < max(factors) <= 1.1


@pytest.mark.parametrize(
    ("status", "header", "wait_s"),
    [
        (429, "120", 120),
        (503, "120", 120),
        (429, " 7 ", 7),
        (429, "3", 5),  # never earlier than the schedule
        (429, "0", 5),
        (429, "Mon, 21 Sep 2026 14:53:20 GMT", 2_400),
        (429, "Monday, 21-Sep-26 14:53:20 GMT", 2_400),
        (503, "Mon, 21 Sep 2026 14:53:20 -0000", 2_400),
        (503, "Sun, 20 Sep 2026 14:53:20 GMT", 5),
        (429, "999999", 86_400),
        (429, "Mon, 21 Sep 2099 14:13:20 GMT", 86_400),
        (429, "soon", 5),
        (429, "-5", 5),
        (429, "1e3", 5),
        (429, "9999999999", 86_400),
        (429, "9" * 5_000, 86_400),
        (429, "7.5", 7.5),
        (429, "Mon, 99 Sep 2026 99:99:99 GMT", 5),
        (429, None, 5),
        (500, "120", 5),  # only those two ask for it
        (None, "120", 5),
    ],
)
def test_retry_after_makes_the_wait_longer_and_never_shorter(status: int | None, header: str | None, wait_s: float) -> None:
    result = outcome(Answer(ms=1, status=status, retry_after=header), 0, NOW, 1.0)
    assert (result.state, result.next_ms - NOW) == ("pending", wait_s * 1000)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_success(status: int) -> None:
    assert outcome(Answer(ms=1, status=status), 3, NOW, 1.0).state == "delivered"


@pytest.mark.parametrize("status", [None, 100, 301, 302, 307, 400, 401, 404, 429, 500, 503])
def test_anything_else_is_tried_again_and_dead_after_the_last_try(status: int | None) -> None:
    assert outcome(Answer(ms=1, status=status), 9, NOW, 1.0).state == "pending"
    assert outcome(Answer(ms=1, status=status), 10, NOW, 1.0).state == "dead"


def test_410_is_the_end_at_once() -> None:
    assert outcome(Answer(ms=1, status=410), 0, NOW, 1.0).state == "dead"


def test_the_published_vectors_are_signed_as_they_say(shared: Path) -> None:
    vectors = json.loads((shared / "wire/dev/webhooks/vectors.json").read_text())
    ours = [one for one in vectors if one["scheme"] == "standard-webhooks" and one["valid"]]
    assert len(ours) >= 3
    for vector in ours:
        given = vector["headers"]
        at_ms = int(given["webhook-timestamp"]) * 1000 + 999  # a fraction of a second never shows
        headers = signed_headers([vector["secret"]], given["webhook-id"], at_ms, vector["payload"].encode())
        assert headers["webhook-timestamp"] == given["webhook-timestamp"]
        assert headers["webhook-signature"] in given["webhook-signature"].split(" "), vector["name"]


@pytest.mark.parametrize(("secret", "status"), [(SECRET, 204), (OTHER_SECRET, 401)])
def test_the_receiver_in_the_docs_takes_what_is_signed_and_each_id_once(secret: str, status: int) -> None:
    page = (Path(__file__).parents[1] / "docs/webhooks.md").read_text()
    code = page.partition("```python\n")[2].partition("```")[0]
    handled: list[object] = []
    seen: set[str] = set()
    names: dict[str, Any] = {"handle": handled.append, "seen_before": lambda key: key in seen or seen.add(key)}
    exec(code.replace("whsec_…", SECRET), names)  # what a reader would paste
    headers = signed_headers([secret], "msg_1", round(dt.datetime.now(dt.UTC).timestamp() * 1000), b'{"type": "test"}')
    assert [names["receive"](headers, b'{"type": "test"}') for _ in range(2)] == [status] * 2
    assert handled == ([{"type": "test"}] if status == 204 else [])


def test_while_a_secret_is_changed_a_receiver_with_either_is_content() -> None:
    at_ms = round(dt.datetime.now(dt.UTC).timestamp() * 1000)
    headers = signed_headers([SECRET, OTHER_SECRET], "msg_1", at_ms, '{"é": 1}'.encode())
    assert len(headers["webhook-signature"].split(" ")) == 2
    for secret in (SECRET, OTHER_SECRET):
        assert standardwebhooks.Webhook(secret).verify('{"é": 1}'.encode(), headers) == {"é": 1}
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook("whsec_" + "A" * 32).verify('{"é": 1}'.encode(), headers)
