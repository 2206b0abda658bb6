"""What the benchmarks of closing found, as a file in which the page of all figures finds it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

CLOSING_HEAD: Final = """\
| orders | workers | messages | closed/s | per worker | half closed, s late | last, s late | CPU µs/order |
|---|---|---|---|---|---|---|---|"""
PENDING_HEAD: Final = """\
| messages waiting | sent/s | Redis, bytes each | Redis, MB | worker idle, MB | then, MB | growth, MB |
|---|---|---|---|---|---|---|"""


@dataclass(frozen=True, slots=True)
class _Result:
    """What one run found."""

    def write(self, to: Path) -> None:
        """Writes it, in JSON."""
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, of: Path) -> Self:
        """What `write` wrote."""
        return cls(**json.loads(of.read_text(encoding="utf-8")))


@dataclass(frozen=True, slots=True)
class Closing(_Result):
    """How orders closed that fell due in one moment.

    Attributes:
        orders: how many fell due.
        workers: processes that closed them.
        messages: whether each order had its message; without, the sweep closed them.
        half: seconds after the due moment until half of them were closed.
        last: seconds after it until all were.
        cpu: seconds that the workers used.
    """

    orders: int
    workers: int
    messages: bool
    half: float
    last: float
    cpu: float

    @property
    def rate(self) -> float:
        """Orders closed a second."""
        return self.orders / self.last

    @property
    def rate_of_a_worker(self) -> float:
        """Orders that each worker closed a second."""
        return self.rate / self.workers

    def line(self) -> str:
        """A line of the table."""
        return (
            f"| {self.orders} | {self.workers} | {'yes' if self.messages else 'no'} | {self.rate:.0f} "
            f"| {self.rate_of_a_worker:.0f} | {self.half:.1f} | {self.last:.1f} | {self.cpu / self.orders * 1e6:.0f} |"
        )


@dataclass(frozen=True, slots=True)
class Pending(_Result):
    """What messages cost that wait: bytes of Redis's data and of a worker's memory, before and with them.

    Attributes:
        messages: how many wait.
        seconds: in which they were sent.
    """

    messages: int
    seconds: float
    redis_before: int
    redis_with: int
    worker_before: int
    worker_with: int

    @property
    def growth(self) -> float:
        """Megabytes by which the worker's memory grew."""
        return (self.worker_with - self.worker_before) / 1e6

    def line(self) -> str:
        """A line of the table."""
        redis = self.redis_with - self.redis_before
        before, then = self.worker_before / 1e6, self.worker_with / 1e6
        return (
            f"| {self.messages} | {self.messages / self.seconds:.0f} | {redis / self.messages:.0f} "
            f"| {redis / 1e6:.0f} | {before:.1f} | {then:.1f} | {self.growth:+.1f} |"
        )
