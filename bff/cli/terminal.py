"""What every command of `homestay` shares: settings, running, and one line for what its user can mend."""

import asyncio
import gc
import json
import sys
import threading
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any, Final, NoReturn

import typer
import uvloop

from domain import tracing
from workers import logs
from workers import settings as environment
from workers import tracing as traces
from workers.settings import Settings

# Exit codes: what was asked for is refused, not there, or not so; the command can't be run like this, or here.
NOT_SO: Final = 1
CAN_NOT: Final = 2
# Seconds after which a busy thread lets another one run. With SQLite each step of a statement is another thread's, and
# with Python's 5 ms a request waits for a busy event loop that often; at a hundredth of that, switching costs nothing
# that could be measured.
SWITCH_INTERVAL: Final = 0.0005
# Objects that are made, more than are forgotten, until garbage is looked for among them.
GARBAGE_EVERY: Final = 20_000

# How aiosqlite's threads are called, by their function; and seconds that one gets, at most.
_SQLITE: Final = "_connection_worker_thread"
_PATIENCE: Final = 1.0

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines: docs/command-line.md says which.")]


def lesson(example: str, *, not_so: str = "") -> str:
    """How the help of a command ends.

    Args:
        example: a line to type.
        not_so: when its exit code is 1; empty if it never is.
    """
    codes = ["0 done", f"{NOT_SO} {not_so}", f"{CAN_NOT} can't be run like this, or here", "130 stopped by Ctrl-C"]
    return f"Example: {example}\n\nExit codes: {' · '.join(codes if not_so else [codes[0], *codes[2:]])}."


def read_settings(kind: type[Settings] = Settings) -> Settings:
    """The settings of this process, its logs set up by them.

    Args:
        kind: by what the program does.
    """
    found = environment.settings(kind)
    logs.configure(found)
    return found


def serve(program: Coroutine[Any, Any, None], service: str) -> None:
    """Runs a server until it is stopped.

    Args:
        program: the server.
        service: what it is called in traces.
    """
    try:
        traces.start(service)
    except environment.SettingsError:
        program.close()
        raise
    sys.setswitchinterval(SWITCH_INTERVAL)
    # What is there by now stays; it need not be looked through again and again for garbage. And a request leaves little
    # that refers to itself: it need not be looked for every 700 objects, as is usual, which is several times a page.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_EVERY, 20, 20)
    with explained():
        uvloop.run(_with_its_threads(program))
    tracing.finish()


def do(task: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 -- what the task gives
    """Runs a short task to its end and returns what it gives."""
    with explained():
        return asyncio.run(_with_its_threads(task))


async def _with_its_threads(task: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 -- what the task gives
    """Lets SQLite's threads end before the loop does.

    One whose connection could not be opened, or was given up, still tells the loop; without it, it would print a trace.
    """
    try:
        return await task
    finally:
        for thread in threading.enumerate():
            if _SQLITE in thread.name:
                await asyncio.to_thread(thread.join, _PATIENCE)


@contextmanager
def explained() -> Iterator[None]:
    """Says in one line what the user can mend; whatever else goes wrong is a bug and keeps its trace."""
    import redis  # noqa: PLC0415

    from domain.errors import DatabaseUnavailable, HomestayError, Refusal  # noqa: PLC0415
    from workers.migration import NotMigrated  # noqa: PLC0415

    try:
        yield
    except DatabaseUnavailable as error:
        fail(f"the database can't be used: {error.reason}")
    except Refusal as error:
        complain(str(error))
        raise SystemExit(NOT_SO) from None
    except (HomestayError, NotMigrated, OSError) as error:
        fail(str(error))
    except redis.RedisError as error:
        fail(f"the broker can't be used: {error}")
    except KeyboardInterrupt:
        complain("stopped; what is done stays done, and the same command does the rest")
        raise


def edge_at(settings: Settings, port: int) -> str:
    """The line that says where the GraphQL edge is."""
    return f"GraphQL on http://{settings.host}:{port}/graphql"


def say(line: str) -> None:
    """Prints a line at once."""
    typer.echo(line)
    sys.stdout.flush()


def say_json(told: object) -> None:
    """Prints JSON on one line; instants in ISO 8601."""
    say(json.dumps(told, ensure_ascii=False, default=_plain))


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def say_table(heading: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints rows in columns, each as wide as it must be."""
    # A text with a line break, say of an error, must not look like another row.
    lines = [list(heading), *([" ".join(str(cell).split()) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        say("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def say_wide_table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Prints rows in columns; on a terminal that is too narrow for them, with the texts broken into lines."""
    if not sys.stdout.isatty():
        say_table(heading, rows)
        return
    from rich.console import Console  # noqa: PLC0415 -- for those who look
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(*heading, box=None, pad_edge=False)
    table.columns[0].no_wrap = True
    for column in table.columns[1:]:
        column.overflow = "fold"  # rather than cut off
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)


def complain(message: str) -> None:
    """Says on standard error what is wrong."""
    typer.echo(message, err=True)


def fail(message: str) -> NoReturn:
    """Says on standard error why the command can't be run, and ends it."""
    complain(message)
    raise SystemExit(CAN_NOT)
