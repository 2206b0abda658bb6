"""Statements of one transaction that go to the database together: one trip, where it takes several at once.

A statement is still SQLAlchemy's, and made once: this keeps its text and what its values need. MySQL and MariaDB take
several texts at once, run them one after the other, and stop at the first that fails, so nothing runs that would not
have run after a trip of its own. SQLite is no trip away; it is given one after the other.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from weakref import WeakKeyDictionary

from sqlalchemy import BindParameter, Dialect, Insert, Select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

Values = Mapping[str, Any]
_Process = Callable[[Any], Any] | None

_NO_VALUES: Final[Values] = {}
# What stands between an INSERT's columns and its values, in SQLAlchemy's words.
_VALUES: Final = " VALUES "


class Statement:
    """A statement that is made once and run often.

    Args:
        made: SQLAlchemy's. The values that it is run with are named, and an IN with a list of them is not for here.
    """

    def __init__(self, made: Insert | Select[Any]) -> None:
        self.made = made
        self._texts: WeakKeyDictionary[Dialect, dict[tuple[str, ...], _Text]] = WeakKeyDictionary()

    def text(self, dialect: Dialect, values: Values | Sequence[Values]) -> "_Text":
        """How it is said to a kind of database: once for each set of columns that an INSERT has values for."""
        texts = self._texts.get(dialect)
        if texts is None:
            texts = self._texts[dialect] = {}
        columns = tuple(values if isinstance(values, Mapping) else values[0])
        found = texts.get(columns)
        if found is None:
            found = texts[columns] = _Text(self.made, columns, dialect)
        return found


class _Text:
    """A statement as the driver wants it: with places for values, which are written the driver's way."""

    def __init__(self, made: Insert | Select[Any], columns: Sequence[str], dialect: Dialect) -> None:
        keys = list(columns) if isinstance(made, Insert) else None
        compiled: Any = made.compile(dialect=dialect, column_keys=keys)
        if compiled.post_compile_params or compiled.literal_execute_params:
            raise ValueError("a statement whose text depends on its values can't be made once")
        self.sql: str = compiled.string
        binds: list[BindParameter[Any]] = [compiled.binds[name] for name in compiled.positiontup]
        self._places = [(bind, _impl(bind.type, dialect).bind_processor(dialect)) for bind in binds]
        self._of_row: list[_Process] = []
        if isinstance(made, Select):
            types = [column.type for column in made.selected_columns]
            self._of_row = [_impl(each, dialect).result_processor(dialect, None) for each in types]

    def said(self, values: Values | Sequence[Values], escape: Callable[[Any], str]) -> str:
        """The text with its values; an INSERT may have several rows of them."""
        if isinstance(values, Mapping):
            return self.sql % self._written(values, escape)
        head, word, row = self.sql.partition(_VALUES)
        return head + word + ", ".join([row % self._written(each, escape) for each in values])

    def read(self, rows: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
        """Rows as the driver has them, as SQLAlchemy would give them."""
        return [
            tuple([process(value) if process else value for process, value in zip(self._of_row, row, strict=True)])
            for row in rows
        ]

    def _written(self, values: Values, escape: Callable[[Any], str]) -> tuple[str, ...]:
        written = []
        for bind, process in self._places:
            value = values[bind.key] if bind.required else bind.effective_value
            written.append(escape(process(value) if process else value))
        return tuple(written)


def _impl(type_: TypeEngine[Any], dialect: Dialect) -> TypeEngine[Any]:
    return type_.dialect_impl(dialect)


class Put:
    """A statement that was put with others.

    Attributes:
        rows: what it found, once it was sent.
        number: what the database numbered its row by, where it does.
    """

    __slots__ = ("number", "rows", "statement", "then", "values")

    def __init__(
        self,
        statement: Statement,
        values: Values | Sequence[Values],
        then: Callable[[Sequence[tuple[Any, ...]]], None] | None,
    ) -> None:
        self.statement = statement
        self.values = values
        self.then = then
        self.rows: Sequence[tuple[Any, ...]] = ()
        self.number = 0


class Together:
    """The statements of one transaction that wait to be sent, in the order in which they will run.

    Args:
        connection: the transaction.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._waiting: list[Put] = []

    @property
    def is_alone(self) -> bool:
        """Whether nobody else writes until the transaction ends, as on SQLite."""
        return self._connection.dialect.name == "sqlite"

    def put(
        self,
        statement: Statement,
        values: Values | Sequence[Values] = _NO_VALUES,
        then: Callable[[Sequence[tuple[Any, ...]]], None] | None = None,
    ) -> Put:
        """Has a statement sent with the others.

        Args:
            statement: what is run.
            values: what it is run with; of an INSERT maybe several rows.
            then: is shown what it found, when all have run, and may raise.
        """
        put = Put(statement, values, then)
        self._waiting.append(put)
        return put

    async def ask(self, statement: Statement, values: Values = _NO_VALUES) -> Sequence[tuple[Any, ...]]:
        """Sends what waits, and this after it. Returns the rows that it found."""
        put = self.put(statement, values)
        await self.send()
        return put.rows

    async def send(self) -> None:
        """Sends what waits.

        Raises:
            DBAPIError: the database refuses one of the statements, and has run none after it.
        """
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        if self._connection.dialect.name == "sqlite":
            await self._one_by_one(waiting)
        else:
            await self._at_once(waiting)
        for put in waiting:
            if put.then is not None:
                put.then(put.rows)

    async def _one_by_one(self, waiting: Sequence[Put]) -> None:
        for put in waiting:
            result = await self._connection.execute(put.statement.made, put.values)
            if result.returns_rows:
                put.rows = [tuple(row) for row in result]
            elif isinstance(put.values, Mapping):
                put.number = result.lastrowid or 0

    async def _at_once(self, waiting: Sequence[Put]) -> None:
        connection, dialect = self._connection.sync_connection, self._connection.dialect
        if connection is None:
            raise AssertionError("a transaction has a connection")
        dbapi: Any = dialect.loaded_dbapi
        driver: Any = connection.connection.driver_connection
        texts = [put.statement.text(dialect, put.values) for put in waiting]
        said = ";".join([text.said(put.values, driver.escape) for text, put in zip(texts, waiting, strict=True)])
        done = 0
        try:
            cursor = await driver.cursor(dbapi.Cursor)
            await cursor.execute(said)
            for put, text in zip(waiting, texts, strict=True):
                # Each has the time that a statement has, as the driver gives it also to those after the first.
                if done:
                    await cursor.nextset()
                put.number = cursor.lastrowid or 0
                if cursor.description:
                    put.rows = text.read(await cursor.fetchall())
                done += 1
        except dbapi.Error as error:
            lost = dialect.is_disconnect(error, None, None)
            if lost:
                await self._connection.invalidate(error)
            raise DBAPIError.instance(
                texts[done].sql,
                None,
                error,
                dbapi.Error,
                hide_parameters=True,
                connection_invalidated=lost,
                dialect=dialect,
            ) from error
        except asyncio.CancelledError as error:
            # What comes late is nobody's answer.
            await self._connection.invalidate(error)
            raise
