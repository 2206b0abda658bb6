"""What more orders, and a page far down, do to the cost of a request to ours.

Each size is a database of its own, with an edge of its own, all there at once: so sizes take turns, and none meets
another machine than the others. Guests have about as many orders everywhere, and as far apart as where all
order at once: more orders are more guests.

    python -m benchmarks.edge --only scale [--huge]
"""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

from benchmarks.edge import contenders
from benchmarks.edge.contenders import Running
from benchmarks.edge.course import Pace
from benchmarks.edge.figures import Figures
from benchmarks.edge.load import Load
from benchmarks.edge.probe import Probe, Subject, explain, statements
from benchmarks.edge.rows import Rows
from benchmarks.edge.stage import Stage

# Guests who are asked at each size: as many rows are read of a small table as of a large one.
GUESTS: Final = 200
ORDERS_OF_A_GUEST: Final = 50
PAGE: Final = 20
PAGES: Final = (1, 500)
_KINDS: Final = ("list", "detail")


def sizes(*, quick: bool, huge: bool) -> tuple[int, ...]:
    """How many orders the tables hold."""
    if quick:
        return (10_000, 100_000)
    return (10_000, 100_000, 1_000_000, *([10_000_000] if huge else []))


def measure(figures: Figures, load: Load, pace: Pace, wanted: Sequence[int]) -> None:
    """Asks ours the same where there are few orders and where there are many; then for pages."""
    grown: list[Rows] = []

    def grow(stage: Stage) -> None:
        for orders in wanted:
            rows = stage.more_rows(f"orders_{orders}")
            with stage.mariadb_in_haste():
                rows.grow(orders, guests=orders // ORDERS_OF_A_GUEST, payments=False)
                if orders == max(wanted):
                    rows.grow_heavy(PAGE * (max(PAGES) + 1))
            rows.analyze()
            # Those that will be asked for.
            stage.rows.pay_for(rows, GUESTS)
            grown.append(rows)

    with Stage(orders=0, guests=GUESTS, more=grow) as stage, ExitStack() as stack:
        edges: list[Running] = []
        for rows in grown:
            load.prepare(rows, GUESTS, named=f"-{rows.orders}")
            url = stage.url_of(rows)
            edges.append(contenders.start(contenders.OURS, {**stage.environment, "HOMESTAY_DATABASE_URL": url}))
            stack.callback(edges[-1].process.kill)
        probe = Probe(stage, load, pace)
        for kind in _KINDS:
            title = f"{kind} by orders in the table"
            subjects = [
                Subject(edge, f"{kind}-{rows.orders}", f"{size:,}")
                for edge, rows, size in zip(edges, grown, wanted, strict=True)
            ]
            figures.scaled[title] = probe.compare(title, subjects)
            for edge, rows, size in zip(edges, grown, wanted, strict=True):
                _explain(figures, stage, edge, rows, f"{kind}, {size:,}", load.sample(f"{kind}-{rows.orders}", 1)[0])
        title = "list by page"
        subjects = _pages(load, edges[-1], grown[-1])
        figures.scaled[title] = probe.compare(title, subjects)
        for each in subjects:
            _explain(figures, stage, edges[-1], grown[-1], each.what, load.sample(each.requests, 1)[0])


def _pages(load: Load, edge: Running, rows: Rows) -> list[Subject]:
    subjects = []
    for number in PAGES:
        name = f"page{number}"
        load.prepare_page(name, None if number == 1 else rows.cursor_after_heavy(PAGE * (number - 1)))
        subjects.append(Subject(edge, name, f"page {number}"))
    return subjects


def _explain(  # noqa: PLR0917 -- all of one request
    figures: Figures, stage: Stage, edge: Running, rows: Rows, what: str, request: tuple[str, str]
) -> None:
    asked = statements(stage.mariadb, edge, *request)
    # Two statements that are run alike are told once.
    told = dict.fromkeys(explain(stage.mariadb, rows.database, each) for each in asked)
    figures.plans[what] = "; ".join(told)
