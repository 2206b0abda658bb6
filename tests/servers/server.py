"""What the servers have in common: a port, a data directory, and a life that tests may cut short."""

import shutil
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Final, Self

from tests.servers.ports import free_port
from tests.servers.processes import Process
from tests.servers.scratch import scratch_directory

_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 20.0


class Server(ABC):
    """A server on 127.0.0.1 whose port and data outlive its process, until close() or the end of the `with` block."""

    def __init__(self) -> None:
        self.port: Final = free_port()
        self._directory: Path | None = None
        self._process: Process | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    @abstractmethod
    def url(self) -> str: ...

    @abstractmethod
    def _assemble(self, directory: Path) -> Process:
        """Lay out the data in the directory and give the program that serves it, or raise ServerMissing."""

    @abstractmethod
    def _answers(self) -> bool:
        """Say whether this server, and not a stranger on its port, answers queries."""

    def start(self) -> Self:
        """Start the server and wait until it answers.

        Raises:
            ServerMissing: it is not installed.
            ProcessFailed: it did not start; the message holds the tail of its log.
        """
        if self._process is None:
            self._directory = self._directory or scratch_directory(type(self).__name__.lower())
            self._process = self._assemble(self._directory)
        self._process.start()
        try:
            self._process.wait_ready(_START_SECONDS)
        except BaseException:
            self._process.kill()
            raise
        return self

    def stop(self) -> None:
        """Stop in order (SIGTERM); a server that takes too long is killed."""
        self.process.terminate(_STOP_SECONDS)

    def kill(self) -> None:
        """Break off (SIGKILL)."""
        self.process.kill()

    def pause(self) -> None:
        """Freeze (SIGSTOP): the port still takes connections, but nothing answers."""
        self.process.pause()

    def resume(self) -> None:
        self.process.resume()

    def restart(self) -> None:
        """Start again on the same port and data, after a stop in order if it still runs."""
        self.stop()
        self.start()

    def close(self) -> None:
        """End for good, data and all."""
        if self._process is not None:
            self._process.kill()
            self._process = None
        if self._directory is not None:
            shutil.rmtree(self._directory)
            self._directory = None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.alive

    @property
    def process(self) -> Process:
        """The server's process, with its pid and its log."""
        if self._process is None:
            raise RuntimeError(f"{type(self).__name__} was never started")
        return self._process
