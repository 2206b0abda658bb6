"""The same code in less time: SQLite without its thread, and a loop on which pauses take none.

Nothing of ours is replaced. What is left out is what costs a property test most of its time: the way to a thread and
back at each statement, the disk's confirmation at each commit, and sleep.
"""

import asyncio
import selectors
import sqlite3
from collections.abc import Callable, Coroutine, Generator
from pathlib import Path
from typing import Any, Self, TypeVar

import aiosqlite
from sqlalchemy import Dialect, event
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import ConnectionPoolEntry

from domain.database import Database
from domain.engine import create_engine
from workers import migration

T = TypeVar("T")

_Job = tuple[asyncio.Future[Any] | None, Callable[[], Any]]


class _AtOnce:
    """Where aiosqlite queues work for its thread: here it is done before it could be queued."""

    def put_nowait(self, job: _Job) -> None:
        future, function = job
        try:
            result = function()
        except Exception as error:  # noqa: BLE001 -- it is the awaiter's
            if future is not None:
                future.set_exception(error)
        else:
            if future is not None:
                future.set_result(result)


class _Connection(aiosqlite.Connection):
    """A connection whose thread is never started."""

    def __init__(self, connector: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connector, iter_chunk_size=64)
        self._tx = _AtOnce()  # type: ignore[assignment]

    def __await__(self) -> Generator[Any, None, aiosqlite.Connection]:
        return self._connect().__await__()


class _Selector(selectors.DefaultSelector):
    """Counts the seconds that it was to wait, instead of waiting."""

    skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(None if timeout is None else 0)
        if not ready and timeout is not None and timeout > 0:
            self.skipped += timeout
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._seconds = _Selector()
        super().__init__(self._seconds)

    def time(self) -> float:
        return super().time() + self._seconds.skipped


class Stage:
    """One loop and one database with our tables, for many short runs one after the other."""

    def __init__(self, file: Path) -> None:
        self._loop = _Loop()
        self._opened: list[sqlite3.Connection] = []
        self.database = Database(self._engine(file))
        self.run(migration.upgrade(self.database))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    def changes(self) -> int:
        """How many rows were ever written: as long as it stays the same, the tables do."""
        return sum(connection.total_changes for connection in self._opened)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.clear()
        self.run(self.database.close())
        self._loop.close()

    def _engine(self, file: Path) -> AsyncEngine:
        engine = create_engine(f"sqlite+aiosqlite:///{file}")

        @event.listens_for(engine.sync_engine, "do_connect")
        def connect(_: Dialect, __: ConnectionPoolEntry, ___: Any, options: dict[str, Any]) -> None:
            options["async_creator_fn"] = self._connection

        @event.listens_for(engine.sync_engine, "connect")
        def set_up(connection: Any, _: ConnectionPoolEntry) -> None:
            cursor = connection.cursor()
            cursor.execute("PRAGMA synchronous = OFF")
            cursor.close()

        return engine

    def _connection(self, file: str, **named: Any) -> _Connection:
        def connect() -> sqlite3.Connection:
            self._opened.append(sqlite3.connect(file, **named))
            return self._opened[-1]

        return _Connection(connect)
