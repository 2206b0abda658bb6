"""aiomysql with the deadlines that it lacks, and with TLS that a server can't talk us out of.

Without them a server that hangs, rather than dies, holds a request for as long as it hangs; and a server that offers no
TLS is talked to in the clear, whatever was asked for.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, Final

import aiomysql
from aiomysql.connection import CLIENT
from pymysql.constants import CR
from pymysql.err import InterfaceError, OperationalError

# Seconds. A server that is there says hello at once, and a connection that was good answers a ping at once.
HANDSHAKE_DEADLINE: Final = 2.0
PING_DEADLINE: Final = 1.0

_NO_TLS: Final = 2026  # CR_SSL_CONNECTION_ERROR, which pymysql does not name


class GuardedConnection(aiomysql.Connection):  # type: ignore[misc] # the driver declares no types
    """A connection on which nothing takes for ever.

    Attributes:
        statement_deadline: seconds in which the server has to answer a statement; None where it may take as long as it
            likes, as a migration may.
        tls_required: whether a server without TLS is refused.
    """

    statement_deadline: float | None = None
    tls_required = False

    async def query(self, sql: str, unbuffered: bool = False) -> int:  # noqa: FBT001, FBT002 -- the driver's signature
        """Runs a statement.

        Raises:
            OperationalError: among others 2013, the server did not answer in time.
        """
        # One deadline for a statement, not one for each packet of its answer: that would cost more than the packets.
        async with self._within(self.statement_deadline):
            affected: int = await super().query(sql, unbuffered)
        return affected

    async def ping(self, reconnect: bool = True) -> None:  # noqa: FBT001, FBT002 -- the driver's signature
        """Asks whether the connection is good.

        Raises:
            OperationalError: among others 2013, the server did not answer in time.
        """
        async with self._within(PING_DEADLINE):
            await super().ping(reconnect)

    async def rollback(self) -> None:
        """Gives up a transaction: a server that does not answer does it when it finds that the connection has ended.

        The pool does this with every connection that it is given back, also after a request that had its answer.
        """
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
            return await super()._read_ok_packet()

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
            # What comes late would be taken for the answer to the next statement.
            self.close()
            raise OperationalError(CR.CR_SERVER_LOST, f"Lost connection: no answer in {seconds} s") from error


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
    connection = GuardedConnection(**options)
    connection.statement_deadline = statement_deadline
    connection.tls_required = bool(asked)
    await connection.connect()
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
