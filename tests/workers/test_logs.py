import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
import pytest
import structlog
from opentelemetry.sdk.trace import TracerProvider

from domain import tracing
from domain.errors import DatabaseUnavailable, HomestayError, InvalidInput
from workers import logs
from workers.settings import Settings
from workers.telemetry import OpenTelemetry

SECRET = "K7" + "QX90AB"  # in two halves, so that no line of source in a trace holds it


@dataclass
class Place:
    """A value that JSON has no word for."""

    number: int


@pytest.fixture(autouse=True)
def untouched_logging() -> Iterator[None]:
    """The tests' own logging comes back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def fail_with_a_secret_at_hand() -> None:
    trade_code = SECRET
    structlog.get_logger("test").info("before", sn="HSO1")
    raise RuntimeError(f"a bug with {len(trade_code)} characters at hand")


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_trace_says_where_and_never_with_what(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(Settings(log_format="json" if form == "json" else "console"))
    try:
        fail_with_a_secret_at_hand()
    except RuntimeError:
        structlog.get_logger("test").exception("request failed")
    written = capsys.readouterr().err
    assert "fail_with_a_secret_at_hand" in written
    assert "a bug with 8 characters at hand" in written
    assert SECRET not in written


def test_a_line_of_json_is_one_event(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(Settings(log_format="json"))
    structlog.get_logger("test").info("order placed", sn="HSO1")
    logging.getLogger("somebody.else").warning("a library's words")
    ours, theirs = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (ours["event"], ours["sn"], ours["level"]) == ("order placed", "HSO1", "info")
    assert (theirs["event"], theirs["logger"]) == ("a library's words", "somebody.else")


@pytest.mark.parametrize("error", [DatabaseUnavailable("gone away"), InvalidInput("gone away")])
def test_what_is_no_bug_is_one_line_without_a_trace_whoever_logs_it(
    error: HomestayError, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(Settings(log_format="json"))
    try:
        raise error
    except HomestayError:
        structlog.get_logger("test").exception("request failed")
        logging.getLogger("dramatiq.worker").exception("message failed")
    structlog.get_logger("test").error("job failed", exc_info=error)
    logging.getLogger("sqlalchemy.pool.impl.AsyncAdaptedQueuePool").error("reset", exc_info=OSError("gone away"))
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["event"] for line in lines] == ["request failed", "message failed", "job failed", "reset"]
    assert all("gone away" in line["reason"] and not {"exception", "exc_info"} & line.keys() for line in lines)


def test_a_line_says_whose_step_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(Settings(log_format="json"))
    tracing.install(OpenTelemetry(TracerProvider(shutdown_on_exit=False)))
    with tracing.span("step"):
        trace = tracing.trace_id()
        structlog.get_logger("test").info("ours")
        logging.getLogger("somebody.else").warning("theirs")
    structlog.get_logger("test").info("outside")
    tracing.install(None)
    ours, theirs, outside = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert ours["trace_id"] == theirs["trace_id"] == trace
    assert len(trace) == 32
    assert "trace_id" not in outside


def test_an_address_that_was_asked_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(Settings(log_level="debug", log_format="json"))
    with httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(204))) as http:
        http.post("https://receiver/?word=secret")
    assert "secret" not in capsys.readouterr().err


def test_whatever_is_told_is_one_line_of_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(Settings(log_format="json"))
    at = datetime(2026, 5, 20, tzinfo=UTC)
    told = {
        "far": "早点到 🏡",
        "ends": "a\u2028b\x85c\nd",
        "half": "\ud83c",
        "much": 2**70,
        "at": at,
        "where": Place(1),
    }
    for name, value in told.items():
        structlog.get_logger("test").info("told", **{name: value})
    written = capsys.readouterr().err
    assert written.isascii()
    assert written.count("\n") == len(written.splitlines()) == len(told)
    lines = [json.loads(line) for line in written.splitlines()]
    kept = [line[name] for line, name in zip(lines, told, strict=True)]
    assert kept == [*list(told.values())[:4], repr(at), repr(Place(1))]
