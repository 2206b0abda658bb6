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

from domain.borrowed import Borrowed
from domain.columns import ReadFast

Row = tuple[Any, ...]
# That which the short ways are of.
DRIVER: Final = "aiomysql"
# What stands between an INSERT's columns and its values, in SQLAlchemy's words.
_VALUES: Final = " VALUES "


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
            self._texts[dialect.driver] = Text.of(self.statement, dialect) if dialect.driver == DRIVER else None
        return self._texts[dialect.driver]


class Text:
    """A statement's text, and the way of values into it and out of its rows."""

    def __init__(self, text: str, values: list[tuple[BindParameter[Any], Any]], columns: list[Any]) -> None:
        self.text = text
        self._row = _row_of(text)
        # A parameter's name where it has no value of the statement's own; what that is where it is a number.
        self._values = [
            (bound.key if bound.required else None, None if bound.required else _own(bound, process), bound, process)
            for bound, process in values
        ]
        self._changed = [(place, process) for place, process in enumerate(columns) if process is not None]

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
        return self.text % self._written(values, escape)

    def filled_with_rows(self, rows: Sequence[Mapping[str, Any]], escape: Callable[[Any], str]) -> str:
        """The text of an INSERT with several rows of values in it."""
        head, row, tail = self._row
        return head + ", ".join([row % self._written(values, escape) for values in rows]) + tail

    def made(self, rows: Sequence[Row]) -> list[Row]:
        """From rows as the driver has them to rows as SQLAlchemy has them."""
        changed = self._changed
        if not changed:
            return [*rows]
        made = []
        for row in rows:
            values = list(row)
            for place, process in changed:
                values[place] = process(values[place])
            made.append(tuple(values))
        return made

    def _written(self, values: Mapping[str, Any], escape: Callable[[Any], str]) -> tuple[str, ...]:
        written = []
        for name, own, bound, process in self._values:
            if own is not None:
                written.append(own)
                continue
            given = values[name] if name is not None else bound.effective_value
            value = given if process is None else process(given)
            # A number has one way of writing it.
            written.append(str(value) if type(value) is int else escape(value))
        return tuple(written)


def _own(bound: BindParameter[Any], process: Callable[[Any], Any] | None) -> str | None:
    """A statement's own number as it is written; None where it is none, or is not always the same."""
    if bound.callable is not None:
        return None
    value = bound.value if process is None else process(bound.value)
    return str(value) if type(value) is int else None


def _row_of(text: str) -> tuple[str, str, str]:
    """An INSERT's row of values, between what stands before it and after it."""
    head, word, rest = text.partition(_VALUES)
    depth = 0
    for place, sign in enumerate(rest):
        depth += (sign == "(") - (sign == ")")
        if depth == 0:
            return head + word, rest[: place + 1], rest[place + 1 :]
    return text, "", ""


def is_listened_to(engine: Engine) -> bool:
    """Whether somebody wants to know of each statement or transaction of this engine: only SQLAlchemy tells them."""
    told = engine.dispatch
    return bool(engine.echo or told.before_cursor_execute or told.after_cursor_execute or told.commit or told.rollback)


async def select(engine: Engine, text: Text, values: Sequence[Mapping[str, Any]]) -> list[Row]:
    """The rows of a statement, with each of these values.

    Raises:
        SQLAlchemyError: there is no connection free in time, it was lost, or the statement is refused.
    """
    async with Borrowed(engine) as connection:
        escape = connection.driver.escape
        filled = [text.filled(each, escape) for each in values]
        sql = filled[0] if len(filled) == 1 else f"({') UNION ALL ('.join(filled)})"
        rows = await connection.driver.select(sql)
    return text.made(rows)


def _reader(kind: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    """From a value as the driver has it to one as SQLAlchemy has it; None where they are the same."""
    return kind.reader() if isinstance(kind, ReadFast) else kind.dialect_impl(dialect).result_processor(dialect, None)
