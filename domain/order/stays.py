"""What becomes of an order that is paid: its guest comes, or does not, and one day the stay is over."""

import secrets
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import ColumnElement

from domain.clock import Clock, database_now
from domain.database import Database
from domain.errors import InvalidInput, InvalidTransition, OrderNotFound
from domain.order import repository, stay_repository
from domain.order.models import Order
from domain.order.pricing import local_date
from domain.order.states import CODE_SHOWN, TradeState
from domain.order.transitions import Transitions

log = structlog.get_logger(__name__)

BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Ended:
    """How many stays ended: those whose guests had come, and those whose guests never came."""

    used: int = 0
    expired: int = 0


class Stays:
    """The use cases of the homestay's door.

    Args:
        database: where orders are.
        clock: the present; the database's says which day it is, for every process the same.
        zone: where the homestays stand.
        transitions: moves orders.
    """

    def __init__(self, database: Database, clock: Clock, zone: ZoneInfo, transitions: Transitions) -> None:
        self._database = database
        self._clock = clock
        self._zone = zone
        self._transitions = transitions

    async def check_in(self, sn: str, code: str) -> datetime:
        """Lets a guest in who shows the check-in code, and returns when that was. A repeat is answered the same.

        Raises:
            OrderNotFound: there is no such order.
            InvalidTransition: it is not paid, or no longer; nothing is said of the code.
            InvalidInput: the code is another one, or the stay has not begun or is over.
        """
        order = await self._find(sn)
        _check_code(order, code)
        if order.checked_in_at is None:
            today = await self._today()
            if await self._database.write(
                lambda connection: stay_repository.check_in(connection, sn, today=today, at=self._now)
            ):
                log.info("guest checked in", sn=sn)
            order = await self._find(sn)
            if order.trade_state is TradeState.WAIT_USE and order.checked_in_at is None:
                raise InvalidInput(f"The guest can check in from {order.live_start_date} to {order.live_end_date}.")
        if order.checked_in_at is None or order.trade_state not in CODE_SHOWN:
            # It was moved meanwhile, or the existing system moved it without a code.
            raise _not_now(order)
        return order.checked_in_at

    async def end_stays(self, limit: int = BATCH) -> Ended:
        """Ends every paid stay whose day of leaving is over where the homestay stands. Repeats change nothing.

        Args:
            limit: orders in one transaction.
        """
        used = expired = 0
        while True:
            ended = await self._ended(limit)
            came = await self._transitions.move_many(
                [sn for sn, came in ended.items() if came],
                stay_repository.guest_came(),
                current=TradeState.WAIT_USE,
                to=TradeState.USED,
            )
            absent = await self._transitions.move_many(
                [sn for sn, came in ended.items() if not came],
                stay_repository.guest_never_came(),
                current=TradeState.WAIT_USE,
                to=TradeState.EXPIRED,
            )
            used += len(came)
            expired += len(absent)
            # A batch of which nothing moved would come again at once; the next run tries it.
            if len(ended) < limit or not (came or absent):
                break
        if used or expired:
            log.info("stays ended", used=used, expired=expired)
        return Ended(used, expired)

    async def _ended(self, limit: int) -> dict[str, bool]:
        today = await self._today()
        return await self._database.read(lambda connection: stay_repository.ended(connection, today, limit))

    async def _today(self) -> date:
        now = await self._database.read(lambda connection: database_now(connection, self._clock))
        return local_date(now, self._zone)

    async def _find(self, sn: str) -> Order:
        order = await self._database.read(lambda connection: repository.find(connection, sn))
        if order is None:
            raise OrderNotFound("There is no such order.", "sn")
        return order

    @property
    def _now(self) -> ColumnElement[Any]:
        return self._clock.sql_now()


def _check_code(order: Order, code: str) -> None:
    if order.trade_state not in CODE_SHOWN:
        # Before anything is said of the code: it opens no door yet, or no longer, and is not to be guessed at.
        raise _not_now(order)
    if not order.trade_code or not secrets.compare_digest(order.trade_code.encode(), code.encode()):
        raise InvalidInput("This is not the check-in code of this order.", "tradeCode")


def _not_now(order: Order) -> InvalidTransition:
    return InvalidTransition(
        f"The guest of an order that is {order.trade_state.name} can't check in.",
        current=order.trade_state,
        wanted=TradeState.USED,
    )
