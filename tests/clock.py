"""A clock that stands still until a test moves it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from domain.columns import UTCDateTime


class frozen_now(FunctionElement[datetime]):  # noqa: N801 -- it reads as an SQL function
    type = UTCDateTime(milliseconds=True)
    inherit_cache = True

    def __init__(self, at: Callable[[], datetime]) -> None:
        # Asked each time that the statement is run.
        super().__init__(bindparam(None, callable_=at, type_=UTCDateTime(milliseconds=True), unique=True))


@compiles(frozen_now)
def _text(element: frozen_now, compiler: SQLCompiler, **options: Any) -> str:
    return str(compiler.process(element.clauses, **options))


@compiles(frozen_now, "mysql")
@compiles(frozen_now, "mariadb")
def _datetime(element: frozen_now, compiler: SQLCompiler, **options: Any) -> str:
    # A bare literal that is selected would come back as text.
    return f"cast({compiler.process(element.clauses, **options)} as datetime(3))"


class FrozenClock:
    """The present is what the test says, in Python and in SQL."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def sql_now(self, *, ago: timedelta = timedelta()) -> frozen_now:
        return frozen_now(lambda: self.at - ago)

    def advance(self, delta: timedelta) -> None:
        self.at += delta
