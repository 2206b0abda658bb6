"""The page in docs: the figures of the last run, what they were measured on, and where ours loses."""

import json
from pathlib import Path

from benchmarks.edge import chart, report
from benchmarks.edge.figures import Figures
from benchmarks.edge.operations import BY_NAME

_HEAD = """\
# How fast it is

Written by `make bench HUGE=1 PAGE=docs/performance.md`; the figures are those of its last run and stand, with every
turn, in [{figures}]({figures}).

One process of each contender on one core; MariaDB, which flushes at each commit, Redis, the travel and payment services
and wrk share the other. Contenders take turns, A B … B A, and figures are medians of all turns. Every contender checks
the same tokens, reads the same rows, asks the same services, and gives the same answer, compared as JSON before and
after. The services take several questions in one call: ours asks so for what several requests want at once
([decision 24](decisions/0024-gathered-questions.md)), it reads what several guests open at one moment by one statement
([26](decisions/0026-one-trip-and-shared-questions.md), [29](decisions/0029-lines-of-texts.md)), and writes their orders
in one transaction ([30](decisions/0030-orders-written-together.md)); the peers ask for each thing by itself. Ours runs
as in production, with tokens, limits, request ids and `/metrics`; the others do what the operation needs and no more.
`core busy` says whether it was the contender that set the pace; CPU is that of all its processes, a request, and the
figure to trust where the machine was not alone.

Python is measured as it is installed by Debian, and as the image of `deploy/Dockerfile` has it: compiled with profiles,
as Node is. A build without them, which is what pyenv makes unless told otherwise, takes a fifth to a third more CPU.
So `make bench` takes Debian's where it is (package python3-venv), and `make bench BENCH_PYTHON=python3` yours.

![Requests a second]({chart})
"""
_LOSSES = """\
## Where ours loses

{losses}
"""
_SCALE = """\
## Size and pages

Each size is a database of its own on one server, with an edge of its own, and all took turns. The same number of guests
is asked everywhere, each with about 50 orders, as far apart as where all order at once; what they ask for fits into the
database's memory. So what grows is the depth of the index, and not what has to be read from the disk. The pages are
those of one guest with very many orders, in the largest table.

{tables}

{plans}
"""
_PROCESSES = """\
## Processes

One process, and two on one port (`HOMESTAY_PROCESSES=2`), in turn. Here the two cores are for all: the edge, MariaDB,
Redis, the services and wrk. So a second process can win at most what these leave of the second core, and twice as many
requests a second are not to be had; CPU a request says what it costs.

{tables}
"""
_CLOSING = """\
## Closing

Orders that are not paid fall due in one moment, and one worker closes them: it asks the payment service for each,
writes the move and its history, and frees the nights. And what messages cost while they wait, in Redis and in the
worker.

{tables}
"""


def write(figures: Figures, to: Path) -> None:
    """Writes the page, with its chart and its figures beside it."""
    beside, drawn = to.with_suffix(".json"), to.with_suffix(".svg")
    beside.write_text(json.dumps(figures.as_json(), indent=1) + "\n", encoding="utf-8")
    drawn.write_text(chart.draw(figures), encoding="utf-8")
    to.write_text(_page(figures, beside.name, drawn.name), encoding="utf-8")


def _page(figures: Figures, beside: str, drawn: str) -> str:
    parts = [_HEAD.format(figures=beside, chart=drawn)]
    parts.append(f"## Goals\n\n{report.goals_table(figures)}\n")
    for operation in dict.fromkeys(each.operation for each in figures.measured):
        title = BY_NAME[operation].title
        parts.append(f"## {operation}: {title}\n\n{report.operation_table(figures, operation)}\n")
    lost = "\n".join(report.losses(figures)) or "Nowhere in this run."
    parts.append(_LOSSES.format(losses=lost))
    if sized := report.scale_tables(figures):
        parts.append(_SCALE.format(tables=sized, plans=report.plans_table(figures)))
    if processes := report.processes_table(figures):
        parts.append(_PROCESSES.format(tables=processes))
    if closing := report.closing_tables(figures):
        parts.append(_CLOSING.format(tables=closing))
    facts = "\n".join(f"| {name} | {fact} |" for name, fact in figures.about.items())
    parts.append(f"## Measured on\n\n| | |\n|---|---|\n{facts}\n")
    return "\n".join(parts)
