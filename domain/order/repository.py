"""Every SQL statement about orders. Nothing here commits, decides a rule, or knows the time: the caller hands it in.

What comes with every request is one statement object, made once, whose values are named: SQLAlchemy keeps in it by what
it is known again, so that it is neither put together nor looked through each time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from functools import cache, lru_cache
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Integer,
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
from domain.order.models import Event, HomestayOrder, Order, OrderEvent, OrderRefund, part
from domain.order.ports import Payment
from domain.order.states import CloseReason, TradeState
from domain.prepared import Prepared

_ORDERS: Final = table_of(HomestayOrder)
_EVENTS: Final = table_of(OrderEvent)
_REFUNDS: Final = table_of(OrderRefund)
_ORDER_COLUMNS: Final = [_ORDERS.c[name] for name in Order._fields]
_EVENT_COLUMNS: Final = [_EVENTS.c[field.name] for field in fields(Event)]
_ALIVE: Final = _ORDERS.c.del_state == 0

# A guest's list is in the order of the primary key. MariaDB walks along that, passing over all other guests' orders,
# where it takes this guest's for near: those of a guest with many, also after a cursor that nobody gave out. The
# guest's own index may have any name; the key's is PRIMARY everywhere.
_NOT_ALONG_ALL: Final = "IGNORE INDEX (PRIMARY)"

_FIND: Final = select(*_ORDER_COLUMNS).where(_ORDERS.c.sn == bindparam("sn"), _ALIVE)
_FIND_OF_GUEST: Final = _FIND.where(_ORDERS.c.user_id == bindparam("user_id"))
_STEPS: Final = (
    select(*_EVENT_COLUMNS).where(_EVENTS.c.order_sn.in_(bindparam("sns", expanding=True))).order_by(_EVENTS.c.id)
)


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which of a guest's orders are wanted; None filters nothing, an empty set matches nothing."""

    states: frozenset[TradeState] | None = None
    start_from: date | None = None
    start_to: date | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """A piece of a list that runs from the newest order to the oldest.

    Attributes:
        limit: rows wanted.
        after: only orders older than the one with this id.
        before: only orders newer than the one with this id.
        backwards: count `limit` from the oldest end instead of the newest.
    """

    limit: int
    after: int | None = None
    before: int | None = None
    backwards: bool = False


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


def page_statement(user_id: int, wanted: OrderFilter, window: Window) -> Select[Any]:
    """The statement of `page`, so that a test can ask the database how it would run it."""
    values = _page_values(user_id, wanted, window)
    return _page_statement(tuple(values), backwards=window.backwards).params(values)


async def page(connection: AsyncConnection, user_id: int, wanted: OrderFilter, window: Window) -> list[Order]:
    """A piece of a guest's list, newest first whichever end it was counted from."""
    values = _page_values(user_id, wanted, window)
    statement = _page_statement(tuple(values), backwards=window.backwards)
    orders = [_order(row) for row in (await connection.execute(statement, values)).all()]
    return orders[::-1] if window.backwards else orders


async def count(connection: AsyncConnection, user_id: int, wanted: OrderFilter) -> int:
    """How many of a guest's orders are wanted."""
    statement = _matching(select(func.count()).select_from(_ORDERS), user_id, wanted)
    return int((await connection.execute(statement)).scalar_one())


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


async def read_page(
    database: Database, user_id: int, wanted: OrderFilter, window: Window, only: frozenset[str] | None = None
) -> list[Order]:
    """A piece of a guest's list, in a transaction of its own: `page`, for those who only look.

    Args:
        database: to be asked.
        user_id: the guest.
        wanted: which of the guest's orders.
        window: which piece.
        only: the columns that the orders must have, see `models.part`; None where they are to be whole.
    """
    values = _page_values(user_id, wanted, window)
    pages = _WHOLE if only is None else _pages(only)
    rows = await database.fetch(pages.prepared(tuple(values), backwards=window.backwards), values)
    orders = [*map(pages.order, rows)]
    return orders[::-1] if window.backwards else orders


class _Pages:
    """Pages of orders with these columns, in each way in which they are asked for."""

    def __init__(self, kind: type[Order]) -> None:
        self.order = kind._make
        self._columns = kind._fields
        self._prepared: dict[tuple[tuple[str, ...], bool], Prepared] = {}

    def prepared(self, asked: tuple[str, ...], *, backwards: bool) -> Prepared:
        """The statement; there are a few dozen."""
        found = self._prepared.get((asked, backwards))
        if found is None:
            statement = _page_statement(asked, self._columns, backwards=backwards)
            found = self._prepared[asked, backwards] = Prepared("page", statement)
        return found


_COLUMNS: Final = frozenset(Order._fields)
_WHOLE: Final = _Pages(Order)


# Clients select what they like. Those of a product have a few lists, and for more than these there is always some work.
@lru_cache(maxsize=16)
def _pages(only: frozenset[str]) -> _Pages:
    # Who names something else than columns does not know what is needed.
    return _Pages(part([name for name in Order._fields if name in only])) if only <= _COLUMNS else _WHOLE


def _page_values(user_id: int, wanted: OrderFilter, window: Window) -> dict[str, Any]:
    """What a page is asked for by, each under the name that it has in the statement."""
    values = {
        "user": user_id,
        "most": window.limit,
        "states": None if wanted.states is None else sorted(wanted.states),
        "start_from": wanted.start_from,
        "start_to": wanted.start_to,
        "after": window.after,
        "before": window.before,
    }
    return {name: value for name, value in values.items() if value is not None}


@cache  # as many as there are ways to ask: a few dozen
def _page_statement(
    asked: tuple[str, ...], columns: tuple[str, ...] = Order._fields, *, backwards: bool
) -> Select[Any]:
    conditions = {
        "user": _ORDERS.c.user_id == bindparam("user"),
        "states": _ORDERS.c.trade_state.in_(bindparam("states", expanding=True)),
        "start_from": _ORDERS.c.live_start_date >= bindparam("start_from"),
        "start_to": _ORDERS.c.live_start_date <= bindparam("start_to"),
        "after": _ORDERS.c.id < bindparam("after"),
        "before": _ORDERS.c.id > bindparam("before"),
    }
    return (
        select(*(_ORDERS.c[name] for name in columns))
        .with_hint(_ORDERS, _NOT_ALONG_ALL, "mysql")
        .with_hint(_ORDERS, _NOT_ALONG_ALL, "mariadb")
        .where(_ALIVE, *(condition for name, condition in conditions.items() if name in asked))
        .order_by(_ORDERS.c.id.asc() if backwards else _ORDERS.c.id.desc())
        .limit(bindparam("most", type_=Integer()))
    )


def _matching(statement: Select[Any], user_id: int, wanted: OrderFilter) -> Select[Any]:
    statement = statement.where(_ORDERS.c.user_id == user_id, _ALIVE)
    if wanted.states is not None:
        statement = statement.where(_ORDERS.c.trade_state.in_(sorted(wanted.states)))
    if wanted.start_from is not None:
        statement = statement.where(_ORDERS.c.live_start_date >= wanted.start_from)
    if wanted.start_to is not None:
        statement = statement.where(_ORDERS.c.live_start_date <= wanted.start_to)
    return statement


def _order(row: Sequence[Any]) -> Order:
    return Order._make(row)
