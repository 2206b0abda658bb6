"""The figures as tables in Markdown, for the terminal and for the page."""

from collections.abc import Iterator

from benchmarks.edge import contenders
from benchmarks.edge.figures import Figures, Measured, growth
from benchmarks.edge.operations import BY_NAME, GOALS
from benchmarks.results import CLOSING_HEAD, PENDING_HEAD

_TITLES = {contender.name: contender.title for contender in contenders.ALL}


def operation_table(figures: Figures, operation: str) -> str:
    """All contenders at one operation."""
    lines = [
        "| | requests/s | p50 ms | p99 ms | CPU µs | core busy | ours is |",
        "|---|---|---|---|---|---|---|",
        *(_line(figures, each) for each in figures.measured if each.operation == operation),
    ]
    return "\n".join(lines)


def _line(figures: Figures, each: Measured) -> str:
    ratio = figures.ratio(each.operation, each.contender)
    said = "" if each.contender == "ours" or ratio is None else f"{ratio:.2f} times as fast"
    name = f"**{_TITLES[each.contender]}**" if each.contender == "ours" else _TITLES[each.contender]
    return f"| {name} | {each.rate:.0f} | {each.p50:.1f} | {each.p99:.1f} | {each.cpu:.0f} | {each.busy:.0%} | {said} |"


def goals_table(figures: Figures) -> str:
    """What ours is meant to reach, beside what it reaches."""
    lines = ["| ours against | must | aim | today | |", "|---|---|---|---|---|"]
    for goal in GOALS:
        ratio = figures.ratio(goal.operation, goal.against, of_p99=goal.of_p99)
        if ratio is not None:
            what = f"{goal.operation}, {goal.against}" + (", p99 (lower is better)" if goal.of_p99 else "")
            lines.append(f"| {what} | {goal.must} | {goal.aim} | {ratio:.2f} | {_verdict(met=goal.is_met(ratio))} |")
    for name, scaled in figures.scaled.items():
        if name != PROCESSES:
            grown = growth(scaled)
            what = f"{name}, cost of {scaled[-1].what} over {scaled[0].what} (lower is better)"
            lines.append(f"| {what} | 1.2 | 1.05 | {grown:.2f} | {_verdict(met=grown <= MOST_GROWTH)} |")
    if closing := figures.closing:
        what = f"orders closed a second per worker, {closing.orders:,} due at once"
        rate = closing.rate_of_a_worker
        lines.append(f"| {what} | 1,500 | 5,000 | {rate:,.0f} | {_verdict(met=rate >= LEAST_CLOSED)} |")
    if pending := figures.pending:
        what = f"a worker's memory with {pending.messages:,} pending closings over an idle one (lower is better)"
        grown = pending.growth
        lines.append(f"| {what} | +20 MB | +5 MB | {grown:+.1f} MB | {_verdict(met=grown <= MOST_MEMORY)} |")
    return "\n".join(lines)


PROCESSES = "processes"
MOST_GROWTH = 1.2
# Orders a second, and megabytes.
LEAST_CLOSED = 1500
MOST_MEMORY = 20


def _verdict(*, met: bool) -> str:
    return "reached" if met else "**missed**"


def scale_tables(figures: Figures) -> str:
    """What size and page do to the cost."""
    return "\n\n".join(_scale_table(name, figures) for name in figures.scaled if name != PROCESSES)


def processes_table(figures: Figures) -> str:
    """What a second process does."""
    return _scale_table(PROCESSES, figures) if PROCESSES in figures.scaled else ""


def _scale_table(name: str, figures: Figures) -> str:
    lines = [
        f"| {name} | requests/s | µs from one answer to the next | p50 ms | p99 ms | edge CPU µs | database CPU µs |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {one.what} | {one.rate:.0f} | {one.wall:.0f} | {one.p50:.1f} | {one.p99:.1f} | {one.cpu:.0f} | "
        f"{one.database:.0f} |"
        for one in figures.scaled[name]
    ]
    return "\n".join(lines)


def closing_tables(figures: Figures) -> str:
    """How orders closed that fell due at once, and what those cost that wait."""
    tables = []
    if figures.closing:
        tables.append(f"{CLOSING_HEAD}\n{figures.closing.line()}")
    if figures.pending:
        tables.append(f"{PENDING_HEAD}\n{figures.pending.line()}")
    return "\n\n".join(tables)


def plans_table(figures: Figures) -> str:
    """How the database runs the statements."""
    rows = [f"| {what} | {plan} |" for what, plan in figures.plans.items()]
    return "\n".join(["| statement | how the database runs it (EXPLAIN) |", "|---|---|", *rows])


def losses(figures: Figures) -> Iterator[str]:
    """Where another contender is faster, by how much, and why."""
    for name in dict.fromkeys(each.operation for each in figures.measured):
        ours = figures.of(name, "ours")
        for contender in contenders.ALL:
            other = figures.of(name, contender.name)
            if ours is None or other is None or contender.name == "ceiling" or other.rate <= ours.rate:
                continue
            yield (
                f"- **{name}**: {contender.title} answers {other.rate / ours.rate:.2f} times as many ({other.cpu:.0f} "
                f"µs of CPU a request, ours {ours.cpu:.0f} µs): {BY_NAME[name].why}."
            )
