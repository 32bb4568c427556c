"""How `exowatch claim` prints where a claim came from."""

from __future__ import annotations

from monitor.cli.output import Column, plain, print_table, short_time
from monitor.store.lineage import Day, Heard, Lineage

_SHOWN_DAYS = 30


def print_timeline(days: list[Day]) -> None:
    """The last days: mentions, how many put the claim forward, distinct authors so far."""
    most = max((day.mentions for day in days), default=1)
    for day in days[-_SHOWN_DAYS:]:
        counts = f"{day.mentions:>6} mentions {day.put_forward:>6} put forward {day.authors:>6} authors so far"
        print(f"{day.start[:10]} {counts}  {'▇' * max(1, round(20 * day.mentions / most))}")


def print_lineage(one: Lineage, watch: dict[str, int]) -> None:
    """First mentions, the path over platforms, authors, languages, watched names, wordings."""
    print(f"First seen: {_heard(one.first_seen)}")
    print(f"First put forward: {_heard(one.first_put_forward)}")
    print(plain("Path: " + " -> ".join(f"{step.platform} {short_time(step.seen_at)} {step.mention_id}" for step in one.path)))
    for what, counts in (("Authors", one.authors_by_platform), ("Languages", one.languages), ("Watched names", watch)):
        if counts:
            print(plain(f"{what}: " + ", ".join(f"{name} {count}" for name, count in counts.items())))
    variants = one.variants
    if not variants.items:
        print("Wordings: none, no text of it is kept any more")
        return
    shown = f"{len(variants.items)} of {variants.distinct}" if len(variants.items) < variants.distinct else str(variants.distinct)
    read = f"newest {variants.read} of {variants.of}" if variants.read < variants.of else str(variants.of)
    print(f"Wordings: {shown}, in the {read} occurrences")
    print_table(
        variants.items,
        (
            Column("times", lambda one: one.occurrences),
            Column("first", lambda one: short_time(one.seen_at)),
            Column("mention", lambda one: one.first),
            Column("quote", lambda one: one.quote, long=True),
        ),
    )


def _heard(one: Heard | None) -> str:
    if one is None:
        return "never"
    by = f" by {one.author}" if one.author else ""
    return plain(f"{short_time(one.seen_at)} UTC on {one.platform}{by}, source {one.source}, {one.mention_id}")
