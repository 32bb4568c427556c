"""`make audit`: asks the database of known faults about every package of the lock files. Needs the internet.

An answer that knows nothing of the packages is no all-clear: then, too, the exit status is 1.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCKS = tuple(f"requirements{of}.lock" for of in ("", "-image", "-dev", "-bench", "-mutants", "-train"))
COULD_NOT = "audit: the database of known faults cannot be reached from here, so nothing is known: run it where the internet is"


def verdict(answer: str) -> tuple[int, list[str]]:
    """Exit status and lines for a person, from what pip-audit printed as JSON."""
    try:
        packages = {(one["name"], one.get("version", "")): one for one in json.loads(answer)["dependencies"]}
    except (ValueError, KeyError, TypeError):
        return 1, [COULD_NOT]
    known = [one for one in packages.values() if "skip_reason" not in one]
    if not known:
        return 1, [COULD_NOT]
    lines = [
        f"{one['name']} {one['version']}: {fault['id']}, mended in {', '.join(fault['fix_versions']) or 'no version yet'}"
        for one in known
        for fault in one["vulns"]
    ]
    unknown = sorted(one["name"] for one in packages.values() if "skip_reason" in one)
    lines += [f"not in the database, so nothing is known of it: {', '.join(unknown)}"] if unknown else []
    return int(bool(lines)), [*lines, f"{len(known)} packages looked up"]


def main(files: Sequence[str]) -> int:
    """Looks up the packages of these lock files."""
    asked = ("pip_audit", "--disable-pip", "--require-hashes", "--progress-spinner", "off", "--timeout", "15", "--format", "json")
    named = [part for file in files or LOCKS for part in ("-r", file)]
    done = subprocess.run([sys.executable, "-m", *asked, *named], cwd=ROOT, capture_output=True, text=True, check=False)
    status, lines = verdict(done.stdout)
    print("\n".join(lines), file=sys.stderr if status else sys.stdout)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
