"""Every SQL statement that compares orders with payments. Nothing here commits, or decides a rule."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.columns import table_of
from domain.order.models import HomestayOrder, OrderRefund
from domain.order.states import TradeState

_ORDERS: Final = table_of(HomestayOrder)
_REFUNDS: Final = table_of(OrderRefund)
_ALIVE: Final = _ORDERS.c.del_state == 0


@dataclass(frozen=True, slots=True)
class Standing:
    """What an order knows of its money.

    Attributes:
        payment_sn: the payment that paid it; empty while none has, or where nobody wrote it down.
        refunds: of each payment that must go back, whether it has.
    """

    state: TradeState
    payment_sn: str
    refunds: dict[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Waiting:
    """An order's place in the walk through those that wait for their money."""

    sn: str
    close_at: datetime
    id: int


async def standings(connection: AsyncConnection, sns: Collection[str]) -> dict[str, Standing]:
    """What these orders know of their money, by sn; those that do not exist are left out."""
    statement = (
        select(
            _ORDERS.c.sn,
            _ORDERS.c.trade_state,
            _ORDERS.c.payment_sn,
            _REFUNDS.c.payment_sn.label("refund_of"),
            _REFUNDS.c.refunded_at,
        )
        .join_from(_ORDERS, _REFUNDS, _REFUNDS.c.order_sn == _ORDERS.c.sn, isouter=True)
        .where(_ORDERS.c.sn.in_(sorted(sns)), _ALIVE)
    )
    found: dict[str, Standing] = {}
    for row in await connection.execute(statement):
        standing = found.setdefault(row.sn, Standing(row.trade_state, row.payment_sn))
        if row.refund_of is not None:
            standing.refunds[row.refund_of] = row.refunded_at is not None
    return found


def waiting_statement(
    state: TradeState,
    after: tuple[datetime, int] | None,
    *,
    since: ColumnElement[Any],
    until: ColumnElement[Any],
    limit: int,
) -> Select[Any]:
    """The statement of `waiting`, so that a test can ask the database how it would run it."""
    statement = (
        select(_ORDERS.c.sn, _ORDERS.c.close_at, _ORDERS.c.id)
        .where(_ORDERS.c.trade_state == state, _ORDERS.c.close_at >= since, _ORDERS.c.create_time <= until, _ALIVE)
        .order_by(_ORDERS.c.close_at, _ORDERS.c.id)
        .limit(limit)
    )
    if after is None:
        return statement
    close_at, order_id = after
    return statement.where(
        # The first half alone lets a database begin there in its index; an OR it would not see through.
        _ORDERS.c.close_at >= close_at,
        or_(_ORDERS.c.close_at > close_at, and_(_ORDERS.c.close_at == close_at, _ORDERS.c.id > order_id)),
    )


async def waiting(
    connection: AsyncConnection,
    state: TradeState,
    after: tuple[datetime, int] | None,
    *,
    since: ColumnElement[Any],
    until: ColumnElement[Any],
    limit: int,
) -> list[Waiting]:
    """Orders in this state, by the moment at which they close or should have closed.

    Args:
        connection: the transaction.
        state: open, or closed.
        after: moment and id of the last one of the page before.
        since: those that close earlier are left out.
        until: those that were placed later are left out.
        limit: rows wanted.
    """
    statement = waiting_statement(state, after, since=since, until=until, limit=limit)
    return [Waiting(**row._mapping) for row in await connection.execute(statement)]


async def refunds_due(connection: AsyncConnection, limit: int) -> list[str]:
    """The sn's of orders with money that must go back and has not, longest due first."""
    statement = (
        select(_REFUNDS.c.order_sn)
        .where(_REFUNDS.c.refunded_at.is_(None))
        .order_by(_REFUNDS.c.requested_at)
        .limit(limit)
    )
    return list(dict.fromkeys((await connection.execute(statement)).scalars()))
