"""Statements of one transaction that go to the database together: one trip, where it takes several at once.

A statement is still SQLAlchemy's, and made once. MySQL and MariaDB take several texts at once, run them one after the
other, and stop at the first that fails, so nothing runs that would not have run after a trip of its own. SQLite is no
trip away; it is given one after the other.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast
from weakref import WeakKeyDictionary

from sqlalchemy import Dialect, Insert, Select
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.borrowed import Borrowed
from domain.engine import mistake_of
from domain.mysql_driver import Answer, GuardedConnection
from domain.prepared import Row, Text

Values = Mapping[str, Any]

COMMIT: Final = "COMMIT"
# Numbers of things for which there is a text: it is made once for each of them, and kept.
NUMBERS: Final = (1, 2, 4, 8, 12, 16, 24, 32)
_NO_VALUES: Final[Values] = {}


class Statement:
    """A statement that is made once and run often.

    Args:
        made: SQLAlchemy's. The values that it is run with are named, and an IN with a list of them is not for here.
    """

    def __init__(self, made: Insert | Select[Any]) -> None:
        self.made = made
        self._texts: WeakKeyDictionary[Dialect, dict[tuple[str, ...], Text]] = WeakKeyDictionary()

    def text(self, dialect: Dialect, values: Values | Sequence[Values]) -> Text:
        """How it is said to a kind of database: once for each set of columns that an INSERT has values of.

        Raises:
            ValueError: its text depends on its values.
        """
        texts = self._texts.get(dialect)
        if texts is None:
            texts = self._texts[dialect] = {}
        columns: tuple[str, ...] = ()
        if isinstance(self.made, Insert) and self.made.select is None:
            columns = tuple(values if isinstance(values, Mapping) else values[0])
        found = texts.get(columns)
        if found is None:
            found = Text.of(self.made, dialect, columns)
            if found is None:
                raise ValueError("a statement whose text depends on its values can't be made once")
            texts[columns] = found
        return found


class Put:
    """A statement that was put with others.

    Attributes:
        rows: what it found, once it was sent.
        number: what the database numbered its row by, where it does.
    """

    __slots__ = ("number", "rows", "statement", "values")

    def __init__(self, statement: Statement, values: Values | Sequence[Values]) -> None:
        self.statement = statement
        self.values = values
        self.rows: Sequence[Row] = ()
        self.number = 0


class Together:
    """The statements of one transaction that wait to be sent, in the order in which they will run.

    Args:
        connection: the transaction.
    """

    def __init__(self, connection: AsyncConnection | Borrowed) -> None:
        self._connection = connection
        self._waiting: list[Put] = []
        self.is_alone: Final = connection.dialect.name == "sqlite"
        """Whether nobody else writes until the transaction ends, as on SQLite."""

    def put(self, statement: Statement, values: Values | Sequence[Values] = _NO_VALUES) -> Put:
        """Has a statement sent with the others.

        Args:
            statement: what is run.
            values: what it is run with; of an INSERT maybe several rows.
        """
        put = Put(statement, values)
        self._waiting.append(put)
        return put

    async def ask(self, statement: Statement, values: Values = _NO_VALUES) -> Sequence[Row]:
        """Sends what waits, and this after it. Returns the rows that it found."""
        put = self.put(statement, values)
        await self.send()
        return put.rows

    async def send(self) -> None:
        """Sends what waits.

        Raises:
            DBAPIError: the database refuses one of the statements, and has run none after it.
        """
        await self._send(())

    async def commit(self) -> None:
        """Sends what waits, and where all of it has run, ends the transaction in the same trip. Nothing may follow.

        Where that is no saving, the transaction is left for whoever began it to end.

        Raises:
            DBAPIError: the database refuses one of the statements, and has run none after it: nothing is committed. Or
                it was lost, and nobody knows.
        """
        await self._send((COMMIT,))

    async def _send(self, last: Sequence[str]) -> None:
        waiting, self._waiting = self._waiting, []
        if self.is_alone:
            await self._one_by_one(waiting)
        elif waiting:
            await self._at_once(waiting, last)

    async def _one_by_one(self, waiting: Sequence[Put]) -> None:
        if isinstance(self._connection, Borrowed):
            raise TypeError("nobody borrows a connection to SQLite")
        for put in waiting:
            result = await self._connection.execute(put.statement.made, put.values)
            if result.returns_rows:
                put.rows = [tuple(row) for row in result]
            elif isinstance(put.values, Mapping):
                put.number = result.lastrowid or 0

    async def _at_once(self, waiting: Sequence[Put], last: Sequence[str]) -> None:
        driver, dialect = _driver_of(self._connection), self._connection.dialect
        texts = [put.statement.text(dialect, put.values) for put in waiting]
        said = [_said(text, put.values, driver.escape) for text, put in zip(texts, waiting, strict=True)]
        said += last
        answers: list[Answer] = []
        try:
            await driver.several(";".join(said), len(said), answers)
        except dialect.loaded_dbapi.Error as error:
            done = len(answers)
            mistake = mistake_of(error, dialect, texts[done].text if done < len(texts) else COMMIT)
            if mistake.connection_invalidated:
                await self._connection.invalidate(error)
            raise mistake from error
        except asyncio.CancelledError as error:
            # What comes late is nobody's answer.
            await self._connection.invalidate(error)
            raise
        for put, text, (rows, number) in zip(waiting, texts, answers, strict=False):  # without that of the commit
            put.rows = text.made(rows)
            put.number = number


class Several:
    """A statement about several things, made once for each of `NUMBERS`.

    Args:
        make: makes it for so many. The parameters of each are named with its place after the name, from 0.
    """

    def __init__(self, make: Callable[[int], Insert | Select[Any]]) -> None:
        self._made = {number: Statement(make(number)) for number in NUMBERS}

    def put(self, together: Together, things: Sequence[Values]) -> Put:
        """Has it sent with the others of a transaction.

        Args:
            together: the transaction.
            things: the values of each, as many as `NUMBERS` goes at most.
        """
        number = next(number for number in NUMBERS if number >= len(things))
        # Places that are left over are filled with what it is about anyway.
        places = [*things, *[things[0]] * (number - len(things))]
        values = {f"{name}{place}": value for place, thing in enumerate(places) for name, value in thing.items()}
        return together.put(self._made[number], values)


def _driver_of(connection: AsyncConnection | Borrowed) -> GuardedConnection:
    if isinstance(connection, Borrowed):
        return connection.driver
    if connection.sync_connection is None:
        raise AssertionError("a transaction has a connection")
    return cast("GuardedConnection", connection.sync_connection.connection.driver_connection)


def _said(text: Text, values: Values | Sequence[Values], escape: Callable[[Any], str]) -> str:
    """A text with its values; an INSERT may have several rows of them."""
    if isinstance(values, Mapping):
        return text.filled(values, escape)
    return text.filled_with_rows(values, escape)
