"""Every SQL statement about nights. Nothing here commits or decides a rule."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Delete,
    Row,
    Select,
    SmallInteger,
    and_,
    bindparam,
    delete,
    false,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    type_coerce,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.columns import as_ours, table_of
from domain.order.models import HomestayNight, HomestayOrder
from domain.order.nights import Place, Taken
from domain.order.states import FREES, HOLDING, TradeState
from domain.together import Several, Statement, Together

_NIGHTS: Final = table_of(HomestayNight)
_ORDERS: Final = table_of(HomestayOrder)

# A homestay and two dates, the second one excluded.
Range = tuple[int, date, date]

_ALIVE: Final = _ORDERS.c.del_state == 0
_HOLDING: Final = _ORDERS.c.trade_state.in_(sorted(HOLDING))
# One look along an index for each order. MariaDB would turn EXISTS into a list of all orders that hold nights.
_HELD: Final = (
    select(_NIGHTS.c.place)
    .where(_NIGHTS.c.order_sn == as_ours(_ORDERS.c.sn))
    .correlate(_ORDERS)
    .limit(1)
    .scalar_subquery()
)
_HOLD: Final = Statement(insert(_NIGHTS))
_LOOKED_AT: Final = select(_NIGHTS.c.night, _NIGHTS.c.place, _NIGHTS.c.whole).where(
    _NIGHTS.c.homestay_id == bindparam("homestay_id"),
    _NIGHTS.c.night >= bindparam("start"),
    _NIGHTS.c.night < bindparam("end"),
)
_LOOK: Final = Statement(_LOOKED_AT)


def _is_in(place: int) -> ColumnElement[bool]:
    """The condition on nights of the range whose parameters are named with this number."""
    return and_(
        _NIGHTS.c.homestay_id == bindparam(f"homestay_id{place}"),
        _NIGHTS.c.night >= bindparam(f"start{place}"),
        _NIGHTS.c.night < bindparam(f"end{place}"),
    )


# Takes place 0 once more for each other place that is taken. Whoever has taken it has no row there if nobody else has,
# and else is stopped by the primary key: a look that needs no answer before the next statement.
_HOLD_AGAIN: Final = Several(
    lambda number: insert(_NIGHTS).from_select(
        ["homestay_id", "night", "place", "whole", "order_sn"],
        select(_NIGHTS.c.homestay_id, _NIGHTS.c.night, literal(0, SmallInteger()), true(), _NIGHTS.c.order_sn).where(
            or_(*(_is_in(place) for place in range(number))), _NIGHTS.c.place != 0
        ),
    )
)
_LASTING_LOOK: Final = Statement(_LOOKED_AT.with_for_update(read=True))
# So that no database walks all orders ever placed, along their ids, to find the few of stays to come.
_BY_AGE: Final = _ORDERS.c.id + 0


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


async def hold_alone(together: Together, places: Iterable[tuple[int, Place, str]], ranges: Iterable[Range]) -> None:
    """Takes whole rooms for orders, when what waits is sent, and looks next who else is there.

    Sending it raises IntegrityError where somebody else has one of them, or has a place in it.

    Args:
        together: the transaction.
        places: the homestay, the place and the order's sn of each.
        ranges: where they are.
    """
    # In one order for all: two transactions that want the same nights never wait for each other.
    await hold(together, sorted(places))
    _HOLD_AGAIN.put(
        together, [{"homestay_id": homestay_id, "start": start, "end": end} for homestay_id, start, end in ranges]
    )


async def lasting(together: Together, homestay_id: int, start: date, end: date) -> Taken:
    """What `taken` finds; it stays taken until the transaction ends. Sends what waits to be sent."""
    # SQLite knows no such lock and needs none: who writes there is alone.
    statement = _LOOK if together.is_alone else _LASTING_LOOK
    return _by_night(await together.ask(statement, {"homestay_id": homestay_id, "start": start, "end": end}))


def _by_night(rows: Iterable[Sequence[Any]]) -> Taken:
    found: dict[date, dict[int, bool]] = {}
    for night, place, whole in rows:
        found.setdefault(night, {})[place] = whole
    return found


async def hold(together: Together, places: Iterable[tuple[int, Place, str]]) -> None:
    """Takes places of homestays for orders, in the order in which they are given, when what waits is sent.

    Sending it raises IntegrityError where somebody else took one of them.
    """
    together.put(_HOLD, _rows(places))


async def hold_all(connection: AsyncConnection, places: Iterable[tuple[int, Place, str]]) -> None:
    """Takes places of homestays for orders, as many as there are, in the order in which they are given.

    Raises:
        IntegrityError: somebody else took one of them.
    """
    await connection.execute(insert(_NIGHTS), _rows(places))


def _rows(places: Iterable[tuple[int, Place, str]]) -> list[dict[str, Any]]:
    return [
        {
            "homestay_id": homestay_id,
            "night": place.night,
            "place": place.number,
            "whole": place.whole,
            "order_sn": order_sn,
        }
        for homestay_id, place, order_sn in places
    ]


def free_statement(order_sns: Sequence[str]) -> Delete:
    """The statement of `free`, so that a test can ask the database how it would run it."""
    return delete(_NIGHTS).where(_NIGHTS.c.order_sn.in_(order_sns))


async def free(connection: AsyncConnection, order_sns: Sequence[str]) -> None:
    """Gives up all places of these orders."""
    await connection.execute(free_statement(order_sns))


def homeless_statement(today: date, after: int, limit: int) -> Select[Any]:
    """Orders that should hold nights and hold none, as those of the existing system do not; in the order of their ids.

    Args:
        today: nights before it interest nobody.
        after: only orders with a greater id.
        limit: how many.
    """
    names = ("id", "sn", "homestay_id", "people_num", "live_people_num", "live_start_date", "live_end_date")
    return (
        # Whatever number that system wrote there.
        select(*(_ORDERS.c[name] for name in names), type_coerce(_ORDERS.c.row_type, SmallInteger).label("row_type"))
        .where(
            _HOLDING,
            _ORDERS.c.live_end_date > today,
            _ORDERS.c.live_end_date > _ORDERS.c.live_start_date,
            after < _BY_AGE,
            _ALIVE,
            _HELD.is_(None),
        )
        .order_by(_BY_AGE)
        .limit(limit)
    )


async def newest(connection: AsyncConnection) -> int:
    """The greatest id of an order; 0 where there is none."""
    return int((await connection.execute(select(func.max(_ORDERS.c.id)))).scalar_one() or 0)


async def homeless(connection: AsyncConnection, today: date, after: int, limit: int) -> Sequence[Row[Any]]:
    """The rows of `homeless_statement`."""
    found: Sequence[Row[Any]] = (await connection.execute(homeless_statement(today, after, limit))).all()
    return found


async def still_homeless(connection: AsyncConnection, sns: Sequence[str]) -> set[str]:
    """Which of these orders should hold nights and hold none. They stay so until the transaction ends."""
    open_ones = select(_ORDERS.c.sn).where(_ORDERS.c.sn.in_(sns), _HOLDING, _ALIVE)
    # SQLite knows no such lock and needs none: who writes there is alone.
    found = set((await connection.execute(open_ones.with_for_update())).scalars())
    holders = select(_NIGHTS.c.order_sn).where(_NIGHTS.c.order_sn.in_(sorted(found))).distinct()
    return found - set((await connection.execute(holders)).scalars())


def forsaken_statement(today: date, limit: int) -> Select[Any]:
    """Orders that are closed, or gone, and still hold nights: the existing system closes them and knows no nights.

    Args:
        today: nights before it interest nobody.
        limit: how many.
    """
    return (
        select(_ORDERS.c.sn)
        .where(
            _ORDERS.c.trade_state.in_(list(TradeState)),
            _ORDERS.c.live_end_date > today,
            or_(_ORDERS.c.trade_state.in_(sorted(FREES)), ~_ALIVE),
            _HELD.is_not(None),
        )
        .limit(limit)
    )


async def forsaken(connection: AsyncConnection, today: date, limit: int) -> list[str]:
    """The sn's of `forsaken_statement`."""
    return list((await connection.execute(forsaken_statement(today, limit))).scalars())
