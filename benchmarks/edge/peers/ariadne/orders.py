"""Orders in MariaDB as the schema shows them: rows as the driver gives them, fields worked out when asked for."""

import base64
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final
from urllib.parse import urlsplit

import aiomysql

# As many as our own pool has.
CONNECTIONS: Final = 10
WAIT_PAY: Final = 0
_TRADE_STATES: Final = {-1: "CANCELLED", 0: "WAIT_PAY", 1: "WAIT_USE", 2: "USED", 3: "REFUNDED", 4: "EXPIRED"}
_CLOSE_REASONS: Final = {None: None, 1: "GUEST", 2: "UNPAID_TIMEOUT", 3: "PAYMENT_FAILED"}
SALE_UNITS: Final = ("ROOM", "PERSON")
# WAIT_USE, USED, EXPIRED: the check-in code opens a door, or has opened one.
_CODE_SHOWN: Final = frozenset({1, 2, 4})

# Every column that a field of the schema may want: which are asked for is not known here, as it is not in ours.
COLUMNS: Final = (
    *("id", "sn", "homestay_id", "title", "sub_title", "cover", "info", "people_num", "row_type", "need_food"),
    *("food_info", "food_price", "homestay_price", "market_homestay_price", "live_start_date", "live_end_date"),
    *("live_people_num", "trade_state", "trade_code", "remark", "order_total_price", "food_total_price"),
    *("homestay_total_price", "create_time", "close_at", "close_reason"),
)
_SELECT: Final = f"SELECT {', '.join(COLUMNS)} FROM homestay_order"  # noqa: S608 -- our own words
_DETAIL: Final = f"{_SELECT} WHERE sn = %s AND user_id = %s AND del_state = 0"
_NEWEST: Final = f"{_SELECT} WHERE user_id = %s AND del_state = 0 ORDER BY id DESC LIMIT %s"
_OLDER: Final = f"{_SELECT} WHERE user_id = %s AND del_state = 0 AND id < %s ORDER BY id DESC LIMIT %s"
_STORED: Final = (
    *("sn", "user_id", "homestay_id", "homestay_business_id", "homestay_user_id", "title", "sub_title", "cover"),
    *("info", "people_num", "row_type", "need_food", "food_info", "food_price", "homestay_price"),
    *("market_homestay_price", "live_start_date", "live_end_date", "live_people_num", "trade_state", "trade_code"),
    *("remark", "order_total_price", "food_total_price", "homestay_total_price", "create_time", "update_time"),
    *("close_at", "close_reason"),
)
_INSERT: Final = (
    f"INSERT INTO homestay_order ({', '.join(_STORED)}) "  # noqa: S608 -- our own words
    f"VALUES ({', '.join(['%s'] * len(_STORED))})"
)


def global_id(kind: str, key: object) -> str:
    """The id of an object, and the cursor of an order."""
    return base64.urlsafe_b64encode(f"{kind}:{key}".encode()).decode()


def number(value: str) -> int:
    """The number in an id or a cursor, or the number itself."""
    return int(value if value.isdecimal() else base64.urlsafe_b64decode(value).partition(b":")[2])


def money(fen: int) -> dict[str, Any]:
    """Money as the schema shows it."""
    return {"amountMinor": fen, "currency": "CNY", "amount": f"{fen // 100}.{fen % 100:02}"}


def instant(value: datetime) -> str:
    """RFC 3339 in UTC; milliseconds only where there are any."""
    return value.isoformat(timespec="milliseconds" if value.microsecond else "seconds") + "Z"


class Order:
    """A row, by the names of the schema. Looked at by graphql-core's own resolver, which wants attributes or a dict."""

    __slots__ = ("row",)

    def __init__(self, row: Mapping[str, Any]) -> None:
        self.row = row

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- as the field is
        field = _FIELDS.get(name)
        if field is None:
            raise AttributeError(name)
        return field(self.row)


_FIELDS: Final[dict[str, Any]] = {
    "id": lambda row: global_id("HomestayOrder", row["sn"]),
    "cursor": lambda row: global_id("order", row["id"]),
    "sn": lambda row: row["sn"],
    "homestayId": lambda row: str(row["homestay_id"]),
    "title": lambda row: row["title"],
    "subTitle": lambda row: row["sub_title"],
    "cover": lambda row: row["cover"] or None,
    "info": lambda row: row["info"],
    "foodInfo": lambda row: row["food_info"],
    "saleUnit": lambda row: SALE_UNITS[row["row_type"]],
    "peopleNum": lambda row: row["people_num"],
    "livePeopleNum": lambda row: row["live_people_num"],
    "liveStartDate": lambda row: row["live_start_date"].isoformat(),
    "liveEndDate": lambda row: row["live_end_date"].isoformat(),
    "nights": lambda row: (row["live_end_date"] - row["live_start_date"]).days,
    "needFood": lambda row: bool(row["need_food"]),
    "homestayPrice": lambda row: money(row["homestay_price"]),
    "marketHomestayPrice": lambda row: money(row["market_homestay_price"]),
    "foodPrice": lambda row: money(row["food_price"]),
    "homestayTotalPrice": lambda row: money(row["homestay_total_price"]),
    "foodTotalPrice": lambda row: money(row["food_total_price"]),
    "orderTotalPrice": lambda row: money(row["order_total_price"]),
    "tradeState": lambda row: _TRADE_STATES[row["trade_state"]],
    "closeReason": lambda row: _CLOSE_REASONS[row["close_reason"]],
    "tradeCode": lambda row: row["trade_code"] if row["trade_state"] in _CODE_SHOWN else None,
    "remark": lambda row: row["remark"],
    "createTime": lambda row: instant(row["create_time"]),
    "payBefore": lambda row: (
        instant(row["close_at"]) if row["trade_state"] == WAIT_PAY and row["close_at"] is not None else None
    ),
}


class Database:
    """Orders in a pool of connections; every statement is a transaction of its own."""

    def __init__(self, pool: Any) -> None:  # noqa: ANN401 -- the driver declares no types
        self._pool = pool

    async def find(self, user_id: int, sn: str) -> Order | None:
        """The guest's order."""
        rows = await self._rows(_DETAIL, (sn, user_id))
        return rows[0] if rows and rows[0].sn == sn else None

    async def page(self, user_id: int, after: int | None, limit: int) -> list[Order]:
        """A piece of the guest's list, newest first."""
        if after is None:
            return await self._rows(_NEWEST, (user_id, limit))
        return await self._rows(_OLDER, (user_id, after, limit))

    async def add(self, row: dict[str, Any]) -> Order:
        """Stores an order."""
        async with self._pool.acquire() as connection, connection.cursor() as cursor:
            await cursor.execute(_INSERT, [row[name] for name in _STORED])
            return Order(row | {"id": cursor.lastrowid})

    async def _rows(self, statement: str, values: Sequence[object]) -> list[Order]:
        async with self._pool.acquire() as connection, connection.cursor() as cursor:
            await cursor.execute(statement, values)
            return [Order(dict(zip(COLUMNS, row, strict=True))) for row in await cursor.fetchall()]


async def connect(url: str) -> Database:
    """Opens the pool."""
    parts = urlsplit(url)
    pool = await aiomysql.create_pool(
        host=parts.hostname,
        port=parts.port,
        user=parts.username,
        password=parts.password,
        db=parts.path.removeprefix("/"),
        minsize=CONNECTIONS,
        maxsize=CONNECTIONS,
        charset="utf8mb4",
        autocommit=True,
    )
    return Database(pool)


def dates(start: str, end: str) -> tuple[date, date]:
    """Both dates of a stay."""
    return date.fromisoformat(start), date.fromisoformat(end)
