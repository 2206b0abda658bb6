"""Engines and transactions: the settings that make MySQL/MariaDB and SQLite safe, and retry of whole transactions."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

from sqlalchemy import URL, Connection, event, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random

T = TypeVar("T")

ATTEMPTS: Final = 3
# Seconds that a stop waits for commits under way; a database that hangs must not hold a program that ends.
CLOSE_WITHIN: Final = 2.0
# 1213 deadlock (the whole transaction is gone), 1205 lock wait (only the statement is gone, so the rest must go
# too), 1020 record changed. All three say: nothing was committed, run it again.
_MYSQL_TRY_AGAIN: Final = frozenset({1213, 1205, 1020})
_STRICT: Final = "STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
_SQLITE_SET_UP: Final = (
    "PRAGMA busy_timeout = 5000",
    # Readers and one writer at once.
    "PRAGMA journal_mode = WAL",
    # What was acknowledged outlives a loss of power.
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
)


class Database:
    """Transactions on one engine. Belongs to the event loop that first uses it."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._reading = engine.execution_options(read_only=True)
        self._writes: set[asyncio.Task[Any]] = set()

    async def write(self, work: Callable[[AsyncConnection], Coroutine[Any, Any, T]]) -> T:
        """Runs `work` in one transaction and commits it; runs it again when the database asks for that.

        A caller that is cancelled does not cancel the transaction: half a commit would be an unknown result. So
        `work` may run more than once, and must have no effect but in the database.

        Raises:
            DBAPIError: the database failed, or still asked for another try after `ATTEMPTS`.
        """
        task = asyncio.create_task(self._commit(work))
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        return await asyncio.shield(task)

    async def _commit(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        async for attempt in AsyncRetrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_random(0.01, 0.1),
            retry=retry_if_exception(asks_for_another_try),
            reraise=True,
        ):
            with attempt:
                async with self.engine.begin() as connection:
                    return await work(connection)
        raise AssertionError("tenacity returns or raises")

    async def read(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Runs `work` in one transaction that writes nothing."""
        async with self._reading.begin() as connection:
            return await work(connection)

    async def ping(self) -> None:
        """Asks the database for nothing.

        Raises:
            DBAPIError: it can't be asked.
        """
        await self.read(lambda connection: connection.execute(text("select 1")))

    async def close(self) -> None:
        """Waits a little for transactions under way, then closes every connection. Must run before its loop ends."""
        if self._writes:
            await asyncio.wait(self._writes, timeout=CLOSE_WITHIN)
        await self.engine.dispose()


def asks_for_another_try(error: BaseException) -> bool:
    """Whether the database says that nothing was committed and the transaction may be run again."""
    if not isinstance(error, DBAPIError) or error.orig is None:
        return False
    if isinstance(error.orig.__cause__, sqlite3.OperationalError) or "sqlite" in type(error.orig).__module__:
        return "locked" in str(error.orig)
    return bool(error.orig.args) and error.orig.args[0] in _MYSQL_TRY_AGAIN


def create_engine(url: str | URL) -> AsyncEngine:
    """Returns an engine with the guards of its kind of database.

    Raises:
        ValueError: neither `mysql+aiomysql` nor `sqlite+aiosqlite`.
    """
    url = make_url(url)
    match url.drivername:
        case "mysql+aiomysql":
            return _create_mysql_engine(url)
        case "sqlite+aiosqlite":
            return _create_sqlite_engine(url)
    raise ValueError("a database URL starts with mysql+aiomysql:// or sqlite+aiosqlite:///")


def _create_mysql_engine(url: URL) -> AsyncEngine:
    return create_async_engine(
        url,
        isolation_level="READ COMMITTED",
        hide_parameters=True,
        # Overload is to fail fast and be told, not to queue: ten connections keep a MySQL core busy.
        pool_size=10,
        max_overflow=0,
        pool_timeout=2,
        pool_recycle=1800,
        pool_pre_ping=True,
        pool_use_lifo=True,
        connect_args={
            "connect_timeout": 2,
            "charset": "utf8mb4",
            "init_command": f"SET innodb_lock_wait_timeout=3, time_zone='+00:00', sql_mode='{_STRICT}'",
        },
    )


def _create_sqlite_engine(url: URL) -> AsyncEngine:
    engine = create_async_engine(url, hide_parameters=True, connect_args={"timeout": 5})

    @event.listens_for(engine.sync_engine, "connect")
    def set_up(connection: Any, _: ConnectionPoolEntry) -> None:  # noqa: ANN401 -- a DBAPI connection has no type
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in _SQLITE_SET_UP:
            cursor.execute(pragma)
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        # A plain BEGIN that writes later fails at once when another writer came between, whatever the timeout.
        read_only = connection.get_execution_options().get("read_only", False)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine
