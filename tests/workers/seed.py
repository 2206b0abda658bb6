"""A database of the existing system: its own three tables as it makes them, with rows that it has written."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from domain.database import Database

_ID: Final = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TINY: Final = sa.SmallInteger().with_variant(mysql.TINYINT(), "mysql", "mariadb")
_METADATA: Final = sa.MetaData()

ORDERS_WRITTEN: Final = 10_000
PAYMENTS_WRITTEN: Final = 3_000
HOMESTAYS_WRITTEN: Final = 300
AT_ONCE: Final = 1_000


def _table(name: str, *columns: sa.Column[Any]) -> sa.Table:
    moments = [
        sa.Column(moment, sa.DateTime, nullable=False, server_default=sa.func.current_timestamp())
        for moment in ("create_time", "update_time", "delete_time")
    ]
    return sa.Table(
        name,
        _METADATA,
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        *moments,
        *_numbers(_TINY, "del_state"),
        *_numbers(sa.BigInteger(), "version"),
        *columns,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        # Not that of our tables.
        mysql_collate="utf8mb4_general_ci",
    )


def _numbers(kind: Any, *names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=False, server_default="0") for name in names]


def _texts(**widths: int) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.String(width), nullable=False, server_default="") for name, width in widths.items()]


def _chars(**widths: int) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.CHAR(width), nullable=False, server_default="") for name, width in widths.items()]


ORDERS: Final = _table(
    "homestay_order",
    sa.Column("sn", sa.CHAR(25), nullable=False, unique=True),
    *_numbers(sa.BigInteger(), "user_id", "homestay_id"),
    *_texts(title=32, sub_title=128, cover=1024, info=4069),
    *_numbers(_TINY, "people_num", "row_type", "need_food"),
    *_texts(food_info=1024),
    *_numbers(sa.BigInteger(), "food_price", "homestay_price", "market_homestay_price"),
    *_numbers(sa.BigInteger(), "homestay_business_id", "homestay_user_id"),
    sa.Column("live_start_date", sa.Date, nullable=False),
    sa.Column("live_end_date", sa.Date, nullable=False),
    *_numbers(_TINY, "live_people_num", "trade_state"),
    *_chars(trade_code=8),
    *_texts(remark=64),
    *_numbers(sa.BigInteger(), "order_total_price", "food_total_price", "homestay_total_price"),
)
PAYMENTS: Final = _table(
    "third_payment",
    sa.Column("sn", sa.CHAR(25), nullable=False, unique=True),
    *_numbers(sa.BigInteger(), "user_id"),
    *_texts(pay_mode=20, trade_type=20, trade_state=20),
    *_numbers(sa.BigInteger(), "pay_total"),
    *_chars(transaction_id=32),
    *_texts(trade_state_desc=256),
    *_chars(order_sn=25),
    *_texts(service_type=32),
    *_numbers(_TINY, "pay_status"),
    sa.Column("pay_time", sa.DateTime, nullable=True),
)
HOMESTAYS: Final = _table(
    "homestay",
    *_texts(title=32, sub_title=128, banner=4096, info=4069),
    *_numbers(_TINY, "people_num"),
    *_numbers(sa.BigInteger(), "homestay_business_id", "user_id"),
    *_numbers(_TINY, "row_state", "row_type"),
    *_texts(food_info=2048),
    *_numbers(sa.BigInteger(), "food_price", "homestay_price", "market_homestay_price"),
)


@dataclass
class Seed:
    """What that system has written."""

    today: date
    orders: list[dict[str, Any]] = field(default_factory=list)
    payments: list[dict[str, Any]] = field(default_factory=list)
    homestays: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        chance = random.Random(20260520)  # noqa: S311 -- no secret
        self.homestays = [_homestay(chance, number) for number in range(1, HOMESTAYS_WRITTEN + 1)]
        self.orders = [_order(chance, number, self) for number in range(ORDERS_WRITTEN)]
        self.payments = [_payment(chance, order) for order in chance.sample(self.orders, PAYMENTS_WRITTEN)]

    async def write(self, database: Database) -> None:
        """Makes the tables and writes the rows."""
        async with database.engine.begin() as connection:
            await connection.run_sync(_METADATA.create_all)
            for table, rows in ((HOMESTAYS, self.homestays), (ORDERS, self.orders), (PAYMENTS, self.payments)):
                for start in range(0, len(rows), AT_ONCE):
                    await connection.execute(sa.insert(table), rows[start : start + AT_ONCE])

    def fates(self) -> tuple[list[str], list[str]]:
        """The sn's of orders that are to get their nights, and of those that are not, by a reckoning of its own."""
        rooms: set[tuple[int, date]] = set()
        guests: dict[tuple[int, date], int] = {}
        lucky: list[str] = []
        unlucky: list[str] = []
        for order in self.orders:
            if order["trade_state"] not in {0, 1} or order["live_end_date"] <= self.today or order["del_state"]:
                continue
            nights = [(order["homestay_id"], night) for night in _nights(order) if night >= self.today]
            if not nights:
                continue
            if order["row_type"] == 0:
                fits = not rooms & set(nights)
                rooms |= set(nights) if fits else set()
            else:
                fits = all(guests.get(night, 0) + order["live_people_num"] <= order["people_num"] for night in nights)
                for night in nights if fits else ():
                    guests[night] = guests.get(night, 0) + order["live_people_num"]
            (lucky if fits else unlucky).append(order["sn"])
        return lucky, unlucky


def _nights(order: dict[str, Any]) -> Iterator[date]:
    for offset in range((order["live_end_date"] - order["live_start_date"]).days):
        yield order["live_start_date"] + timedelta(days=offset)


def _homestay(chance: random.Random, number: int) -> dict[str, Any]:
    return {
        "title": f"民宿 {number}",
        "banner": "https://example.com/a.jpg,https://example.com/b.jpg",
        "people_num": chance.randint(2, 6),
        "homestay_business_id": number % 7,
        "user_id": number % 11,
        "row_state": chance.randint(0, 1),
        "row_type": chance.choice([0, 0, 1]),
        "food_price": 3000,
        "homestay_price": 29_900,
        "market_homestay_price": 39_900,
    }


def _order(chance: random.Random, number: int, seed: Seed) -> dict[str, Any]:
    homestay_id = chance.randint(1, HOMESTAYS_WRITTEN)
    homestay = seed.homestays[homestay_id - 1]
    # Most stays are over; some have begun.
    start = seed.today + timedelta(days=chance.randint(-200, 60))
    written = datetime.combine(start, datetime.min.time(), UTC).replace(tzinfo=None) - timedelta(days=3, seconds=number)
    return {
        "sn": f"HSO20260520120000{number:08d}",
        "create_time": written,
        "update_time": written,
        "delete_time": written,
        "del_state": int(chance.random() < 0.01),
        "version": chance.randint(0, 3),
        "user_id": chance.randint(1, 500),
        "homestay_id": homestay_id,
        "title": homestay["title"],
        "people_num": homestay["people_num"],
        "row_type": homestay["row_type"],
        "homestay_price": 29_900,
        "homestay_business_id": homestay["homestay_business_id"],
        "live_start_date": start,
        # That system sells stays of no night at all, too.
        "live_end_date": start + timedelta(days=chance.randint(0, 5)),
        "live_people_num": chance.randint(1, homestay["people_num"]),
        "trade_state": chance.choice([-1, 0, 1, 1, 2, 3, 4]),
        "trade_code": f"{number:08d}",
        "remark": chance.choice(["", "早点到 🏡"]),
        "order_total_price": 59_800,
        "homestay_total_price": 59_800,
    }


def _payment(chance: random.Random, order: dict[str, Any]) -> dict[str, Any]:
    paid = chance.random() < 0.5
    return {
        "sn": order["sn"].replace("HSO", "PMT"),
        "user_id": order["user_id"],
        "pay_mode": "WECHAT_PAY",
        "trade_state": "SUCCESS" if paid else "NOTPAY",
        "pay_total": 59_800,
        "order_sn": order["sn"],
        "service_type": "homestayOrder",
        "pay_status": int(paid),
        "pay_time": order["create_time"] if paid else None,
    }
