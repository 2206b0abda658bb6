"""The table that a run ends with."""

from collections.abc import Iterator, Sequence

from tests.conformance.runs import Check, Outcome, Run

_HEAD = ("tool", "version", "checks", "passed", "not yet", "seconds")
# Lines of an explanation that are shown.
_SHOWN = 25


def text(runs: Sequence[Run], seconds: float) -> str:
    """What was wrong, what is not there yet, and the table."""
    return "\n".join([*_explanations(runs), *_table(runs, seconds), "", _summary(runs)]) + "\n"


def failed(runs: Sequence[Run]) -> bool:
    return any(run.of(Outcome.FAILED) for run in runs)


def _explanations(runs: Sequence[Run]) -> Iterator[str]:
    for run in runs:
        for check in run.checks:
            if check.outcome is not Outcome.PASSED or check.detail:
                yield from _explanation(run.tool.name, check)
    yield ""


def _explanation(tool: str, check: Check) -> Iterator[str]:
    match check.outcome:
        case Outcome.PASSED:
            yield f"note     {tool}: {check.name}: {check.detail}"
        case Outcome.NOT_YET:
            yield f"not yet  {tool}: {check.name}"
        case Outcome.FAILED:
            yield f"FAILED   {tool}: {check.name}"
            yield from (f"         {line}" for line in check.detail.splitlines()[:_SHOWN])


def _table(runs: Sequence[Run], seconds: float) -> Iterator[str]:
    rows = [_HEAD, *(_row(run) for run in runs), _total(runs, seconds)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    for number, row in enumerate(rows):
        if number in {1, len(rows) - 1}:
            yield "  ".join("-" * width for width in widths)
        words = [row[i].ljust(width) if i <= 1 else row[i].rjust(width) for i, width in enumerate(widths)]
        yield "  ".join(words).rstrip()


def _row(run: Run) -> tuple[str, ...]:
    return (run.tool.name, run.tool.versions(), *_counts([run]), f"{run.seconds:.1f}")


def _total(runs: Sequence[Run], seconds: float) -> tuple[str, ...]:
    return ("all", "", *_counts(runs), f"{seconds:.1f}")


def _counts(runs: Sequence[Run]) -> tuple[str, str, str]:
    passed, not_yet = (sum(len(run.of(outcome)) for run in runs) for outcome in (Outcome.PASSED, Outcome.NOT_YET))
    return str(sum(len(run.checks) for run in runs)), str(passed), str(not_yet or "")


def _summary(runs: Sequence[Run]) -> str:
    passed, bad = (sum(len(run.of(outcome)) for run in runs) for outcome in (Outcome.PASSED, Outcome.FAILED))
    return f"{passed} passed, {bad} failed"
