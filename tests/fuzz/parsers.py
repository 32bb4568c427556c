"""Every parser of what strangers send, in one table: sound samples of it, and the errors that it may answer with."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import random
import time
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from urllib.parse import parse_qsl

import zstandard
from structlog.testing import capture_logs

from monitor import metrics
from monitor.api import websub
from monitor.collectors import feed_parse
from monitor.collectors.base import SourceError
from monitor.collectors.bluesky_frames import read as read_frame
from monitor.collectors.bluesky_zstd import FrameError, Unpacker
from monitor.collectors.html import html_to_text
from monitor.collectors.http import _Unpacker as HttpUnpacker
from monitor.collectors.mastodon_statuses import BrokenError, EventReader, message_of, status_of
from monitor.collectors.pubmed_articles import read_articles
from monitor.collectors.xml_tree import XmlError
from monitor.collectors.xml_tree import parse as parse_xml
from monitor.post_files import read_posts
from monitor.settings.timing import parse_digest, parse_quiet, parse_rate
from monitor.settings.values import parse_duration
from monitor.store.filters import FilterError, make_cursor, parse_cursor, parse_filters
from monitor.topic import TopicError
from monitor.topic.errors import parse_yaml
from monitor.topic.register import parse_register
from monitor.waits import wait_of
from monitor.words import Post, decode_post, encode
from tests import shipped
from tests.fuzz.mutate import mutated
from tests.fuzz.operators import OPERATORS
from tests.fuzz.parser import Parser
from tests.standins.chat_server import answer, claim
from tests.standins.jetstream import commit, train
from tests.standins.pubmed_server import Paper
from tests.test_second_topic import PACK
from workers.openai.answer import Answers, InvalidAnswer
from workers.openai.client import Client, NoAnswer

LONGEST_S = 2.0
TEXT = "Our exosomes are FDA approved. They raise collagen by 300%!"


def _feed(body: bytes) -> object:
    found = feed_parse.parse(body, feed_parse.Request(url="http://clinic.test/feed"))
    for entry in found.entries:
        encode(entry)
    return found


def _page(body: bytes) -> object:
    text = html_to_text(body.decode("utf-8", "replace"))
    assert "\0" not in text
    return text.encode("utf-8")


def _frame(body: bytes) -> object:
    found = read_frame(body, "bluesky")
    return None if found is None else repr(found)


def _unpacked(body: bytes) -> object:
    data = Unpacker(_dictionary()).unpack(body, 10_000)
    assert len(data) <= 10_000
    return read_frame(data, "bluesky")


@cache
def _dictionary() -> bytes:
    return train().as_bytes()


def _rows(name: str) -> Callable[[bytes], object]:
    def read(body: bytes) -> object:
        rows = list(read_posts(io.BytesIO(body), name, "forum"))
        for row in rows:
            assert (row.post is None) != (row.error is None)
            if row.post is not None:
                encode(row.post)
        return rows

    return read


def _query(body: bytes) -> object:
    given: dict[str, list[str]] = {}
    for name, value in parse_qsl(body.decode("utf-8", "surrogateescape"), keep_blank_values=True):
        given.setdefault(name, []).append(value)
    return parse_filters(given)


def _word(parse: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda body: parse(body.decode("utf-8", "surrogateescape"))


def _yaml(body: bytes) -> object:
    return parse_yaml(body.decode("utf-8", "replace"), Path("x"))


@cache
def _answers() -> Answers:
    return Answers(shipped.topic(), "reader-1")


def _model(body: bytes) -> object:
    reading = _answers().reading(body.decode("utf-8", "replace"), TEXT, None)
    for found in reading.claims:
        assert 0 <= found.start < found.end <= len(TEXT)
    return reading


def _completion(body: bytes) -> object:
    client = Client.__new__(Client)  # its connections are made in a running loop, and none is needed here
    client.where = "the server"
    return client._completion(body, {"content-type": "application/json"})


def _signature(body: bytes) -> object:
    header, _, rest = body.partition(b"\n")
    assert not websub._signed("a secret that nobody knows", header.decode("utf-8", "surrogateescape"), rest)
    return websub._lease(header.decode("utf-8", "surrogateescape"))


def _toot(body: bytes) -> object:
    try:
        raw = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return status_of(raw, "one.test", "m")


def _events(body: bytes) -> object:
    reader, pieces = EventReader(), (body[:7], body[7:])
    return [event for piece in pieces for event in reader.feed(piece)]


def _body(encoding: str) -> Callable[[bytes], object]:
    def unpack(body: bytes) -> object:
        unpacker = HttpUnpacker(encoding, "http://clinic.test/feed")
        found = unpacker.feed(body, 10_000)
        assert len(found) <= 10_000
        unpacker.finish()
        return found

    return unpack


def _shared(body: bytes) -> object:
    with capture_logs():  # one line for each that cannot be read
        return metrics.render(metrics._read([body]))


def _frames() -> tuple[bytes, ...]:
    events = [commit("did:plc:abc234567890abc234567890", "3kabc", "my serum", createdAt="2026-11-22T12:00:00Z", langs=["en"])]
    events.append(commit("did:plc:abc234567890abc234567890", "3kabc", operation="delete"))
    return tuple(json.dumps(one).encode() for one in events)


def _frames_v1() -> tuple[bytes, ...]:
    record = {"$type": "app.bsky.feed.post", "text": "a serum", "createdAt": "2026-11-22T12:00:00Z", "langs": ["en"]}
    change = {"operation": "create", "collection": "app.bsky.feed.post", "rkey": "3k", "rev": "3k", "record": record, "cid": "b"}
    event = {"did": "did:plc:abc234567890abc234567890", "time_us": 1_795_000_000_000_000, "kind": "commit", "commit": change}
    return (json.dumps(event).encode(),)


def _packed() -> tuple[bytes, ...]:
    packer = zstandard.ZstdCompressor(dict_data=zstandard.ZstdCompressionDict(_dictionary()))
    return tuple(packer.compress(one) for one in (*_frames(), *_frames_v1()))


RSS = (
    b'<?xml version="1.0"?><rss version="2.0"><channel><title>t</title><language>en</language>'
    b"<item><guid>1</guid><title>A serum &amp; me</title>"
    b"<description>&lt;p&gt;It <![CDATA[<b>glows</b>]]>&lt;/p&gt;</description>"
    b"<pubDate>Sun, 22 Nov 2026 12:00:00 GMT</pubDate><link>http://clinic.test/1</link></item></channel></rss>"
)
ATOM = (
    b'<feed xmlns="http://www.w3.org/2005/Atom"><link rel="hub" href="http://hub.test/"/><entry><id>a</id><title>Serum</title>'
    b"<updated>2026-11-22T12:00:00Z</updated>"
    b'<author><name>me</name></author><content type="html">&lt;p&gt;x</content></entry></feed>'
)
JSON_FEED = json.dumps(
    {
        "version": "https://jsonfeed.org/version/1.1",
        "hubs": [{"type": "WebSub", "url": "http://hub.test/"}],
        "items": [{"id": "1", "title": "t", "content_html": "<p>serum", "date_published": "2026-11-22T12:00:00Z", "url": "/1"}],
    }
).encode()
PAGE = (
    b'<div>A <b>serum</b><!-- no --><script>x</script>&amp;&#x27;&#128512;<p>it<a href="/x">works</a><blockquote>q</blockquote>'
)
POST = {
    "platform": "forum",
    "id": "1",
    "text": "a serum",
    "title": "t",
    "url": "http://x.test/",
    "created_at": "2026-11-22T12:00:00Z",
}
TOOT = {
    "id": "114000000000000000",
    "uri": "https://one.test/1",
    "url": "https://one.test/@ann/1",
    "content": "<p>it glows</p>",
    "created_at": "2026-11-22T12:00:00.000Z",
    "edited_at": None,
    "visibility": "public",
    "language": "en",
    "spoiler_text": "",
    "reblog": None,
    "account": {"id": "7", "acct": "ann", "url": "https://one.test/@ann"},
    "tags": [{"name": "glow"}],
}

ENTRY = encode(Post(platform="forum", id="1", text="serum", author="a"))
ANSWER = json.dumps(answer(claim("FDA approved", "fda-approved"))).encode()
PAPERS = f'<?xml version="1.0" ?><PubmedArticleSet>{Paper(pmid="1", title="Rye").xml()}</PubmedArticleSet>'.encode()
COMPLETION = json.dumps(
    {"choices": [{"message": {"content": "{}"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 10, "completion_tokens": 2}}
).encode()

SNAPSHOT = {"role": "work", "process": "w1", "series": [["exowatch_mentions_total", {"platform": "forum"}, 3.0]]}

PARSERS: dict[str, Parser] = {
    "feeds": Parser((RSS, ATOM, JSON_FEED), _feed),
    "HTML": Parser((PAGE,), _page),
    "Bluesky's frames": Parser((*_frames(), *_frames_v1()), _frame),
    "Bluesky's packed frames": Parser(_packed(), _unpacked, (FrameError,)),
    "Mastodon's statuses": Parser((json.dumps(TOOT).encode(),), _toot),
    "Mastodon's stream": Parser((json.dumps({"event": "update", "payload": json.dumps(TOOT)}).encode(),), _word(message_of)),
    "PubMed's articles": Parser((PAPERS,), read_articles, (SourceError, XmlError)),
    "XML": Parser((RSS, ATOM), parse_xml, (XmlError,)),
    "JSONL files": Parser((json.dumps(POST).encode() + b"\n" + json.dumps(POST).encode(),), _rows("a.jsonl")),
    "CSV files": Parser((b'id,text,created_at\n1,"a ""serum""",2026-11-22\n2;x\n',), _rows("a.csv")),
    "filters": Parser(
        (b"since=24h&until=2026-11-22T12:00:00Z&type=safety&text=%22a+phrase%22+pre*&limit=50&platform=x&doubtful=true",),
        _query,
        (FilterError,),
    ),
    "cursors": Parser((make_cursor(12345).encode(), make_cursor(3, "c_1").encode()), _word(parse_cursor), (FilterError,)),
    "YAML": Parser((PACK["register/all.yaml"].encode(), b"a: [1, {b: c}]\n"), _yaml, (TopicError,)),
    "the register": Parser(
        (PACK["register/all.yaml"].encode(),),
        lambda body: parse_register({"x.yaml": body.decode("utf-8", "replace")}, Path("register")),
        (TopicError,),
    ),
    "durations": Parser((b"30s", b"7.5d"), _word(parse_duration), (ValueError,)),
    "quiet hours": Parser((b"22:00-07:00 Europe/Berlin", b"22:00-07:00"), _word(parse_quiet), (ValueError,)),
    "digests": Parser((b"daily 08:00 Europe/Berlin", b"hourly"), _word(parse_digest), (ValueError,)),
    "rates": Parser((b"10/s", b"500/h"), _word(parse_rate), (ValueError,)),
    "Retry-After": Parser((b"Sun, 22 Nov 2026 12:00:00 GMT", b"120", b"Sun Nov 22 12:00:00 2026"), _word(wait_of)),
    "stream entries": Parser(
        (encode(Post(platform="forum", id="1", text="serum", author="a")),), decode_post, (ValueError, RecursionError)
    ),
    "the model's answers": Parser(
        (json.dumps(answer(claim("FDA approved", "fda-approved"))).encode(),), _model, (InvalidAnswer,)
    ),
    "the model's server": Parser((COMPLETION,), _completion, (NoAnswer,)),
    "WebSub's signatures": Parser((b"sha256=" + b"0" * 64 + b"\n" + RSS, b"864000\n"), _signature),
    "Mastodon's events": Parser(
        (b":thump\n\nevent: update\ndata: " + json.dumps(TOOT).encode() + b"\n\nevent: delete\r\ndata: 114\r\n\r\n",),
        _events,
        (BrokenError,),
    ),
    "bodies in gzip": Parser(
        (gzip.compress(RSS), gzip.compress(RSS) + gzip.compress(ATOM) + b"\0\0"), _body("gzip"), (SourceError,)
    ),
    "bodies in deflate": Parser((zlib.compress(RSS), zlib.compress(RSS)[2:-4]), _body("deflate"), (SourceError,)),
    "metrics of other processes": Parser((json.dumps(SNAPSHOT).encode(),), _shared),
    **OPERATORS,
}


def try_one(name: str, seed: int) -> bytes:
    """Gives a parser what this seed makes of its samples; says what. Raises where it answers by another error, or late."""
    parser, chance = PARSERS[name], random.Random(f"{name} {seed}")
    body = mutated(chance.choice(parser.samples), chance)
    began = time.process_time()
    with contextlib.suppress(*parser.errors):
        parser.parse(body)
    took = time.process_time() - began
    if took > LONGEST_S:
        raise AssertionError(f"{name} took {took:.1f} s")
    return body
