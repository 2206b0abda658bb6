"""What was measured, as values: medians and ratios are worked out here, and shown elsewhere."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.results import Closing, Pending


@dataclass(frozen=True, slots=True)
class Turn:
    """One run of wrk against one contender. `cpu` is what it used, in seconds; latencies are milliseconds."""

    requests: int
    seconds: float
    p50: float
    p99: float
    cpu: float


@dataclass(slots=True)
class Measured:
    """All turns of one contender at one operation."""

    contender: str
    operation: str
    turns: list[Turn] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Requests a second."""
        return statistics.median(turn.requests / turn.seconds for turn in self.turns)

    @property
    def cpu(self) -> float:
        """Microseconds of CPU a request."""
        return statistics.median(turn.cpu / turn.requests * 1e6 for turn in self.turns)

    @property
    def p50(self) -> float:
        """Milliseconds within which half of the answers came."""
        return statistics.median(turn.p50 for turn in self.turns)

    @property
    def p99(self) -> float:
        """Milliseconds within which all answers but a hundredth came."""
        return statistics.median(turn.p99 for turn in self.turns)

    @property
    def busy(self) -> float:
        """The share of its core that it used: where that is far from 1, something else set the pace."""
        return statistics.median(turn.cpu / turn.seconds for turn in self.turns)

    @property
    def spread(self) -> float:
        """How far the fastest turn was from the slowest, as a share of the median."""
        rates = [turn.requests / turn.seconds for turn in self.turns]
        return (max(rates) - min(rates)) / self.rate

    def as_json(self) -> dict[str, Any]:
        """For the result file."""
        return {
            "contender": self.contender,
            "operation": self.operation,
            "rate": round(self.rate, 1),
            "cpuMicroseconds": round(self.cpu, 1),
            "p50": round(self.p50, 2),
            "p99": round(self.p99, 2),
            "busy": round(self.busy, 3),
            "turns": [asdict(turn) for turn in self.turns],
        }


@dataclass(frozen=True, slots=True)
class ScaledTurn:
    """One run of wrk against ours. `cpu` is what the edge used and `database` what that did, in seconds."""

    requests: int
    seconds: float
    p50: float
    p99: float
    cpu: float
    database: float


@dataclass(slots=True)
class Scaled:
    """What a request costs at some size of the table, at some page, or with some processes.

    Attributes:
        what: of how much.
        turns: all of them.
    """

    what: str
    turns: list[ScaledTurn] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Requests a second."""
        return statistics.median(turn.requests / turn.seconds for turn in self.turns)

    @property
    def cpu(self) -> float:
        """Microseconds of CPU of the edge, a request."""
        return statistics.median(turn.cpu / turn.requests * 1e6 for turn in self.turns)

    @property
    def database(self) -> float:
        """Microseconds of CPU of the database, a request."""
        return statistics.median(turn.database / turn.requests * 1e6 for turn in self.turns)

    @property
    def wall(self) -> float:
        """Microseconds from one answer to the next."""
        return 1e6 / self.rate

    @property
    def p50(self) -> float:
        """Milliseconds within which half of the answers came."""
        return statistics.median(turn.p50 for turn in self.turns)

    @property
    def p99(self) -> float:
        """Milliseconds within which all answers but a hundredth came."""
        return statistics.median(turn.p99 for turn in self.turns)

    @property
    def cost(self) -> float:
        """Microseconds of CPU a request, edge and database together."""
        return statistics.median((turn.cpu + turn.database) / turn.requests * 1e6 for turn in self.turns)

    def as_json(self) -> dict[str, Any]:
        """For the result file."""
        return {
            "what": self.what,
            "rate": round(self.rate, 1),
            "wallMicroseconds": round(self.wall, 1),
            "cpuMicroseconds": round(self.cpu, 1),
            "databaseMicroseconds": round(self.database, 1),
            "p50": round(self.p50, 2),
            "p99": round(self.p99, 2),
            "turns": [asdict(turn) for turn in self.turns],
        }


@dataclass(slots=True)
class Figures:
    """All of one run; how orders closed and what waiting cost, where that was measured in it."""

    about: dict[str, str]
    measured: list[Measured] = field(default_factory=list)
    scaled: dict[str, list[Scaled]] = field(default_factory=dict)
    plans: dict[str, str] = field(default_factory=dict)
    closing: Closing | None = None
    pending: Pending | None = None

    def of(self, operation: str, contender: str) -> Measured | None:
        """One contender at one operation, where that was measured."""
        found = (each for each in self.measured if (each.operation, each.contender) == (operation, contender))
        return next(found, None)

    def ratio(self, operation: str, against: str, *, of_p99: bool = False) -> float | None:
        """How many times as fast as another contender ours is, or how many times as late its slowest hundredth."""
        ours, other = self.of(operation, "ours"), self.of(operation, against)
        if ours is None or other is None:
            return None
        return ours.p99 / other.p99 if of_p99 else ours.rate / other.rate

    def as_json(self) -> dict[str, Any]:
        """For the result file."""
        return {
            "about": self.about,
            "measured": [each.as_json() for each in self.measured],
            "scaled": {name: [each.as_json() for each in them] for name, them in self.scaled.items()},
            "plans": self.plans,
            "closing": asdict(self.closing) if self.closing else None,
            "pending": asdict(self.pending) if self.pending else None,
        }


def growth(scaled: Sequence[Scaled]) -> float:
    """How many times as dear the last is as the first."""
    return scaled[-1].cost / scaled[0].cost
