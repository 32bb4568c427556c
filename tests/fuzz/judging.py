"""Hostile texts by a fuzzer that follows coverage: no crash, no quote outside the text, nothing over a second, twice the same.

Needs the package atheris in the environment: `python -m tests.fuzz.judging -max_total_time=300 FOLDER`, with texts to begin with
in the folder, if any.
"""

from __future__ import annotations

import sys
import time

import atheris

with atheris.instrument_imports(include=["monitor.topic", "workers.classify"]):
    from monitor.settings.model import SHIPPED
    from monitor.topic import load_topic
    from workers.judgement import Judge

LONGEST_S = 1.0

judge = Judge(load_topic(SHIPPED / "topics" / "exosomes"))


def judged(data: bytes) -> None:
    """One text, judged twice. Half of them name the topic, or nothing would be read in them."""
    given = atheris.FuzzedDataProvider(data)
    named = given.ConsumeBool()
    text = given.ConsumeUnicode(100_000)
    text = f"exosomes {text}" if named else text
    started = time.perf_counter()
    one = judge.judge("m", text)
    took = time.perf_counter() - started
    if took > LONGEST_S:
        raise RuntimeError(f"took {took:.2f} s")
    for claim in one.claims:
        if text[claim.start : claim.end] != claim.quote or not 0 <= claim.start < claim.end <= len(text):
            raise RuntimeError(f"a quote that is not in the text: {claim}")
    if judge.judge("m", text) != one:
        raise RuntimeError("judged otherwise the second time")


if __name__ == "__main__":
    atheris.Setup(sys.argv, judged)
    atheris.Fuzz()
