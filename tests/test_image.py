"""What is in the container image: every library that any command may ask for, by hash, and the ones that the tests ran with."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from monitor.extras import not_installed

ROOT = Path(__file__).resolve().parents[1]
IMAGE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
EXTRAS = ("pyarrow", "mcp", "opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http")
LOCK = "requirements-image.lock"


def locked(file: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Version (and for which machines) and hashes of each package of a lock file."""
    found = {}
    for block in re.split(r"\n(?=[a-z0-9])", (ROOT / file).read_text(encoding="utf-8")):
        name, _, version = block.partition(" \\\n")[0].partition("==")
        found[name] = (version, frozenset(re.findall(r"--hash=(sha256:[0-9a-f]{64})", block)))
    return found


def test_the_image_installs_all_that_a_command_can_ask_for_and_each_by_hash() -> None:
    assert re.search(rf"^COPY {LOCK} /$", IMAGE, re.MULTILINE)
    (install,) = re.findall(r"pip install [^&]*", IMAGE)
    assert f"--require-hashes -r /{LOCK}" in install
    image = locked(LOCK)
    assert [name for name in EXTRAS if name not in image] == []
    assert [name for name, (version, hashes) in image.items() if not version or not hashes] == []


@pytest.mark.parametrize("other", ["requirements.lock", "requirements-dev.lock"])
def test_what_is_in_the_image_is_what_was_tested(other: str) -> None:
    image, tested = locked(LOCK), locked(other)
    assert {name for name in image.keys() & tested.keys() if image[name] != tested[name]} == set()
    assert not locked("requirements.lock").keys() - image.keys()
    assert not image.keys() - locked("requirements-dev.lock").keys()


def test_nothing_tells_anybody_to_install_what_no_index_has() -> None:
    """exowatch runs from its checkout or its image: advice has to serve users of either."""
    files = [*ROOT.glob("monitor/**/*.py"), *ROOT.glob("docs/**/*.md"), ROOT / "README.md"]
    assert [str(file) for file in files if re.search(r"install \"?exowatch", file.read_text(encoding="utf-8"))] == []
    said = not_installed("It")
    assert "make extras" in said
    assert "image" in said
    told = subprocess.run(["make", "-n", "extras"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert f"--require-hashes -r {LOCK}" in told
