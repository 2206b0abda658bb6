"""The course of a measurement: everybody is warmed, then they take turns, A B … B A, while the others sleep."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.edge import answers
from benchmarks.edge.contenders import Running
from benchmarks.edge.figures import Measured, Turn
from benchmarks.edge.load import CONNECTIONS, Load, Told
from benchmarks.edge.operations import Operation
from benchmarks.edge.processes import cpu_seconds
from benchmarks.edge.stage import Stage

# An upstream that took too long, on a machine that is not alone.
WRONG_AT_MOST: Final = 0.01
# Seconds between two turns.
REST: Final = 0.3


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things are measured; wrk knows whole seconds only.

    Attributes:
        rounds: of two turns each.
        seconds: of a turn.
        warming: seconds before the first turn of an operation, five times as many for those that V8 runs.
        strict: whether errors end it; on a machine that is not alone, an upstream may take too long.
    """

    rounds: int
    seconds: int
    warming: int
    strict: bool


class Course:
    """Measures operations on one stage."""

    def __init__(self, stage: Stage, load: Load, running: Sequence[Running], pace: Pace) -> None:
        self._stage = stage
        self._load = load
        self._running = running
        self._pace = pace
        self._turns = 0

    def measure(self, operation: Operation) -> list[Measured]:
        """All contenders at one operation.

        Raises:
            SystemExit: they do not answer alike, or requests failed, or orders were refused.
        """
        answers.check(self._running, self._load, operation.name)
        for each in self._running:
            self._say(operation, f"warming {each.contender.name}")
            told = self._drive(each, operation, self._pace.warming * each.contender.warm, look=True)
            if told.wrong > told.requests * WRONG_AT_MOST:
                self._complain(operation, each, f"had {told.wrong} errors in {told.requests} answers")
        measured = {each.contender.name: Measured(each.contender.name, operation.name) for each in self._running}
        for number in range(self._pace.rounds):
            for each in (*self._running, *reversed(self._running)):
                self._say(operation, f"round {number + 1} of {self._pace.rounds}, {each.contender.name}")
                measured[each.contender.name].turns.append(self._turn(each, operation))
        print(file=sys.stderr)  # noqa: T201
        answers.check(self._running, self._load, operation.name)
        return list(measured.values())

    def _turn(self, each: Running, operation: Operation) -> Turn:
        cpu = cpu_seconds([each.process])
        told = self._drive(each, operation, self._pace.seconds)
        cpu = cpu_seconds([each.process]) - cpu
        if not told.requests:
            raise SystemExit(f"{operation.name}: {each.contender.title} answered nothing in {self._pace.seconds} s")
        return Turn(requests=told.requests, seconds=told.seconds, p50=told.p50, p99=told.p99, cpu=cpu)

    def _drive(self, each: Running, operation: Operation, seconds: int, *, look: bool = False) -> Told:
        highest = self._stage.rows.highest()
        self._turns += 1
        slot = self._load.slot
        told = self._load.drive(each.port, operation.name, seconds=seconds, seed=self._turns, look=look)
        if told.failed:
            self._complain(operation, each, f"failed {told.failed} of {told.requests} requests")
        # What was under way when wrk went is none of the next contender's business.
        time.sleep(REST)
        if operation.writes:
            self._stage.rows.settle()
            self._check_placed(each, operation, highest, told, told.slot - slot)
        return told

    def _check_placed(self, each: Running, operation: Operation, highest: int, told: Told, sent: int) -> None:
        placed = self._stage.rows.count_after(highest)
        # wrk ends with some under way, of which the last may never have been sent.
        if not sent - CONNECTIONS <= placed <= sent:
            self._complain(operation, each, f"placed {placed} orders of {sent} ({told.requests} answers)")

    def _complain(self, operation: Operation, each: Running, what: str) -> None:
        said = f"{operation.name}: {each.contender.title} {what}"
        if self._pace.strict:
            raise SystemExit(said)
        print(f"\n{said}: these figures prove nothing", file=sys.stderr)  # noqa: T201

    def _say(self, operation: Operation, what: str) -> None:
        print(f"\r{operation.name:>8}: {what:<40}", end="", file=sys.stderr, flush=True)  # noqa: T201
