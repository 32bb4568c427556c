"""What each kind of service takes, and what a message takes of that as the service sends it."""

from __future__ import annotations

from typing import Any

import apprise
import pytest

from workers.deliver.as_sent import AsSent

URLS = {
    "json": "json://host.example/x",
    "discord": "discord://123456789/abcdefghijklmnop",
    "telegram": "tgram://123456789:abcdefg_hijklmnop/12315544/",
    "slack": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/",
    "workflows": "workflows://flow.example:443/workflow1a/signature1",
    "mattermost": "mmost://127.0.0.1/3ccdd113474722377935511fc85d3dd4",
    "mail": "mailto://u:p@host.example?to=a@b.example",
    "irc": "irc://hush@127.0.0.1/channel",
}


def service_of(name: str) -> tuple[Any, AsSent]:
    asset = apprise.AppriseAsset(async_mode=False, storage_mode="memory", plugin_paths=[])
    service = apprise.Apprise.instantiate(URLS[name], asset=asset)
    return service, AsSent(service, asset)


@pytest.mark.parametrize(
    ("name", "title", "body"),
    [
        ("json", 250, 32_768),
        ("discord", 0, 2_000),  # a title stands in its text
        ("telegram", 0, 4_096),
        ("slack", 150, 3_000),  # less than Apprise says
        ("workflows", 250, 1_000),
        ("mattermost", 0, 4_000),
        ("irc", 0, 380),
    ],
)
def test_each_service_has_its_room(name: str, title: int, body: int) -> None:
    room = service_of(name)[1].room()
    assert (room.title, room.body, room.lines) == (title, body, 0)


@pytest.mark.parametrize(
    ("said", "lines"),
    [(0, 0), (1, 1), (3, 3), (-1, 0)],
)
def test_a_service_may_take_so_many_lines(said: int, lines: int) -> None:
    service, sending = service_of("json")
    service.body_max_line_count = said
    assert sending.room().lines == lines


@pytest.mark.parametrize(
    ("said", "title"),
    [(0, 0), (1, 1), (149, 149), (151, 150), (-1, 0)],
)
def test_the_smaller_word_counts(said: int, title: int) -> None:
    service, sending = service_of("slack")
    service.title_maxlen, service.body_maxlen = said, 2_999
    assert (sending.room().title, sending.room().body) == (title, 2_999)


MESSAGES = [("", "ab"), ("T", "ab"), ("<T>", "a<b"), ("T.", "a.b"), ("😀", "😀"), ("T", "")]


@pytest.mark.parametrize(
    ("name", "costs"),
    [
        ("json", [2, 2, 3, 3, 2, 0]),  # as it is, the title elsewhere
        ("mail", [2, 2, 3, 3, 2, 0]),
        ("discord", [4, 5, 8, 7, 6, 3]),  # a title and what joins it to the text
        ("slack", [2, 2, 6, 3, 2, 0]),  # signs escaped
        ("workflows", [2, 2, 3, 4, 2, 0]),  # of Markdown
        ("telegram", [2, 12, 24, 14, 13, 0]),  # of HTML, the title bold
        ("mattermost", [2, 5, 8, 7, 6, 0]),
    ],
)
def test_a_message_takes_what_the_service_makes_of_it(name: str, costs: list[int]) -> None:
    service, sending = service_of(name)
    before = service.send
    assert [sending.cost(title, body) for title, body in MESSAGES] == costs
    assert [sending.room().cost(title, body) for title, body in MESSAGES] == costs
    assert service.send == before, "counting leaves the service able to send"


@pytest.mark.parametrize(("name", "title", "more"), [("discord", "x", 10), ("discord", "😀", 20), ("mattermost", "<", 10)])
def test_a_longer_title_takes_more_of_the_text(name: str, title: str, more: int) -> None:
    _, sending = service_of(name)
    assert sending.cost(title * 11, "ab") - sending.cost(title, "ab") == more


def test_what_is_sent_is_whole_and_its_success_is_told() -> None:
    """What is too long for a service is cut before, where it is known what must stay."""
    for taken in (True, False):
        service, sending = service_of("irc")
        sent: list[tuple[str, str]] = []

        def send(body: str = "", title: str = "", taken: bool = taken, sent: Any = sent, **_: Any) -> bool:
            sent.append((title, body))
            return taken

        service.send = send
        assert sending.send("The title", "x" * 900) is taken
        assert sent == [("", "The title\r\n" + "x" * 900)]
