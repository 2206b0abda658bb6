"""Every SQL statement about settlements. Nothing here commits, or decides a rule."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, Select, and_, case, func, insert, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from domain.columns import table_of
from domain.money import Fen
from domain.order.models import HomestayOrder, HomestaySettlement
from domain.order.states import TradeState

_ORDERS: Final = table_of(HomestayOrder)
_SETTLEMENTS: Final = table_of(HomestaySettlement)

# The money is the homestay's: the guest stayed, or could have.
_EARNED: Final = (TradeState.USED, TradeState.EXPIRED)
# What may still be earned, or not. An order of the existing system that waits for its payment is that system's to
# close; one that it forgot must not hold up its host's money for ever.
_OPEN: Final = or_(
    _ORDERS.c.trade_state == TradeState.WAIT_USE,
    and_(_ORDERS.c.trade_state == TradeState.WAIT_PAY, _ORDERS.c.close_at.is_not(None)),
)


class _nights(FunctionElement[int]):  # noqa: N801 -- it reads as an SQL function
    """The calendar nights between two dates."""

    type = BigInteger()
    inherit_cache = True


@compiles(_nights, "sqlite")
def _sqlite_nights(element: _nights, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    start, end = (compiler.process(clause, **options) for clause in element.clauses)
    return f"cast(julianday({end}) - julianday({start}) as integer)"


@compiles(_nights, "mysql")
@compiles(_nights, "mariadb")
def _mysql_nights(element: _nights, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    start, end = (compiler.process(clause, **options) for clause in element.clauses)
    return f"datediff({end}, {start})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Earnings:
    """What a homestay business earned by the stays that ended in a month, as its orders say it now.

    Attributes:
        open: its orders of the month that may still be earned, or not.
        paid: what the guests paid.
    """

    business_id: int
    open: int
    orders: int
    nights: int
    homestay_total: Fen
    food_total: Fen
    paid: Fen


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What a homestay business earned by the stays that ended in a month, as it was settled.

    Attributes:
        month: its first day.
    """

    month: date
    business_id: int
    orders: int
    nights: int
    homestay_total: Fen
    food_total: Fen
    total: Fen
    settled_at: datetime


def earnings_statement(month: date, following: date) -> Select[Any]:
    """The statement of `earnings`, so that a test can ask the database how it would run it."""
    earned = _ORDERS.c.trade_state.in_(_EARNED)

    def total(column: ColumnElement[Any]) -> ColumnElement[int]:
        return func.sum(case((earned, column), else_=0))

    columns: list[ColumnElement[Any]] = [
        _ORDERS.c.homestay_business_id.label("business_id"),
        func.sum(case((_OPEN, 1), else_=0)).label("open"),
        total(literal(1)).label("orders"),
        total(_nights(_ORDERS.c.live_start_date, _ORDERS.c.live_end_date)).label("nights"),
        total(_ORDERS.c.homestay_total_price).label("homestay_total"),
        total(_ORDERS.c.food_total_price).label("food_total"),
        total(_ORDERS.c.order_total_price).label("paid"),
    ]
    return (
        select(*columns)
        .where(
            _ORDERS.c.trade_state.in_([TradeState.WAIT_PAY, TradeState.WAIT_USE, *_EARNED]),
            _ORDERS.c.live_end_date >= month,
            _ORDERS.c.live_end_date < following,
            _ORDERS.c.del_state == 0,
            or_(earned, _OPEN),
        )
        .group_by(_ORDERS.c.homestay_business_id)
    )


async def earnings(connection: AsyncConnection, month: date, following: date) -> list[Earnings]:
    """What each business earned by the stays that ended in a month; both dates are first days of months.

    One statement, so one moment: an order that is just being moved is open or earned, never neither.
    """
    rows = await connection.execute(earnings_statement(month, following))
    # MariaDB's sums are decimals.
    return [Earnings(**{name: int(value) for name, value in row._mapping.items()}) for row in rows]  # type: ignore[arg-type]


async def settled(connection: AsyncConnection, month: date) -> set[int]:
    """The businesses of whom a month is settled."""
    statement = select(_SETTLEMENTS.c.business_id).where(_SETTLEMENTS.c.month == month)
    return set((await connection.execute(statement)).scalars())


async def add(
    connection: AsyncConnection, month: date, earnings: Sequence[Earnings], settled_at: ColumnElement[Any]
) -> None:
    """Writes the settlements of a month.

    Raises:
        IntegrityError: one of them is written already.
    """
    await connection.execute(
        insert(_SETTLEMENTS).values(month=month, settled_at=settled_at),
        [
            {
                "business_id": each.business_id,
                "orders": each.orders,
                "nights": each.nights,
                "homestay_total": each.homestay_total,
                "food_total": each.food_total,
                "total": each.homestay_total + each.food_total,
            }
            for each in earnings
        ],
    )


async def find(connection: AsyncConnection, month: date, business_id: int | None) -> list[Settlement]:
    """The settlements of a month, of all businesses or of one."""
    statement = select(_SETTLEMENTS).where(_SETTLEMENTS.c.month == month).order_by(_SETTLEMENTS.c.business_id)
    if business_id is not None:
        statement = statement.where(_SETTLEMENTS.c.business_id == business_id)
    return [Settlement(**row._mapping) for row in await connection.execute(statement)]
