"""The sources that the shipped configuration holds as comments: each is right once its marks are taken away."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from monitor.collectors import access_to, kind_of
from monitor.settings.sources import KINDS, SourceSection

TEXT = (Path(__file__).resolve().parents[1] / "config" / "monitor.toml").read_text(encoding="utf-8")
_BLOCK = re.compile(r"(?m)^# \[\[source\]\]\n(?:^# .+\n)+")


def _sources() -> list[dict[str, Any]]:
    blocks = [re.sub(r"(?m)^# ", "", block) for block in _BLOCK.findall(TEXT)]
    return [tomllib.loads(block)["source"][0] for block in blocks]


@pytest.mark.parametrize("values", _sources(), ids=lambda values: str(values["kind"]))
def test_a_source_in_comments_is_right_and_names_every_option(values: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    by_host = values.get("access_tokens", {})
    for value in (*values.values(), *by_host.values()):
        if isinstance(value, str) and value.startswith("env:"):
            monkeypatch.setenv(value[4:], "a-secret")
    settings: type[SourceSection] = KINDS[values["kind"]]
    source = settings(**values)
    assert access_to(source).usable
    assert kind_of(source) is not None
    if values["kind"] in (
        *("hackernews", "lemmy", "youtube", "tiktok", "instagram", "gdelt", "x"),
        *("pubmed", "clinicaltrials", "openfda"),
    ):
        assert settings.model_fields.keys() - values.keys() == {"base_url"}
    for name in values:  # what stands there is the default, where there is one
        default = settings.model_fields[name].default
        if isinstance(default, str | float | bool | int) and name not in ("interval", "approved"):
            assert getattr(source, name) == default, name


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_named_where_kinds_are_listed(kind: str) -> None:
    listed = next(line for line in TEXT.splitlines() if line.startswith("#   kind "))
    assert kind in listed.replace("|", " ").split()
