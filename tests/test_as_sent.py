"""Messages as chats get them: within what each takes, with everything that matters, and harmless, whatever a post says."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from tests.test_message import event
from workers.deliver.apprise_helper import Task, send
from workers.deliver.message import units

LINK = "https://www.reddit.com/r/SkincareAddiction/comments/abc123/"
HOSTILE = {
    "marks": "*_[]()~`>#+-=|{}.!\\ " * 900,
    "emoji": "😀👩‍👩‍👧 *x* " * 2_000,
    "signs": "<&>\"'" * 3_000,
    "mentions": "@everyone @here <!here> <!channel|all> <@U1> <@&2> <#3> <at>Jo</at> @jo ＠all /start " * 200,
    "links": "https://evil.example/x [fda.gov](https://evil.example) <https://evil.example|fda.gov> evil.example.com/x t.me/x "
    * 160,
}


def _workflow(sent: dict[str, Any]) -> tuple[str, str]:
    card = sent["attachments"][0]["content"]
    assert card["msteams"] == {"width": "full"}, "nobody is mentioned by name and id"
    title, body = [block["text"] for block in card["body"] if block["type"] == "TextBlock"]
    return title, body


def _slack_blocks(sent: dict[str, Any]) -> tuple[str, str]:
    title, body = [one["text"]["text"] for one in sent["attachments"][0]["blocks"] if one["type"] in ("header", "section")]
    return title, body


def _slack(sent: dict[str, Any]) -> tuple[str, str]:
    (shown,) = sent["attachments"]
    return shown["title"], shown["text"]


# An address, the title and text that are sent there, and how long each may be.
CHATS: dict[str, tuple[str, Callable[[dict[str, Any]], tuple[str, str]], int, int]] = {
    "discord": ("discord://123456789/abcdefghijklmnop", lambda sent: ("", sent["content"]), 0, 2_000),
    "discord embed": (
        "discord://123456789/abcdefghijklmnop?format=markdown",
        lambda sent: ("", sent["embeds"][0]["title"] + sent["embeds"][0]["description"]),
        0,
        2_000,
    ),
    "telegram": ("tgram://123456789:abcdefg_hijklmnop/12315544/", lambda sent: ("", sent["text"]), 0, 4_096),
    "telegram markdown": (
        "tgram://123456789:abcdefg_hijklmnop/12315544/?format=markdown",
        lambda sent: ("", sent["text"]),
        0,
        4_096,
    ),
    "slack": ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/", _slack, 150, 3_000),
    "slack blocks": (
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/?blocks=yes&format=markdown",
        _slack_blocks,
        150,
        3_000,
    ),
    "workflows": ("workflows://flow.example:443/workflow1a/signature1", _workflow, 250, 1_000),
    "workflows, told to cut": ("workflows://flow.example:443/workflow1a/signature1?overflow=truncate", _workflow, 250, 1_000),
}


@pytest.fixture
def posted(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The bodies that services post; each is taken as the service would."""
    bodies: list[bytes] = []

    def take(_: Any, request: requests.PreparedRequest, **__: Any) -> requests.Response:
        bodies.append(request.body if isinstance(request.body, bytes) else str(request.body).encode())
        answer = requests.Response()
        answer.status_code, answer._content, answer.url = 200, b"ok", str(request.url)
        return answer

    monkeypatch.setattr(HTTPAdapter, "send", take)
    return bodies


def shown(text: str) -> str:
    """A text as it is read: without the escapes of HTML and Markdown."""
    return re.sub(r"\\([^a-zA-Z0-9\s])", r"\1", html.unescape(re.sub("</?b>", "", text)))


@pytest.mark.parametrize("quote", HOSTILE)
@pytest.mark.parametrize("chat", CHATS)
def test_what_is_sent_fits_and_is_harmless(chat: str, quote: str, posted: list[bytes]) -> None:
    url, texts, title_room, body_room = CHATS[chat]
    made = event(quote=HOSTILE[quote])
    made["data"]["mention"]["platform"] = HOSTILE[quote]
    result = send(Task(url=url, allow_private=True, event=made))
    assert result.taken, result
    (sent,) = posted  # one message, not several
    payload = json.loads(sent)
    title, body = texts(payload)
    assert units(title) <= title_room
    assert 0.9 * body_room < units(body) <= body_room, "and no more is cut than must be"
    read = shown(body)
    assert read.splitlines()[-1] == "Alert: a_1hpxk3v9d0c2e"
    for link in (LINK, "https://agency.example/notice"):
        assert link in read
        read = read.replace(link, "")
    everything = shown(title) + read
    assert not re.search(r"[@＠#](?=[\w!&<])", everything)
    assert not re.search(r"(?<!\w)/\w|://|\]\(", everything)
    assert not re.search(r"<[!@#h]|</?at>", everything)
    assert not re.search(r"\w[.。．]\w", everything), "a bare name of a host, of which many chats make a link"
    assert "allowed_mentions" not in payload or payload["allowed_mentions"].get("parse") == []


@pytest.mark.parametrize("chat", CHATS)
def test_a_short_message_is_not_cut(chat: str, posted: list[bytes]) -> None:
    url, texts, _, _ = CHATS[chat]
    assert send(Task(url=url, allow_private=True, event=event(quote="They are FDA approved (really)."))).taken
    _, body = texts(json.loads(posted[0]))
    for said in ("Claim: The drops are approved by the FDA.", "“They are FDA approved (really).”", f"Link: {LINK}", "Source: "):
        assert said in shown(body)
