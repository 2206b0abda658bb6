"""Every SQL statement about orders. Nothing here commits, decides a rule, or knows the time: the caller hands it in.

What comes with every request is one statement object, made once, whose values are named: SQLAlchemy keeps in it by what
it is known again, so that it is neither put together nor looked through each time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    exists,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.columns import table_of
from domain.database import Database
from domain.order.models import Event, HomestayOrder, Order, OrderEvent, OrderRefund
from domain.order.ports import Payment
from domain.order.states import CloseReason, TradeState
from domain.prepared import Prepared

_ORDERS: Final = table_of(HomestayOrder)
_EVENTS: Final = table_of(OrderEvent)
_REFUNDS: Final = table_of(OrderRefund)
_ORDER_COLUMNS: Final = [_ORDERS.c[name] for name in Order._fields]
_EVENT_COLUMNS: Final = [_EVENTS.c[field.name] for field in fields(Event)]
_ALIVE: Final = _ORDERS.c.del_state == 0

_FIND: Final = select(*_ORDER_COLUMNS).where(_ORDERS.c.sn == bindparam("sn"), _ALIVE)
_FIND_OF_GUEST: Final = _FIND.where(_ORDERS.c.user_id == bindparam("user_id"))
_STEPS: Final = (
    select(*_EVENT_COLUMNS).where(_EVENTS.c.order_sn.in_(bindparam("sns", expanding=True))).order_by(_EVENTS.c.id)
)


async def find(connection: AsyncConnection, sn: str, *, user_id: int | None = None) -> Order | None:
    """The order with this sn; with `user_id`, only where it is that guest's."""
    if user_id is None:
        found = await connection.execute(_FIND, {"sn": sn})
    else:
        found = await connection.execute(_FIND_OF_GUEST, {"sn": sn, "user_id": user_id})
    row = found.one_or_none()
    # MySQL compares without regard to case and to blanks at the end; an order has one number, spelt one way.
    return _order(row) if row is not None and row.sn == sn else None


def several_statement(number: int) -> Select[Any]:
    """The statement of `read_several`, so that a test can ask the database how it would run it."""
    sns = [bindparam(f"sn{place}", type_=_ORDERS.c.sn.type) for place in range(number)]
    # As a sum it has no index: else MariaDB may look through all orders of these guests.
    guest = _ORDERS.c.user_id + literal_column("0")
    wanted = ((_ORDERS.c.sn == sn) & (guest == bindparam(f"user{place}")) for place, sn in enumerate(sns))
    return select(*_ORDER_COLUMNS).where(_ORDERS.c.sn.in_(sns), _ALIVE, or_(*wanted))


_SEVERAL: Final = {number: Prepared("find", several_statement(number)) for number in (1, 2, 4, 8, 16, 32)}
READ_AT_ONCE: Final = max(_SEVERAL)


async def read_several(database: Database, wanted: Sequence[tuple[int, str]]) -> list[Order | None]:
    """Orders of several guests, each as `find` finds it, for those who only look.

    Args:
        database: where they are.
        wanted: of each the guest and the sn, `READ_AT_ONCE` at most.
    """
    number = next(number for number in _SEVERAL if number >= len(wanted))
    # Places that are left over are filled with an order that is looked for anyway.
    places = [*wanted, *[wanted[0]] * (number - len(wanted))]
    values: dict[str, Any] = {}
    for place, (user_id, sn) in enumerate(places):
        values[f"user{place}"], values[f"sn{place}"] = user_id, sn
    orders = map(_order, await database.fetch(_SEVERAL[number], values))
    found = {(order.user_id, order.sn): order for order in orders}
    return [found.get(each) for each in wanted]


async def is_due(connection: AsyncConnection, sn: str, sql_now: ColumnElement[Any]) -> bool:
    """Whether the order's time to be paid is over, by the clock that decides."""
    statement = select(literal(1)).where(_ORDERS.c.sn == sn, _ORDERS.c.close_at <= sql_now)
    return (await connection.execute(statement)).one_or_none() is not None


async def standing(
    connection: AsyncConnection, sns: Sequence[str], sql_now: ColumnElement[Any]
) -> dict[str, tuple[TradeState, bool, datetime | None]]:
    """Of each of these orders that exists: its state, whether its time to be paid is over, and when it ends."""
    statement = select(_ORDERS.c.sn, _ORDERS.c.trade_state, _ORDERS.c.close_at <= sql_now, _ORDERS.c.close_at).where(
        _ORDERS.c.sn.in_(sns), _ALIVE
    )
    return {sn: (state, bool(due), close_at) for sn, state, due, close_at in await connection.execute(statement)}


async def events(connection: AsyncConnection, sns: Sequence[str]) -> list[Event]:
    """The steps of these orders, oldest first."""
    return [Event(**row._mapping) for row in await connection.execute(_STEPS, {"sns": list(sns)})]


async def move(
    connection: AsyncConnection,
    sns: Sequence[str],
    *conditions: ColumnElement[bool],
    current: TradeState,
    to: TradeState,
    at: ColumnElement[Any],
    reason: CloseReason | None = None,
    changes: Mapping[str, Any] | None = None,
) -> int:
    """Moves orders by one conditional UPDATE, and returns how many were moved.

    Must be the first statement of its transaction: what it finds decides between writers, and nothing that was
    read before could. An order that was not in `current`, or of which a condition did not hold, is not moved:
    somebody else decided.
    """
    moved = await connection.execute(
        update(_ORDERS)
        .where(_ORDERS.c.sn.in_(sns), _ORDERS.c.trade_state == current, _ALIVE, *conditions)
        .values(
            trade_state=to,
            close_reason=reason,
            update_time=at,
            version=_ORDERS.c.version + 1,
            **(changes or {}),
        )
    )
    return moved.rowcount


async def movable(
    connection: AsyncConnection, sns: Sequence[str], *conditions: ColumnElement[bool], current: TradeState
) -> list[str]:
    """Which of these orders `move` would move. They stay so until the transaction ends."""
    statement = select(_ORDERS.c.sn).where(_ORDERS.c.sn.in_(sns), _ORDERS.c.trade_state == current, _ALIVE, *conditions)
    # SQLite knows no such lock and needs none: who writes there is alone.
    return list((await connection.execute(statement.with_for_update())).scalars())


async def add_events(
    connection: AsyncConnection,
    sns: Sequence[str],
    *,
    current: TradeState,
    to: TradeState,
    at: ColumnElement[Any],
    reason: CloseReason | None = None,
) -> None:
    """Records the same step in the history of each of these orders, which exist."""
    # INSERT … SELECT is one statement for all; the driver would send a row of VALUES with a function in it alone.
    steps = select(
        _ORDERS.c.sn,
        at,
        literal(current, _EVENTS.c.from_state.type),
        literal(to, _EVENTS.c.to_state.type),
        literal(reason, _EVENTS.c.reason.type),
    ).where(_ORDERS.c.sn.in_(sns))
    await connection.execute(insert(_EVENTS).from_select(["order_sn", "at", "from_state", "to_state", "reason"], steps))


def is_due_at(sql_now: ColumnElement[Any]) -> ColumnElement[bool]:
    """Condition of `move`: the time to pay is over."""
    return _ORDERS.c.close_at <= sql_now


def costs(total: int) -> ColumnElement[bool]:
    """Condition of `move`: the order's price is `total` fen."""
    return _ORDERS.c.order_total_price == total


def is_paid_by(payment_sn: str) -> ColumnElement[bool]:
    """Condition of `move`: this payment paid it, or it is not known which, and this one had not to go back."""
    sent_back = exists().where(_REFUNDS.c.payment_sn == payment_sn)
    return and_(_ORDERS.c.payment_sn.in_(["", payment_sn]), ~sent_back)


def overdue_statement(until: ColumnElement[Any], limit: int) -> Select[Any]:
    """The statement of `overdue`, so that a test can ask the database how it would run it."""
    return (
        select(_ORDERS.c.sn)
        .where(_ORDERS.c.trade_state == TradeState.WAIT_PAY, _ORDERS.c.close_at <= until, _ALIVE)
        .order_by(_ORDERS.c.close_at)
        .limit(limit)
    )


async def overdue(connection: AsyncConnection, until: ColumnElement[Any], limit: int) -> list[str]:
    """The sn's of open orders that fell due by `until`, longest overdue first."""
    return list((await connection.execute(overdue_statement(until, limit))).scalars())


async def add_refund(connection: AsyncConnection, payment: Payment, sql_now: ColumnElement[Any]) -> None:
    """Records that this money must go back.

    Raises:
        IntegrityError: that is recorded already.
    """
    await connection.execute(
        insert(_REFUNDS).values(
            payment_sn=payment.sn, order_sn=payment.order_sn, total=payment.total, requested_at=sql_now
        )
    )


async def refund_due(connection: AsyncConnection, payment_sn: str) -> str | None:
    """The sn of the order whose payment this is, where its money must go back and has not."""
    statement = select(_REFUNDS.c.order_sn).where(_REFUNDS.c.payment_sn == payment_sn, _REFUNDS.c.refunded_at.is_(None))
    return (await connection.execute(statement)).scalar_one_or_none()


async def count_refunds_due(connection: AsyncConnection) -> int:
    """How many payments must go back and have not."""
    statement = select(func.count()).select_from(_REFUNDS).where(_REFUNDS.c.refunded_at.is_(None))
    return int((await connection.execute(statement)).scalar_one())


async def mark_refunded(connection: AsyncConnection, payment_sn: str, sql_now: ColumnElement[Any]) -> bool:
    """Records that this money went back. Returns False where it was recorded already, or never due."""
    done = await connection.execute(
        update(_REFUNDS)
        .where(_REFUNDS.c.payment_sn == payment_sn, _REFUNDS.c.refunded_at.is_(None))
        .values(refunded_at=sql_now)
    )
    return done.rowcount > 0


def _order(row: Sequence[Any]) -> Order:
    return Order._make(row)
