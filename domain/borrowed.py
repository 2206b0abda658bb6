"""Connections of SQLAlchemy's pool, for those who talk to the driver: without a greenlet, where nothing is waited for.

The pool goes into a greenlet and makes an object around a connection each time, for it may have to connect, to ping, or
to wait until one comes free. Mostly a connection lies there that was answered a moment ago, and needs to be taken out
and laid back. That is done here, on the pool's own queue: so its bound, those who wait for a connection, and its
figures stay what they are. Whatever else comes is left to the pool.

Of SQLAlchemy this uses the pool's queue (`_pool`), its entries' state and `_return_conn`, which are not public: the
version is pinned, and tests count the connections.
"""

from types import TracebackType
from typing import Any, Self, cast

from sqlalchemy import Engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry, Pool, PoolProxiedConnection
from sqlalchemy.util import greenlet_spawn
from sqlalchemy.util.queue import Empty

from domain.engine import mistake_of
from domain.mysql_driver import GuardedConnection


class Borrowed:
    """A connection of an engine's pool, from the beginning of a `with` to its end.

    What the driver raises in between is raised as SQLAlchemy raises it. A connection that is lost, or that is given up
    while it is waited for, is left; of any other, what is open is rolled back.

    Attributes:
        dialect: what the driver speaks.
        driver: the driver's connection.
    """

    __slots__ = ("_engine", "_entry", "_pool", "_proxy", "dialect", "driver")

    driver: GuardedConnection

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # That of now: an engine that is closed gets another one.
        self._pool = engine.pool
        self._entry: ConnectionPoolEntry | None = None
        self._proxy: PoolProxiedConnection | None = None
        self.dialect = engine.dialect

    async def __aenter__(self) -> Self:
        entry = self._entry = _taken_out(self._pool)
        if entry is not None:
            self.driver = cast("GuardedConnection", entry.driver_connection)
            return self
        try:
            self._proxy = await greenlet_spawn(self._engine.raw_connection)
        except self.dialect.loaded_dbapi.Error as error:
            raise mistake_of(error, self.dialect) from error
        self.driver = cast("GuardedConnection", self._proxy.driver_connection)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            await self._give_back()
        elif isinstance(error, self.dialect.loaded_dbapi.Error):
            mistake = mistake_of(error, self.dialect)
            if mistake.connection_invalidated:
                await self.invalidate(error)
            await self._give_back()
            raise mistake from error
        else:
            if not isinstance(error, Exception):
                # What comes late would be the answer to another's question.
                await self.invalidate(error)
            await self._give_back()

    async def invalidate(self, error: BaseException) -> None:
        """Leaves the connection to nobody, and its place in the pool to another."""
        entry, proxy = self._forget()
        if proxy is not None:
            proxy.invalidate(error)
        elif entry is not None:
            try:
                entry.invalidate(error)
            finally:
                _lay_back(self._pool, entry)

    async def _give_back(self) -> None:
        if self._entry is None and self._proxy is None:
            return
        try:
            await self.driver.rollback()  # of what is open, which mostly is nothing
        except BaseException as error:
            await self.invalidate(error)
            if not isinstance(error, Exception):
                raise
            return
        if self.driver.closed:
            await self.invalidate(EOFError("it was lost when it was given back"))
            return
        entry, proxy = self._forget()
        if entry is not None:
            _lay_back(self._pool, entry)
        elif proxy is not None:
            await greenlet_spawn(proxy.close)

    def _forget(self) -> tuple[ConnectionPoolEntry | None, PoolProxiedConnection | None]:
        held = self._entry, self._proxy
        self._entry = self._proxy = None
        return held


def _taken_out(pool: Pool) -> ConnectionPoolEntry | None:
    """A connection that lies in a pool and is good; None where there is none, or the pool has more to do than that."""
    told: Any = pool.dispatch
    if not isinstance(pool, AsyncAdaptedQueuePool) or told.checkout or told.checkin or told.reset:
        return None
    queue = pool._pool  # noqa: SLF001 -- see above
    try:
        entry = queue.get_nowait()
    except Empty:
        return None
    if _is_good(entry, pool):
        return entry
    # It is the first that the pool comes upon, and sees what is to be done about it.
    queue.put_nowait(entry)
    return None


def _is_good(entry: Any, pool: Any) -> bool:  # noqa: ANN401 -- what is asked of them is not public
    if entry._is_hard_or_soft_invalidated():  # noqa: SLF001
        return False
    driver: GuardedConnection = entry.driver_connection
    return driver.age <= pool._recycle and driver.is_good  # noqa: SLF001


def _lay_back(pool: Pool, entry: ConnectionPoolEntry) -> None:
    pool._return_conn(entry)  # noqa: SLF001 -- see above
