"""What more orders, a page far down, and a second process do to the cost of a request to ours."""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from threading import Thread
from typing import Final

from benchmarks.edge import contenders
from benchmarks.edge.contenders import Running
from benchmarks.edge.course import Pace
from benchmarks.edge.figures import Figures, Scaled
from benchmarks.edge.load import Load, Told
from benchmarks.edge.processes import allow_everywhere, cpu_seconds
from benchmarks.edge.report import PROCESSES
from benchmarks.edge.stage import Stage

# Guests who are asked at each size: as many rows are read of a small table as of a large one.
GUESTS: Final = 200
ORDERS_OF_A_GUEST: Final = 50
PAGE: Final = 20
PAGES: Final = (1, 500)


def sizes(*, quick: bool, huge: bool) -> tuple[int, ...]:
    """How many orders the table holds, one after the other."""
    if quick:
        return (10_000, 100_000)
    return (10_000, 100_000, 1_000_000, *([10_000_000] if huge else []))


def measure(figures: Figures, load: Load, pace: Pace, wanted: Sequence[int]) -> None:
    """Lets a table grow, and asks ours the same at each size; then pages; then two processes."""
    with Stage(orders=wanted[0], guests=GUESTS) as stage, ExitStack() as stack:
        load.prepare(stage.rows, GUESTS)
        ours = contenders.start(contenders.OURS, stage.environment)
        stack.callback(ours.process.kill)
        probe = _Probe(stage, load, pace)
        for orders in wanted:
            if orders > stage.rows.orders:
                # Of other guests: those who are asked have the same orders as before.
                stage.rows.grow(orders, guests=orders // ORDERS_OF_A_GUEST, first_guest=GUESTS + 1, payments=False)
                stage.rows.analyze()
            for name in ("list", "detail"):
                figures.scaled.setdefault(f"{name} by orders in the table", []).append(
                    probe.ask([ours], name, f"{orders:,}")
                )
        stage.rows.grow_heavy(PAGE * (max(PAGES) + 1))
        for number in PAGES:
            after = None if number == 1 else stage.rows.cursor_after_heavy(PAGE * (number - 1))
            load.prepare_page(f"page{number}", after)
            figures.scaled.setdefault("list by page", []).append(probe.ask([ours], f"page{number}", f"page {number}"))
        figures.scaled[PROCESSES] = _processes(stage, ours, probe)


def _processes(stage: Stage, ours: Running, probe: "_Probe") -> list[Scaled]:
    """One and two processes where all cores are for everybody; the two are asked on a port each, half each."""
    for process in (ours.process, stage.mariadb.process, stage.redis.process, stage.upstreams):
        allow_everywhere(process.pid)
    allow_everywhere(os.getpid())
    second = contenders.start(contenders.OURS, stage.environment, core=None)
    try:
        return [
            probe.ask(running, "list", f"list, {len(running)} process{'es' if len(running) > 1 else ''}")
            for running in ([ours], [ours, second])
        ]
    finally:
        second.process.kill()


class _Probe:
    """Asks ours, and looks at what that cost it and the database."""

    def __init__(self, stage: Stage, load: Load, pace: Pace) -> None:
        self._stage = stage
        self._load = load
        self._pace = pace

    def ask(self, running: Sequence[Running], name: str, what: str) -> Scaled:
        """Warms, then measures once for as long as a round takes."""
        self._drive(running, name, self._pace.warming)
        edges, database = [each.process for each in running], [self._stage.mariadb.process]
        before = cpu_seconds(edges), cpu_seconds(database)
        told = self._drive(running, name, self._pace.seconds * 2)
        used = cpu_seconds(edges) - before[0], cpu_seconds(database) - before[1]
        requests = sum(one.requests for one in told)
        if not requests:
            raise SystemExit(f"{name}: nothing was answered")
        return Scaled(
            what,
            rate=sum(one.requests / one.seconds for one in told),
            cpu=used[0] / requests * 1e6,
            database=used[1] / requests * 1e6,
            p50=max(one.p50 for one in told),
        )

    def _drive(self, running: Sequence[Running], name: str, seconds: int) -> list[Told]:
        told: list[Told] = []
        threads = [
            Thread(target=lambda port=each.port: told.append(self._load.drive(port, name, seconds=seconds, seed=1)))
            for each in running
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if len(told) < len(running) or any(one.failed for one in told):
            raise SystemExit(f"{name}: requests failed: {told}")
        return told
