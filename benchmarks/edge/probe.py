"""What requests cost our edge and the database, where several arrangements of ours are asked in turn, A B … B A."""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.edge.contenders import Running
from benchmarks.edge.course import Pace
from benchmarks.edge.figures import Scaled, ScaledTurn
from benchmarks.edge.load import Load
from benchmarks.edge.processes import cpu_seconds
from benchmarks.edge.stage import Stage
from tests.servers import MariaDB


@dataclass(frozen=True, slots=True)
class Subject:
    """One arrangement, and what is asked of it."""

    edge: Running
    requests: str
    what: str


class Probe:
    """Asks them, and looks at what that took."""

    def __init__(self, stage: Stage, load: Load, pace: Pace) -> None:
        self._stage = stage
        self._load = load
        self._pace = pace

    def compare(self, title: str, subjects: Sequence[Subject]) -> list[Scaled]:
        """Warms all, then has them take turns.

        Raises:
            SystemExit: requests failed, or were answered with errors.
        """
        for each in subjects:
            self._say(title, f"warming {each.what}")
            self._turn(each, self._pace.warming, look=True)
        found = [Scaled(each.what) for each in subjects]
        pairs = list(zip(subjects, found, strict=True))
        for number in range(self._pace.rounds):
            for subject, scaled in (*pairs, *reversed(pairs)):
                self._say(title, f"round {number + 1} of {self._pace.rounds}, {subject.what}")
                scaled.turns.append(self._turn(subject, self._pace.seconds))
        print(file=sys.stderr)  # noqa: T201
        return found

    def _turn(self, subject: Subject, seconds: int, *, look: bool = False) -> ScaledTurn:
        edge, database = [subject.edge.process], [self._stage.mariadb.process]
        before = cpu_seconds(edge), cpu_seconds(database)
        told = self._load.drive(subject.edge.port, subject.requests, seconds=seconds, seed=1, look=look)
        used = cpu_seconds(edge) - before[0], cpu_seconds(database) - before[1]
        if not told.requests or told.failed or told.wrong:
            raise SystemExit(f"{subject.requests}, {subject.what}: not everything was answered: {told}")
        return ScaledTurn(told.requests, told.seconds, told.p50, told.p99, cpu=used[0], database=used[1])

    def _say(self, title: str, what: str) -> None:
        print(f"\r{title}: {what:<50}", end="", file=sys.stderr, flush=True)  # noqa: T201


def statements(mariadb: MariaDB, edge: Running, token: str, body: str) -> list[str]:
    """What the database is asked of orders for one request, as its own log has it.

    Raises:
        SystemExit: the request is not answered.
    """
    mariadb.query("SET GLOBAL log_output = 'TABLE'")
    mariadb.query("TRUNCATE mysql.general_log")
    mariadb.query("SET GLOBAL general_log = ON")
    try:
        answer = edge.ask(token, body)
    finally:
        mariadb.query("SET GLOBAL general_log = OFF")
    if "errors" in answer.json():
        raise SystemExit(f"not answered: {answer.text}")
    logged = mariadb.query("SELECT convert(argument USING utf8mb4) FROM mysql.general_log ORDER BY event_time")
    return [
        said for (each,) in logged if re.match("SELECT .* FROM homestay_order ", said := " ".join(str(each).split()))
    ]


def explain(mariadb: MariaDB, database: str, statement: str) -> str:
    """How the database would run it there: access, index, rows that it expects, and what else it does."""
    there = re.sub(r"\bFROM homestay_order\b", f"FROM {database}.homestay_order", statement)
    ((_, _, _, access, _, key, _, _, rows, *extra),) = mariadb.query(f"EXPLAIN {there}")
    return f"{access} on {key}, {rows} row{'' if rows == 1 else 's'}{', ' + str(extra[-1]) if extra[-1] else ''}"
