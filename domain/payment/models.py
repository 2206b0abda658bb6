"""The payment table. It keeps the existing system's names and widths, so that ours can adopt its rows."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from sqlalchemy import CHAR, BigInteger, Column, DateTime, Index, String, func
from sqlmodel import Field, SQLModel

from domain.columns import BIG_ID, MYSQL_TABLE, TINYINT, IntEnumColumn, UTCDateTime
from domain.money import Fen
from domain.payment.states import SETTLED, PayStatus

# In characters.
WIDTHS: Final = {
    "order_sn": 25,
    "pay_mode": 20,
    "trade_type": 20,
    "trade_state": 20,
    "transaction_id": 32,
    "trade_state_desc": 256,
    "service_type": 32,
}


def _text(name: str) -> Column[str]:
    return Column(name, String(WIDTHS[name]), nullable=False, server_default="")


def _instant(name: str) -> Column[datetime]:
    return Column(name, UTCDateTime(), nullable=False, server_default=func.current_timestamp())


class ThirdPayment(SQLModel, table=True):
    """A payment as it is stored. Rows with `del_state` 1 do not exist."""

    __tablename__: ClassVar[str] = "third_payment"
    __table_args__ = (
        Index("ix_third_payment_order", "order_sn"),
        Index("ux_third_payment_live_order", "live_order_sn", unique=True),
        Index("ix_third_payment_changed", "update_time", "id"),
        MYSQL_TABLE,
    )

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    sn: str = Field(sa_column=Column(CHAR(25), nullable=False, unique=True))
    create_time: datetime = Field(sa_column=_instant("create_time"))
    update_time: datetime = Field(sa_column=_instant("update_time"))
    delete_time: datetime = Field(
        sa_column=Column("delete_time", DateTime, nullable=False, server_default=func.current_timestamp())
    )
    del_state: int = Field(default=0, sa_column=Column(TINYINT, nullable=False, server_default="0"))
    version: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))
    user_id: int = Field(sa_column=Column(BigInteger, nullable=False, server_default="0"))
    pay_mode: str = Field(sa_column=_text("pay_mode"))
    trade_type: str = Field(sa_column=_text("trade_type"))
    trade_state: str = Field(sa_column=_text("trade_state"), description="The provider's word, e.g. NOTPAY.")
    pay_total: int = Field(sa_column=Column(BigInteger, nullable=False, server_default="0"), description="Fen.")
    transaction_id: str = Field(
        sa_column=Column(CHAR(WIDTHS["transaction_id"]), nullable=False, server_default=""),
        description="The provider's number for it.",
    )
    trade_state_desc: str = Field(sa_column=_text("trade_state_desc"))
    order_sn: str = Field(sa_column=Column(CHAR(WIDTHS["order_sn"]), nullable=False, server_default=""))
    service_type: str = Field(sa_column=_text("service_type"))
    pay_status: PayStatus = Field(sa_column=Column(IntEnumColumn(PayStatus), nullable=False, server_default="0"))
    pay_time: datetime | None = Field(
        sa_column=Column(UTCDateTime(), nullable=True), description="When the money came, by the provider's word."
    )
    # Ours.
    expire_time: datetime | None = Field(
        sa_column=Column(UTCDateTime(), nullable=True), description="The provider is to take no money after it."
    )
    live_order_sn: str | None = Field(
        sa_column=Column(CHAR(WIDTHS["order_sn"]), nullable=True),
        description=(
            "The order's number while this is the order's one payment, open, paid or refunded: two processes can't "
            "open two. NULL once it failed, and NULL in a payment whose money came when another one had taken its "
            "place."
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """A payment as it was read: the row as a value, which no session watches."""

    id: int
    sn: str
    user_id: int
    pay_mode: str
    trade_type: str
    trade_state: str
    pay_total: Fen
    transaction_id: str
    trade_state_desc: str
    order_sn: str
    service_type: str
    pay_status: PayStatus
    pay_time: datetime | None
    expire_time: datetime | None
    create_time: datetime
    update_time: datetime

    @property
    def paid_at(self) -> datetime | None:
        """When the money came; None while none has, whatever an adopted row says."""
        return self.pay_time if self.pay_status in SETTLED else None
