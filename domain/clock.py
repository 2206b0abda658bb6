"""Time is handed in: nothing in domain/ asks a system clock, so a test can move it."""

from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncConnection


class Clock(Protocol):
    """The present, twice: for rules in Python and for conditions that a database decides."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        ...

    def sql_now(self, *, ago: timedelta = ...) -> ColumnElement[Any]:
        """The present instant as SQL, or `ago` before it: who shares a database shares its clock."""
        ...


async def database_now(connection: AsyncConnection, clock: Clock) -> datetime:
    """The instant that this transaction calls now, to the millisecond."""
    return (await connection.execute(select(clock.sql_now()))).scalar_one()  # type: ignore[no-any-return]
