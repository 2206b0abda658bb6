"""Every SQL statement that only a new order needs: its guest's turn and limit, and the order with its first step.

Each is for several orders at once, and one is a small number of them. None of them has an answer that the next one
waits for, so all go to the database together. Where one of them must not go on, it fails.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Insert, Select, bindparam, func, insert, select, union_all
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.clock import Clock
from domain.columns import table_of, whole_second
from domain.order.models import HomestayGuest, HomestayOrder, OrderEvent
from domain.order.states import TradeState
from domain.together import Put, Several, Statement, Together

_ORDERS: Final = table_of(HomestayOrder)
_EVENTS: Final = table_of(OrderEvent)
_GUESTS: Final = table_of(HomestayGuest)

_NEW_GUEST: Final = mysql.insert(_GUESTS)
_TAKE_TURN: Final = Statement(_NEW_GUEST.on_duplicate_key_update(user_id=_NEW_GUEST.inserted.user_id))
_TAKE_TURN_ALONE: Final = Statement(sqlite.insert(_GUESTS).on_conflict_do_nothing())


def _is_unpaid(user_id: str) -> ColumnElement[bool]:
    """The condition on orders of the guest whom a parameter of this name names."""
    return (
        (_ORDERS.c.user_id == bindparam(user_id))
        & (_ORDERS.c.trade_state == TradeState.WAIT_PAY)
        & (_ORDERS.c.del_state == 0)
    )


def take_turns(together: Together, user_ids: Iterable[int]) -> None:
    """Makes guests' orders wait for each other until this transaction ends, when what waits is sent.

    So what is found of one guest is still so when the order is stored.
    """
    # In one order for all: two transactions with the same guests never wait for each other.
    turns = [{"user_id": user_id} for user_id in sorted(user_ids)]
    together.put(_TAKE_TURN_ALONE if together.is_alone else _TAKE_TURN, turns)


def room_for_one_more(limit: int) -> Several:
    """The statement of `need_room`, for so many unpaid orders of each guest.

    It stores a guest once more for the last order that may be: for none where there are fewer, and else the primary
    key refuses it, for the guest's turn has stored the guest.
    """

    def make(number: int) -> Insert:
        lasts = [
            select(_ORDERS.c.user_id).where(_is_unpaid(f"user_id{place}")).limit(1).offset(limit - 1)
            for place in range(number)
        ]
        return insert(_GUESTS).from_select(["user_id"], lasts[0] if number == 1 else union_all(*lasts))

    return Several(make)


def need_room(together: Together, user_ids: Iterable[int], statement: Several) -> None:
    """Has what waits fail, when it is sent, where one of these guests has as many unpaid orders as one may have.

    Sending it raises IntegrityError then. To be put after the guests' turns.
    """
    statement.put(together, [{"user_id": user_id} for user_id in user_ids])


async def unpaid(connection: AsyncConnection, user_id: int, clock: Clock) -> tuple[datetime, int, datetime | None]:
    """The present instant, how many orders of a guest wait for their payment, and when the first of them closes."""
    statement = select(clock.sql_now(), func.count(), func.min(_ORDERS.c.close_at)).where(_is_unpaid("user_id"))
    now, count, first = (await connection.execute(statement, {"user_id": user_id})).one()
    return now, int(count), first


class Arrivals:
    """Stores new orders, with the instants that the database's clock says.

    Args:
        clock: the present.
        pay_window: how long an order waits for its payment.
    """

    def __init__(self, clock: Clock, pay_window: timedelta) -> None:
        second = whole_second(clock.sql_now())
        self._add = Statement(
            insert(_ORDERS).values(create_time=second, update_time=second, close_at=clock.sql_now(ago=-pay_window))
        )
        self._add_step = Statement(insert(_EVENTS).values(at=clock.sql_now()))

    def add(self, together: Together, orders: Sequence[Mapping[str, Any]]) -> Put:
        """Stores new orders, each with its first step, when what waits is sent.

        Sending it raises IntegrityError where the sn of one is taken.

        Args:
            together: the transaction.
            orders: of each all columns but the id and the instants.

        Returns:
            What has of each order its `sn`, `id`, `create_time` and `close_at` then, in no order.
        """
        together.put(self._add, orders)
        together.put(self._add_step, [{"order_sn": order["sn"], "to_state": order["trade_state"]} for order in orders])
        return _FOUND.put(together, [{"sn": order["sn"]} for order in orders])


def _made_of(number: int) -> Select[Any]:
    is_one = _ORDERS.c.sn.in_([bindparam(f"sn{place}", type_=_ORDERS.c.sn.type) for place in range(number)])
    return select(_ORDERS.c.sn, _ORDERS.c.id, _ORDERS.c.create_time, _ORDERS.c.close_at).where(is_one)


_FOUND: Final = Several(_made_of)
