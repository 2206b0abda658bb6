"""Transactions: all of one or nothing, run again where the database asks for it; a lost database is told from a bug."""

import asyncio
import random
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, TypeVar

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from domain import tracing
from domain.borrowed import Borrowed
from domain.errors import DatabaseBusy, DatabaseUnavailable, NoConnectionFree
from domain.prepared import DRIVER, Prepared, is_listened_to, select
from domain.together import Together
from domain.tracing import Kind, Span

T = TypeVar("T")
W = TypeVar("W")

ATTEMPTS: Final = 3
# Seconds between two of them, at least and at most.
PAUSE: Final = (0.01, 0.1)
# Seconds that a stop waits for commits under way; a database that hangs must not hold a program that ends.
CLOSE_WITHIN: Final = 2.0
# 1213 deadlock (the whole transaction is gone), 1205 lock wait (only the statement is gone, so the rest must go
# too), 1020 record changed. All three say: nothing was committed, run it again.
_MYSQL_TRY_AGAIN: Final = frozenset({1213, 1205, 1020})
# What a server says that is not there, not yet or no more, is full, or may not write just now: of MySQL's and MariaDB's
# lists of error codes. Whatever else it says is about the statement, and a bug of ours.
_MYSQL_AWAY: Final = frozenset(
    {
        *(1021, 1114),  # the disk, a table is full
        *(1040, 1203, 1226),  # too many connections
        *(1037, 1038, 1041),  # out of memory
        *(1042, 1043, 1044, 1045, 1049),  # it does not let us in
        *(1053, 1077, 1079, 1080, 1927),  # it shuts down, or killed the connection
        *(1158, 1159, 1160, 1161, 1184),  # the network
        *(1290, 1792, 1836),  # it is read-only
        *(1317, 1969, 3024),  # the statement was stopped
        *(2002, 2003, 2005, 2006, 2012, 2013, 2014, 2026, 2055),  # the client's own words for a server that is lost
    }
)
_SQLITE_AWAY: Final = ("locked", "disk i/o error", "unable to open", "disk is full", "readonly", "busy")


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
            DatabaseBusy: it still asked for another try after `ATTEMPTS`, or has no connection free.
            DatabaseUnavailable: it can't be used; whether it committed is not known where it was lost meanwhile.
            SQLAlchemyError: it refuses the statement, e.g. IntegrityError.
        """
        return await self._to_its_end(self._step("write", work), self._transaction, work)

    async def write_together(self, work: Callable[[Together], Coroutine[Any, Any, T]], attempts: int = ATTEMPTS) -> T:
        """Runs `work` as `write` does, where all of it goes by way of a `Together`: the shortest way that there is.

        Where it is not, on SQLite and where somebody listens to statements, it is the same as by `write`.

        Args:
            work: what is done.
            attempts: how often at most.

        Raises:
            DatabaseBusy: as `write`.
            DatabaseUnavailable: as `write`.
            SQLAlchemyError: as `write`.
        """
        engine = self.engine.sync_engine
        is_short = engine.dialect.driver == DRIVER and not is_listened_to(engine)
        way = self._short_transaction if is_short else self._together
        return await self._to_its_end(self._step("write", work), way, work, attempts)

    async def _to_its_end(
        self,
        step: AbstractContextManager[Span],
        way: Callable[[W], Coroutine[Any, Any, T]],
        work: W,
        attempts: int = ATTEMPTS,
    ) -> T:
        task = asyncio.create_task(self._commit(step, way, work, attempts))
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        return await asyncio.shield(task)

    async def _commit(
        self,
        step: AbstractContextManager[Span],
        way: Callable[[W], Coroutine[Any, Any, T]],
        work: W,
        attempts: int = ATTEMPTS,
    ) -> T:
        with step, losses_told():
            for left in reversed(range(attempts)):
                try:
                    return await way(work)
                except DBAPIError as error:
                    if not asks_for_another_try(error) or not left:
                        raise
                # So that those who were in each other's way do not meet again.
                await asyncio.sleep(random.uniform(*PAUSE))  # noqa: S311 -- no secret
        raise AssertionError("it returns or raises")

    async def _transaction(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        async with self.engine.begin() as connection:
            return await work(connection)

    async def _together(self, work: Callable[[Together], Awaitable[T]]) -> T:
        async with self.engine.begin() as connection:
            return await work(Together(connection))

    async def _short_transaction(self, work: Callable[[Together], Awaitable[T]]) -> T:
        async with Borrowed(self.engine.sync_engine) as connection:
            connection.driver.begin_with_next()
            made = await work(Together(connection))
            await connection.driver.commit()
            return made

    async def read(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Runs `work` in one transaction that writes nothing.

        Raises:
            DatabaseBusy: it has no connection free.
            DatabaseUnavailable: it can't be used.
            SQLAlchemyError: it refuses the statement.
        """
        with self._step("read", work), losses_told():
            async with self._reading.begin() as connection:
                return await work(connection)

    async def fetch(self, statement: Prepared, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """Runs one statement that reads, the shortest way that there is.

        The same as by `read`, which it is on SQLite, where somebody listens to statements, and where a value has no
        plain way into a text.

        Args:
            statement: which.
            values: its parameters, by their names.

        Returns:
            The rows.

        Raises:
            DatabaseBusy: it has no connection free.
            DatabaseUnavailable: it can't be used.
            SQLAlchemyError: it refuses the statement.
        """
        return await self.fetch_each(statement, [values])

    async def fetch_each(self, statement: Prepared, values: Sequence[Mapping[str, Any]]) -> Sequence[Sequence[Any]]:
        """Runs one statement that reads with each of these values, in one trip: `fetch`.

        Args:
            statement: which.
            values: its parameters, by their names, as often as it is to be run.

        Returns:
            The rows of all, in no order. Those who want to know which are whose select something that says so.

        Raises:
            DatabaseBusy: as `fetch`.
            DatabaseUnavailable: as `fetch`.
            SQLAlchemyError: as `fetch`.
        """
        engine = self.engine.sync_engine
        text = None if is_listened_to(engine) else statement.text(engine.dialect)
        if text is None:
            return await self.read(lambda connection: _rows(connection, statement, values))
        with self._step("read", statement), losses_told():
            return await select(engine, text, values)

    def _step(self, verb: str, work: Callable[..., object] | Prepared) -> AbstractContextManager[Span]:
        """The span of a transaction, called by whose work it is; of its statements it tells nothing."""
        if not tracing.is_on():
            return tracing.NOTHING
        whose = work.__qualname__.partition(".<locals>")[0]
        return tracing.step(f"{verb} {whose}", Kind.CLIENT, {"db.system.name": self.engine.dialect.name})

    async def ping(self) -> None:
        """Asks the database for nothing.

        Raises:
            DatabaseUnavailable: it can't be asked.
        """
        await self.read(lambda connection: connection.execute(text("select 1")))

    async def close(self) -> None:
        """Waits a little for transactions under way, then closes every connection. Must run before its loop ends."""
        if self._writes:
            await asyncio.wait(self._writes, timeout=CLOSE_WITHIN)
        await self.engine.dispose()


async def _rows(
    connection: AsyncConnection, statement: Prepared, values: Sequence[Mapping[str, Any]]
) -> Sequence[Sequence[Any]]:
    return [row for each in values for row in await connection.execute(statement.statement, each)]


@contextmanager
def losses_told() -> Iterator[None]:
    """Tells a database that can't be used, which is nobody's fault here, apart from a statement that it refuses.

    Raises:
        DatabaseUnavailable: it can't be used.
    """
    try:
        yield
    except (SQLAlchemyError, OSError, EOFError) as error:
        if (lost := _lost(error)) is not None:
            raise lost from error
        raise


def asks_for_another_try(error: BaseException) -> bool:
    """Whether the database says that nothing was committed and the transaction may be run again."""
    if not isinstance(error, DBAPIError) or error.orig is None:
        return False
    if _is_sqlite(error):
        return "locked" in str(error.orig)
    return _code(error) in _MYSQL_TRY_AGAIN


def _lost(error: BaseException) -> DatabaseUnavailable | None:
    """What an error means where it says that the database can't be used; None where it says that we made a mistake."""
    if isinstance(error, PoolTimeout):
        return NoConnectionFree("no connection came free in time")
    if asks_for_another_try(error):
        return DatabaseBusy(_reason(error))
    return DatabaseUnavailable(_reason(error)) if _is_away(error) else None


def _is_away(error: BaseException) -> bool:
    if not isinstance(error, SQLAlchemyError):
        return True  # of the network, or of the file system, before there was a connection
    if not isinstance(error, DBAPIError) or isinstance(error, IntegrityError):
        return False
    if _is_sqlite(error):
        said = str(error.orig).lower()
        return any(words in said for words in _SQLITE_AWAY)
    return error.connection_invalidated or isinstance(error, InterfaceError) or _code(error) in _MYSQL_AWAY


def _is_sqlite(error: DBAPIError) -> bool:
    orig = error.orig
    return orig is not None and (isinstance(orig.__cause__, sqlite3.Error) or "sqlite" in type(orig).__module__)


def _code(error: DBAPIError) -> int:
    args = error.orig.args if error.orig is not None else ()
    return args[0] if args and isinstance(args[0], int) else 0


def _reason(error: BaseException) -> str:
    return str(getattr(error, "orig", None) or error) or repr(error)
