"""The pages: what they show, and that a hostile post stays text."""

from __future__ import annotations

from html.parser import HTMLParser

from monitor.ids import claim_id_of
from monitor.store import sources
from monitor.times import now_ms, rfc3339
from tests.api_server import Api
from tests.samples import judged, occurrence, write, write_some

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)> {{ 7*7 }} \u202e' + "w" * 400


class Parsed(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def links(self) -> dict[str, str | None]:
        """Address to rel of every link."""
        return {str(attrs["href"]): attrs.get("rel") for tag, attrs in self.elements if tag == "a" and "href" in attrs}


def assert_harmless(page: Parsed) -> None:
    """The only script is the program's own, and nothing carries a handler or a style of its own."""
    assert [attrs.get("src") for tag, attrs in page.elements if tag == "script"] in ([], ["/static/live.js"])
    assert not [tag for tag, _ in page.elements if tag in ("img", "style", "iframe", "object")]
    assert not [name for _, attrs in page.elements for name in attrs if name.startswith("on") or name == "style"]


async def test_with_nothing_stored_the_page_says_what_to_do(api: Api) -> None:
    assert "No source is configured" in await api.page("/")
    async with api.database.write() as connection:
        await sources.declare(connection, {"skincare": "reddit"})
    page = await api.page("/")
    assert "Nothing new yet" in page
    assert "listening to 1 source." in page


async def test_new_claims_are_listed_with_quote_verdict_and_link_to_the_original(api: Api) -> None:
    await write_some(api.database)
    page = Parsed(await api.page("/"))
    for wanted in ("The claim approved.", "FDA approved", "contradicted", "unsupported", "100% safe", "3 mentions heard"):
        assert wanted in page.text
    assert page.text.index("The claim safe.") < page.text.index("The claim approved.")
    assert page.links()["https://example.org/c"] == "noopener noreferrer nofollow"
    assert f"/claims/{claim_id_of('safe')}" in page.links()
    assert_harmless(page)


async def test_what_spreads_is_drawn_with_the_days_before(api: Api) -> None:
    text = "100% safe"
    for name, hours_ago in (("a", 20 * 24), ("b", 1), ("c", 2)):
        await write(api.database, judged(name, text, occurrence(text, text, "safe"), hours_ago=hours_ago, author=name))
    drawn = [str(attrs["aria-label"]) for tag, attrs in Parsed(await api.page("/")).elements if tag == "svg"]
    assert [
        words for words in drawn if words.startswith("Mentions: 3 in all from ")
    ]  # of thirty days, where the chart has fourteen


async def test_what_is_supported_or_only_denied_or_asked_is_not_listed(api: Api) -> None:
    text = "is it safe? no"
    await write(
        api.database,
        judged("a", text, occurrence(text, "safe", "asked", stance="asks")),
        judged("b", text, occurrence(text, "safe", "denied", stance="denies")),
        judged("c", text, occurrence(text, "safe", "told", stance="reports", distance=True)),
        judged("d", text, occurrence(text, "safe", "fine", verdict="supported")),
    )
    page = await api.page("/")
    assert not [name for name in ("asked", "denied", "told", "fine") if f"The claim {name}." in page]


async def test_a_hostile_post_stays_text(api: Api) -> None:
    claim = f"A claim {HOSTILE}"
    await write(
        api.database,
        judged(
            "a",
            HOSTILE,
            occurrence(HOSTILE, HOSTILE, "hostile", claim=claim, why=HOSTILE),
            url="javascript://example.org/%0aalert(3)",
            author=HOSTILE,
        ),
    )
    async with api.database.write() as connection:
        await sources.declare(connection, {"bad": "feed"})
        await sources.failed(connection, "bad", HOSTILE, "failing")
    for path in ("/", f"/claims/{claim_id_of('hostile')}"):
        page = Parsed(await api.page(path))
        assert_harmless(page)
        assert "<script>alert(1)</script>" in page.text
        assert "{{ 7*7 }}" in page.text
        assert not [address for address in page.links() if not address.startswith(("/", "#", "https://example.org", "?"))]


async def test_unwell_sources_are_named_with_their_error(api: Api) -> None:
    async with api.database.write() as connection:
        await sources.declare(connection, {"good": "feed", "bad": "feed"})
        await sources.succeeded(connection, "good")
        await sources.failed(connection, "bad", "the feed answers 503", "failing", now=(at := now_ms()))
    page = Parsed(await api.page("/"))
    assert "1 of 2 sources unwell" in page.text
    assert "the feed answers 503" in page.text
    assert f'datetime="{rfc3339(at)}"' in await api.page("/sources"), "when it failed last"


async def test_the_page_of_a_claim_shows_verdicts_evidence_and_where_it_was_said(api: Api) -> None:
    await write_some(api.database)
    page = Parsed(await api.page(f"/claims/{claim_id_of('approved')}"))
    for wanted in ("The claim approved.", "US", "A public notice", "approved by the FDA", "tiktok 1", "claim.new"):
        assert wanted in page.text
    assert page.links()["https://example.org/notice"] == "noopener noreferrer nofollow"
    assert_harmless(page)
    unproven = await api.page(f"/claims/{claim_id_of('safe')}")
    assert "by the burden of proof" in unproven
    assert (await api.get("/claims/c_none"))[0] == 404


async def test_words_that_were_deleted_are_not_shown(api: Api) -> None:
    await write_some(api.database)
    async with api.database.write() as connection:
        await connection.exec_driver_sql("DELETE FROM mention_text")
    page = await api.page("/")
    assert "100% safe" not in page
    assert "no longer kept" in page
