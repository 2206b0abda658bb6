"""Redis servers."""

import shutil
from contextlib import closing
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.servers.missing import find_program
from tests.servers.processes import Process
from tests.servers.server import Server


class Redis(Server):
    """A Redis server. With `appendonly` it keeps its data over a restart, and what it has answered over a kill."""

    def __init__(self, *, appendonly: bool = True) -> None:
        super().__init__()
        self._appendonly = appendonly

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def wipe(self) -> None:
        """Remove all keys of all databases."""
        with closing(self._client(timeout=10.0)) as client:
            client.flushall()

    def forget(self) -> None:
        """Remove what a server that is down has kept: it starts empty, as after the loss of its disk."""
        if self.alive or self._directory is None:
            raise RuntimeError("a server forgets what it kept while it is down")
        shutil.rmtree(self._directory / "appendonlydir", ignore_errors=True)

    def _client(self, timeout: float) -> redis.Redis:
        return redis.Redis(port=self.port, socket_timeout=timeout, retry=Retry(NoBackoff(), 0))

    def _assemble(self, directory: Path) -> Process:
        argv = [
            find_program("redis-server", package="redis-server"),
            *("--bind", "127.0.0.1"),
            *("--port", str(self.port)),
            *("--dir", str(directory)),
            *("--appendonly", "yes" if self._appendonly else "no"),
            # No snapshots: they would bring data back that no appendonly file has kept.
            *("--save", ""),
        ]
        return Process(argv, ready=self._answers, log=directory / "redis.log")

    def _answers(self) -> bool:
        try:
            with closing(self._client(timeout=1.0)) as client:
                return bool(client.info("server")["process_id"] == self.process.pid)
        except redis.RedisError:
            return False
