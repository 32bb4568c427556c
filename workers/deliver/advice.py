"""What came of an attempt, in words for the operator: what it means, and what to do. Pure."""

from __future__ import annotations

from monitor.settings.endpoint import Endpoint
from monitor.words import Attempt

_HTTP = {
    400: "the receiver read it and did not accept it: its log says what it expects",
    401: "the receiver did not accept the signature: compare the secret at both ends, and let it verify the bytes as they came",
    403: "the receiver, or a firewall before it, does not let this sender in",
    404: "there is nothing at that path: compare the url with the receiver's",
    405: "the address takes no POST: compare the url with the receiver's",
    408: "the receiver gave up waiting for the body",
    410: "the receiver wants no more, and the endpoint is disabled: take it out, or mend the receiver and test again",
    413: "the receiver takes no body of 20 kB: raise its limit",
    415: 'the receiver does not take this content type: see `format` ("standard" is application/json)',
    429: "the receiver is given too much at a time: set a `rate` (with a Retry-After it is sent nothing until then)",
}
_CLASSES = {
    1: "it answered with no final status",
    3: "it redirects, which is never followed: set the url to where the receiver is",
    4: "the receiver did not accept it: its log says why",
    5: "the receiver, or the proxy before it, failed: its log says why",
}


def explain(attempt: Attempt, endpoint: Endpoint) -> str:
    """One sentence or two on an attempt, without the address, which may hold a secret."""
    took = f"after {attempt.ms} ms"
    if attempt.error is None:
        signed = "; the receiver has taken it" if endpoint.kind == "apprise" else "; the receiver has taken the signed event"
        return f"It arrived: answered {attempt.status} {took}{signed}." if attempt.status else f"It arrived {took}{signed}."
    if attempt.status is None or endpoint.kind == "apprise":
        return f"It did not arrive: {attempt.error} ({took})."
    meaning = _HTTP.get(attempt.status) or _CLASSES.get(attempt.status // 100, attempt.error)
    return f"It was not taken: answered {attempt.status} {took}; {meaning}."
