"""Every SQL statement about payments. Nothing here commits, decides a rule, or knows the time."""

from collections.abc import Collection
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, case, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.columns import table_of
from domain.payment.models import Payment, ThirdPayment
from domain.payment.states import DEFAULT_WORDS, PayStatus

_PAYMENTS: Final = table_of(ThirdPayment)
_COLUMNS: Final = [_PAYMENTS.c[field.name] for field in fields(Payment)]
_ALIVE: Final = _PAYMENTS.c.del_state == 0
# Which payment of an order matters most: money that is here, money that went back, money that may come, none.
_PRECEDENCE: Final = case(
    {int(status): place for place, status in enumerate((PayStatus.SUCCESS, PayStatus.REFUNDED, PayStatus.WAIT))},
    value=_PAYMENTS.c.pay_status,
    else_=3,
)
# Of several paid ones it is the one that was paid first, so that a later one changes no answer; of several failed ones
# it is the last.
_MATTERING_MOST: Final = (_PRECEDENCE, _PAYMENTS.c.pay_time, _PAYMENTS.c.id.desc())
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
    # MySQL compares without regard to case and to blanks at the end; a payment has one number, spelt one way.
    return Payment(**row._mapping) if row is not None and row.sn == sn else None


async def of_order(
    connection: AsyncConnection, order_sn: str, statuses: Collection[PayStatus] = tuple(PayStatus)
) -> Payment | None:
    """The payment of an order that matters most, of those in one of these statuses."""
    statement = (
        select(*_COLUMNS)
        .where(_PAYMENTS.c.order_sn == order_sn, _PAYMENTS.c.pay_status.in_(sorted(statuses)), _ALIVE)
        .order_by(*_MATTERING_MOST)
        .limit(1)
    )
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else Payment(**row._mapping)


def of_orders_statement(order_sns: Collection[str]) -> Select[Any]:
    """The statement of `of_orders`, so that a test can ask the database how it would run it."""
    return (
        select(*_COLUMNS)
        .where(_PAYMENTS.c.order_sn.in_(sorted(order_sns)), _ALIVE)
        .order_by(_PAYMENTS.c.order_sn, *_MATTERING_MOST)
    )


async def of_orders(connection: AsyncConnection, order_sns: Collection[str]) -> list[Payment]:
    """All payments of these orders; those of one order stand together, the one that matters most first."""
    rows = await connection.execute(of_orders_statement(order_sns))
    # Spelt as it was asked for: nobody is told of another order.
    return [Payment(**row._mapping) for row in rows if row.order_sn in order_sns]


def changed_statement(since: datetime, after_id: int, limit: int) -> Select[Any]:
    """The statement of `changed`, so that a test can ask the database how it would run it."""
    return (
        select(*_COLUMNS)
        # Written so that a database can start at `since` in the index: an OR alone it would not see through.
        .where(
            _PAYMENTS.c.update_time >= since,
            or_(_PAYMENTS.c.update_time > since, _PAYMENTS.c.id > after_id),
            _ALIVE,
        )
        .order_by(_PAYMENTS.c.update_time, _PAYMENTS.c.id)
        .limit(limit)
    )


async def changed(connection: AsyncConnection, since: datetime, after_id: int, limit: int) -> list[Payment]:
    """Payments by the time of their last change, the oldest first.

    Args:
        connection: the transaction.
        since: whole seconds; what changed earlier is left out.
        after_id: of those that changed in that very second, only ids above this one.
        limit: rows wanted.
    """
    return [Payment(**row._mapping) for row in await connection.execute(changed_statement(since, after_id, limit))]


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


async def refund(connection: AsyncConnection, order_sn: str, at: datetime, *, sn: str | None = None) -> int:
    """Moves the paid payments of an order to refunded by one conditional UPDATE, and returns how many they were.

    Must be the first statement of its transaction, as `move` must.

    Args:
        connection: the transaction.
        order_sn: the order.
        at: the present.
        sn: move only this payment of it.
    """
    statement = update(_PAYMENTS).where(
        _PAYMENTS.c.order_sn == order_sn, _PAYMENTS.c.pay_status == PayStatus.SUCCESS, _ALIVE
    )
    if sn is not None:
        statement = statement.where(_PAYMENTS.c.sn == sn)
    moved = await connection.execute(
        statement.values(
            pay_status=PayStatus.REFUNDED,
            trade_state=DEFAULT_WORDS[PayStatus.REFUNDED],
            trade_state_desc="",
            update_time=at,
            version=_PAYMENTS.c.version + 1,
        )
    )
    return moved.rowcount
