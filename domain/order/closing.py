"""What time does to an order: unpaid at the end of its time, it is closed.

Nothing here belongs to a guest's request. Everything may run twice, at once, and in any order: one conditional UPDATE
decides each time, and who comes second finds it decided.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final

import structlog
from sqlalchemy import ColumnElement
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random

from domain.clock import Clock
from domain.database import Database
from domain.errors import OrderNotFound, UpstreamNonsense, UpstreamUnavailable
from domain.figures import CLOSING_LAG
from domain.order import repository, states
from domain.order.models import Order
from domain.order.ports import Payment, Payments
from domain.order.settling import Settling
from domain.order.states import CloseReason, PaymentStatus, TradeState
from domain.order.transitions import Transitions

log = structlog.get_logger(__name__)

# Closing is promised within 15 s of the due moment: three tries of one second each leave it time, and after them an
# unpaid order closes all the same. Money that comes later goes back.
_ASKING_ATTEMPTS: Final = 3


class Outcome(Enum):
    """How an attempt to close an order ended."""

    CLOSED = "closed"
    PAID = "paid"
    DECIDED = "decided"
    EARLY = "early"
    MISSING = "missing"


class Closing:
    """The use cases of the clock."""

    def __init__(
        self, database: Database, clock: Clock, payments: Payments, transitions: Transitions, settling: Settling
    ) -> None:
        self._database = database
        self._clock = clock
        self._payments = payments
        self._transitions = transitions
        self._settling = settling

    async def close_if_unpaid(self, sn: str) -> Outcome:
        """Closes an order whose time to pay is over, unless money has come."""
        return (await self.close_many([sn]))[sn]

    async def close_many(self, sns: Sequence[str]) -> dict[str, Outcome]:
        """Closes the orders whose time to pay is over, unless money has come: as if each were closed alone.

        One look at the orders, one question to the payment service and one transaction serve them all. Of more than
        a few hundred, make several calls.
        """
        found = await self._standing(sns)
        outcomes = {sn: _standing_outcome(found.get(sn)) for sn in sns}
        due = [sn for sn, outcome in outcomes.items() if outcome is Outcome.CLOSED]
        if not due:
            return outcomes
        payments = await self._last_look(due)
        paid = [sn for sn in due if any(one.status is PaymentStatus.SUCCESS for one in payments.get(sn, ()))]
        if paid:
            for sn in paid:
                await self._settling.apply(sn, payments[sn])
            # Money that is not the price pays nothing; such an order closes with the others.
            outcomes |= {sn: Outcome.PAID for sn in paid if (await self._state(sn)) is not TradeState.WAIT_PAY}
            due = [sn for sn in due if outcomes[sn] is Outcome.CLOSED]
        closed = await self._close_due(due, payments)
        self._count_lag(found[sn][2] for sn in closed)
        return outcomes | {sn: Outcome.DECIDED for sn in due if sn not in closed}

    async def give_up(self, sn: str) -> bool:
        """Closes an open order because its guest wants that. Returns False where somebody else decided."""
        # Money may have come of which no message has told us yet. It is not taken from a guest unawares.
        await self._settle_if_possible(sn)
        return await self._transitions.move(
            sn, current=TradeState.WAIT_PAY, to=TradeState.CANCELLED, reason=CloseReason.GUEST
        )

    async def move(self, sn: str, to: TradeState) -> Order:
        """Moves an order as a back-end service asks. A repeat is answered as the first time.

        Raises:
            OrderNotFound: there is no such order.
            InvalidTransition: the move is not in the table of legal moves.
        """
        if to is TradeState.WAIT_USE:
            # So that the order knows by which money it is paid, and any other goes back.
            await self._settle_if_possible(sn)
        while True:
            order = await self.find(sn)
            if order is None:
                raise OrderNotFound("There is no such order.", "sn")
            if order.trade_state is to:
                return order
            states.check_move(order.trade_state, to)
            if to is TradeState.CANCELLED:
                # The existing system's own timer asks for this too, when the time is over.
                if await self.close_if_unpaid(sn) is Outcome.EARLY:
                    await self.give_up(sn)
            else:
                await self._transitions.move(sn, current=order.trade_state, to=to)
            # Whoever won, the row now says what is so. The table of moves has no circle: this ends.

    async def overdue(self, *, grace: timedelta, limit: int) -> list[str]:
        """The sn's of orders that should have been closed `grace` ago, longest overdue first."""
        until = self._clock.sql_now(ago=grace)
        return await self._database.read(lambda connection: repository.overdue(connection, until, limit))

    async def find(self, sn: str) -> Order | None:
        """The order with this sn, whoever's it is."""
        return await self._database.read(lambda connection: repository.find(connection, sn))

    async def _settle_if_possible(self, sn: str) -> None:
        try:
            await self._settling.settle(sn)
        except UpstreamUnavailable as error:
            log.warning("moving an order without asking for its payment", sn=sn, reason=error.reason)

    def _count_lag(self, due: Iterable[datetime | None]) -> None:
        now = self._clock.now()
        for close_at in due:
            if close_at is not None:
                CLOSING_LAG.observe(max(0.0, (now - close_at).total_seconds()))

    async def _standing(self, sns: Sequence[str]) -> dict[str, tuple[TradeState, bool, datetime | None]]:
        return await self._database.read(lambda connection: repository.standing(connection, sns, self._now))

    async def _state(self, sn: str) -> TradeState | None:
        order = await self.find(sn)
        return None if order is None else order.trade_state

    async def _last_look(self, sns: Sequence[str]) -> Mapping[str, Sequence[Payment]]:
        try:
            return await _patiently(lambda: self._payments.of_orders(sns))
        except UpstreamNonsense as error:
            if len(sns) > 1:
                # One of them is to blame. It must not keep us from seeing the money of the others.
                half = len(sns) // 2
                return {**await self._last_look(sns[:half]), **await self._last_look(sns[half:])}
            log.warning("closing an order whose payment makes no sense", sn=sns[0], reason=error.reason)
        except UpstreamUnavailable as error:
            log.warning("closing without asking for payments", orders=len(sns), first=sns[0], reason=error.reason)
        return {}

    async def _close_due(self, sns: Sequence[str], payments: Mapping[str, Sequence[Payment]]) -> set[str]:
        closed: set[str] = set()
        for reason in (CloseReason.UNPAID_TIMEOUT, CloseReason.PAYMENT_FAILED):
            part = [sn for sn in sns if _reason(payments.get(sn, ())) is reason]
            moved = await self._transitions.move_many(
                part,
                repository.is_due_at(self._now),
                current=TradeState.WAIT_PAY,
                to=TradeState.CANCELLED,
                reason=reason,
            )
            if moved:
                # One line for all: a line each would cost more than closing them.
                log.info("orders closed", reason=reason.name, count=len(moved), sn=" ".join(sorted(moved)))
            closed |= moved
        return closed

    @property
    def _now(self) -> ColumnElement[Any]:
        return self._clock.sql_now()


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, UpstreamUnavailable) and not isinstance(error, UpstreamNonsense)


def _standing_outcome(found: tuple[TradeState, bool, datetime | None] | None) -> Outcome:
    """What an attempt would come to if nobody else did anything and no money had come."""
    if found is None:
        return Outcome.MISSING
    state, due, _ = found
    if state is not TradeState.WAIT_PAY:
        return Outcome.DECIDED
    return Outcome.CLOSED if due else Outcome.EARLY


def _reason(payments: Sequence[Payment]) -> CloseReason:
    failed = bool(payments) and payments[0].status is PaymentStatus.FAILED
    return CloseReason.PAYMENT_FAILED if failed else CloseReason.UNPAID_TIMEOUT


async def _patiently(
    question: Callable[[], Awaitable[Mapping[str, Sequence[Payment]]]],
) -> Mapping[str, Sequence[Payment]]:
    async for attempt in AsyncRetrying(
        stop=stop_after_attempt(_ASKING_ATTEMPTS),
        wait=wait_random(0.05, 0.2),
        retry=retry_if_exception(_may_pass),
        reraise=True,
    ):
        with attempt:
            return await question()
    raise AssertionError("tenacity returns or raises")
