"""What a second process does for ours, where there are two cores for all: edge, database, services and wrk.

python -m benchmarks.edge --only cores
"""

import os
import re
from contextlib import ExitStack
from typing import Final

import httpx

from benchmarks.edge import contenders
from benchmarks.edge.contenders import Running
from benchmarks.edge.course import Pace
from benchmarks.edge.figures import Figures
from benchmarks.edge.load import Load
from benchmarks.edge.probe import Probe, Subject
from benchmarks.edge.processes import allow_everywhere
from benchmarks.edge.report import PROCESSES
from benchmarks.edge.stage import Stage

COUNTS: Final = (1, 2)
ORDERS: Final = 20_000
GUESTS: Final = 400
_RESPONSES: Final = re.compile(r'^homestay_http_responses_total\{process="(\d+)".*\} (.*)$', re.MULTILINE)


def measure(figures: Figures, load: Load, pace: Pace) -> None:
    """Asks one process, and two on one port, in turn."""
    with Stage(orders=ORDERS, guests=GUESTS) as stage, ExitStack() as stack:
        load.prepare(stage.rows, GUESTS)
        for process in (stage.mariadb.process, stage.redis.process, stage.upstreams):
            allow_everywhere(process.pid)
        allow_everywhere(os.getpid())
        edges: dict[int, Running] = {}
        for count in COUNTS:
            environment = {**stage.environment, "HOMESTAY_PROCESSES": str(count)}
            edges[count] = contenders.start(contenders.OURS, environment, core=None)
            stack.callback(edges[count].process.kill)
        probe = Probe(stage, load, pace)
        for kind in ("list", "detail"):
            subjects = [
                Subject(edge, kind, f"{kind}, {count} process{'es' if count > 1 else ''}")
                for count, edge in edges.items()
            ]
            figures.scaled.setdefault(PROCESSES, []).extend(probe.compare(f"{kind} by processes", subjects))
        figures.about["Requests of two processes"] = _shares(edges[max(COUNTS)])


def _shares(edge: Running) -> str:
    """How the kernel dealt out what came."""
    counted: dict[str, float] = {}
    for process, value in _RESPONSES.findall(httpx.get(f"http://127.0.0.1:{edge.port}/metrics", timeout=10).text):
        counted[process] = counted.get(process, 0) + float(value)
    return " and ".join(f"{count / sum(counted.values()):.0%}" for count in counted.values())
