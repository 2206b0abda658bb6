"""Our GraphQL edge beside mercurius, graphql-yoga, ariadne, and the same work with no GraphQL.

MariaDB (it flushes at each commit), Redis (it keeps its log), the upstreams and wrk share core 1; each contender has
core 0 while it is its turn. All answers are compared before anything is measured, and after.

Ours asks the upstreams in one call for what several requests want at once. With BENCHMARK_SINGLE_QUESTIONS=1 the
upstreams lack the methods for that, and it asks for each thing by itself, as the peers do.

    python -m benchmarks.edge [--quick] [--only detail|list|live|create|mix|scale|cores] [--write docs/performance.md]
"""

import argparse
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.edge import about, contenders, cores, page, report, scale
from benchmarks.edge.course import Course, Pace
from benchmarks.edge.figures import Figures
from benchmarks.edge.load import Load, check_installed
from benchmarks.edge.operations import BY_NAME, OPERATIONS, Operation
from benchmarks.edge.processes import stay_off_the_contenders_core
from benchmarks.edge.stage import KEY, Stage
from benchmarks.results import Closing, Pending

FULL = Pace(rounds=3, seconds=5, warming=4, strict=True)
QUICK = Pace(rounds=1, seconds=4, warming=1, strict=False)
SCALE, CORES = "scale", "cores"


def measure(figures: Figures, wanted: list[Operation], pace: Pace, stage: Stage, load: Load) -> None:
    """All contenders at these operations."""
    contenders.install(contenders.ALL)
    with ExitStack() as stack:
        running = []
        for contender in contenders.ALL:
            each = contenders.start(contender, stage.environment)
            stack.callback(each.process.kill)
            running.append(each)
        course = Course(stage, load, running, pace)
        for operation in wanted:
            figures.measured += course.measure(operation)
            print(f"\n{operation.name}: {operation.title}\n")  # noqa: T201
            print(report.operation_table(figures, operation.name), flush=True)  # noqa: T201


def main() -> None:
    """Reads the command line, measures, prints tables in Markdown, and writes the page where that is wanted."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.edge", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer orders, one round of short turns")
    parser.add_argument("--only", choices=[*BY_NAME, SCALE, CORES], action="append", help="may be given several times")
    parser.add_argument(
        "--write", type=Path, metavar="PAGE", help="write the page, and its chart and figures beside it"
    )
    parser.add_argument("--closing", type=Path, metavar="FILE", help="what benchmarks.closing found, for the page")
    parser.add_argument("--pending", type=Path, metavar="FILE", help="what benchmarks.pending found, for the page")
    parser.add_argument(
        "--huge",
        action="store_true",
        help="let the table grow to ten million orders: 11 GB, and a quarter to half an hour to make them",
    )
    arguments = parser.parse_args()
    check_installed()
    # What was started would else go on: each has a session of its own.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    began = time.monotonic()
    stay_off_the_contenders_core()
    pace = QUICK if arguments.quick else FULL
    orders, guests = (20_000, 200) if arguments.quick else (200_000, 2_000)
    wanted = [each for each in OPERATIONS if not arguments.only or each.name in arguments.only]
    figures = Figures(about.facts(sys.argv[1:], pace, orders, guests))
    if arguments.closing:
        figures.closing = Closing.read(arguments.closing)
    if arguments.pending:
        figures.pending = Pending.read(arguments.pending)
    with tempfile.TemporaryDirectory() as directory:
        load = Load(Path(directory), KEY)
        if wanted:
            with Stage(orders=orders, guests=guests) as stage:
                load.prepare(stage.rows, guests)
                measure(figures, wanted, pace, stage, load)
        if not arguments.only or SCALE in arguments.only:
            scale.measure(figures, load, pace, scale.sizes(quick=arguments.quick, huge=arguments.huge))
            print(f"\n{report.scale_tables(figures)}\n\n{report.plans_table(figures)}")  # noqa: T201
        if not arguments.only or CORES in arguments.only:
            cores.measure(figures, load, pace)
            print(f"\n{report.processes_table(figures)}")  # noqa: T201
    about.end(figures)
    print(f"\n{report.goals_table(figures)}\n")  # noqa: T201
    print("\n".join(f"{name}: {fact}" for name, fact in figures.about.items()))  # noqa: T201
    if arguments.write:
        page.write(figures, arguments.write)
    print(f"took {time.monotonic() - began:.0f} s", file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    main()
