"""What the clients were told, written down as they were told it."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from itertools import count
from typing import Final

from domain.order.states import PaymentStatus
from tests.chaos.lodgings import Lodging

# Planted in every remark, to be looked for in every log.
PLANTED_PHONE: Final = "139 5550"


class Outcome(Enum):
    """How a request ended, as far as its client knows."""

    ACKNOWLEDGED = "acknowledged"
    # The answer was no: nothing may have changed.
    REFUSED = "refused"
    # No answer, or one that does not say: it may have happened or not.
    UNKNOWN = "unknown"
    # Nobody took the request: it can't have happened.
    UNREACHED = "unreached"


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One guest's wish for one order. The remark is its own, so the tables can be asked what became of it."""

    remark: str
    user: int
    lodging: Lodging
    start: date
    end: date
    people: int
    food: bool
    outcome: Outcome = Outcome.UNKNOWN
    sn: str = ""
    total: int = 0
    pay_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """A payment that a guest was told of; `total` in fen."""

    order_sn: str
    total: int


@dataclass(slots=True)
class Ledger:
    """All that was promised.

    Attributes:
        attempts: every wish for an order.
        opened: the payments that guests were told of, by their sn.
        told: what the provider said of a payment and had acknowledged, with the moment of the answer.
        given_up: sn's of orders whose cancellation was acknowledged.
        seen_paid: sn's of orders that an answer called paid.
        successes: when orders were acknowledged, in order.
        refusals: how often each code was the answer.
        leaks: answers that hold what no answer may hold.
    """

    attempts: list[Attempt] = field(default_factory=list)
    opened: dict[str, Opened] = field(default_factory=dict)
    told: dict[str, dict[PaymentStatus, datetime]] = field(default_factory=dict)
    given_up: set[str] = field(default_factory=set)
    seen_paid: set[str] = field(default_factory=set)
    successes: list[datetime] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)
    leaks: list[str] = field(default_factory=list)
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    def attempt(self, lodging: Lodging, start: date, end: date, *, people: int, food: bool) -> Attempt:
        """Writes down a wish before it is sent, for a guest who has no other."""
        number = next(self._numbers)
        attempt = Attempt(
            remark=f"Ring +86 {PLANTED_PHONE} {number:08d} at the gate.",
            user=1000 + number,
            lodging=lodging,
            start=start,
            end=end,
            people=people,
            food=food,
        )
        self.attempts.append(attempt)
        return attempt

    def counted(self, outcome: Outcome) -> int:
        """How many wishes ended so."""
        return sum(attempt.outcome is outcome for attempt in self.attempts)

    def acknowledged(self) -> dict[str, Attempt]:
        """The wishes that became orders, by sn."""
        return {attempt.sn: attempt for attempt in self.attempts if attempt.outcome is Outcome.ACKNOWLEDGED}
