"""`make fuzz`: hostile texts for the classifier, by a fuzzer that follows coverage and needs no package of its own.

Ends with exit status 1 and the text, as JSON, where something does not hold; the same seed and number of texts find it again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from monitor.words import MAX_TEXT
from tests.fuzz.guide import Guide
from tests.fuzz.properties import Properties

ROOT = Path(__file__).resolve().parents[2]
WATCHED = (ROOT / "workers", ROOT / "monitor" / "topic")
EVERY_LONG = 50  # one text of so many is repeated up to the longest that is read
SEEDS = (
    "Exosomes are FDA approved.",
    "exosomes cure arthritis, MS and Lyme; no side effects!",
    "My derm says exosomes raise collagen by 300%, is that true?",
    "> Exosomes regrow hair\nNo they don't. I tried, it got infected.",
    "20 billion exosomes per vial #exosomes #FDAapproved",
    "Los exosomas no están aprobados por la FDA. Exosomen heilen nicht.",
    "엑소좀은 식약처 승인을 받았습니다. エクソソームは承認されています。 الإكسوسوم يعالج التهاب المفاصل",
)


def main() -> int:
    """Tries texts until the time or their number is up."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seconds", type=float, default=300.0, help="how long (default: 300)")
    asked.add_argument("--texts", type=int, help="stop after so many texts")
    asked.add_argument("--seed", type=int, default=1, help="what chance begins with (default: 1)")
    asked.add_argument("--longest", type=float, default=1.0, help="seconds of processor time that a text may take (default: 1)")
    options = asked.parse_args()
    properties, guide = Properties(options.longest), Guide(SEEDS, WATCHED, options.seed)
    ends, tried = time.monotonic() + options.seconds, 0
    while time.monotonic() < ends and (options.texts is None or tried < options.texts):
        text = SEEDS[tried] if tried < len(SEEDS) else guide.next()
        if tried % EVERY_LONG == EVERY_LONG - 1:
            text = (text * (MAX_TEXT // max(len(text), 1) + 1))[:MAX_TEXT]
        tried += 1
        try:
            properties.again(text, properties.first(text))
            guide.follow(properties.unclocked, text)
        except Exception as error:  # whatever goes wrong is what is looked for
            print(f"fuzz: text {tried} of seed {options.seed}: {error!r}\n{json.dumps(text)}", file=sys.stderr)
            return 1
    print(
        f"{tried} texts, seed {options.seed}: no crash, no quote outside its text, none judged otherwise the second time; "
        f"slowest {properties.slowest_s:.2f} s; {guide.steps} steps of the code taken, {len(guide.kept)} texts kept"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
