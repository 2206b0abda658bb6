"""Long work shows how far it is to whoever looks at a terminal, and to nobody else; Ctrl-C ends it cleanly."""

import json
import os
import pty
import re
import select
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from tests.system.installation import BIN, Installation

ORDERS: Final = 3000
NIGHTS: Final = "orders have theirs"
CLOSED: Final = "orders closed"
# Seconds that a busy machine may need for any of this.
PATIENCE: Final = 60
_CONTROL: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """With many orders that nobody gave nights, and that should have closed long ago."""
    with Installation(tmp_path) as installation:
        assert installation.command("migrate").returncode == 0
        start = datetime.now(UTC).date() + timedelta(days=30)
        rows = [
            (f"HSO20260520120000{number:08d}", number + 1, number + 1, str(start), str(start + timedelta(days=2)))
            for number in range(ORDERS)
        ]
        with sqlite3.connect(tmp_path / "homestay.sqlite3") as database:
            database.executemany(
                "insert into homestay_order (sn, user_id, homestay_id, people_num, live_people_num, live_start_date,"
                " live_end_date, close_at) values (?, ?, ?, 4, 2, ?, ?, '2026-05-20 12:20:00.000')",
                rows,
            )
        database.close()
        yield installation


class Watched:
    """A command whose standard error is a terminal, 100 columns wide."""

    def __init__(self, installation: Installation, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        self.seen = ""
        self._popen = subprocess.Popen(  # noqa: S603 -- our own command line
            [BIN / "homestay", *arguments],
            env=installation.environment | {"TERM": "xterm", "COLUMNS": "100"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=theirs,
            text=True,
        )
        os.close(theirs)

    def wait_for(self, text: str) -> None:
        """Looks until the terminal shows this."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.seen:
            assert time.monotonic() < deadline, self.seen
            if not self._look():
                break
        assert text in self.seen, self.seen

    def interrupt(self) -> None:
        self._popen.send_signal(signal.SIGINT)

    def end(self) -> tuple[int, str]:
        """Waits for the end; returns the exit code, and what came on standard output."""
        while self._look():
            pass
        out, _ = self._popen.communicate(timeout=PATIENCE)
        os.close(self._ours)
        return self._popen.returncode, out

    def kill(self) -> None:
        self._popen.kill()

    def _look(self) -> bool:
        if select.select([self._ours], [], [], PATIENCE)[0]:
            try:
                found = os.read(self._ours, 65536)
            except OSError:  # the other end is closed
                return False
            self.seen += _CONTROL.sub("", found.decode(errors="replace"))
            return bool(found)
        return False


@contextmanager
def watched(installation: Installation, *arguments: str) -> Iterator[Watched]:
    command = Watched(installation, *arguments)
    try:
        yield command
    finally:
        command.kill()


def test_a_migration_is_watched_at_a_terminal_and_told_in_json_beside_it(installation: Installation) -> None:
    with watched(installation, "migrate", "--json") as command:
        code, out = command.end()
    assert (code, json.loads(out)["adopted"]) == (0, ORDERS), command.seen
    assert NIGHTS in command.seen
    assert re.search(r"[1-9][0-9]?%", command.seen)


def test_nobody_is_shown_anything_in_a_pipe(installation: Installation) -> None:
    installation.environment |= {"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1"}
    piped = installation.command("migrate", "--json")
    assert (piped.returncode, json.loads(piped.stdout)["adopted"]) == (0, ORDERS)
    assert NIGHTS not in piped.stderr
    assert "\x1b[?25l" not in piped.stderr
    assert len(piped.stderr.splitlines()) <= 1  # the log's line


def test_a_migration_that_is_interrupted_goes_on_where_it_was(installation: Installation) -> None:
    with watched(installation, "migrate") as command:
        command.wait_for(NIGHTS)
        command.interrupt()
        code, out = command.end()
    assert (code, out) == (130, ""), command.seen
    assert "stopped; what is done stays done" in command.seen
    assert "Traceback" not in command.seen
    rest = json.loads(installation.command("migrate", "--json").stdout)
    assert 0 < rest["adopted"] < ORDERS


def test_a_long_sweep_is_watched_and_may_be_interrupted(installation: Installation) -> None:
    installation.start("payment-rpc")
    with watched(installation, "sweep", "--once", "--json") as command:
        command.wait_for(CLOSED)
        command.interrupt()
        code, out = command.end()
    assert (code, out) == (130, ""), command.seen
    assert "Traceback" not in command.seen
    with watched(installation, "sweep", "--once", "--json") as command:
        code, out = command.end()
    swept = json.loads(out)
    assert (code, swept["overdue"]) == (0, swept["closed"]), command.seen
    assert 0 < swept["closed"] < ORDERS
    assert re.search(r"[1-9][0-9]*%", command.seen)
