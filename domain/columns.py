"""Column types that mean the same on MySQL/MariaDB and on SQLite."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any, Final, Protocol, TypeVar, runtime_checkable

from sqlalchemy import CHAR, BigInteger, DateTime, Dialect, Integer, SmallInteger, String, Table, TypeDecorator, literal
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlmodel import SQLModel

# SQLite numbers rows by itself only under the exact type INTEGER.
BIG_ID: Final = BigInteger().with_variant(Integer, "sqlite")
TINYINT: Final = SmallInteger().with_variant(mysql.TINYINT(), "mysql", "mariadb")
# In hex: aiomysql can send no bytes (its 0.3.2 calls a name that PyMySQL has blanked out).
SHA256: Final = CHAR(64)
MYSQL_TABLE: Final = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_unicode_ci",
}

E = TypeVar("E", bound=IntEnum)
# From a value of the table to that of Python.
Reads = Callable[[Any], Any]


@runtime_checkable
class ReadFast(Protocol):
    """A column's type that knows a faster way out of the table than SQLAlchemy's, which asks it about each value."""

    def reader(self) -> Reads:
        """The same as `process_result_value`, for very many values."""
        ...


class IntEnumColumn(TypeDecorator[E]):
    """A closed set of numbers in a small integer column.

    Reading a number that is not in the set raises ValueError: no answer is better than a wrong one.
    """

    impl = SmallInteger
    cache_ok = True

    def __init__(self, members: type[E]) -> None:
        super().__init__()
        self.members = members

    def load_dialect_impl(self, dialect: Dialect) -> Any:  # noqa: ANN401 -- SQLAlchemy's own signature
        """One byte where the database has such a column."""
        return dialect.type_descriptor(TINYINT)

    def process_bind_param(self, value: E | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Python to table."""
        return None if value is None else int(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> E | None:  # noqa: ARG002
        """Table to Python."""
        return None if value is None else self.members(value)

    def reader(self) -> Reads:
        """The same, for very many values."""
        return _Members(self.members).__getitem__


class _Members(dict[int | None, Any]):
    """An enum's members by their numbers, and nothing for nothing."""

    def __init__(self, members: type[IntEnum]) -> None:
        super().__init__({member.value: member for member in members})
        self[None] = None
        self._members = members

    def __missing__(self, value: int) -> IntEnum:
        return self._members(value)


def table_of(model: type[SQLModel]) -> Table:
    """The SQLAlchemy table of a table model, which SQLModel makes but does not declare."""
    table = getattr(model, "__table__", None)
    if not isinstance(table, Table):
        raise TypeError(f"{model.__name__} is no table")
    return table


class UTCDateTime(TypeDecorator[datetime]):
    """An instant: aware in Python, naive UTC in the table.

    A database keeps no offset, and the drivers cut it off without a word; so what has none is refused.

    Args:
        milliseconds: whether the column keeps milliseconds or whole seconds; finer parts are cut off, never
            rounded up into the future.
    """

    impl = DateTime
    cache_ok = True

    def __init__(self, *, milliseconds: bool = False) -> None:
        super().__init__()
        self.milliseconds = milliseconds

    def load_dialect_impl(self, dialect: Dialect) -> Any:  # noqa: ANN401 -- SQLAlchemy's own signature
        """Names the column's precision where the database wants to know it."""
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(mysql.DATETIME(fsp=3 if self.milliseconds else 0))
        return dialect.type_descriptor(DateTime())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Python to table.

        Raises:
            ValueError: the value has no offset.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs its offset")
        fraction = value.microsecond // 1000 * 1000 if self.milliseconds else 0
        return value.astimezone(UTC).replace(microsecond=fraction, tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Table to Python."""
        return None if value is None else value.replace(tzinfo=UTC)

    def reader(self) -> Reads:
        """The same, for very many values."""
        return lambda value: None if value is None else value.replace(tzinfo=UTC)


class as_ours(FunctionElement[str]):  # noqa: N801 -- it reads as an SQL function
    """A text of a table that the existing system made, to be compared with a text of one of ours.

    MySQL compares no columns of two collations, and that system's tables have the one that they were made with.
    """

    type = String()
    inherit_cache = True


@compiles(as_ours)
def _as_it_is(element: as_ours, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    return str(compiler.process(element.clauses, **options))


@compiles(as_ours, "mysql")
@compiles(as_ours, "mariadb")
def _collated(element: as_ours, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    return f"convert({compiler.process(element.clauses, **options)} using utf8mb4) collate utf8mb4_unicode_ci"


class utc_now(FunctionElement[datetime]):  # noqa: N801 -- it reads as an SQL function
    """The database's present instant in UTC, to the millisecond, or `ago` before it."""

    type = UTCDateTime(milliseconds=True)
    inherit_cache = True

    def __init__(self, ago: timedelta = timedelta()) -> None:
        super().__init__(literal(ago // timedelta(microseconds=1)))


@compiles(utc_now, "sqlite")
def _sqlite_now(element: utc_now, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    # The text form in which SQLAlchemy stores a DateTime on SQLite, so that the two compare as text.
    ago = compiler.process(element.clauses, **options)
    return f"strftime('%Y-%m-%d %H:%M:%f000', 'now', (-({ago}) / 1000000.0) || ' seconds')"


@compiles(utc_now, "mysql")
@compiles(utc_now, "mariadb")
def _mysql_now(element: utc_now, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    return f"(utc_timestamp(3) - interval {compiler.process(element.clauses, **options)} microsecond)"


class whole_second(FunctionElement[datetime]):  # noqa: N801 -- it reads as an SQL function
    """The second in which an instant lies. MySQL would round up what has no room in a column, into the future."""

    type = UTCDateTime()
    inherit_cache = True


@compiles(whole_second, "sqlite")
def _sqlite_second(element: whole_second, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    return f"strftime('%Y-%m-%d %H:%M:%S.000000', {compiler.process(element.clauses, **options)})"


@compiles(whole_second, "mysql")
@compiles(whole_second, "mariadb")
def _mysql_second(element: whole_second, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    instant, again = (compiler.process(element.clauses, **options) for _ in range(2))
    return f"({instant} - interval microsecond({again}) microsecond)"
