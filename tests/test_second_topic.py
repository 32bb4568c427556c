"""Another topic through the same program, a pack of three keywords and two register entries, without the shipped one."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from tests.abuse import post_of, replay_file, write_config
from tests.daemon_process import run_command, running_daemon
from tests.receiver import Receiver

PACK = {
    "topic.yaml": "name: bread\ntitle: Sourdough bread\n",
    "keywords.yaml": """
keywords:
  - name: sourdough
    written: ["*sourdough*"]
  - name: rye bread
    written: [rye bread, rye loaf]
  - name: starter
    written: [starter]
    needs: [flour, dough, bake*]
""",
    "lexicon/cues/en.yaml": "cues:\n  cure: [cure*, heal|heals|healed]\n  gluten: [coeliac, celiac]\n",
    "lexicon/claims/disease_treatment.yaml": """
type: disease_treatment
claims:
  - key: cures-coeliac-disease
    claim: Sourdough bread cures coeliac disease.
    entry: cures-coeliac-disease
    when: ["@cure + @gluten"]
    sure: 0.9
""",
    "lexicon/claims/composition.yaml": """
type: composition
claims:
  - key: made-of-flour
    claim: Sourdough bread is made of flour.
    entry: made-of-flour
    when: ["made of|from flour"]
    sure: 0.9
""",
    "register/all.yaml": """
entries:
  - id: cures-coeliac-disease
    type: disease_treatment
    claim: Sourdough bread cures coeliac disease.
    verdicts: {global: contradicted}
    as_of: 2026-03-01
    citations:
      - {id: BREAD-REVIEW, citation: A review of fermented wheat, kind: review, url: "https://example.org/bread", year: 2025}
  - id: made-of-flour
    type: composition
    claim: Sourdough bread is made of flour.
    verdicts: {global: supported}
    as_of: 2026-03-01
    citations:
      - {id: COOKBOOK, citation: A cookbook, kind: review, url: "https://example.org/cookbook", year: 2020}
""",
}
POSTS = [
    post_of("1", "My sourdough cures celiac disease, trust me.", url="https://example.org/1", author="jo"),
    post_of("2", "Rye bread is made of flour."),
    post_of("3", "Sourdough heals coeliac disease."),
    post_of("4", "Exosomes cure arthritis and are FDA approved."),
    post_of("5", "My starter motor is broken."),
]


def write_pack(folder: Path) -> None:
    for name, content in PACK.items():
        file = folder / "topics/bread" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)


async def test_a_second_topic_runs_through_the_same_program(tmp_path: Path) -> None:
    write_pack(tmp_path)
    said: list[str] = []
    async with Receiver() as receiver:
        config = write_config(tmp_path, hook=receiver.url)
        config.write_text('topic = "bread"\n' + config.read_text())
        async with running_daemon(config) as daemon:
            status, out, err = await daemon.command("replay", replay_file(tmp_path, *POSTS))
            assert (status, out, err) == (0, "accepted 3, duplicates 0, unmatched 2\n", "")
            page = await daemon.until("/mentions", lambda page: len(page["items"]) == 3)
            assert {one["platform_id"]: one["alert"] for one in page["items"]} == {"1": True, "2": False, "3": True}
            await daemon.until("/endpoints", lambda page: page["items"][0]["pending"] == 0)

            (got,) = receiver.kept
            data = got.event["data"]
            assert got.event["type"] == "claim.new"
            assert data["claim"]["claim"] == "Sourdough bread cures coeliac disease."
            assert data["claim"]["verdict"] == data["occurrence"]["verdict"] == "contradicted"
            assert [one["id"] for one in data["evidence"]] == ["BREAD-REVIEW"]
            said.append(got.raw.decode())

            for path in ("/", f"/claims/{data['claim']['id']}", "/api/v1/openapi.json", "/metrics", "/api/v1/stats"):
                status, text = await daemon.raw(path)
                assert status == 200
                said.append(text)
            assert "Sourdough bread cures coeliac disease." in said[1]
            assert "A review of fermented wheat" in said[2]

            asked = (
                ["mentions", "--format", "json"],
                ["claim", data["claim"]["id"]],
                ["alerts", "--format", "csv"],
                ["evidence", "list"],
                ["check"],
            )
            for words, (status, out, err) in zip(asked, await asyncio.gather(*(daemon.command(*w) for w in asked)), strict=True):
                assert (words, status, err) == (words, 0, "")
                said.append(out)
            assert "cures-coeliac-disease" in said[-2]
            assert "2 entries of topic bread" in said[-1]
        said.append(daemon.log())

    posts = "\n".join(post["text"] for post in POSTS)
    status, out, _ = await run_command("--config", str(config), "classify", stdin=posts)
    judged = [json.loads(line) for line in out.splitlines()]
    assert [one["relevant"] for one in judged] == [True, True, True, False, False]
    assert [len(one["claims"]) for one in judged] == [1, 1, 1, 0, 0]
    said.append(out)
    for text in said:
        assert "exosom" not in text.lower()
