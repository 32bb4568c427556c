"""How long what ended by itself rests before it is started again."""

from __future__ import annotations

import time
from collections.abc import Callable


class Restarts:
    """The pauses of one thing that is kept running: `first_s`, then twice as long each time up to `most_s`, and `first_s` again
    once it has run for longer than `good_s`. `clock` gives seconds that never go back."""

    def __init__(
        self, first_s: float = 1.0, most_s: float = 60.0, good_s: float = 60.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._good_s = good_s
        self._clock = clock
        self._next_s = first_s
        self._since = clock()

    def started(self) -> None:
        """It runs from now on."""
        self._since = self._clock()

    def rest(self) -> float:
        """It has ended: the seconds until it is to be started again."""
        if self._clock() - self._since > self._good_s:
            self._next_s = self._first_s
        now, self._next_s = self._next_s, min(self._next_s * 2, self._most_s)
        return now
