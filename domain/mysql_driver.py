"""aiomysql with the deadlines that it lacks, and with TLS that a server can't talk us out of.

Without them a server that hangs, rather than dies, holds a request for as long as it hangs; and a server that offers no
TLS is talked to in the clear, whatever was asked for.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from select import POLLIN, poll
from typing import Any, Final

from aiomysql.connection import CLIENT
from pymysql.constants import CR
from pymysql.constants.SERVER_STATUS import (
    SERVER_STATUS_AUTOCOMMIT,
    SERVER_STATUS_IN_TRANS,
    SERVER_STATUS_NO_BACKSLASH_ESCAPES,
)
from pymysql.err import InterfaceError, OperationalError

from domain.literals import WRITERS
from domain.one_pass import OnePassConnection

# Seconds. A server that is there says hello at once, and a connection that was good answers a ping at once.
HANDSHAKE_DEADLINE: Final = 2.0
PING_DEADLINE: Final = 1.0
# Seconds for which a connection that was answered is taken to be good, unless it is known to have ended.
GOOD_FOR: Final = 1.0

# Of this session. The variable of this name has another one in MariaDB than in MySQL; the statement is the same.
_ISOLATION: Final = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"
# Before a statement that begins a transaction.
_BEGIN: Final = "BEGIN;"
_NO_TLS: Final = 2026  # CR_SSL_CONNECTION_ERROR, which pymysql does not name

# What was found, and the number of what was stored.
Answer = tuple[Sequence[tuple[Any, ...]], int]


class GuardedConnection(OnePassConnection):
    """A connection on which nothing takes for ever, and on which nothing is asked that is known.

    The server commits each statement by itself, unless `begin` came before it. So what is only read is one question and
    one answer: there is nothing to be ended after it.

    Attributes:
        statement_deadline: seconds in which the server has to answer a statement; None where it may take as long as it
            likes, as a migration may.
        tls_required: whether a server without TLS is refused.
    """

    statement_deadline: float | None = None
    tls_required = False
    _heard = 0.0
    _watched: Any = None
    _begins = False
    _timer: asyncio.TimerHandle | None = None

    @property
    def is_between(self) -> bool:
        """Whether the server has said that no transaction is open, and nothing was sent since that could begin one.

        It says so with every success. One that did not come leaves what was said before: of a failed commit, that the
        transaction is open.
        """
        said = self.server_status & (SERVER_STATUS_AUTOCOMMIT | SERVER_STATUS_IN_TRANS)
        return bool(said == SERVER_STATUS_AUTOCOMMIT)

    async def select(self, sql: str) -> tuple[tuple[Any, ...], ...]:
        """Runs a statement that reads, without a cursor.

        Raises:
            OperationalError: among others 2013, the server did not answer in time.
        """
        await self.query(sql)
        rows: tuple[tuple[Any, ...], ...] | None = None if self._result is None else self._result.rows
        return rows or ()

    async def query(self, sql: str, unbuffered: bool = False) -> int:  # noqa: FBT001, FBT002 -- the driver's signature
        """Runs a statement.

        Raises:
            OperationalError: among others 2013, the server did not answer in time.
        """
        if self._begins:
            return await self._begin_and_query(sql, unbuffered)
        affected: int = await super().query(sql, unbuffered)
        return affected

    @property
    def is_good(self) -> bool:
        """Whether it was answered a moment ago, and nothing has come since that nobody asked for."""
        return self.loop.time() - self._heard < GOOD_FOR and self._is_silent

    @property
    def age(self) -> float:
        """Seconds since it was opened."""
        seconds: float = self.loop.time() - self.connected_time
        return seconds

    def begin_with_next(self) -> None:
        """Has the next statement begin a transaction, in the same trip. Where none comes, there is none to be ended."""
        self._begins = True

    async def _begin_and_query(self, sql: str | bytes, unbuffered: bool) -> int:  # noqa: FBT001 -- as in `query`
        self._begins = False
        if unbuffered:
            await super().begin()
            affected: int = await super().query(sql, unbuffered)
            return affected
        await super().query(f"{_BEGIN}{sql}" if isinstance(sql, str) else _BEGIN.encode() + sql)
        affected = await super().next_result()
        return int(affected)

    async def several(self, sql: str, count: int, answers: list[Answer]) -> None:
        """Runs statements that stand in one text, up to the first that fails. Each has the time of one.

        Args:
            sql: the text.
            count: how many there are.
            answers: where it puts, of each that has run, the rows that it found, and the number that the server gave to
                the row that it stored.

        Raises:
            OperationalError: among others 2013, the server did not answer in time.
        """
        await self.query(sql)
        while True:
            result: Any = self._result
            answers.append((result.rows or (), result.insert_id or 0))
            if len(answers) == count:
                return
            await self._read_query_result()

    async def _read_query_result(self, unbuffered: bool = False) -> None:  # noqa: FBT001, FBT002 -- the driver's signature
        try:
            await super()._read_query_result(unbuffered)
        finally:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        self._heard = self.loop.time()

    def _waits(self) -> None:
        # One deadline for an answer, not one for each packet of it: that would cost more than the packets. And none
        # where the answer is there already, as most of several are.
        if self._timer is None and self.statement_deadline is not None and self._reader is not None:
            self._timer = self.loop.call_later(self.statement_deadline, self._give_up, self._reader)

    def _give_up(self, reader: asyncio.StreamReader) -> None:
        # Whoever waits for more of the answer gets this, and closes: what came late would be the next one's answer.
        reader.set_exception(TimeoutError(f"no answer in {self.statement_deadline} s"))

    def escape(self, obj: object) -> str:
        """A value as it stands in a statement."""
        kind = type(obj)
        writer = WRITERS.get(kind)
        if writer is None or (kind is str and self.server_status & SERVER_STATUS_NO_BACKSLASH_ESCAPES):
            written: str = super().escape(obj)
            return written
        return writer(obj)

    async def ping(self, reconnect: bool = True) -> None:  # noqa: FBT001, FBT002 -- the driver's signature
        """Asks whether the connection is good, where that was not seen a moment ago.

        Raises:
            OperationalError: among others 2013, the server did not answer in time.
        """
        if self.is_good:
            return
        async with self._within(PING_DEADLINE):
            await super().ping(reconnect)

    async def commit(self) -> None:
        """Commits, where there is anything to be committed."""
        self._begins = False
        if not self.is_between:
            await super().commit()

    async def rollback(self) -> None:
        """Gives up a transaction: a server that does not answer does it when it finds that the connection has ended.

        The pool does this with every connection that it is given back, also after a request that had its answer.
        """
        self._begins = False
        if self.is_between:
            return
        try:
            async with self._within(PING_DEADLINE):
                await super().rollback()
        except (OperationalError, InterfaceError):
            self.close()

    async def connect(self) -> None:
        """Connects.

        Raises:
            OperationalError: the server can't be reached, or is no server, or has no TLS where that is required.
        """
        try:
            async with asyncio.timeout(HANDSHAKE_DEADLINE):
                await self._connect()
        except BaseException as error:
            self.close()
            if isinstance(error, TimeoutError):
                raise OperationalError(CR.CR_CONN_HOST_ERROR, "Can't connect: the server says nothing") from error
            if isinstance(error, RuntimeError):
                # The driver looks for the socket of a connection that was broken off a moment ago.
                raise OperationalError(CR.CR_CONN_HOST_ERROR, "Can't connect: the server hung up") from error
            raise

    async def _read_ok_packet(self) -> Any:  # noqa: ANN401 -- the driver's own answer
        async with self._within(self.statement_deadline):
            answer = await super()._read_ok_packet()
        self._heard = self.loop.time()
        return answer

    async def _request_authentication(self) -> None:
        if self.tls_required and not self.server_capabilities & CLIENT.SSL:
            raise OperationalError(_NO_TLS, "TLS is required, and the server offers none")
        await super()._request_authentication()

    @asynccontextmanager
    async def _within(self, seconds: float | None) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError as error:
            raise self._given_up(seconds) from error

    def _given_up(self, seconds: float | None) -> OperationalError:
        # What comes late would be taken for the answer to the next statement.
        self.close()
        return OperationalError(CR.CR_SERVER_LOST, f"Lost connection: no answer in {seconds} s")

    @property
    def _is_silent(self) -> bool:
        """Whether nothing has come since the last answer: what comes unasked is the end of a connection.

        The socket itself is asked, for the loop may not have looked at it since.
        """
        if self._came is None or self._came:
            return False
        if self._watched is None:
            self._watched = poll()
            self._watched.register(self._writer.get_extra_info("socket").fileno(), POLLIN)
        return not self._watched.poll(0)

    def close(self) -> None:
        """Closes the socket."""
        super().close()
        self._watched = None


async def connect(*, statement_deadline: float | None, **options: Any) -> GuardedConnection:  # noqa: ANN401
    """Opens a connection, for SQLAlchemy's `async_creator_fn`.

    Args:
        statement_deadline: seconds in which the server has to answer a statement.
        options: those of `aiomysql.connect`; TLS is required where `ssl` is given, as the URL says it.

    Raises:
        OperationalError: the server can't be reached.
    """
    asked = options.pop("ssl", None)
    if asked:
        options["ssl"] = _tls(tuple(sorted(asked.items())) if isinstance(asked, Mapping) else ())
    connection = GuardedConnection(autocommit=True, **options)
    connection.statement_deadline = statement_deadline
    connection.tls_required = bool(asked)
    await connection.connect()
    await connection.query(_ISOLATION)
    return connection


@cache  # reading certificates takes milliseconds, and an installation has one set of them
def _tls(asked: tuple[tuple[str, Any], ...]) -> ssl.SSLContext:
    """What `ssl_ca`, `ssl_capath`, `ssl_cert`, `ssl_key` and `ssl_check_hostname` of a URL ask for.

    Raises:
        OperationalError: a file can't be read.
    """
    named = dict(asked)
    try:
        context = ssl.create_default_context(cafile=named.get("ca"), capath=named.get("capath"))
        if "cert" in named:
            context.load_cert_chain(named["cert"], named.get("key"))
    except OSError as error:
        raise OperationalError(_NO_TLS, f"TLS is required, and its files can't be used: {error.strerror}") from error
    context.check_hostname = named.get("check_hostname", True)
    return context
