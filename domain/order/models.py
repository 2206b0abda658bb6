"""The order tables. `homestay_order` keeps the existing system's names and widths, so that ours can adopt its rows."""

from collections import namedtuple
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar, Final, NamedTuple

from sqlalchemy import CHAR, BigInteger, Boolean, Column, Date, DateTime, Index, String, func
from sqlmodel import Field, SQLModel

from domain.columns import BIG_ID, MYSQL_TABLE, SHA256, TINYINT, IntEnumColumn, UTCDateTime
from domain.money import Fen
from domain.order.states import CODE_SHOWN, CloseReason, SaleUnit, TradeState

# Widths in characters. A text of the travel service that is longer is cut to fit: it is a snapshot for people to
# read, and a homestay must not become unsellable by a long description.
WIDTHS: Final = {"title": 32, "sub_title": 128, "cover": 1024, "info": 4069, "food_info": 1024}


def _text(name: str) -> Column[str]:
    return Column(name, String(WIDTHS[name]), nullable=False, server_default="")


def _fen(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default="0")


def _instant(name: str) -> Column[datetime]:
    return Column(name, UTCDateTime(), nullable=False, server_default=func.current_timestamp())


class HomestayOrder(SQLModel, table=True):
    """An order as it is stored.

    `delete_time`, `del_state` and `version` are the existing system's: rows with `del_state` 1 do not exist, and
    `version` grows with every write, which is how that system notices ours.
    """

    __tablename__: ClassVar[str] = "homestay_order"
    __table_args__ = (
        Index("ix_homestay_order_user", "user_id", "id"),
        Index("ix_homestay_order_user_state", "user_id", "trade_state", "id"),
        Index("ix_homestay_order_due", "trade_state", "close_at"),
        Index("ix_homestay_order_leaving", "trade_state", "live_end_date"),
        MYSQL_TABLE,
    )

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    create_time: datetime = Field(sa_column=_instant("create_time"))
    update_time: datetime = Field(sa_column=_instant("update_time"))
    delete_time: datetime = Field(
        sa_column=Column("delete_time", DateTime, nullable=False, server_default=func.current_timestamp())
    )
    del_state: int = Field(default=0, sa_column=Column(TINYINT, nullable=False, server_default="0"))
    version: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))
    sn: str = Field(sa_column=Column(CHAR(25), nullable=False, unique=True))
    user_id: int = Field(sa_column=Column(BigInteger, nullable=False, server_default="0"))
    homestay_id: int = Field(sa_column=Column(BigInteger, nullable=False, server_default="0"))
    title: str = Field(sa_column=_text("title"))
    sub_title: str = Field(sa_column=_text("sub_title"))
    cover: str = Field(sa_column=_text("cover"))
    info: str = Field(sa_column=_text("info"))
    people_num: int = Field(sa_column=Column(TINYINT, nullable=False, server_default="0"))
    row_type: SaleUnit = Field(sa_column=Column(IntEnumColumn(SaleUnit), nullable=False, server_default="0"))
    need_food: bool = Field(sa_column=Column(Boolean, nullable=False, server_default="0"))
    food_info: str = Field(sa_column=_text("food_info"))
    food_price: int = Field(sa_column=_fen("food_price"))
    homestay_price: int = Field(sa_column=_fen("homestay_price"))
    market_homestay_price: int = Field(sa_column=_fen("market_homestay_price"))
    homestay_business_id: int = Field(sa_column=Column(BigInteger, nullable=False, server_default="0"))
    homestay_user_id: int = Field(sa_column=Column(BigInteger, nullable=False, server_default="0"))
    live_start_date: date = Field(sa_column=Column(Date, nullable=False))
    live_end_date: date = Field(sa_column=Column(Date, nullable=False))
    live_people_num: int = Field(sa_column=Column(TINYINT, nullable=False, server_default="0"))
    trade_state: TradeState = Field(sa_column=Column(IntEnumColumn(TradeState), nullable=False, server_default="0"))
    trade_code: str = Field(sa_column=Column(CHAR(8), nullable=False, server_default=""))
    remark: str = Field(sa_column=Column(String(64), nullable=False, server_default=""))
    order_total_price: int = Field(sa_column=_fen("order_total_price"))
    food_total_price: int = Field(sa_column=_fen("food_total_price"))
    homestay_total_price: int = Field(sa_column=_fen("homestay_total_price"))
    # Ours. An order of the existing system has no `close_at`: its own timer closes it.
    close_at: datetime | None = Field(
        sa_column=Column(UTCDateTime(milliseconds=True), nullable=True),
        description="When it closes unless paid; this column is the promise that every timer only serves.",
    )
    close_reason: CloseReason | None = Field(sa_column=Column(IntEnumColumn(CloseReason), nullable=True))
    payment_sn: str = Field(
        default="",
        sa_column=Column(CHAR(25), nullable=False, server_default=""),
        description="The payment that paid it; empty while none has, and where the existing system moved it.",
    )
    checked_in_at: datetime | None = Field(
        default=None,
        sa_column=Column(UTCDateTime(milliseconds=True), nullable=True),
        description="When its guest showed the check-in code.",
    )


class OrderEvent(SQLModel, table=True):
    """A step in an order's life: one row for each change of state, the first one `from_state` nothing."""

    __tablename__: ClassVar[str] = "homestay_order_event"
    __table_args__ = (Index("ix_homestay_order_event_sn", "order_sn", "id"), MYSQL_TABLE)

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    order_sn: str = Field(sa_column=Column(CHAR(25), nullable=False))
    at: datetime = Field(sa_column=Column(UTCDateTime(milliseconds=True), nullable=False))
    from_state: TradeState | None = Field(sa_column=Column(IntEnumColumn(TradeState), nullable=True))
    to_state: TradeState = Field(sa_column=Column(IntEnumColumn(TradeState), nullable=False))
    reason: CloseReason | None = Field(sa_column=Column(IntEnumColumn(CloseReason), nullable=True))


class OrderRefund(SQLModel, table=True):
    """Money that came for an order which can't use it, and must go back: one row a payment, so once."""

    __tablename__: ClassVar[str] = "homestay_order_refund"
    __table_args__ = (
        Index("ix_homestay_order_refund_sn", "order_sn"),
        Index("ix_homestay_order_refund_due", "refunded_at", "requested_at"),
        MYSQL_TABLE,
    )

    payment_sn: str = Field(sa_column=Column(CHAR(25), primary_key=True))
    order_sn: str = Field(sa_column=Column(CHAR(25), nullable=False))
    total: int = Field(sa_column=Column(BigInteger, nullable=False))
    requested_at: datetime = Field(sa_column=Column(UTCDateTime(milliseconds=True), nullable=False))
    refunded_at: datetime | None = Field(sa_column=Column(UTCDateTime(milliseconds=True), nullable=True))


class HomestayNight(SQLModel, table=True):
    """A place of a homestay on a night, held by an order.

    Sold by room there is one place, 0. Sold per person there is one for each guest that it holds. The primary key is
    what makes selling a place twice impossible, whoever tries.
    """

    __tablename__: ClassVar[str] = "homestay_night"
    __table_args__ = (Index("ix_homestay_night_order", "order_sn"), MYSQL_TABLE)

    homestay_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    night: date = Field(sa_column=Column(Date, primary_key=True), description="The date on which it begins.")
    place: int = Field(sa_column=Column(TINYINT, primary_key=True, autoincrement=False))
    whole: bool = Field(sa_column=Column(Boolean, nullable=False), description="Whether it stands for the whole room.")
    order_sn: str = Field(sa_column=Column(CHAR(25), nullable=False))


class IdempotencyKey(SQLModel, table=True):
    """A key that a guest's client made for a request, and the order that came of it.

    Key and request are kept as SHA-256 in hex: of a fixed size, and alike only where they are the same, whatever the
    collation.
    """

    __tablename__: ClassVar[str] = "homestay_idempotency_key"
    __table_args__ = (Index("ix_homestay_idempotency_key_made", "created_at"), MYSQL_TABLE)

    user_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    key_hash: str = Field(sa_column=Column(SHA256, primary_key=True))
    request_hash: str = Field(sa_column=Column(SHA256, nullable=False))
    order_sn: str = Field(sa_column=Column(CHAR(25), nullable=False))
    created_at: datetime = Field(sa_column=Column(UTCDateTime(milliseconds=True), nullable=False))


class HomestayGuest(SQLModel, table=True):
    """A guest who has placed an order: the row that their orders in the making take turns at."""

    __tablename__: ClassVar[str] = "homestay_guest"
    __table_args__ = (MYSQL_TABLE,)

    user_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))


class HomestaySettlement(SQLModel, table=True):
    """What a homestay business earned by the stays that ended in one month. Written once, when the month is over."""

    __tablename__: ClassVar[str] = "homestay_settlement"
    __table_args__ = (MYSQL_TABLE,)

    month: date = Field(sa_column=Column(Date, primary_key=True), description="Its first day.")
    business_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    orders: int = Field(sa_column=Column(BigInteger, nullable=False), description="Stays used, or paid and not used.")
    nights: int = Field(sa_column=Column(BigInteger, nullable=False))
    homestay_total: int = Field(sa_column=Column(BigInteger, nullable=False), description="Fen.")
    food_total: int = Field(sa_column=Column(BigInteger, nullable=False), description="Fen.")
    total: int = Field(sa_column=Column(BigInteger, nullable=False), description="Fen; the sum of both.")
    settled_at: datetime = Field(sa_column=Column(UTCDateTime(milliseconds=True), nullable=False))


class Order(NamedTuple):
    """An order as it was read: the row as a value, which no session watches.

    A tuple, for a page has many, and one is made of a row as it is.
    """

    id: int
    sn: str
    user_id: int
    homestay_id: int
    homestay_business_id: int
    homestay_user_id: int
    title: str
    sub_title: str
    cover: str
    info: str
    people_num: int
    row_type: SaleUnit
    need_food: bool
    food_info: str
    food_price: Fen
    homestay_price: Fen
    market_homestay_price: Fen
    live_start_date: date
    live_end_date: date
    live_people_num: int
    trade_state: TradeState
    trade_code: str
    remark: str
    order_total_price: Fen
    food_total_price: Fen
    homestay_total_price: Fen
    create_time: datetime
    close_at: datetime | None
    close_reason: CloseReason | None
    payment_sn: str = ""
    checked_in_at: datetime | None = None

    @property
    def nights(self) -> int:
        """Calendar nights."""
        return (self.live_end_date - self.live_start_date).days

    @property
    def pay_before(self) -> datetime | None:
        """When it closes unless paid; None once it is no longer open."""
        return self.close_at if self.trade_state is TradeState.WAIT_PAY else None

    @property
    def shown_code(self) -> str | None:
        """The check-in code, where the guest may know it."""
        return self.trade_code if self.trade_state in CODE_SHOWN else None


# What an order works out, and of which columns.
DERIVED: Final = {
    "nights": ("live_start_date", "live_end_date"),
    "pay_before": ("trade_state", "close_at"),
    "shown_code": ("trade_state", "trade_code"),
}


def part(columns: Sequence[str]) -> type[Order]:
    """Orders of which only these columns were read; whatever needs another raises AttributeError.

    Returns:
        A class that is not `Order`, as it has not all of it, and stands in for it with those who need no more.
    """
    named: Any = namedtuple  # noqa: PYI024 -- which columns is known when they are asked for
    made: Any = type(
        "Order", (named("Order", columns),), {"__slots__": (), **{name: getattr(Order, name) for name in DERIVED}}
    )
    return made  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A step in an order's life as it was read."""

    order_sn: str
    at: datetime
    from_state: TradeState | None
    to_state: TradeState
    reason: CloseReason | None
