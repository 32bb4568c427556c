"""Every recorded and made hostile file as a post, from replay to the webhook: taken, or named; none stops another."""

from __future__ import annotations

import json
from pathlib import Path

from tests.abuse import CONTROL, claim_of, post_of, write_config
from tests.daemon_process import running_daemon
from tests.receiver import Receiver


def lines_of(folder: Path) -> tuple[list[bytes], int]:
    """The lines of a replay file, and how many of them are posts for certain: the texts. What the other lines are, they say."""
    texts = [*json.loads((folder / "naughty_strings.json").read_text())]
    cases = sorted(folder.glob("json__*"))
    texts += [file.read_bytes().decode("utf-8", "surrogateescape") for file in sorted(folder.glob("made__*"))]
    texts += [file.read_bytes().decode("utf-8", "replace") for file in cases]
    posts = [post_of(f"text-{n}", f"{text}\n\n{claim_of(301 + n)}") for n, text in enumerate(texts)]
    lines = [json.dumps(post).encode() for post in posts]
    for n, case in enumerate(cases):
        body = case.read_bytes()
        lines.append(body.replace(b"\n", b" "))
        inside = b'{"platform": "case", "id": "%d", "text": "exosomes", %s: %s}'
        lines += [inside % (n, key, body.replace(b"\n", b" ")) for key in (b'"text"', b'"id"', b'"created_at"', b'"unknown"')]
    return lines, len(posts)


async def test_every_hostile_file_is_taken_or_named_and_stops_no_other(tmp_path: Path, shared: Path) -> None:
    lines, texts = lines_of(shared / "wire/dev/hostile")
    file = tmp_path / "hostile.jsonl"
    file.write_bytes(b"\n".join(lines))
    async with Receiver() as receiver, running_daemon(write_config(tmp_path, hook=receiver.url)) as daemon:
        status, out, err = await daemon.command("replay", str(file))
        *named, last = err.splitlines()
        assert status == 1
        accepted, duplicates, unmatched = (int(part.split()[-1]) for part in out.split(","))
        assert last == f"{len(named)} bad lines were left out"
        empty = sum(not line.removeprefix(b"\xef\xbb\xbf").strip() for line in lines)
        assert accepted + duplicates + unmatched + len(named) + empty == len(lines), "each line is accounted for"
        assert accepted >= texts
        for line in named:
            number = int(line.removeprefix("line ").split(":")[0])
            assert number > texts, line
            assert len(line) < 300
            assert not CONTROL.search(line)

        stats = await daemon.until("/stats", lambda stats: sum(day["mentions"] for day in stats["buckets"]) >= texts)
        assert stats
        await daemon.until("/endpoints", lambda page: page["items"][0]["pending"] == 0)
        alerts, cursor = [], ""
        while cursor is not None:
            page = await daemon.get("/alerts?limit=500" + (f"&cursor={cursor}" if cursor else ""))
            alerts += [alert["id"] for alert in page["items"] if alert["kind"] == "claim.new"]
            cursor = page["next"]
        assert sorted(got.event["data"]["alert_id"] for got in receiver.kept) == sorted(alerts)
        assert len(alerts) > texts * 0.9
        for line in daemon.log().splitlines():
            assert json.loads(line)["level"] == "info", line
