"""Charts, drawn as SVG: bars in one colour, a title on each, and the whole in words for those who do not see them.

No text stands inside a drawing: it is stretched to the width that there is, and text in it would be too.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

_STEP = 10  # units of the drawing from one bar to the next
_GAP = 2


def bars(values: Sequence[int], labels: Sequence[str], what: str, height: int = 28, part: Sequence[int] | None = None) -> Markup:
    """A bar for each day of UTC, the highest as high as the drawing; `part` of each, from its foot, is drawn stronger.

    `labels` name the days and `what` the drawing; `what` stands before its summary in words.
    """
    most = max(values, default=0)
    drawn = [
        _bar(place, value, most, height, f"{label} UTC: {value:,}", 0 if part is None else part[place])
        for place, (value, label) in enumerate(zip(values, labels, strict=True))
    ]
    width = max(1, len(values)) * _STEP
    return Markup(
        '<svg class="bars{}" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>'
    ).format("" if part is None else " parts", width, height, in_words(values, labels, what), Markup("").join(drawn))


def in_words(values: Sequence[int], labels: Sequence[str], what: str) -> str:
    """The drawing in a sentence: the sum, the highest bar, the last one."""
    if not any(values):
        return f"{what}: none"
    most = max(values)
    highest = labels[list(values).index(most)]
    spread = f"{sum(values):,} in all from {labels[0]} to {labels[-1]}, most on {highest} ({most:,}), last {values[-1]:,}"
    return f"{what}: {spread}; days of UTC"


def _bar(place: int, value: int, most: int, height: int, title: str, part: int) -> Markup:
    x, width = place * _STEP, _STEP - _GAP
    if value <= 0:
        return Markup('<rect class="none" x="{}" y="{}" width="{}" height="1"></rect>').format(x, height - 1, width)
    high = max(2.0, value / most * height)
    whole = Markup('<rect x="{}" y="{:.1f}" width="{}" height="{:.1f}"></rect>').format(x, height - high, width, high)
    if part > 0:
        of_it = high * min(part, value) / value
        whole += Markup('<rect class="part" x="{}" y="{:.1f}" width="{}" height="{:.1f}"></rect>').format(
            x, height - of_it, width, of_it
        )
    return Markup("<g><title>{}</title>{}</g>").format(escape(title), whole)
