"""Logs: one line an event, for people in development and for machines (JSON) in production."""

import json
import logging
import sys
from collections.abc import Callable
from typing import Any, Final

import orjson
import structlog

from domain import tracing
from domain.errors import Failure, HomestayError
from workers.settings import Settings

# A trace says where, never with what: the values in its frames are tokens, codes and remarks of guests.
_TRACEBACKS: Final = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)
# What JSON has no word for is told as it always was, in one way.
_PASSED_ON: Final = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
_POOL: Final = "sqlalchemy.pool"


def in_one_line(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Says why in one line where something is refused or can't be had: a trace is for bugs, whoever logs it."""
    error = event.get("exc_info")
    if error is True:
        error = sys.exc_info()[1]
    elif isinstance(error, tuple):
        error = error[1]
    if isinstance(error, HomestayError):
        del event["exc_info"]
        event["reason"] = error.reason if isinstance(error, Failure) else error.message
    elif error and str(event.get("logger", "")).startswith(_POOL):
        # A connection broke while it was put back; whoever used it has told its own story.
        del event["exc_info"]
        event["reason"] = repr(error)
    return event


def with_trace(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Says whose step it is, where traces are kept."""
    if trace := tracing.trace_id():
        event["trace_id"] = trace
    return event


def _json(event: structlog.typing.EventDict, default: Callable[[Any], Any]) -> str:
    """An event as JSON of ASCII characters alone, whatever is in it: no line ends where a word of it says so."""
    try:
        line = orjson.dumps(event, default=default, option=_PASSED_ON).decode()
    except TypeError:  # half a character, a number of more than 64 bits, or a key that is no text
        line = ""
    return line if line and line.isascii() else json.dumps(event, default=default)


class _Lines(structlog.WriteLogger):
    """Our own lines, straight to standard error: by way of the libraries' a line costs twice as much."""

    def __init__(self, name: str = "") -> None:
        super().__init__(sys.stderr)
        self.name = name


def configure(settings: Settings) -> None:
    """Sends this process's logs, ours and the libraries', to standard error in one form."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        with_trace,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        in_one_line,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    render: list[structlog.typing.Processor] = (
        [_TRACEBACKS, structlog.processors.JSONRenderer(_json)]
        if settings.logs_json
        else [
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        ]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    logging.basicConfig(handlers=[handler], level=settings.log_level.upper(), force=True)
    # A line for each request or message is what metrics are for, and httpx's holds the address with all that is in it.
    for noisy in ("uvicorn.access", "dramatiq", "alembic", "uvicorn.error", "httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLogger().level))
    # Four lines for each try of a RabbitMQ that is away, with each probe; dramatiq and we say it once.
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[*shared, *render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLogger().level),
        logger_factory=_Lines,
        cache_logger_on_first_use=True,
    )
