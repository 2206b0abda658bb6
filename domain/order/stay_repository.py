"""Every SQL statement about stays: of guests who come, and of days of leaving that pass. Nothing here commits."""

from datetime import date
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.columns import table_of
from domain.order.models import HomestayOrder
from domain.order.states import TradeState

_ORDERS: Final = table_of(HomestayOrder)
_ALIVE: Final = _ORDERS.c.del_state == 0


async def check_in(connection: AsyncConnection, sn: str, *, today: date, at: ColumnElement[Any]) -> bool:
    """Records by one conditional UPDATE that a guest has come. Returns False where the order does not allow that.

    Args:
        connection: the transaction, of which this is the first statement.
        sn: the order.
        today: the date where the homestay stands.
        at: the present.
    """
    arrived = await connection.execute(
        update(_ORDERS)
        .where(
            _ORDERS.c.sn == sn,
            _ORDERS.c.trade_state == TradeState.WAIT_USE,
            _ORDERS.c.checked_in_at.is_(None),
            _ORDERS.c.live_start_date <= today,
            _ORDERS.c.live_end_date >= today,
            _ALIVE,
        )
        .values(checked_in_at=at, update_time=at, version=_ORDERS.c.version + 1)
    )
    return arrived.rowcount > 0


def ended_statement(today: date, limit: int) -> Select[Any]:
    """The statement of `ended`, so that a test can ask the database how it would run it."""
    return (
        select(_ORDERS.c.sn, _ORDERS.c.checked_in_at.is_not(None))
        .where(_ORDERS.c.trade_state == TradeState.WAIT_USE, _ORDERS.c.live_end_date < today, _ALIVE)
        .order_by(_ORDERS.c.live_end_date)
        .limit(limit)
    )


async def ended(connection: AsyncConnection, today: date, limit: int) -> dict[str, bool]:
    """Paid orders whose day of leaving is over, longest over first: whether the guest came, by sn."""
    return {sn: bool(came) for sn, came in await connection.execute(ended_statement(today, limit))}


def guest_came() -> ColumnElement[bool]:
    """Condition of a move: the guest has checked in."""
    return _ORDERS.c.checked_in_at.is_not(None)


def guest_never_came() -> ColumnElement[bool]:
    """Condition of a move: the guest has not checked in."""
    return _ORDERS.c.checked_in_at.is_(None)
