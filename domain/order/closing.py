"""What time and money do to an order: it is closed when unpaid, settled when paid, and late money goes back.

Nothing here belongs to a guest's request. Everything may run twice, at once, and in any order: one conditional UPDATE
decides each time, and who comes second finds it decided.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from enum import Enum
from typing import Any, Final

import structlog
from sqlalchemy import ColumnElement
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random

from domain.clock import Clock
from domain.database import Database
from domain.errors import OrderNotFound, UpstreamUnavailable
from domain.order import repository, states
from domain.order.models import Order
from domain.order.ports import Payment, Payments
from domain.order.states import CloseReason, PaymentStatus, TradeState

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
    """The use cases of the clock and of the payment service."""

    def __init__(self, database: Database, clock: Clock, payments: Payments) -> None:
        self._database = database
        self._clock = clock
        self._payments = payments

    async def close_if_unpaid(self, sn: str) -> Outcome:
        """Closes an order whose time to pay is over, unless money has come."""
        order = await self.find(sn)
        if order is None:
            return Outcome.MISSING
        if order.trade_state is not TradeState.WAIT_PAY:
            return Outcome.DECIDED
        if not await self._database.read(lambda connection: repository.is_due(connection, sn, self._now)):
            return Outcome.EARLY
        payment = await self._last_look(sn)
        if payment is not None and payment.status is PaymentStatus.SUCCESS:
            await self._paid(sn, payment)
            if await self._state(sn) is not TradeState.WAIT_PAY:
                return Outcome.PAID
        failed = payment is not None and payment.status is PaymentStatus.FAILED
        reason = CloseReason.PAYMENT_FAILED if failed else CloseReason.UNPAID_TIMEOUT
        if await self._close(sn, reason, repository.is_due_at(self._now)):
            log.info("order closed", sn=sn, reason=reason.name)
            return Outcome.CLOSED
        return Outcome.DECIDED

    async def give_up(self, sn: str) -> bool:
        """Closes an open order because its guest wants that. Returns False where somebody else decided."""
        try:
            # Money may have come of which no message has told us yet. It is not taken from a guest unawares.
            await self.settle(sn)
        except UpstreamUnavailable as error:
            log.warning("cancelling without asking for its payment", sn=sn, reason=error.reason)
        return await self._close(sn, CloseReason.GUEST)

    async def settle(self, sn: str) -> None:
        """Brings an order to what the payment service says of its money.

        A message that a payment changed is only a hint to look: messages come twice, late, or out of order.

        Raises:
            UpstreamUnavailable: the payment service can't be asked; try again later.
        """
        payment = await self._payments.of_order(sn)
        if payment is None:
            return
        if payment.status is PaymentStatus.SUCCESS:
            await self._paid(sn, payment)
        elif payment.status is PaymentStatus.REFUNDED:
            await self._refunded(sn)

    async def move(self, sn: str, to: TradeState) -> Order:
        """Moves an order as a back-end service asks. A repeat is answered as the first time.

        Raises:
            OrderNotFound: there is no such order.
            InvalidTransition: the move is not in the table of legal moves.
        """
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
                await self._move(sn, current=order.trade_state, to=to)
            # Whoever won, the row now says what is so. The table of moves has no circle: this ends.

    async def overdue(self, *, grace: timedelta, limit: int) -> list[str]:
        """The sn's of orders that should have been closed `grace` ago, longest overdue first."""
        until = self._clock.sql_now(ago=grace)
        return await self._database.read(lambda connection: repository.overdue(connection, until, limit))

    async def refunds_due(self, limit: int) -> list[str]:
        """The sn's of orders whose money must go back and has not."""
        return await self._database.read(lambda connection: repository.refunds_due(connection, limit))

    async def refund(self, sn: str) -> bool:
        """Returns the money of an order where that is due, and records it. Repeats change nothing.

        Returns:
            False where the payment service can't do it by itself.

        Raises:
            UpstreamUnavailable: the payment service can't be asked; the refund stays due.
        """
        if not await self._database.read(lambda connection: repository.refund_is_due(connection, sn)):
            return True
        if not await self._payments.refund(sn):
            log.error("a refund is due that the payment service can't make", sn=sn)
            return False
        await self._database.write(lambda connection: repository.mark_refunded(connection, sn, self._now))
        log.info("late money returned", sn=sn)
        return True

    async def _close(self, sn: str, reason: CloseReason, *conditions: ColumnElement[bool]) -> bool:
        return await self._move(sn, *conditions, current=TradeState.WAIT_PAY, to=TradeState.CANCELLED, reason=reason)

    async def _last_look(self, sn: str) -> Payment | None:
        try:
            return await _patiently(lambda: self._payments.of_order(sn))
        except UpstreamUnavailable as error:
            log.warning("closing without asking for its payment", sn=sn, reason=error.reason)
            return None

    async def _paid(self, sn: str, payment: Payment) -> None:
        if await self._move(sn, repository.costs(payment.total), current=TradeState.WAIT_PAY, to=TradeState.WAIT_USE):
            log.info("order paid", sn=sn)
            return
        order = await self.find(sn)
        if order is None:
            log.error("money came for an order that does not exist", sn=sn, payment_sn=payment.sn)
        elif order.trade_state in {TradeState.CANCELLED, TradeState.WAIT_PAY}:
            # Too late, or not the price: the order can't use it.
            await self._request_refund(payment)
            await self._refund_now_or_later(sn)

    async def _refund_now_or_later(self, sn: str) -> None:
        try:
            await self.refund(sn)
        except UpstreamUnavailable as error:
            log.warning("a refund is due; the sweep makes it", sn=sn, reason=error.reason)

    async def _refunded(self, sn: str) -> None:
        if await self._move(sn, current=TradeState.WAIT_USE, to=TradeState.REFUNDED):
            log.info("order refunded", sn=sn)
            return
        await self._database.write(lambda connection: repository.mark_refunded(connection, sn, self._now))

    async def _request_refund(self, payment: Payment) -> None:
        try:
            await self._database.write(lambda connection: repository.add_refund(connection, payment, self._now))
        except IntegrityError:
            return  # requested before
        log.warning("money came late; a refund is due", sn=payment.order_sn, payment_sn=payment.sn)

    async def _move(
        self,
        sn: str,
        *conditions: ColumnElement[bool],
        current: TradeState,
        to: TradeState,
        reason: CloseReason | None = None,
    ) -> bool:
        states.check_move(current, to)

        async def work(connection: AsyncConnection) -> bool:
            return await repository.move(
                connection, sn, *conditions, current=current, to=to, sql_now=self._now, reason=reason
            )

        return await self._database.write(work)

    async def find(self, sn: str) -> Order | None:
        """The order with this sn, whoever's it is."""
        return await self._database.read(lambda connection: repository.find(connection, sn))

    async def _state(self, sn: str) -> TradeState | None:
        order = await self.find(sn)
        return None if order is None else order.trade_state

    @property
    def _now(self) -> ColumnElement[Any]:
        return self._clock.sql_now()


async def _patiently(question: Callable[[], Awaitable[Payment | None]]) -> Payment | None:
    async for attempt in AsyncRetrying(
        stop=stop_after_attempt(_ASKING_ATTEMPTS),
        wait=wait_random(0.05, 0.2),
        retry=retry_if_exception_type(UpstreamUnavailable),
        reraise=True,
    ):
        with attempt:
            return await question()
    raise AssertionError("tenacity returns or raises")
