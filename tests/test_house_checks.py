"""`make check` and `make audit` find what they are there for: planted keys, comparisons that tell something, faulty packages."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import secret_scan
from tests.audit import COULD_NOT, verdict
from tests.test_architecture import FILES, ROOT, module_of

# Put together here, so that this file holds none.
PLANTED = {
    "key.pem": "-----BEGIN " + "RSA PRIVATE KEY-----\nMIIE\n",
    "tests/aws.py": 'KEY = "' + "AKIA" + 'IOSFODNN7EXAMPLE"\n',
    "deploy.md": "token: " + "ghp_" + "A1b2" * 9 + "\n",
    "app.py": 'password = "' + "correct-horse-battery" + '"\n',
    "config/monitor.toml": 'url = "postgresql://me:' + "s3cr3tpw" + '@db/x"\n',
    "tests/slack.jsonl": '{"t": "' + "xoxb-" + "123456789012-" + "a1B2c3D4e5" + '"}\n',
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_key_is_found_where_it_stands(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("first line\n" + PLANTED[name])
    assert [place.rpartition(":")[0] for place in secret_scan.findings(tmp_path, [name]).values()] == [f"{name}:2"]


def test_what_is_no_key_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "made_up.py").write_text('secret = "correct-horse-battery"\n')
    (tmp_path / "a.toml").write_text('token = "env:EXOWATCH_TOKEN"\n# client_secret = ""\n')
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff")
    assert secret_scan.findings(tmp_path, ["tests/made_up.py", "a.toml", "picture.png", "gone"]) == {}


def test_an_audit_that_knows_nothing_is_no_all_clear() -> None:
    fine = {"name": "a", "version": "1", "vulns": []}
    bad = {"name": "b", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]}
    skipped = {"name": "c", "skip_reason": "not found"}

    def of(*packages: object) -> tuple[int, list[str]]:
        return verdict(json.dumps({"dependencies": packages}))

    assert of(fine, fine) == (0, ["1 packages looked up"])
    assert of(fine, bad) == (1, ["b 2: PYSEC-1, mended in 3", "2 packages looked up"])
    assert of(fine, skipped)[0] == 1
    for nothing in (of(), of(skipped), verdict(""), verdict("[]")):
        assert nothing == (1, [COULD_NOT])


def test_an_audit_without_a_network_is_one_sentence(tmp_path: Path) -> None:
    lock = tmp_path / "one.lock"
    lock.write_text(
        "exowatch-has-no-such-package==1 \
    --hash=sha256:"
        + "0" * 64
        + "\n"
    )
    proxies = dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy", "ALL_PROXY"), "http://127.0.0.1:9")
    nowhere = {**os.environ, **proxies, "NO_PROXY": "", "no_proxy": ""}
    command = [sys.executable, "-m", "tests.audit", str(lock)]
    said = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **nowhere, "NO_PROXY": "", "no_proxy": ""},
    )
    assert (said.returncode, said.stdout, said.stderr) == (1, "", COULD_NOT + "\n")


SECRETS = ("token", "secret", "signature", "password", "csrf", "hmac", "mac", "cookie", "hexdigest")
# Sounds like one and is compared otherwise: the database finds a hub's callback by its index. Its address has 128 random bits,
# and what it brings is signed besides.
ELSEWHERE = {("monitor.store.websub", "token")}


def secret_of(node: ast.expr) -> str | None:
    """What a side of a comparison is called, where that sounds like a secret."""
    if isinstance(node, ast.Call):
        return secret_of(node.func)
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name if any(part in SECRETS for part in (name.lower(), *name.lower().strip("_").split("_"))) else None


def comparisons(tree: ast.AST) -> list[tuple[str, int]]:
    """Where something that sounds like a secret is compared by == or looked up among values, with what is no constant."""
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Compare):
            continue
        for op, side in zip(node.ops, node.comparators, strict=True):
            pair = (node.left, side)
            if isinstance(op, ast.Eq | ast.NotEq) and not any(isinstance(one, ast.Constant) for one in pair):
                found += [(name, node.lineno) for one in pair if (name := secret_of(one)) is not None]
    return found


def test_secrets_are_compared_in_a_time_that_tells_nothing() -> None:
    for file in FILES:
        here = module_of(file)
        for name, line in comparisons(ast.parse(file.read_text())):
            assert (here, name) in ELSEWHERE, f"{here}:{line} compares {name} by ==; use hmac.compare_digest"


def test_a_comparison_of_secrets_would_be_found() -> None:
    for bad in ("given == self._token", "signature != wanted(body)", "mac.hexdigest() == x", "csrf_token == form['x']"):
        assert comparisons(ast.parse(bad)), bad
    for good in ("hmac.compare_digest(token, x)", "token == ''", "tokens_sent == most", "kind == other"):
        assert not comparisons(ast.parse(good)), good
