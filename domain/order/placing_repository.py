"""Every SQL statement that only a new order needs: its guest's turn and limit, and the order with its first step.

None of them has an answer that the next one waits for, so all go to the database together. Where one of them must not
go on, it fails.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import bindparam, func, insert, select
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.clock import Clock
from domain.columns import table_of, whole_second
from domain.order.models import HomestayGuest, HomestayOrder, OrderEvent
from domain.order.states import TradeState
from domain.together import Put, Statement, Together

_ORDERS: Final = table_of(HomestayOrder)
_EVENTS: Final = table_of(OrderEvent)
_GUESTS: Final = table_of(HomestayGuest)

_NEW_GUEST: Final = mysql.insert(_GUESTS)
_TAKE_TURN: Final = Statement(_NEW_GUEST.on_duplicate_key_update(user_id=_NEW_GUEST.inserted.user_id))
_TAKE_TURN_ALONE: Final = Statement(sqlite.insert(_GUESTS).on_conflict_do_nothing())
_IS_UNPAID: Final = (
    (_ORDERS.c.user_id == bindparam("user_id"))
    & (_ORDERS.c.trade_state == TradeState.WAIT_PAY)
    & (_ORDERS.c.del_state == 0)
)


def take_turn(together: Together, user_id: int) -> None:
    """Makes a guest's orders wait for each other until this transaction ends, when what waits is sent.

    So what is found of one guest is still so when the order is stored.
    """
    together.put(_TAKE_TURN_ALONE if together.is_alone else _TAKE_TURN, {"user_id": user_id})


def room_for_one_more(limit: int) -> Statement:
    """The statement of `need_room`, for so many unpaid orders of a guest.

    It stores the guest once more for the last order that may be: for none where there are fewer, and else the primary
    key refuses it, for the guest's turn has stored the guest.
    """
    last = select(_ORDERS.c.user_id).where(_IS_UNPAID).limit(1).offset(limit - 1)
    return Statement(insert(_GUESTS).from_select(["user_id"], last))


def need_room(together: Together, user_id: int, statement: Statement) -> None:
    """Has what waits fail, when it is sent, where a guest has as many unpaid orders as one may have.

    Sending it raises IntegrityError then. To be put after the guest's turn.
    """
    together.put(statement, {"user_id": user_id})


async def unpaid(connection: AsyncConnection, user_id: int, clock: Clock) -> tuple[datetime, int, datetime | None]:
    """The present instant, how many orders of a guest wait for their payment, and when the first of them closes."""
    statement = select(clock.sql_now(), func.count(), func.min(_ORDERS.c.close_at)).where(_IS_UNPAID)
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
        self._times = Statement(
            select(_ORDERS.c.create_time, _ORDERS.c.close_at).where(_ORDERS.c.sn == bindparam("sn"))
        )

    def add(self, together: Together, values: Mapping[str, Any]) -> tuple[Put, Put]:
        """Stores a new order with its first step, when what waits is sent.

        Sending it raises IntegrityError where its sn is taken.

        Args:
            together: the transaction.
            values: all columns but the instants.

        Returns:
            What has the order's id then, as its number; and what has its row of `create_time` and `close_at`.
        """
        order = together.put(self._add, values)
        together.put(self._add_step, {"order_sn": values["sn"], "to_state": values["trade_state"]})
        return order, together.put(self._times, {"sn": values["sn"]})
