"""What one guest may ask for in a minute, counted in values of answers, so that one can't keep all others waiting.

Counted by each process for itself: asking Redis would cost every request more than most answers do. Processes that
share a Redis tell each other behind the requests' backs: see `shared_allowance`.
"""

import math
import time
from collections.abc import Callable
from typing import Final

MINUTE: Final = 60.0


class Allowance:
    """A bucket for each guest, that fills evenly and is full at first.

    Args:
        per_minute: values that a guest may ask for in a minute, and at once; 0 sets no limit.
        now: seconds on a clock that never goes back.
    """

    def __init__(self, per_minute: int, now: Callable[[], float] = time.monotonic) -> None:
        self.per_minute = per_minute
        self._now = now
        # When each guest's bucket will be full again: one number says it all (the generic cell rate algorithm).
        self._full_at: dict[int, float] = {}
        self._tidy_at = now() + MINUTE

    def spend(self, user_id: int, values: int) -> int:
        """Takes what an answer costs, and returns 0; or takes nothing and returns the seconds until there is enough."""
        if not self.per_minute:
            return 0
        now = self._now()
        if now >= self._tidy_at:
            self._full_at = {guest: full for guest, full in self._full_at.items() if full > now}
            self._tidy_at = now + MINUTE
        full_at = max(self._full_at.get(user_id, now), now) + values * MINUTE / self.per_minute
        if full_at > now + MINUTE:
            return max(1, math.ceil(full_at - now - MINUTE))
        self._full_at[user_id] = full_at
        return 0

    def left(self, user_id: int) -> int:
        """Values that a guest may still ask for at once."""
        used = max(0.0, self._full_at.get(user_id, 0.0) - self._now())
        return self.per_minute - math.ceil(used * self.per_minute / MINUTE)

    def __len__(self) -> int:
        """How many guests are remembered."""
        return len(self._full_at)
