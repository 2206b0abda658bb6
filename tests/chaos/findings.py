"""What the judge says: broken promises, and figures."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

LOST: Final = "lost"
TOLD_OTHERWISE: Final = "told otherwise"
LEFT_OPEN: Final = "left open"
LATE: Final = "late"
EARLY: Final = "closed early"
MONEY: Final = "money"
NIGHTS: Final = "nights"
PRICE: Final = "price"
FOREIGN: Final = "foreign order"
TWO_WINNERS: Final = "two winners"
HISTORY: Final = "history"
TRACEBACK: Final = "traceback"
LEAK: Final = "leak"
LETTER: Final = "letter"
PROCESS: Final = "process"

# A time in which the database did not answer, or no worker ran.
Outage = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Finding:
    """A promise that was broken: which, by which order or payment, and how."""

    kind: str
    sn: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.sn} {self.what}"


@dataclass(slots=True)
class Verdict:
    """What was found, and the figures for the table.

    Attributes:
        findings: broken promises; none is what we want.
        lateness: the longest time from the moment that an order was due to its end.
        refunds_due: payments whose money their order can't use.
        refunds_made: those of them that went back.
        slowest_refund: the longest time from the provider's word that such money came until it went back.
        paid_in_vain: orders whose money came before `close_at` and that closed all the same; it went back.
    """

    findings: list[Finding] = field(default_factory=list)
    lateness: timedelta = timedelta()
    refunds_due: int = 0
    refunds_made: int = 0
    slowest_refund: timedelta = timedelta()
    paid_in_vain: int = 0

    def counted(self, kind: str) -> int:
        """How many findings are of this kind."""
        return sum(finding.kind == kind for finding in self.findings)
