"""What each platform's terms ask of who keeps its posts: how long, and how often to look whether they are still there.

docs/duties.md says where these figures are from. `store.retain_text` replaces how long; nothing replaces the looking.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

_HOUR, _DAY = 3_600.0, 86_400.0


class Duty(msgspec.Struct, frozen=True, kw_only=True):
    """Of one platform, all in seconds of a post's age since it was heard: when its text and author go; at which ages it is looked
    for again; and within what time of the look before, or they go earlier (None: whenever it can be done)."""

    keep: float = 90 * _DAY
    verify: tuple[float, ...] = ()
    within: float | None = None

    @property
    def deadlines(self) -> tuple[float, ...]:
        """For each age in `verify`, the age at which what was not looked for has to go."""
        if self.within is None:
            return ()
        return tuple(before + self.within for before in (0.0, *self.verify[:-1]))


DUTIES: dict[str, Duty] = {
    "reddit": Duty(keep=48 * _HOUR, verify=(_HOUR, 6 * _HOUR, 24 * _HOUR)),
    "youtube": Duty(verify=(25 * _DAY, 50 * _DAY, 75 * _DAY), within=30 * _DAY),
    "tiktok": Duty(verify=tuple(number * 12 * _DAY for number in range(1, 8)), within=15 * _DAY),
    "instagram": Duty(keep=30 * _DAY),
    "x": Duty(keep=30 * _DAY, verify=(_DAY, 7 * _DAY)),
    "hackernews": Duty(verify=(_DAY, 7 * _DAY, 30 * _DAY)),
    "lemmy": Duty(verify=(_DAY, 7 * _DAY, 30 * _DAY)),
    "mastodon": Duty(verify=(_DAY, 7 * _DAY, 30 * _DAY)),  # without an access token nothing tells of deletions
}


def duty_of(platform: str, retain_text: Mapping[str, float]) -> Duty:
    """What is owed to a platform, with the operator's own time for its texts where one is set."""
    duty = DUTIES.get(platform, Duty())
    return msgspec.structs.replace(duty, keep=retain_text[platform]) if platform in retain_text else duty
