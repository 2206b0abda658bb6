"""Statements that are asked for all the time: written with SQLAlchemy, and run without it.

SQLAlchemy compiles a statement once and keeps its text, and still spends more on each execution than the driver on
sending it and reading the answer. Here the text is kept by ourselves, with what SQLAlchemy's types make of values on
their way in and out. Connections are those of SQLAlchemy's pool, with all that the pool does for them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import BindParameter, Dialect, Engine, Insert, Select
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine
from sqlalchemy.util import await_only

from domain.columns import ReadFast
from domain.engine import mistakes_told

Row = tuple[Any, ...]
_DRIVER: Final = "aiomysql"


class Prepared:
    """A statement that reads.

    Args:
        name: of what it is for, to those who watch.
        statement: with named parameters, none of them a list.
    """

    def __init__(self, name: str, statement: Select[Any]) -> None:
        self.__qualname__ = name
        self.statement = statement
        self._texts: dict[str, Text | None] = {}

    def text(self, dialect: Dialect) -> "Text | None":
        """The statement as this dialect's driver wants it; None where it is only for SQLAlchemy."""
        if dialect.driver not in self._texts:
            self._texts[dialect.driver] = Text.of(self.statement, dialect) if dialect.driver == _DRIVER else None
        return self._texts[dialect.driver]


class Text:
    """A statement's text, and the way of values into it and out of its rows."""

    def __init__(self, text: str, values: list[tuple[BindParameter[Any], Any]], columns: list[Any]) -> None:
        self.text = text
        self._values = values
        self.make = _row_of(columns)

    @classmethod
    def of(cls, statement: Select[Any] | Insert, dialect: Dialect, columns: Sequence[str] = ()) -> "Text | None":
        """What a dialect makes of a statement; None where a parameter's text depends on its value.

        Args:
            statement: which.
            dialect: whose.
            columns: of an INSERT, those that it is given values of.
        """
        compiled = statement.compile(dialect=dialect, column_keys=list(columns) or None)
        if not isinstance(compiled, SQLCompiler) or compiled.post_compile_params or compiled.literal_execute_params:
            return None
        values = []
        for name in compiled.positiontup or ():
            bound = compiled.binds[name]
            values.append((bound, bound.type.dialect_impl(dialect).bind_processor(dialect)))
        shown = statement.selected_columns if isinstance(statement, Select) else ()
        return cls(compiled.string, values, [_reader(column.type, dialect) for column in shown])

    def filled(self, values: Mapping[str, Any], escape: Callable[[Any], str]) -> str:
        """The text with these values in it.

        Args:
            values: by their parameters' names; of those that the statement has already none is to be given.
            escape: writes a value.
        """
        return self.text % self.written(values, escape)

    def written(self, values: Mapping[str, Any], escape: Callable[[Any], str]) -> tuple[str, ...]:
        """These values, and those that the statement has, as they stand in the text."""
        written = []
        for bound, process in self._values:
            given = values[bound.key] if bound.required else bound.effective_value
            value = given if process is None else process(given)
            # A number has one way of writing it.
            written.append(str(value) if type(value) is int else escape(value))
        return tuple(written)


def is_listened_to(engine: Engine) -> bool:
    """Whether somebody wants to know of each statement that this engine runs, which only SQLAlchemy can tell."""
    told = engine.dispatch
    return bool(engine.echo or told.before_cursor_execute or told.after_cursor_execute)


def select(engine: Engine, text: Text, values: Mapping[str, Any]) -> list[Row]:
    """The rows of a statement. To be called in a greenlet of SQLAlchemy's.

    Raises:
        SQLAlchemyError: there is no connection free in time, it was lost, or the statement is refused.
    """
    with mistakes_told(None, engine.dialect):
        connection = engine.raw_connection()
    try:
        driver: Any = connection.driver_connection
        with mistakes_told(connection, engine.dialect):
            rows: tuple[Row, ...] = await_only(driver.select(text.filled(values, driver.escape)))
    finally:
        connection.close()
    return [text.make(row) for row in rows]


def _reader(kind: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    """From a value as the driver has it to one as SQLAlchemy has it; None where they are the same."""
    return kind.reader() if isinstance(kind, ReadFast) else kind.dialect_impl(dialect).result_processor(dialect, None)


def _row_of(processors: list[Any]) -> Callable[[Row], Row]:
    """From a row as the driver has it to one as SQLAlchemy has it."""
    changed = [(place, process) for place, process in enumerate(processors) if process is not None]
    if not changed:
        return lambda row: row

    def make(row: Row) -> Row:
        values = list(row)
        for place, process in changed:
            values[place] = process(values[place])
        return tuple(values)

    return make
