"""What the tables say, read by plain SQL in one snapshot: the judge asks nothing of what it judges."""

from collections import defaultdict
from collections.abc import Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final

import sqlalchemy as sa

_INSTANTS: Final = ("close_at", "at", "refunded_at", "update_time", "created_at")
_DATES: Final = ("live_start_date", "live_end_date", "night")


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow:
    sn: str
    user_id: int
    homestay_id: int
    row_type: int
    need_food: int
    food_price: int
    homestay_price: int
    live_start_date: date
    live_end_date: date
    live_people_num: int
    trade_state: int
    trade_code: str
    payment_sn: str
    remark: str
    order_total_price: int
    food_total_price: int
    homestay_total_price: int
    close_at: datetime
    close_reason: int | None

    @property
    def nights(self) -> int:
        return (self.live_end_date - self.live_start_date).days


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    order_sn: str
    at: datetime
    from_state: int | None
    to_state: int
    reason: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRow:
    sn: str
    order_sn: str
    user_id: int
    pay_total: int
    pay_status: int
    update_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRow:
    order_sn: str
    payment_sn: str
    total: int
    refunded_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NightRow:
    homestay_id: int
    night: date
    place: int
    order_sn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterRow:
    topic: str
    subject: str
    state: int
    error: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """All rows but the letters that were delivered, and the database's own time when it read them."""

    now: datetime
    orders: list[OrderRow] = field(default_factory=list)
    events: dict[str, list[EventRow]] = field(default_factory=dict)
    payments: list[PaymentRow] = field(default_factory=list)
    refunds: list[RefundRow] = field(default_factory=list)
    nights: list[NightRow] = field(default_factory=list)
    letters: list[LetterRow] = field(default_factory=list)

    def payments_of(self) -> dict[str, list[PaymentRow]]:
        """The payments of each order, by its sn."""
        return _by_order(self.payments)

    def nights_of(self) -> dict[str, list[NightRow]]:
        """The places that each order holds, by its sn."""
        return _by_order(self.nights)


_ORDERS: Final = """
    select sn, user_id, homestay_id, row_type, need_food, food_price, homestay_price, live_start_date, live_end_date,
           live_people_num, trade_state, trade_code, payment_sn, remark, order_total_price, food_total_price,
           homestay_total_price, close_at, close_reason
    from homestay_order where del_state = 0 order by id
"""
_EVENTS: Final = "select order_sn, at, from_state, to_state, reason from homestay_order_event order by id"
_PAYMENTS: Final = """
    select sn, order_sn, user_id, pay_total, pay_status, update_time from third_payment where del_state = 0
"""
_REFUNDS: Final = "select order_sn, payment_sn, total, refunded_at from homestay_order_refund"
_NIGHTS: Final = "select homestay_id, night, place, order_sn from homestay_night"
_LETTERS: Final = "select topic, subject, state, error, created_at from homestay_outbox where state <> 1"
_OPEN: Final = "select count(*) from homestay_order where trade_state = 0"
# What somebody still has to do: money that an order can't use, a refund that is due, a letter.
_UNSETTLED: Final = """
    select (select count(*) from third_payment p join homestay_order o on o.sn = p.order_sn
            where p.pay_status = 1 and (o.trade_state in (-1, 0) or o.payment_sn <> p.sn))
         + (select count(*) from homestay_order_refund where refunded_at is null)
         + (select count(*) from homestay_outbox where state = 0)
"""


class Reader:
    """Reads one database of either kind, and writes nothing."""

    def __init__(self, url: sa.URL) -> None:
        sqlite = url.get_backend_name() == "sqlite"
        self._now = "select strftime('%Y-%m-%d %H:%M:%f', 'now')" if sqlite else "select utc_timestamp(3)"
        self._begin = "begin" if sqlite else "start transaction with consistent snapshot, read only"
        # A connection for each look: the server may have been killed since the last one.
        self._engine = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")

    def read(self) -> Books:
        with self._snapshot() as connection:
            return Books(
                now=_instant(connection.execute(sa.text(self._now)).scalar_one()),
                orders=[OrderRow(**row) for row in _rows(connection, _ORDERS)],
                events=_by_order(EventRow(**row) for row in _rows(connection, _EVENTS)),
                payments=[PaymentRow(**row) for row in _rows(connection, _PAYMENTS)],
                refunds=[RefundRow(**row) for row in _rows(connection, _REFUNDS)],
                nights=[NightRow(**row) for row in _rows(connection, _NIGHTS)],
                letters=[LetterRow(**row) for row in _rows(connection, _LETTERS)],
            )

    def open_orders(self) -> int:
        """How many orders are neither paid nor closed."""
        return self._count(_OPEN)

    def unsettled(self) -> int:
        """How many things somebody still has to do: close an order, return money, deliver a letter."""
        return self._count(_OPEN) + self._count(_UNSETTLED)

    def _count(self, statement: str) -> int:
        with self._snapshot() as connection:
            return int(connection.execute(sa.text(statement)).scalar_one())

    @contextmanager
    def _snapshot(self) -> Any:
        with self._engine.connect() as connection:
            connection.exec_driver_sql(self._begin)
            yield connection
            connection.exec_driver_sql("rollback")


def _rows(connection: sa.Connection, statement: str) -> list[dict[str, Any]]:
    return [
        {name: _value(name, value) for name, value in row.items()}
        for row in connection.execute(sa.text(statement)).mappings()
    ]


def _value(name: str, value: Any) -> Any:
    # SQLite keeps dates as texts.
    if name in _INSTANTS and value is not None:
        return _instant(value)
    if name in _DATES and isinstance(value, str):
        return date.fromisoformat(value)
    return value


def _instant(value: Any) -> datetime:
    read = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return read.replace(tzinfo=UTC)


def _by_order(rows: Iterable[Any]) -> dict[str, list[Any]]:
    groups: defaultdict[str, list[Any]] = defaultdict(list)
    for row in rows:
        groups[row.order_sn].append(row)
    return dict(groups)
