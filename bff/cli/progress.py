"""How far a long command is: on a terminal, on standard error. In a pipe or a log, where nobody looks, nothing is."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# What is being done, how much of it is done, and of how much; None where nobody knows.
Tell = Callable[[str, int, int | None], None]


@contextmanager
def shown(*, steady: bool = True) -> Iterator[Tell]:
    """Shows what it is told while it is open, and takes it away at the end.

    Args:
        steady: draw it several times a second, from a thread; else only when something is told, which costs a
            measurement nothing in between.
    """
    if not sys.stderr.isatty():
        yield _nobody
        return
    from rich import progress  # noqa: PLC0415 -- for those who look
    from rich.console import Console  # noqa: PLC0415

    bar = progress.Progress(
        progress.SpinnerColumn(),
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.TaskProgressColumn(),
        progress.TimeElapsedColumn(),
        console=Console(stderr=True),
        auto_refresh=steady,
        # What is printed meanwhile goes where it should, which is above the bar if that is the terminal.
        redirect_stdout=sys.stdout.isatty(),
        transient=True,
    )
    task = bar.add_task("", total=None)

    def tell(what: str, done: int, total: int | None) -> None:
        bar.update(task, description=what, completed=done, total=total, refresh=not steady)

    with bar, _logs_above():
        yield tell


def _nobody(what: str, done: int, total: int | None) -> None:
    """Tells nobody."""


@contextmanager
def _logs_above() -> Iterator[None]:
    """Has log lines written above the bar: handlers keep the standard error that they were made with."""
    handlers = [each for each in logging.getLogger().handlers if isinstance(each, logging.StreamHandler)]
    streams = [handler.setStream(sys.stderr) for handler in handlers]
    try:
        yield
    finally:
        for handler, stream in zip(handlers, streams, strict=True):
            if stream is not None:  # it was there already
                handler.setStream(stream)
