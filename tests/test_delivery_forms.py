"""How an endpoint may want its bodies: CloudEvents, ids alone; a secret changed while alerts go out; failing for long."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from monitor.cli import cli
from monitor.events import MAX_BODY
from monitor.settings import load
from monitor.settings.model import Deliveries, Endpoint
from monitor.store import Database, endpoints
from monitor.words import Attempt
from tests.delivering import Clock, logged, raise_claim, sender, state_of
from tests.receiver import SECRET, Receiver, status
from tests.test_store import carries, judged, post, write
from workers.deliver.advice import explain
from workers.deliver.schedule import WAITS
from workers.deliver.webhook import Webhook

DAY_MS = 86_400_000


async def test_cloud_events_carry_the_same_data_in_their_envelope(database: Database, clock: Clock, receiver: Receiver) -> None:
    await raise_claim(database, 1, "plain", "cloud")
    cloud = receiver.endpoint("cloud", format="cloudevents")
    await sender(database, clock, receiver.endpoint("plain"), cloud).flush()
    by_type = {got.headers["content-type"]: got.event for got in receiver.kept}
    plain, envelope = by_type["application/json"], by_type["application/cloudevents+json; charset=utf-8"]
    assert receiver.forged == 0, "it is signed all the same"
    assert envelope == {
        "specversion": "1.0",
        "id": plain["data"]["alert_id"],
        "source": "/exowatch",
        "type": "claim.new",
        "time": plain["timestamp"],
        "subject": plain["data"]["claim"]["id"],
        "datacontenttype": "application/json",
        "data": plain["data"],
    }


async def test_a_long_cloud_event_is_cut_as_any(database: Database, clock: Clock, receiver: Receiver) -> None:
    text = "FDA approved " + "word " * 15_000
    await write(database, judged(1, post("a", text), carries(text, "FDA approved")))
    await sender(database, clock, receiver.endpoint(format="cloudevents")).flush()
    (got,) = receiver.kept
    assert MAX_BODY - 20 < len(got.raw) <= MAX_BODY
    assert (got.event["data"]["truncated"], got.quote) == (True, "FDA approved")


async def test_a_thin_body_holds_ids_alone(database: Database, clock: Clock, receiver: Receiver) -> None:
    await raise_claim(database, 1, "hook", "thin")
    thin = receiver.endpoint("thin", thin=True)
    await sender(database, clock, receiver.endpoint(), thin).flush()
    small, whole = sorted((got.event for got in receiver.kept), key=lambda one: len(str(one)))
    data = whole["data"]
    assert small == {
        "type": "claim.new",
        "timestamp": whole["timestamp"],
        "data": {"alert_id": data["alert_id"], "claim_id": data["claim"]["id"], "mention_id": data["mention"]["id"]},
    }


async def test_an_endpoint_that_fails_for_days_is_disabled_and_the_others_are_told(
    database: Database, clock: Clock, receiver: Receiver
) -> None:
    async with Receiver(clock=clock) as desk:
        broken, other = receiver.endpoint(), receiver.endpoint("desk", url=desk.url, events=["endpoint.disabled"])
        sending = sender(database, clock, broken, other, keep=Deliveries(disable_after="2d"))
        receiver.always(status(500))
        await raise_claim(database, 1)
        began = clock.now
        while clock.now - began < 2 * DAY_MS:
            assert (await state_of(database, broken))[0] in ("ok", "failing")
            await sending.flush()
            waits = WAITS[len(receiver.kept) - 1]
            clock.now += waits
        await sending.flush()
        await sending.flush()
        assert await state_of(database, broken) == ("disabled", 0, 1)
        (told,) = desk.kept
        assert told.event["data"]["endpoint"]["name"] == "hook"
        (delivery,) = await logged(database, endpoint="hook")
        assert delivery.state == "dead", "it can be sent again"


async def test_one_success_ends_the_time_of_failing(database: Database, clock: Clock, receiver: Receiver) -> None:
    sending = sender(database, clock, receiver.endpoint(), keep=Deliveries(disable_after="2d"))
    for n, code in enumerate((500, 204, 500)):
        receiver.script(status(code))
        await raise_claim(database, n)
        await sending.flush()
        clock.now += DAY_MS + 1
    receiver.script(status(500), status(500), status(500))
    await sending.flush()
    assert (await state_of(database, receiver.endpoint()))[0] == "failing", "a day and no more"


async def test_endpoints_that_are_enabled_again_begin_anew(database: Database, clock: Clock) -> None:
    async with database.write() as connection:
        await endpoints.declare(connection, ["hook"])
        assert await endpoints.failed(connection, "hook", "x", 5) == 5
        assert await endpoints.failed(connection, "hook", "x", 9) == 5
        assert await endpoints.disable(connection, "hook", "x")
        await endpoints.enable(connection, "hook")
        assert await endpoints.failed(connection, "hook", "x", 11) == 11


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        ({"status": 204, "error": None}, "It arrived: answered 204 after 12 ms"),
        ({"status": 401, "error": "answered 401"}, "compare the secret at both ends"),
        ({"status": 404, "error": "answered 404"}, "nothing at that path"),
        ({"status": 301, "error": "…"}, "set the url to where the receiver is"),
        ({"status": 410, "error": "…"}, "wants no more"),
        ({"status": 418, "error": "…"}, "did not accept it"),
        ({"status": 502, "error": "…"}, "the proxy before it, failed"),
        ({"status": None, "error": "no answer within 15 s"}, "It did not arrive: no answer within 15 s"),
    ],
)
def test_a_result_is_explained(attempt: dict[str, Any], said: str) -> None:
    endpoint = Endpoint(name="hook", kind="webhook", url="https://example.org/hush", secret=[SECRET])
    text = explain(Attempt(at="", ms=12, answer="", **attempt), endpoint)
    assert said in text
    assert "hush" not in text


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "hook.secret").write_text(SECRET + "\n")
    (tmp_path / "hook.secret").chmod(0o600)
    file = tmp_path / "monitor.toml"
    file.write_text('[[endpoint]]\nname = "hook"\nkind = "webhook"\nurl = "https://example.org"\nsecret = "file:hook.secret"\n')
    return file


def rotate(config: Path, *more: str) -> Any:
    return CliRunner().invoke(cli, ["endpoints", "rotate", *more, "--config", str(config)])


async def test_a_secret_is_changed_while_alerts_go_out(config: Path, clock: Clock) -> None:
    (settings,) = load(config).endpoint
    async with Receiver(SECRET, clock) as before:
        url = {"url": before.url, "allow_private": True}
        endpoint = settings.model_copy(update=url)
        channel = Webhook(endpoint, connections=1)
        try:

            async def taken(receiver: Receiver) -> bool:
                channel._endpoint = endpoint.model_copy(update={"url": receiver.url})
                return (await channel.send("msg_1", b'{"type":"test"}', clock.now)).status == 204

            assert await taken(before)
            made = rotate(config, "hook")
            assert made.exit_code == 0
            new = made.stdout.split()[0]
            assert (new.startswith("whsec_"), new != SECRET) == (True, True)
            assert stat.S_IMODE((config.parent / "hook.secret").stat().st_mode) == 0o600
            async with Receiver(new, clock) as after:
                assert [await taken(before), await taken(after)] == [True, True], "both sign, without a new start"
                assert "two secrets" in rotate(config, "hook").output or "2 secrets" in rotate(config, "hook").output
                assert rotate(config, "hook", "--finish").exit_code == 0
                assert [await taken(before), await taken(after)] == [False, True]
                (config.parent / "hook.secret").write_text("nonsense\n")
                os.utime(config.parent / "hook.secret", ns=(1, 1))
                assert await taken(after), "what cannot be used changes nothing"
        finally:
            await channel.close()
    assert rotate(config, "hook", "--finish").exit_code == 1


def test_a_secret_that_is_not_in_a_file_is_not_rotated(tmp_path: Path) -> None:
    file = tmp_path / "monitor.toml"
    file.write_text(f'[[endpoint]]\nname = "hook"\nkind = "webhook"\nurl = "https://example.org"\nsecret = "{SECRET}"\n')
    answer = rotate(file, "hook")
    assert (answer.exit_code, "does not stand in a file" in answer.output) == (1, True)
    assert SECRET not in answer.output


def test_a_file_may_hold_several_secrets(tmp_path: Path, config: Path) -> None:
    (tmp_path / "hook.secret").write_text(f"{SECRET}\n\n{SECRET}\n")
    (endpoint,) = load(config).endpoint
    assert [one.get_secret_value() for one in endpoint.secret] == [SECRET, SECRET]
    assert json.dumps(endpoint.secrets_now()) == json.dumps([SECRET, SECRET])
