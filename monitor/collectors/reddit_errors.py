"""What goes wrong between asyncpraw and Reddit, in words for the operator.

asyncpraw's exceptions say what happened inside it rather than what to do, and several are accidents of its own: a KeyError for a
401 without the header it expects, a ValueError for a Retry-After that is a date, a bare ClientConnectionError for every 400.
"""

from __future__ import annotations

import re

import aiohttp
from asyncpraw.exceptions import AsyncPRAWException
from asyncprawcore import exceptions as core

from monitor.collectors.base import SourceError
from monitor.collectors.http import retry_after
from monitor.waits import wait_of

_ACCIDENTS = (ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError)  # of answers it does not expect
FAILURES = (core.AsyncPrawcoreException, AsyncPRAWException, aiohttp.ClientError, TimeoutError, OSError, *_ACCIDENTS)
PATIENCE = 60.0  # seconds where Reddit asks for fewer requests without saying when
_CREDENTIALS = "check client_id and client_secret at reddit.com/prefs/apps (an app of type script, approved for API access)"
_TOKEN_REFUSED = f"Reddit refuses every token it gives out (401): {_CREDENTIALS}"
_FEWER = "Reddit wants fewer requests (429); a longer interval helps"
_MISSING = "Reddit has no {what} ({status}): a subreddit does not exist or is banned; check subreddits"
_PRIVATE = (
    "Reddit does not let this app read {what} (403): a subreddit is private or quarantined, or the app is not approved; "
    "take it out of subreddits, or ask for access at reddit.com/prefs/apps"
)
_BY_STATUS = {301: _MISSING, 302: _MISSING, 404: _MISSING, 401: _TOKEN_REFUSED, 403: _PRIVATE, 429: _FEWER}
_BY_KIND: tuple[tuple[type[Exception], str], ...] = (
    (TimeoutError, "Reddit did not answer within {seconds:g} s"),
    (aiohttp.ClientConnectorDNSError, "Reddit's host cannot be found; check the machine's DNS and network"),
    (aiohttp.ClientConnectorError, "Reddit cannot be reached: the connection is refused, or its certificate is not accepted"),
    (aiohttp.ContentTypeError, "Reddit answers with a web page instead of data; it may be blocking this address or user agent"),
    (aiohttp.ClientResponseError, "Reddit answers with something that is not proper HTTP"),
    (aiohttp.ClientError, "Reddit broke off the connection ({kind})"),
    (OSError, "Reddit broke off the connection ({kind})"),
)
_QUOTED = re.compile(r"'([^']{1,64})'")


def explain(error: BaseException, *, what: str, seconds: float) -> SourceError:
    """The failure of a request for `what` (such as "r/a+b") as one sentence. `seconds`: the time that the request had."""
    root = _root(error)
    if isinstance(root, core.OAuthException):
        return SourceError(f"Reddit refuses the credentials ({root.error[:60]}): {_CREDENTIALS}", permanent=True)
    if isinstance(root, core.ResponseException):
        return _explain_response(root, what)
    if isinstance(root, KeyError) and root.args[:1] not in (("access_token",), ("expires_in",), ("scope",)):
        return SourceError(_TOKEN_REFUSED, permanent=True)  # a 401 without the header that asyncprawcore reads
    if type(root) is aiohttp.ClientConnectionError:  # what asyncpraw makes of any 400, and now and then of a lost connection
        return SourceError(f"Reddit does not take the request for {what} (400); check the names of the subreddits")
    for kind, sentence in _BY_KIND:
        if isinstance(root, kind):
            return SourceError(sentence.format(seconds=seconds, kind=type(root).__name__))
    return _explain_value(root) if isinstance(root, ValueError) else _unusable(root, what)


def _unusable(error: BaseException, what: str) -> SourceError:
    return SourceError(f"Reddit's answer for {what} cannot be used ({type(error).__name__})")


def _root(error: BaseException) -> BaseException:
    """The exception below asyncprawcore's wrappers, which may be several deep."""
    for _ in range(10):
        if not isinstance(error, core.RequestException):
            break
        error = error.original_exception
    return error


def _explain_response(error: core.ResponseException, what: str) -> SourceError:
    response = error.response
    status, wait = response.status, retry_after(response.headers)
    if isinstance(error, core.BadJSON):
        return SourceError("Reddit answers with broken JSON", retry_after=wait)
    if status >= 500:
        return SourceError(f"Reddit has trouble of its own ({status})", retry_after=wait)
    if response.url.path.endswith("/api/v1/access_token") and status != 429:
        return SourceError(f"Reddit refuses the credentials ({status}): {_CREDENTIALS}", permanent=status in (400, 401, 403))
    sentence = _BY_STATUS.get(status, "Reddit does not answer the request for {what} ({status})").format(what=what, status=status)
    if status == 429:
        return SourceError(sentence, retry_after=PATIENCE if wait is None else wait)
    # Reddit's own refusal of access is JSON and stays; an HTML page comes from the network in front of it and passes.
    ours = status == 401 or (status == 403 and "json" in response.headers.get("Content-Type", ""))
    return SourceError(sentence, retry_after=wait, permanent=ours)


def _explain_value(error: ValueError) -> SourceError:
    """Headers that asyncprawcore cannot read; the only trace of them is the text of the exception."""
    quoted = _QUOTED.search(str(error))
    wait = wait_of(quoted[1]) if quoted and "float" in str(error) else None
    if wait is not None:
        return SourceError(_FEWER, retry_after=wait)
    return SourceError("Reddit answers with headers that cannot be read", retry_after=PATIENCE)
