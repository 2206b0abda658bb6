"""Programs that run beside the tests: started, awaited, signalled and surely ended."""

import atexit
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from tests.servers.scratch import scratch_directory

_POLL_SECONDS: Final = 0.01
_TAIL_LINES: Final = 40

_running: set["Process"] = set()


class ProcessFailed(Exception):
    """A program ended early or did not get ready. The message holds the tail of its output."""


class Process:
    """A program in a process group of its own, its output kept in a file.

    `env` is the whole environment, as with subprocess. `ready` is asked until it says yes, or is a pattern to await
    in the output. Used as a context manager, it kills what still runs at the end.
    """

    def __init__(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        ready: Callable[[], bool] | re.Pattern[str] | None = None,
        log: Path | None = None,
    ) -> None:
        self.argv: Final = tuple(str(word) for word in argv)
        self.log: Final = log or scratch_directory(Path(self.argv[0]).name) / "output.log"
        self._env = env
        self._cwd = cwd
        self._ready = ready
        self._popen: subprocess.Popen[bytes] | None = None
        self._log_offset = 0
        self._paused = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> Self:
        """Start the program, for the first time or again, and do not wait for it."""
        if self.alive:
            raise RuntimeError(f"{self.argv[0]} runs already")
        with self.log.open("ab") as log:
            self._log_offset = log.tell()
            # A session of its own: Ctrl-C in the terminal is for pytest, which then ends the programs in order.
            self._popen = subprocess.Popen(  # noqa: S603 -- the tests' own words
                self.argv,
                env=self._env,
                cwd=self._cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _running.add(self)
        return self

    def wait_ready(self, deadline: float = 30.0) -> None:
        """Wait until the program is ready; raise ProcessFailed when it ends before, or takes more seconds."""
        end = time.monotonic() + deadline
        while True:
            if not self.alive:
                raise self._failure(f"ended with exit code {self.exit_code} before it was ready")
            if self._is_ready():
                return
            if time.monotonic() > end:
                raise self._failure(f"was not ready within {deadline:g} s")
            time.sleep(_POLL_SECONDS)

    def wait(self, deadline: float = 10.0) -> int:
        """Wait until the program ends by itself and give its exit code; raise ProcessFailed after so many seconds."""
        if not self._ends_within(deadline):
            raise self._failure(f"did not end within {deadline:g} s")
        return self._reaped()

    def terminate(self, deadline: float = 10.0) -> int:
        """Ask the program to end (SIGTERM) and give its exit code; it is -9 if it had to be killed at the deadline."""
        if self.alive:
            # To the program alone, as Docker does: whether its children hear of it is its own business.
            os.kill(self.pid, signal.SIGTERM)
            self.resume()
            self._ends_within(deadline)
        self.kill()
        return self._reaped()

    def kill(self) -> None:
        """End the program and its children at once (SIGKILL), if it runs."""
        if self.alive:
            self._signal_group(signal.SIGKILL)
            self._started.wait()
            self._reaped()

    def pause(self) -> None:
        """Stop the program and its children in mid-air (SIGSTOP): connections stay, answers don't come."""
        self._signal_group(signal.SIGSTOP)
        self._paused = True
        if sys.platform == "linux":
            # The signal only asks; wait until all threads of the program stand still.
            os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """Let it go on (SIGCONT) if it was paused."""
        if self._paused:
            self._signal_group(signal.SIGCONT)
            self._paused = False

    @property
    def alive(self) -> bool:
        return self.exit_code is None and self._popen is not None

    @property
    def exit_code(self) -> int | None:
        """The exit code, negative for a signal; None while the program runs or was never started."""
        if self._popen is None or self._popen.poll() is None:
            return None
        return self._reaped()

    @property
    def pid(self) -> int:
        return self._started.pid

    def output(self) -> str:
        """What the program has written since it was last started."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(self._log_offset)
            return log.read().decode(errors="replace")

    @property
    def _started(self) -> subprocess.Popen[bytes]:
        if self._popen is None:
            raise RuntimeError(f"{self.argv[0]} was never started")
        return self._popen

    def _is_ready(self) -> bool:
        if self._ready is None:
            return True
        if isinstance(self._ready, re.Pattern):
            return self._ready.search(self.output()) is not None
        return self._ready()

    def _ends_within(self, deadline: float) -> bool:
        with suppress(subprocess.TimeoutExpired):
            self._started.wait(deadline)
        return not self.alive

    def _reaped(self) -> int:
        """Give the exit code of a program that has ended, and end the children that it left behind."""
        if self in _running:
            _running.discard(self)
            self._paused = False
            # Right after the end: later, the number of its group may be that of a stranger's.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        return self._started.returncode

    def _signal_group(self, number: signal.Signals) -> None:
        if not self.alive:
            raise self._failure("does not run any more")
        os.killpg(self.pid, number)

    def _failure(self, what: str) -> ProcessFailed:
        tail = "\n".join(self.output().splitlines()[-_TAIL_LINES:])
        return ProcessFailed(f"{Path(self.argv[0]).name} {what}; its output ends:\n{tail}")


@atexit.register
def _kill_all() -> None:
    for process in list(_running):
        process.kill()
