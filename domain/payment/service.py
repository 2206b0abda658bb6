"""What one can ask of payments: open one, look at one, record the provider's word, give the money back.

Each use case refuses bad input first and writes in one transaction. The letter that announces a change is written in
that same transaction: no change without a letter, and no letter without its change.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from domain import outbox
from domain.clock import Clock
from domain.database import Database
from domain.errors import InvalidInput, InvalidTransition, PaymentNotFound
from domain.figures import PROVIDER_WORDS_UNKNOWN
from domain.payment import numbers, repository, states
from domain.payment.models import Payment
from domain.payment.ports import STATUS_CHANGED, Wake
from domain.payment.requests import Charge, Notice, check_charge, check_notice, check_order_sns, check_page
from domain.payment.states import DEFAULT_WORDS, SETTLED, PayStatus, UnknownWord

log = structlog.get_logger(__name__)

# The second try finds the payment that was in the way of the first. More are needed only where that one failed in
# between, or where a number is drawn twice.
_OPENING_ATTEMPTS: Final = 5


class Payments:
    """The use cases of payments."""

    def __init__(self, database: Database, wake: Wake, clock: Clock, *, zone: ZoneInfo) -> None:
        self._database = database
        self._wake = wake
        self._clock = clock
        self._zone = zone

    async def create(self, charge: Charge) -> Payment:
        """Opens the one payment of an order, or finds it again: also when it is paid, or refunded, by now.

        Raises:
            InvalidInput: the charge breaks a rule, or the order's payment is another guest's or of another amount.
        """
        check_charge(charge)
        payment = await self._find_or_open(charge)
        if payment.user_id != charge.user_id:
            raise InvalidInput("This order has a payment of another guest.", "userId")
        if payment.pay_total != charge.total:
            raise InvalidInput("This order has a payment of another amount.", "payTotal")
        return payment

    async def by_sn(self, sn: str) -> Payment:
        """The payment with this number.

        Raises:
            PaymentNotFound: there is none.
        """
        return _found(await self._database.read(lambda connection: repository.find(connection, sn)), "sn")

    async def of_order(self, order_sn: str) -> Payment:
        """The payment of an order that matters now: paid, else refunded, else open, else the last that failed.

        Raises:
            PaymentNotFound: there is none.
        """
        return _found(await self._database.read(lambda connection: repository.of_order(connection, order_sn)))

    async def settled_of_order(self, order_sn: str) -> Payment:
        """The paid payment of an order, else the refunded one.

        Raises:
            PaymentNotFound: no money ever came.
        """
        return _found(await self._database.read(lambda connection: repository.of_order(connection, order_sn, SETTLED)))

    async def update(self, notice: Notice) -> Payment:
        """Records the provider's word. A repeat changes nothing, is answered as the first time and announced again.

        Raises:
            InvalidInput: the notice breaks a rule. Of a word that nobody knows people are told: money may have come.
            PaymentNotFound: there is no such payment.
            InvalidTransition: the payment can't come to that status from where it is.
        """
        try:
            check_notice(notice)
        except UnknownWord:
            await self._tell_people(notice)
            raise
        payment, moved = await self._record(notice)
        self._wake()
        if moved and payment.pay_status is PayStatus.SUCCESS:
            await self._warn_if_paid_twice(payment)
        return payment

    async def of_orders(self, order_sns: Collection[str]) -> list[Payment]:
        """All payments of these orders; those of one order stand together, the one that matters most first.

        Raises:
            InvalidInput: there are too many, or one is no order's number.
        """
        check_order_sns(order_sns)
        wanted = frozenset(order_sns)
        if not wanted:
            return []
        return await self._database.read(lambda connection: repository.of_orders(connection, wanted))

    async def changed(self, since: datetime, *, after_id: int, limit: int) -> list[Payment]:
        """Payments by the time of their last change, the oldest first.

        Whoever walks along them asks for the next page from the last one's `update_time` and id. A change that was not
        committed when its second was passed does not come again: a walk that must miss none starts a little earlier
        than the last one ended.

        Args:
            since: whole seconds; what changed earlier is left out.
            after_id: of those that changed in that very second, only ids above this one.
            limit: payments wanted.

        Raises:
            InvalidInput: a number is out of its range.
        """
        check_page(after_id, limit)
        return await self._database.read(lambda connection: repository.changed(connection, since, after_id, limit))

    async def refund(self, order_sn: str, sn: str | None = None) -> Payment:
        """Gives back the money that came for an order, once however often it is asked.

        Args:
            order_sn: the order.
            sn: give back only this payment of it.

        Raises:
            PaymentNotFound: no money ever came.
        """
        now = self._clock.now()

        async def work(connection: AsyncConnection) -> Payment:
            await repository.refund(connection, order_sn, now, sn=sn)
            payment = (
                _found(await repository.of_order(connection, order_sn, {PayStatus.REFUNDED}))
                if sn is None
                else _refunded(await repository.find(connection, sn), order_sn)
            )
            await self._announce(connection, payment)
            return payment

        payment = await self._database.write(work)
        self._wake()
        return payment

    async def _find_or_open(self, charge: Charge) -> Payment:
        now = self._clock.now().replace(microsecond=0)

        async def work(connection: AsyncConnection) -> Payment:
            # Not only the one that holds the order's place: money may have come by another, or by an adopted row.
            payment = await repository.of_order(connection, charge.order_sn)
            if payment is not None and payment.pay_status is not PayStatus.FAILED:
                return payment
            values: dict[str, Any] = {
                "sn": numbers.payment_sn(now, self._zone),
                "user_id": charge.user_id,
                "pay_mode": charge.pay_mode,
                "trade_type": "",
                "trade_state": DEFAULT_WORDS[PayStatus.WAIT],
                "pay_total": charge.total,
                "transaction_id": "",
                "trade_state_desc": "",
                "order_sn": charge.order_sn,
                "service_type": charge.service_type,
                "pay_status": PayStatus.WAIT,
                "expire_time": charge.expire_time,
                "create_time": now,
                "update_time": now,
            }
            # The existing system's column for the time of paying is NOT NULL and fills itself; so it is not named.
            return Payment(id=await repository.add(connection, values), pay_time=None, **values)

        for _ in range(_OPENING_ATTEMPTS - 1):
            try:
                return await self._database.write(work)
            except IntegrityError:
                log.info("another payment came first", order_sn=charge.order_sn)
        return await self._database.write(work)

    async def _record(self, notice: Notice) -> tuple[Payment, bool]:
        changes = self._changes(notice)
        try:
            return await self._move(notice, changes)
        except IntegrityError:
            # The payment had failed, and another one took its place. Its money came all the same and is recorded
            # beside the other, without the place.
            del changes["live_order_sn"]
            return await self._move(notice, changes)

    def _changes(self, notice: Notice) -> dict[str, Any]:
        changes: dict[str, Any] = {
            "trade_state": notice.trade_state or DEFAULT_WORDS[notice.status],
            "trade_state_desc": notice.trade_state_desc,
        }
        if notice.status is not PayStatus.REFUNDED:
            # A refund may come with a number of its own; it must not take the place of the payment's.
            said = {"transaction_id": notice.transaction_id, "trade_type": notice.trade_type}
            changes |= {name: text for name, text in said.items() if text}
        if notice.status is PayStatus.SUCCESS:
            changes["pay_time"] = notice.paid_at or self._clock.now()
            changes["live_order_sn"] = repository.ITS_ORDER
        elif notice.status is PayStatus.FAILED:
            changes["live_order_sn"] = None
        return changes

    async def _move(self, notice: Notice, changes: dict[str, Any]) -> tuple[Payment, bool]:
        now = self._clock.now()

        async def work(connection: AsyncConnection) -> tuple[Payment, bool]:
            moved = await repository.move(
                connection,
                notice.sn,
                origins=states.origins(notice.status),
                to=notice.status,
                changes=changes,
                at=now,
            )
            payment = _found(await repository.find(connection, notice.sn), "sn")
            if payment.pay_status is not notice.status:
                raise InvalidTransition(
                    f"A payment that is {payment.pay_status.name} can't become {notice.status.name}.",
                    current=payment.pay_status,
                    wanted=notice.status,
                )
            # That it still waits is no change.
            if payment.pay_status is not PayStatus.WAIT:
                await self._announce(connection, payment)
            return payment, moved

        return await self._database.write(work)

    async def _announce(self, connection: AsyncConnection, payment: Payment) -> None:
        """Writes the letter that says how a payment stands; again for a repeat, in case the first was in vain."""
        news = {"orderSn": payment.order_sn, "payStatus": int(payment.pay_status)}
        await outbox.add(connection, STATUS_CHANGED, {payment.order_sn: news}, self._clock.sql_now())

    async def _tell_people(self, notice: Notice) -> None:
        """Counts and logs a word that nobody knows; neither it nor any other text of whoever sent it is in the line."""
        PROVIDER_WORDS_UNKNOWN.inc()
        payment = await self._database.read(lambda connection: repository.find(connection, notice.sn))
        log.error(
            "provider's word unknown",
            sn=payment and payment.sn,
            status=notice.status.name,
            length=len(notice.trade_state),
        )

    async def _warn_if_paid_twice(self, payment: Payment) -> None:
        sns = await self._database.read(lambda connection: repository.paid_sns(connection, payment.order_sn))
        if len(sns) > 1:
            log.warning("order paid more than once", order_sn=payment.order_sn, payment_sns=sns)


def _refunded(payment: Payment | None, order_sn: str) -> Payment:
    if payment is None or payment.order_sn != order_sn or payment.pay_status is not PayStatus.REFUNDED:
        raise PaymentNotFound("No money of this payment came for this order.", "sn")
    return payment


def _found(payment: Payment | None, field: str = "orderSn") -> Payment:
    if payment is None:
        raise PaymentNotFound("There is no such payment.", field)
    return payment
