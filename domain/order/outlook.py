"""How closing goes, for people who look: what falls due soon, what is late, how late it was, and what must go back.

Each statement reads at most some thousand rows along an index, however large the tables are. Where there are more, the
answer says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.clock import Clock, database_now
from domain.columns import table_of
from domain.money import Fen
from domain.order.models import HomestayOrder, OrderEvent, OrderRefund
from domain.order.states import CloseReason, TradeState

_ORDERS: Final = table_of(HomestayOrder)
_EVENTS: Final = table_of(OrderEvent)
_REFUNDS: Final = table_of(OrderRefund)

# How far one looks ahead, in minutes, and back.
AHEAD: Final = 20
BACK: Final = timedelta(hours=1)
# Rows that are counted at most, of orders, of steps and of refunds.
COUNTED: Final = 20_000
# Closings whose lag is looked at, the latest ones; and orders in one question for their due moments.
LAGS: Final = 2_000
_AT_ONCE: Final = 500
# Refunds that are shown.
SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class RefundDue:
    """Money that must go back and has not."""

    payment_sn: str
    order_sn: str
    total: Fen
    requested_at: datetime


@dataclass(frozen=True, slots=True)
class Outlook:
    """What there is to see of closing and of refunds at one moment.

    Attributes:
        at: that moment, by the database's clock.
        soon: orders that fall due, by the minute from now on in which they do; the first `COUNTED` of them.
        overdue: open orders that are past their time, `COUNTED` at most.
        overdue_since: when the first of them fell due.
        lags: seconds from the due moment to the close, of unpaid orders that closed within `BACK`; the latest `LAGS`.
        lags_since: how far back they go. `BACK` ago, or later where much happened since.
        refunds: the oldest refunds that are due.
        refunds_due: how many there are, `COUNTED` at most.
    """

    at: datetime
    soon: Sequence[int]
    overdue: int
    overdue_since: datetime | None
    lags: Sequence[float]
    lags_since: datetime
    refunds: Sequence[RefundDue]
    refunds_due: int


def soon_statement(clock: Clock) -> Select[Any]:
    """The orders that fall due soon, each by its minute, so that a test can ask the database how it would find them."""
    ends = [clock.sql_now(ago=-timedelta(minutes=minute)) for minute in range(1, AHEAD + 1)]
    minute = case(*((_ORDERS.c.close_at <= end, number) for number, end in enumerate(ends)))
    return _open(minute.label("minute")).where(
        _ORDERS.c.close_at > clock.sql_now(), _ORDERS.c.close_at <= clock.sql_now(ago=-timedelta(minutes=AHEAD))
    )


def overdue_statement(clock: Clock) -> Select[Any]:
    """The orders that are past their time, likewise."""
    return _open(_ORDERS.c.close_at).where(_ORDERS.c.close_at <= clock.sql_now())


def refunds_statement(limit: int) -> Select[Any]:
    """The oldest refunds that are due, likewise."""
    columns = (_REFUNDS.c[name] for name in ("payment_sn", "order_sn", "total", "requested_at"))
    return select(*columns).where(_REFUNDS.c.refunded_at.is_(None)).order_by(_REFUNDS.c.requested_at).limit(limit)


def steps_statement() -> Select[Any]:
    """The latest steps of all orders. They are numbered as they happen, and their times have no index."""
    columns = (_EVENTS.c[name] for name in ("id", "order_sn", "at", "reason"))
    return select(*columns).order_by(_EVENTS.c.id.desc()).limit(COUNTED)


async def look(connection: AsyncConnection, clock: Clock) -> Outlook:
    """Looks at this moment."""
    now = await database_now(connection, clock)
    due = overdue_statement(clock).subquery()
    counted: list[ColumnElement[Any]] = [func.count(), func.min(due.c.close_at)]
    overdue, since = (await connection.execute(select(*counted).select_from(due))).one()
    refunds = refunds_statement(COUNTED).subquery()
    refunds_due = (await connection.execute(select(func.count()).select_from(refunds))).scalar_one()
    lags, lags_since = await _lags(connection, clock, now)
    return Outlook(
        at=now,
        soon=await _soon(connection, clock),
        overdue=int(overdue),
        overdue_since=since,
        lags=lags,
        lags_since=lags_since,
        refunds=[RefundDue(*row) for row in await connection.execute(refunds_statement(SHOWN))],
        refunds_due=int(refunds_due),
    )


def _open(wanted: ColumnElement[Any]) -> Select[Any]:
    return (
        select(wanted)
        .where(_ORDERS.c.trade_state == TradeState.WAIT_PAY, _ORDERS.c.del_state == 0)
        .order_by(_ORDERS.c.close_at)
        .limit(COUNTED)
    )


async def _soon(connection: AsyncConnection, clock: Clock) -> list[int]:
    due = soon_statement(clock).subquery()
    found = await connection.execute(select(due.c.minute, func.count()).group_by(due.c.minute))
    minutes = {int(minute): int(count) for minute, count in found}
    return [minutes.get(minute, 0) for minute in range(AHEAD)]


async def _lags(connection: AsyncConnection, clock: Clock, now: datetime) -> tuple[list[float], datetime]:
    """The lags of the latest closings, and how far back they go."""
    steps = steps_statement().subquery()
    counted: list[ColumnElement[Any]] = [func.count(), func.min(steps.c.at)]
    count, first = (await connection.execute(select(*counted).select_from(steps))).one()
    closings = (
        select(steps.c.order_sn, steps.c.at)
        .where(steps.c.at > clock.sql_now(ago=BACK), steps.c.reason == CloseReason.UNPAID_TIMEOUT)
        .order_by(steps.c.id.desc())
        .limit(LAGS)
    )
    closed: dict[str, datetime] = {row.order_sn: row.at for row in await connection.execute(closings)}
    lags: list[float] = []
    # Asked by their numbers: MySQL joins no columns of two collations, and the existing system's table has its own.
    sns = [*closed]
    for start in range(0, len(sns), _AT_ONCE):
        statement = select(_ORDERS.c.sn, _ORDERS.c.close_at).where(
            _ORDERS.c.sn.in_(sns[start : start + _AT_ONCE]), _ORDERS.c.close_at.is_not(None)
        )
        lags += [(closed[sn] - due).total_seconds() for sn, due in await connection.execute(statement)]
    since = now - BACK
    if len(closed) == LAGS:
        since = min(closed.values())
    elif count == COUNTED and first is not None:
        since = max(since, first)
    return lags, since
