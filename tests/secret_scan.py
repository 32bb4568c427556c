"""`make lint`: finds keys, tokens and passwords in files that git tracks. Needs no network, and verifies nothing anywhere.

What has the form of a key (of AWS, GitHub, Slack, a private key …) is looked for everywhere. What only might be one, such as
`password = "…"` or a password in an address, is looked for outside tests and data; those that are none are listed, as hashes, in
`.ci/secrets.baseline`. `python -m tests.secret_scan --accept` writes that list anew: read what it adds before you commit it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from detect_secrets.core.plugins.initialize import from_plugin_classname
from detect_secrets.core.potential_secret import PotentialSecret
from detect_secrets.core.scan import scan_file
from detect_secrets.settings import transient_settings

ROOT = Path(__file__).resolve().parents[1]
BASELINE = ROOT / ".ci" / "secrets.baseline"
MAX_BYTES = 500_000  # models and recorded data are larger
FORMS = [
    "ArtifactoryDetector",
    "AWSKeyDetector",
    "AzureStorageKeyDetector",
    "CloudantDetector",
    "DiscordBotTokenDetector",
    "GitHubTokenDetector",
    "GitLabTokenDetector",
    "IbmCloudIamDetector",
    "IbmCosHmacDetector",
    "JwtTokenDetector",
    "MailchimpDetector",
    "NpmDetector",
    "OpenAIDetector",
    "PrivateKeyDetector",
    "PypiTokenDetector",
    "SendGridDetector",
    "SlackDetector",
    "SoftlayerDetector",
    "SquareOAuthDetector",
    "StripeDetector",
    "TelegramBotTokenDetector",
    "TwilioKeyDetector",
]
GUESSES = ["BasicAuthDetector", "KeywordDetector"]
GUESSED = (".py", ".toml", ".yaml", ".yml", ".md", ".sql", ".service", ".acl", ".sh", "Makefile", "Dockerfile", ".ci/run")
ALLOWED = "allowlist.is_line_allowlisted"
HEURISTICS = [
    "heuristic.is_indirect_reference",
    "heuristic.is_likely_id_string",
    "heuristic.is_not_alphanumeric_string",
    "heuristic.is_potential_uuid",
    "heuristic.is_prefixed_with_dollar_sign",
    "heuristic.is_sequential_string",
    "heuristic.is_templated_secret",
]


def scan(folder: Path, files: Iterable[str], plugins: list[str], filters: list[str]) -> list[PotentialSecret]:
    """What these detectors find in files of a folder and these filters leave."""
    settings = {
        "plugins_used": [{"name": name} for name in plugins],
        "filters_used": [{"path": f"detect_secrets.filters.{name}"} for name in (ALLOWED, *filters)],
    }
    with transient_settings(settings):
        return [found for file in files for found in scan_file(str(folder / file))]


def findings(folder: Path, files: Iterable[str]) -> dict[str, str]:
    """By `file:kind:hash`, where each stands (file and line)."""
    some = [file for file in files if _readable(folder / file)]
    outside = [
        file for file in some if file.endswith(GUESSED) and not file.startswith(("tests/", "config/topics/", "docs/events/"))
    ]
    forms = [pattern for name in FORMS for pattern in from_plugin_classname(name).denylist]
    # The library looks line by line, which takes a minute: it gets the files in which there is anything to look at.
    likely = [file for file in some if any(pattern.search((folder / file).read_text()) for pattern in forms)]
    found = scan(folder, likely, FORMS, []) + scan(folder, outside, GUESSES, HEURISTICS)
    named = [(str(Path(one.filename).relative_to(folder)), one) for one in found]
    return {f"{file}:{one.type}:{one.secret_hash}": f"{file}:{one.line_number}: {one.type}" for file, one in named}


def _readable(file: Path) -> bool:
    try:
        if file.is_symlink() or file.stat().st_size > MAX_BYTES:
            return False
        file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return True


def tracked(folder: Path) -> list[str]:
    """The files that git tracks there; without git, all that an editor would show."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=folder, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        return [name for name in listed.stdout.split("\0") if name]
    return sorted(
        str(file.relative_to(folder))
        for file in folder.rglob("*")
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(folder).parts[:-1])
    )


def main() -> int:
    """Exit status 1 and one line each where something is found that is not listed."""
    found = findings(ROOT, tracked(ROOT))
    if "--accept" in sys.argv:
        BASELINE.write_text(json.dumps(sorted(found), indent=0) + "\n")
        return 0
    known = set(json.loads(BASELINE.read_text()))
    new = [place for name, place in sorted(found.items()) if name not in known]
    for place in new:
        print(
            f"{place}: take it out, and make a new one if it was ever real; if it is none, `# pragma: allowlist secret`",
            file=sys.stderr,
        )
    return 1 if new else 0


if __name__ == "__main__":
    sys.exit(main())
