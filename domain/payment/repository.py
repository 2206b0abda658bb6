"""Every SQL statement about payments. Nothing here commits, decides a rule, or knows the time."""

from collections.abc import Collection
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import case, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.columns import table_of
from domain.payment.models import Payment, ThirdPayment
from domain.payment.states import DEFAULT_WORDS, PayStatus

_PAYMENTS: Final = table_of(ThirdPayment)
_COLUMNS: Final = [_PAYMENTS.c[field.name] for field in fields(Payment)]
_ALIVE: Final = _PAYMENTS.c.del_state == 0
# Which payment of an order matters most: money that is here, money that went back, money that may come, none.
_PRECEDENCE: Final = case(
    {PayStatus.SUCCESS: 0, PayStatus.REFUNDED: 1, PayStatus.WAIT: 2}, value=_PAYMENTS.c.pay_status, else_=3
)
# What `live_order_sn` becomes in a payment that takes its order's one place.
ITS_ORDER: Final = _PAYMENTS.c.order_sn


async def add(connection: AsyncConnection, values: dict[str, Any]) -> int:
    """Stores a new payment that takes its order's one place, and returns its id.

    Raises:
        IntegrityError: the place or the sn is taken.
    """
    result = await connection.execute(insert(_PAYMENTS).values(**values, live_order_sn=values["order_sn"]))
    key = result.inserted_primary_key
    if key is None:
        raise AssertionError("the database numbers its rows")
    return int(key[0])


async def find(connection: AsyncConnection, sn: str) -> Payment | None:
    """The payment with this number."""
    statement = select(*_COLUMNS).where(_PAYMENTS.c.sn == sn, _ALIVE)
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else Payment(**row._mapping)


async def of_order(
    connection: AsyncConnection, order_sn: str, statuses: Collection[PayStatus] = tuple(PayStatus)
) -> Payment | None:
    """The payment of an order that matters most, of those in one of these statuses.

    Of several paid ones it is the one that was paid first, so that a later one changes no answer; of several failed
    ones it is the last.
    """
    statement = (
        select(*_COLUMNS)
        .where(_PAYMENTS.c.order_sn == order_sn, _PAYMENTS.c.pay_status.in_(sorted(statuses)), _ALIVE)
        .order_by(_PRECEDENCE, _PAYMENTS.c.pay_time, _PAYMENTS.c.id.desc())
        .limit(1)
    )
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else Payment(**row._mapping)


async def paid_sns(connection: AsyncConnection, order_sn: str) -> list[str]:
    """The numbers of the payments of an order whose money is here, the oldest first."""
    statement = (
        select(_PAYMENTS.c.sn)
        .where(_PAYMENTS.c.order_sn == order_sn, _PAYMENTS.c.pay_status == PayStatus.SUCCESS, _ALIVE)
        .order_by(_PAYMENTS.c.id)
    )
    return list((await connection.execute(statement)).scalars())


async def move(
    connection: AsyncConnection,
    sn: str,
    *,
    origins: Collection[PayStatus],
    to: PayStatus,
    changes: dict[str, Any],
    at: datetime,
) -> bool:
    """Moves a payment by one conditional UPDATE, with what else changes.

    Must be the first statement of its transaction: what it finds decides between writers, and nothing that was read
    before could.

    Returns:
        False where the payment was in none of `origins`: somebody else decided, or the move is not legal.

    Raises:
        IntegrityError: it wants its order's one place, and another payment has it.
    """
    moved = await connection.execute(
        update(_PAYMENTS)
        .where(_PAYMENTS.c.sn == sn, _PAYMENTS.c.pay_status.in_(sorted(origins)), _ALIVE)
        .values(pay_status=to, update_time=at, version=_PAYMENTS.c.version + 1, **changes)
    )
    return moved.rowcount > 0


async def refund(connection: AsyncConnection, order_sn: str, at: datetime) -> int:
    """Moves every paid payment of an order to refunded by one conditional UPDATE, and returns how many they were.

    Must be the first statement of its transaction, as `move` must.
    """
    moved = await connection.execute(
        update(_PAYMENTS)
        .where(_PAYMENTS.c.order_sn == order_sn, _PAYMENTS.c.pay_status == PayStatus.SUCCESS, _ALIVE)
        .values(
            pay_status=PayStatus.REFUNDED,
            trade_state=DEFAULT_WORDS[PayStatus.REFUNDED],
            trade_state_desc="",
            update_time=at,
            version=_PAYMENTS.c.version + 1,
        )
    )
    return moved.rowcount
