"""What waits to be done with orders, counted for those who watch: each count is near 0 while all is well."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.columns import table_of
from domain.order import repository
from domain.order.models import HomestayOrder
from domain.order.states import TradeState

_ORDERS: Final = table_of(HomestayOrder)


@dataclass(frozen=True, slots=True)
class Backlog:
    """Counts of one moment.

    Attributes:
        overdue: orders that are open past the time at which they should have closed.
        refunds_due: payments that must go back and have not.
    """

    overdue: int
    refunds_due: int


def overdue_statement(now: ColumnElement[Any]) -> Select[Any]:
    """The statement that counts what is overdue, so that a test can ask the database how it would run it."""
    counted: list[ColumnElement[Any]] = [func.count()]
    return select(*counted).where(
        _ORDERS.c.trade_state == TradeState.WAIT_PAY, _ORDERS.c.close_at <= now, _ORDERS.c.del_state == 0
    )


async def count(connection: AsyncConnection, now: ColumnElement[Any]) -> Backlog:
    """Counts what waits to be done at this moment."""
    overdue = (await connection.execute(overdue_statement(now))).scalar_one()
    return Backlog(overdue=int(overdue), refunds_due=await repository.count_refunds_due(connection))
