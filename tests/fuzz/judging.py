"""Hostile texts by libFuzzer, which follows coverage faster than `tests.fuzz.guided` does and needs the package atheris.

`python -m tests.fuzz.judging -max_total_time=300 FOLDER`, with texts to begin with in the folder, if any.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["monitor.topic", "workers.classify"]):
    from tests.fuzz.properties import Properties

properties = Properties()


def judged(data: bytes) -> None:
    """One text, judged twice. Half of them name the topic, or nothing would be read in them."""
    given = atheris.FuzzedDataProvider(data)
    named = given.ConsumeBool()
    text = given.ConsumeUnicode(100_000)
    text = f"exosomes {text}" if named else text
    properties.again(text, properties.first(text))


if __name__ == "__main__":
    atheris.Setup(sys.argv, judged)
    atheris.Fuzz()
