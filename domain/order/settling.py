"""What money does to an order: paid in time it is settled, and money that it can't use goes back.

Everything here may run twice, at once, and in any order. A message that a payment changed is only a hint to look: what
counts is what the payment service says of all payments of the order now.
"""

from collections.abc import Sequence
from typing import Any

import structlog
from sqlalchemy import ColumnElement
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from domain import outbox
from domain.clock import Clock
from domain.database import Database
from domain.errors import RefundUnsupported
from domain.order import letters, repository
from domain.order.models import Order
from domain.order.ports import Payment, Payments
from domain.order.states import PaymentStatus, TradeState
from domain.order.transitions import Transitions

log = structlog.get_logger(__name__)


class Settling:
    """The use cases of money."""

    def __init__(self, database: Database, clock: Clock, payments: Payments, transitions: Transitions) -> None:
        self._database = database
        self._clock = clock
        self._payments = payments
        self._transitions = transitions

    async def settle(self, sn: str) -> None:
        """Brings an order to what the payment service says of its money.

        Raises:
            UpstreamUnavailable: the payment service can't be asked; try again later.
        """
        found = await self._payments.of_orders([sn])
        await self.apply(sn, found.get(sn, ()))

    async def apply(self, sn: str, payments: Sequence[Payment]) -> None:
        """Brings an order to what all its payments say.

        Args:
            sn: the order.
            payments: all of them; the one that matters most comes first.
        """
        for payment in payments:
            if payment.status is PaymentStatus.SUCCESS:
                await self._paid(payment)
            elif payment.status is PaymentStatus.REFUNDED:
                await self._refunded(sn, payment)

    async def refund(self, payment_sn: str) -> None:
        """Has money go back that an order could not use. One that went back already is left as it is.

        Raises:
            UpstreamUnavailable: the payment service can't be asked; try again later.
            RefundUnsupported: it can't do that by itself, and people must.
        """
        order_sn = await self._database.read(lambda connection: repository.refund_due(connection, payment_sn))
        if order_sn is None:
            return
        if not await self._payments.refund(order_sn, payment_sn):
            raise RefundUnsupported("The payment service gives no money back by itself: give it back by hand.")
        await self._mark_refunded(payment_sn)
        log.info("late money went back", sn=order_sn, payment_sn=payment_sn)

    async def _paid(self, payment: Payment) -> None:
        sn = payment.order_sn
        if await self._transitions.move(
            sn,
            repository.costs(payment.total),
            current=TradeState.WAIT_PAY,
            to=TradeState.WAIT_USE,
            payment_sn=payment.sn,
        ):
            log.info("order paid", sn=sn)
            return
        order = await self._database.read(lambda connection: repository.find(connection, sn))
        if order is None:
            log.error("money came for an order that does not exist", sn=sn, payment_sn=payment.sn)
        elif not _uses(order, payment):
            await self._request_refund(payment)

    async def _refunded(self, sn: str, payment: Payment) -> None:
        # Either money that we sent back, or the money of the stay itself, by the provider's or the host's decision.
        if await self._mark_refunded(payment.sn):
            return
        if await self._transitions.move(
            sn, repository.is_paid_by(payment.sn), current=TradeState.WAIT_USE, to=TradeState.REFUNDED
        ):
            log.info("order refunded", sn=sn)

    async def _request_refund(self, payment: Payment) -> None:
        async def work(connection: AsyncConnection) -> None:
            await repository.add_refund(connection, payment, self._now)
            await outbox.add(connection, letters.REFUND, letters.refund(payment), self._now)

        try:
            await self._database.write(work)
        except IntegrityError:
            return  # requested before
        log.warning("money came that the order can't use; it goes back", sn=payment.order_sn, payment_sn=payment.sn)

    async def _mark_refunded(self, payment_sn: str) -> bool:
        return await self._database.write(
            lambda connection: repository.mark_refunded(connection, payment_sn, self._now)
        )

    @property
    def _now(self) -> ColumnElement[Any]:
        return self._clock.sql_now()


def _uses(order: Order, payment: Payment) -> bool:
    """Whether this is the money that the order was paid with, and not too late, too little, too much or too often."""
    if order.trade_state in {TradeState.CANCELLED, TradeState.WAIT_PAY}:
        return False
    # The existing system did not write down which payment it was; its own people have looked after the others.
    return order.payment_sn in {"", payment.sn}
