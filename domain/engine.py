"""Engines: the settings that make MySQL, MariaDB and SQLite safe, and fast to say that they are not there."""

from functools import partial
from typing import Any, Final, cast

from sqlalchemy import URL, Connection, Dialect, event, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from domain import mysql_driver

# Seconds in which a MySQL server has to answer a statement that a guest waits for; above the wait for a lock, so that
# it is the server that says what is wrong.
STATEMENT_DEADLINE: Final = 3.0
LOCK_WAIT: Final = 2
CONNECT_TIMEOUT: Final = 2
# Overload is to fail fast and be told, not to queue: ten connections keep a MySQL core busy. Who waits for one of
# them while the server is frozen gets a new one, so a request ends within this wait and a handshake.
POOL_SIZE: Final = 10
POOL_TIMEOUT: Final = 1.5

_STRICT: Final = "STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
_SQLITE_SET_UP: Final = (
    "PRAGMA busy_timeout = 5000",
    # Readers and one writer at once.
    "PRAGMA journal_mode = WAL",
    # What was acknowledged outlives a loss of power.
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
)


def create_engine(url: str | URL, *, statement_deadline: float | None = STATEMENT_DEADLINE) -> AsyncEngine:
    """Returns an engine with the guards of its kind of database.

    Args:
        url: where it is.
        statement_deadline: seconds in which a MySQL server has to answer a statement; None sets no limit.

    Raises:
        ValueError: neither `mysql+aiomysql` nor `sqlite+aiosqlite`.
    """
    url = make_url(url)
    match url.drivername:
        case "mysql+aiomysql":
            return _create_mysql_engine(url, statement_deadline)
        case "sqlite+aiosqlite":
            return _create_sqlite_engine(url)
    raise ValueError("a database URL starts with mysql+aiomysql:// or sqlite+aiosqlite:///")


def _create_mysql_engine(url: URL, statement_deadline: float | None) -> AsyncEngine:
    engine = create_async_engine(
        url,
        hide_parameters=True,
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT,
        pool_recycle=1800,
        pool_pre_ping=True,
        pool_use_lifo=True,
        connect_args={
            "async_creator_fn": partial(mysql_driver.connect, statement_deadline=statement_deadline),
            "connect_timeout": CONNECT_TIMEOUT,
            "charset": "utf8mb4",
            "init_command": f"SET innodb_lock_wait_timeout={LOCK_WAIT}, time_zone='+00:00', sql_mode='{_STRICT}'",
        },
    )

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        # Each statement is a transaction of its own, unless one is begun. Under READ COMMITTED each sees what is there
        # when it runs, in a transaction or not: what only reads gains nothing by one but more questions.
        if not connection.get_execution_options().get("read_only", False):
            driver: Any = connection.connection.driver_connection
            driver.begin_with_next()

    return engine


def mistake_of(error: Exception, dialect: Dialect, text: str = "") -> DBAPIError:
    """A driver's error as SQLAlchemy tells it, but with none of the values.

    Args:
        error: the driver's.
        dialect: what the driver speaks.
        text: of the statement, without its values.
    """
    lost = dialect.is_disconnect(error, None, None)  # type: ignore[arg-type] # the driver's errors declare no types
    # SQLAlchemy tells other classes of errors that are none of the driver's; this one is.
    told = DBAPIError.instance(
        text,
        None,
        error,
        dialect.loaded_dbapi.Error,
        hide_parameters=True,
        connection_invalidated=lost,
        dialect=dialect,
    )
    return cast("DBAPIError", told)


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
