"""What an attempt is explained as to the operator, whole sentences."""

from __future__ import annotations

import pytest

from monitor.settings.endpoint import Endpoint
from monitor.words import Attempt
from tests.receiver import SECRET
from workers.deliver.advice import explain

HOOK = Endpoint(name="hook", kind="webhook", url="https://example.org/hush", secret=[SECRET])
CHAT = Endpoint(name="chat", kind="apprise", url="slack://hush")
SIGNED = "compare the secret at both ends, and let it verify the bytes as they came"


def explained(endpoint: Endpoint, status: int | None, error: str | None) -> str:
    return explain(Attempt(at="", ms=12, status=status, error=error, answer=""), endpoint)


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (400, "the receiver read it and did not accept it: its log says what it expects"),
        (401, "the receiver did not accept the signature: " + SIGNED),
        (403, "the receiver, or a firewall before it, does not let this sender in"),
        (404, "there is nothing at that path: compare the url with the receiver's"),
        (405, "the address takes no POST: compare the url with the receiver's"),
        (408, "the receiver gave up waiting for the body"),
        (410, "the receiver wants no more, and the endpoint is disabled: take it out, or mend the receiver and test again"),
        (413, "the receiver takes no body of 20 kB: raise its limit"),
        (415, 'the receiver does not take this content type: see `format` ("standard" is application/json)'),
        (429, "the receiver is given too much at a time: set a `rate` (with a Retry-After it is sent nothing until then)"),
        (102, "it answered with no final status"),
        (300, "it redirects, which is never followed: set the url to where the receiver is"),
        (399, "it redirects, which is never followed: set the url to where the receiver is"),
        (402, "the receiver did not accept it: its log says why"),
        (499, "the receiver did not accept it: its log says why"),
        (500, "the receiver, or the proxy before it, failed: its log says why"),
        (599, "the receiver, or the proxy before it, failed: its log says why"),
        (600, "what it said"),
    ],
)
def test_a_status_is_explained(status: int, meaning: str) -> None:
    assert explained(HOOK, status, "what it said") == f"It was not taken: answered {status} after 12 ms; {meaning}."


@pytest.mark.parametrize(
    ("endpoint", "status", "error", "said"),
    [
        (HOOK, 204, None, "It arrived: answered 204 after 12 ms; the receiver has taken the signed event."),
        (CHAT, 200, None, "It arrived: answered 200 after 12 ms; the receiver has taken it."),
        (CHAT, None, None, "It arrived after 12 ms; the receiver has taken it."),
        (HOOK, None, "no answer within 15 s", "It did not arrive: no answer within 15 s (after 12 ms)."),
        (CHAT, None, "no answer within 15 s", "It did not arrive: no answer within 15 s (after 12 ms)."),
        (CHAT, 404, "answered 404", "It did not arrive: answered 404 (after 12 ms)."),
    ],
)
def test_what_arrived_and_what_did_not_is_said(endpoint: Endpoint, status: int | None, error: str | None, said: str) -> None:
    assert explained(endpoint, status, error) == said
