"""The homestay table. It keeps the existing system's names and widths, so that ours can adopt its rows."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import ClassVar, Final

from sqlalchemy import BigInteger, Column, DateTime, String, func
from sqlmodel import Field, SQLModel

from domain.columns import BIG_ID, MYSQL_TABLE, TINYINT, IntEnumColumn, UTCDateTime
from domain.money import Fen

# In characters. `info` is as odd as the existing system has it.
WIDTHS: Final = {"title": 32, "sub_title": 128, "banner": 4096, "info": 4069, "food_info": 2048}


class Shelf(IntEnum):
    """Whether a homestay is on sale; the numbers are the wire's rowState."""

    OFF = 0
    ON = 1


class SaleUnit(IntEnum):
    """How a homestay is sold; the numbers are the wire's rowType."""

    ROOM = 0
    PERSON = 1


def _text(name: str) -> Column[str]:
    return Column(name, String(WIDTHS[name]), nullable=False, server_default="")


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default="0")


def _instant(name: str) -> Column[datetime]:
    return Column(name, UTCDateTime(), nullable=False, server_default=func.current_timestamp())


class StoredHomestay(SQLModel, table=True):
    """A homestay as it is stored. Rows with `del_state` 1 do not exist."""

    __tablename__: ClassVar[str] = "homestay"
    __table_args__ = (MYSQL_TABLE,)

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    create_time: datetime = Field(sa_column=_instant("create_time"))
    update_time: datetime = Field(sa_column=_instant("update_time"))
    delete_time: datetime = Field(
        sa_column=Column("delete_time", DateTime, nullable=False, server_default=func.current_timestamp())
    )
    del_state: int = Field(default=0, sa_column=Column(TINYINT, nullable=False, server_default="0"))
    version: int = Field(default=0, sa_column=_number("version"))
    title: str = Field(sa_column=_text("title"))
    sub_title: str = Field(sa_column=_text("sub_title"))
    banner: str = Field(sa_column=_text("banner"), description="Image URLs, comma-separated; the first is the cover.")
    info: str = Field(sa_column=_text("info"))
    people_num: int = Field(sa_column=Column(TINYINT, nullable=False, server_default="0"))
    homestay_business_id: int = Field(sa_column=_number("homestay_business_id"))
    user_id: int = Field(sa_column=_number("user_id"), description="Its host.")
    row_state: Shelf = Field(sa_column=Column(IntEnumColumn(Shelf), nullable=False, server_default="0"))
    row_type: SaleUnit = Field(sa_column=Column(IntEnumColumn(SaleUnit), nullable=False, server_default="0"))
    food_info: str = Field(sa_column=_text("food_info"))
    food_price: int = Field(sa_column=_number("food_price"), description="Fen, per person and day.")
    homestay_price: int = Field(sa_column=_number("homestay_price"), description="Fen, per night.")
    market_homestay_price: int = Field(sa_column=_number("market_homestay_price"), description="Fen, per night.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Homestay:
    """A homestay as it is read and as the catalogue lists it: the row as a value, which no session watches."""

    id: int
    title: str
    sub_title: str
    banner: str
    info: str
    people_num: int
    homestay_business_id: int
    user_id: int
    row_state: Shelf
    row_type: SaleUnit
    food_info: str
    food_price: Fen
    homestay_price: Fen
    market_homestay_price: Fen
