"""What a guest can ask for: a price, an order, a list, a payment, a change of mind.

Each use case refuses bad input first, asks other services next with no transaction open, writes in one transaction,
and tells the timer after the commit.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.clock import Clock, database_now
from domain.database import Database
from domain.errors import HomestayNotFound, InvalidTransition, OrderNotFound
from domain.order import numbers, pricing, repository, states
from domain.order.closing import Closing
from domain.order.models import WIDTHS, Event, Order
from domain.order.ports import CloseTimer, Homestay, Payment, Payments, Travel
from domain.order.pricing import MAX_PARTY, Quote, Stay
from domain.order.repository import OrderFilter, Window
from domain.order.settling import Settling
from domain.order.states import CloseReason, PaymentStatus, TradeState

log = structlog.get_logger(__name__)

# Two guests who draw the same 40 random bits in one second do not happen; a broken random source does.
_SN_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class Rules:
    """What an installation decides.

    Attributes:
        zone: where the homestays stand; it says which date is today.
        pay_window: how long an order waits for its payment.
    """

    zone: ZoneInfo
    pay_window: timedelta


class Orders:
    """The use cases of guests."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        rules: Rules,
        closing: Closing,
        settling: Settling,
        *,
        travel: Travel,
        payments: Payments,
        timer: CloseTimer,
    ) -> None:
        self._database = database
        self._clock = clock
        self._rules = rules
        self._travel = travel
        self._payments = payments
        self._timer = timer
        self._closing = closing
        self._settling = settling

    async def homestay(self, homestay_id: int) -> Homestay | None:
        """The homestay as it is now, or None.

        Raises:
            UpstreamUnavailable: the travel service can't be asked.
        """
        return await self._travel.homestay(homestay_id)

    async def quote(self, stay: Stay) -> Quote:
        """What a stay would cost.

        Raises:
            Refusal: the stay can't be had.
            UpstreamUnavailable: the travel service can't be asked.
        """
        return pricing.quote(await self._offered(stay), stay)

    async def create(self, user_id: int, stay: Stay) -> Order:
        """Places an order.

        Raises:
            Refusal: the stay can't be had.
            UpstreamUnavailable: the travel service can't be asked; nothing was stored.
        """
        homestay = await self._offered(stay)
        price = pricing.quote(homestay, stay)
        order = await self._store(user_id, stay, homestay, price)
        self._timer.close_unpaid(order.sn, after=self._rules.pay_window.total_seconds())
        log.info("order placed", sn=order.sn, user_id=user_id, total=order.order_total_price)
        return order

    async def _offered(self, stay: Stay) -> Homestay:
        pricing.check_stay(stay, today=pricing.local_date(self._clock.now(), self._rules.zone))
        homestay = await self._travel.homestay(stay.homestay_id)
        if homestay is None:
            raise HomestayNotFound("There is no such homestay.", "homestayId")
        return homestay

    async def _store(self, user_id: int, stay: Stay, homestay: Homestay, price: Quote) -> Order:
        async def work(connection: AsyncConnection) -> Order:
            now = await database_now(connection, self._clock)
            values: dict[str, Any] = {
                "sn": numbers.order_sn(now, self._rules.zone),
                "user_id": user_id,
                **_snapshot(homestay),
                "live_start_date": stay.start,
                "live_end_date": stay.end,
                "live_people_num": stay.guests,
                "need_food": stay.food,
                "remark": stay.remark,
                "homestay_total_price": price.homestay_total,
                "food_total_price": price.food_total,
                "order_total_price": price.total,
                "trade_state": TradeState.WAIT_PAY,
                "trade_code": numbers.trade_code(),
                "create_time": now.replace(microsecond=0),
                "close_at": now + self._rules.pay_window,
                "close_reason": None,
            }
            order_id = await repository.add(connection, values | {"update_time": now}, at=now)
            return Order(id=order_id, **values)

        for _ in range(_SN_ATTEMPTS - 1):
            try:
                return await self._database.write(work)
            except IntegrityError:
                log.warning("order sn drawn twice")
        return await self._database.write(work)

    async def find(self, user_id: int, sn: str) -> Order | None:
        """The guest's order, or None: also where it is another guest's."""
        return await self._database.read(lambda connection: repository.find(connection, sn, user_id=user_id))

    async def page(self, user_id: int, wanted: OrderFilter, window: Window) -> list[Order]:
        """A piece of the guest's list, newest first."""
        return await self._database.read(lambda connection: repository.page(connection, user_id, wanted, window))

    async def count(self, user_id: int, wanted: OrderFilter) -> int:
        """How many of the guest's orders are wanted."""
        return await self._database.read(lambda connection: repository.count(connection, user_id, wanted))

    async def history(self, sns: list[str]) -> list[Event]:
        """The steps of these orders, oldest first. The caller has shown that they are the guest's."""
        return await self._database.read(lambda connection: repository.events(connection, sns))

    async def payment(self, sn: str) -> Payment | None:
        """The payment of an order. The caller has shown that the order is the guest's.

        Raises:
            UpstreamUnavailable: the payment service can't be asked.
        """
        return await self._payments.of_order(sn)

    async def cancel(self, user_id: int, sn: str) -> Order:
        """Gives up an unpaid order. One that the guest has given up already is answered again as it is.

        Raises:
            OrderNotFound: the guest has no such order.
            InvalidTransition: it is paid, or closed by somebody else.
        """
        order = await self._owned(user_id, sn)
        if order.trade_state is TradeState.CANCELLED and order.close_reason is CloseReason.GUEST:
            return order
        states.check_move(order.trade_state, TradeState.CANCELLED)
        if not await self._closing.give_up(sn):
            # Somebody else decided meanwhile: money came, or the same guest's other tap was faster.
            order = await self._owned(user_id, sn)
            if order.close_reason is not CloseReason.GUEST:
                states.check_move(order.trade_state, TradeState.CANCELLED)
        return await self._owned(user_id, sn)

    async def open_payment(self, user_id: int, sn: str) -> tuple[Payment, Order]:
        """Opens the one payment of an unpaid order, or finds it again.

        Raises:
            OrderNotFound: the guest has no such order.
            InvalidTransition: it is not waiting for payment any more.
            UpstreamUnavailable: the payment service can't be asked.
        """
        order = await self._owned(user_id, sn)
        states.check_move(order.trade_state, TradeState.WAIT_USE)
        if order.close_at is None or await self._is_due(sn):
            raise InvalidTransition(
                "The time to pay this order is over.", current=order.trade_state, wanted=TradeState.WAIT_USE
            )
        payment = await self._payments.open(
            order_sn=sn, user_id=user_id, total=order.order_total_price, pay_before=order.close_at
        )
        if payment.status is PaymentStatus.SUCCESS:
            await self._settling.settle(sn)
            order = await self._owned(user_id, sn)
        return payment, order

    async def _is_due(self, sn: str) -> bool:
        return await self._database.read(lambda connection: repository.is_due(connection, sn, self._clock.sql_now()))

    async def _owned(self, user_id: int, sn: str) -> Order:
        order = await self.find(user_id, sn)
        if order is None:
            raise OrderNotFound("There is no such order.", "sn")
        return order


def _snapshot(homestay: Homestay) -> dict[str, Any]:
    """What an order keeps of its homestay: later changes there change nothing here."""
    texts = {
        "title": homestay.title,
        "sub_title": homestay.sub_title,
        # Half a URL shows nothing.
        "cover": homestay.cover if homestay.cover and len(homestay.cover) <= WIDTHS["cover"] else "",
        "info": homestay.info,
        "food_info": homestay.food_info,
    }
    return {
        "homestay_id": homestay.id,
        "homestay_business_id": homestay.business_id,
        "homestay_user_id": homestay.user_id,
        **{name: text[: WIDTHS[name]] for name, text in texts.items()},
        "people_num": min(homestay.people_num, MAX_PARTY),
        "row_type": homestay.sale_unit,
        "homestay_price": homestay.price,
        "market_homestay_price": homestay.market_price,
        "food_price": homestay.food_price,
    }
