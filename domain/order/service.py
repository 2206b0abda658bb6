"""What a guest can ask for: a price, an order, a list, a payment, a change of mind.

Each use case refuses bad input first, asks other services next with no transaction open, writes in one transaction,
and tells the timer after the commit.
"""

from collections.abc import Awaitable, Collection, Sequence
from dataclasses import fields
from datetime import date
from functools import partial
from typing import Any, Final

import structlog

from domain.clock import Clock
from domain.database import Database
from domain.errors import InvalidTransition, OrderNotFound
from domain.order import night_repository, page_repository, pricing, repository, states
from domain.order.closing import Closing
from domain.order.idempotency import Idempotency, Key
from domain.order.lines import Lines
from domain.order.models import Event, Order
from domain.order.night_repository import Range
from domain.order.nights import Taken
from domain.order.page_repository import OrderFilter, Page, Window, page_of
from domain.order.placing import Placed, Placing
from domain.order.ports import CloseTimer, FairUse, Found, Payment, Payments, Travel
from domain.order.pricing import Offer, Rules, Stay
from domain.order.settling import Settling
from domain.order.shown_homestays import ShownHomestays
from domain.order.states import CloseReason, PaymentStatus, TradeState
from domain.shared_question import SharedQuestion

log = structlog.get_logger(__name__)

# Orders of a page up to which it is read with others', and pages that are read so at once: a longer one would keep all
# of them waiting.
SHARED_UP_TO: Final = 31
PAGES_AT_ONCE: Final = 16
_STAY: Final = tuple(field.name for field in fields(Stay))


class Orders:
    """The use cases of guests."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        rules: Rules,
        *,
        closing: Closing,
        settling: Settling,
        placing: Placing,
        idempotency: Idempotency,
        travel: Travel,
        shown: ShownHomestays,
        payments: Payments,
        timer: CloseTimer,
        fair_use: FairUse,
    ) -> None:
        self._database = database
        self._clock = clock
        self._rules = rules
        self._travel = travel
        self._shown = shown
        self._payments = payments
        self._timer = timer
        self._closing = closing
        self._settling = settling
        self._placing = placing
        self._idempotency = idempotency
        self._fair_use = fair_use
        self._orders_wanted = SharedQuestion(partial(repository.read_several, database), repository.READ_AT_ONCE)
        self._pages_wanted = SharedQuestion(
            partial(page_repository.read_pages, database), PAGES_AT_ONCE, sort=lambda page: page.shape
        )

    async def homestays(self, homestay_ids: Sequence[int]) -> list[Found]:
        """Homestays to be shown, as they were some seconds ago at most.

        Returns:
            Of each id the homestay, None where there is none, or why it could not be asked for.
        """
        return await self._shown.get(homestay_ids)

    def check(self, stay: Stay) -> None:
        """Refuses what no homestay could offer, before anybody is asked.

        Raises:
            Refusal: a date, the party or the remark breaks a rule.
        """
        pricing.check_stay(stay, today=self.today)

    async def quote(self, stay: Stay) -> Offer:
        """What a stay would cost.

        Raises:
            Refusal: the stay can't be had.
            UpstreamUnavailable: the travel service can't be asked.
        """
        self.check(stay)
        return pricing.offer(await self._travel.homestay(stay.homestay_id), stay)

    async def taken(self, ranges: Collection[Range]) -> dict[int, Taken]:
        """What is taken of homestays, each at least in its ranges of nights."""
        return await self._database.read(lambda connection: night_repository.taken_of(connection, ranges))

    @property
    def today(self) -> date:
        """The date where the homestays stand."""
        return pricing.local_date(self._clock.now(), self._rules.zone)

    async def create(
        self,
        user_id: int,
        stay: Stay,
        *,
        expected_total: int | None = None,
        key: str | None = None,
        counted: bool = True,
    ) -> Placed:
        """Places an order.

        Args:
            user_id: the guest.
            stay: what is asked for.
            expected_total: the price that the guest was shown, in fen; None where none was.
            key: the same key gives the same order for 24 hours.
            counted: whether this attempt counts among those that a guest may make in a minute. A back-end service
                that asks for many guests sees to that itself.

        Raises:
            Refusal: the stay can't be had, or not so, or not now.
            UpstreamUnavailable: the travel service can't be asked; nothing was stored.
        """
        request = {name: getattr(stay, name) for name in _STAY} | {"expected_total": expected_total}
        asked = None if key is None else Key.of(user_id, key, "create", request)
        async with self._idempotency.turn(asked):
            placed = await self._create(user_id, stay, expected_total, asked, counted=counted)
        if not placed.replayed:
            order = placed.order
            self._timer.close_unpaid(order.sn, after=self._rules.pay_window.total_seconds())
            log.info("order placed", sn=order.sn, user_id=user_id, total=order.order_total_price)
        return placed

    async def _create(
        self, user_id: int, stay: Stay, expected_total: int | None, asked: Key | None, *, counted: bool
    ) -> Placed:
        if (sn := await self._idempotency.find(asked)) is not None:
            return Placed(await self._owned(user_id, sn), replayed=True)
        self.check(stay)
        if counted:
            await self._fair_use.admit(user_id)
        offer = pricing.offer(await self._travel.homestay(stay.homestay_id), stay, expected=expected_total)
        return await self._placing.place(user_id, offer, asked)

    async def find(self, user_id: int, sn: str) -> Order | None:
        """The guest's order, or None: also where it is another guest's."""
        return await self._orders_wanted.ask((user_id, sn))

    async def page(
        self, user_id: int, wanted: OrderFilter, window: Window, only: frozenset[str] | None = None
    ) -> list[Order]:
        """A piece of the guest's list, newest first.

        Args:
            user_id: the guest.
            wanted: which of the guest's orders.
            window: which piece.
            only: the columns that the orders must have; None where they are to be whole.
        """
        found: list[Order] = await self._page(page_of(user_id, wanted, window, only))
        return found

    async def lines(self, user_id: int, wanted: OrderFilter, window: Window, only: frozenset[str]) -> Lines | None:
        """The same as lines of texts; None where it has to be read as orders."""
        if not page_repository.can_write_lines(self._database):
            return None
        found: Lines | None = await self._page(page_of(user_id, wanted, window, only, as_lines=True))
        return found

    async def _page(self, page: Page) -> Any:  # noqa: ANN401 -- as the page says
        if page.values["most"] > SHARED_UP_TO:
            return (await page_repository.read_pages(self._database, [page]))[0]
        return await self._pages_wanted.ask(page)

    async def count(self, user_id: int, wanted: OrderFilter) -> int:
        """How many of the guest's orders are wanted."""
        return await self._database.read(lambda connection: page_repository.count(connection, user_id, wanted))

    async def history(self, sns: list[str]) -> list[Event]:
        """The steps of these orders, oldest first. The caller has shown that they are the guest's."""
        return await self._database.read(lambda connection: repository.events(connection, sns))

    def payment(self, sn: str) -> Awaitable[Payment | None]:
        """The payment of an order. The caller has shown that the order is the guest's.

        Raises:
            UpstreamUnavailable: the payment service can't be asked.
        """
        return self._payments.of_order(sn)

    async def cancel(self, user_id: int, sn: str, *, key: str | None = None) -> Order:
        """Gives up an unpaid order. One that the guest has given up already is answered again as it is.

        Raises:
            OrderNotFound: the guest has no such order.
            InvalidTransition: it is paid, or closed by somebody else.
            KeyReused: the key stands for another request.
        """
        asked = None if key is None else Key.of(user_id, key, "cancel", {"sn": sn})
        async with self._idempotency.claimed(asked, sn):
            return await self._give_up(user_id, sn)

    async def _give_up(self, user_id: int, sn: str) -> Order:
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

    async def open_payment(self, user_id: int, sn: str, *, key: str | None = None) -> tuple[Payment, Order]:
        """Opens the one payment of an unpaid order, or finds it again.

        Raises:
            OrderNotFound: the guest has no such order.
            InvalidTransition: it is not waiting for payment any more.
            UpstreamUnavailable: the payment service can't be asked.
            KeyReused: the key stands for another request.
        """
        asked = None if key is None else Key.of(user_id, key, "pay", {"sn": sn})
        async with self._idempotency.claimed(asked, sn) as before:
            if before and (opened := await self._payments.of_order(sn)):
                return opened, await self._owned(user_id, sn)
            return await self._open_payment(user_id, sn)

    async def _open_payment(self, user_id: int, sn: str) -> tuple[Payment, Order]:
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
