"""Every SQL statement about nights. Nothing here commits or decides a rule."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, Final

from sqlalchemy import Select, and_, delete, exists, false, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.columns import table_of
from domain.order.models import HomestayNight, HomestayOrder
from domain.order.nights import Place, Taken
from domain.order.states import TradeState

_NIGHTS: Final = table_of(HomestayNight)
_ORDERS: Final = table_of(HomestayOrder)

# A homestay and two dates, the second one excluded.
Range = tuple[int, date, date]


def taken_statement(ranges: Iterable[Range]) -> Select[Any]:
    """The statement of `taken_of`, so that a test can ask the database how it would run it."""
    return select(_NIGHTS.c.homestay_id, _NIGHTS.c.night, _NIGHTS.c.place, _NIGHTS.c.whole).where(
        or_(
            false(),
            *(
                and_(_NIGHTS.c.homestay_id == homestay_id, _NIGHTS.c.night >= start, _NIGHTS.c.night < end)
                for homestay_id, start, end in ranges
            ),
        )
    )


async def taken(
    connection: AsyncConnection, homestay_id: int, start: date, end: date, *, lasting: bool = False
) -> Taken:
    """What is taken of a homestay, night by night; `end` excluded. A night that is wholly free is not named.

    Args:
        connection: in a transaction.
        homestay_id: which.
        start: the first night.
        end: the day after the last night.
        lasting: whether what is found stays taken until the transaction ends.
    """
    return (await taken_of(connection, [(homestay_id, start, end)], lasting=lasting))[homestay_id]


async def taken_of(connection: AsyncConnection, ranges: Iterable[Range], *, lasting: bool = False) -> dict[int, Taken]:
    """What is taken of several homestays, each at least in its ranges; `lasting` as in `taken`."""
    wanted = list(ranges)
    # SQLite knows no such lock and needs none: who writes there is alone.
    statement = taken_statement(wanted).with_for_update(read=True) if lasting else taken_statement(wanted)
    found: dict[int, dict[date, dict[int, bool]]] = {homestay_id: {} for homestay_id, *_ in wanted}
    for homestay_id, night, place, whole in await connection.execute(statement):
        found[homestay_id].setdefault(night, {})[place] = whole
    return dict(found)


async def hold(connection: AsyncConnection, homestay_id: int, places: Sequence[Place], order_sn: str) -> None:
    """Takes places for an order, in the order in which they are given.

    Raises:
        IntegrityError: somebody else took one of them.
    """
    await connection.execute(
        insert(_NIGHTS).values(homestay_id=homestay_id, order_sn=order_sn),
        [{"night": place.night, "place": place.number, "whole": place.whole} for place in places],
    )


async def free(connection: AsyncConnection, order_sns: Sequence[str]) -> None:
    """Gives up all places of these orders."""
    await connection.execute(delete(_NIGHTS).where(_NIGHTS.c.order_sn.in_(order_sns)))


def homeless_statement(today: date, after: int, limit: int) -> Select[Any]:
    """Orders that should hold nights and hold none, as those of the existing system do not; in the order of their ids.

    Args:
        today: nights before it interest nobody.
        after: only orders with a greater id.
        limit: how many.
    """
    held = exists().where(_NIGHTS.c.order_sn == _ORDERS.c.sn)
    return (
        select(*(_ORDERS.c[name] for name in ("id", "sn", "homestay_id", "row_type", "people_num", "live_people_num")))
        .add_columns(_ORDERS.c.live_start_date, _ORDERS.c.live_end_date)
        .where(
            _ORDERS.c.trade_state.in_([TradeState.WAIT_PAY, TradeState.WAIT_USE]),
            _ORDERS.c.live_end_date > today,
            _ORDERS.c.id > after,
            _ORDERS.c.del_state == 0,
            ~held,
        )
        .order_by(_ORDERS.c.id)
        .limit(limit)
    )
