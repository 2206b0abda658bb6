"""The use cases of guests without a database: a few orders and homestays, and whatever a test wants to go wrong."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final, TypeVar

from bff.context import RequestContext
from bff.identity.tokens import Caller
from bff.limits.allowance import Allowance
from domain.money import Fen
from domain.order.models import Event, Order, part
from domain.order.night_repository import Range
from domain.order.nights import Taken
from domain.order.page_repository import OrderFilter, Window
from domain.order.placing import Placed
from domain.order.ports import Homestay, Payment
from domain.order.pricing import Stay
from domain.order.states import CloseReason, PaymentStatus, SaleUnit, TradeState
from tests.factories import create_homestay

T = TypeVar("T")

AT: Final = datetime(2026, 5, 20, 4, 0, 0, 120_000, tzinfo=UTC)
STATES: Final = (TradeState.WAIT_USE, TradeState.WAIT_PAY, TradeState.USED, TradeState.CANCELLED)


def sn(number: int) -> str:
    return f"HSO{number:022d}"


def create_order(number: int) -> Order:
    state = STATES[number % len(STATES)]
    return Order(
        id=number,
        sn=sn(number),
        user_id=7,
        homestay_id=1 + number % 3,
        homestay_business_id=11,
        homestay_user_id=12,
        title=f"Courtyard House {number}",
        sub_title="Two steps from the Drum Tower",
        cover="https://example.com/cover.jpg" if number % 2 else "",
        info="A quiet yard.",
        people_num=4,
        row_type=SaleUnit.ROOM,
        need_food=number % 2 == 0,
        food_info="Breakfast and dinner.",
        food_price=Fen(3000),
        homestay_price=Fen(29_900),
        market_homestay_price=Fen(39_900),
        live_start_date=date(2026, 6, 1),
        live_end_date=date(2026, 6, 3),
        live_people_num=2,
        trade_state=state,
        trade_code="8CHARS00",
        remark="",
        order_total_price=Fen(71_800),
        food_total_price=Fen(12_000),
        homestay_total_price=Fen(59_800),
        create_time=AT.replace(microsecond=0),
        close_at=AT + timedelta(minutes=20),
        close_reason=CloseReason.GUEST if state is TradeState.CANCELLED else None,
    )


HOMESTAYS: Final = {number: create_homestay(id=number) for number in (1, 2, 3)}


@dataclass
class StandIn:
    """The use cases.

    Attributes:
        orders: how many orders there are.
        broken: what a use case fails with, by its name and the key that it is asked for; None for any key.
        turns: how many turns of the event loop a use case takes.
        asked: what was asked, in order.
        only: what was wanted of the orders of each page.
    """

    orders: int = 3
    broken: Mapping[tuple[str, object], Callable[[], Exception]] = field(default_factory=dict)
    turns: Mapping[str, int] = field(default_factory=dict)
    asked: list[tuple[str, object]] = field(default_factory=list)
    only: list[frozenset[str] | None] = field(default_factory=list)
    today: date = date(2026, 5, 20)

    def _ask(self, name: str, key: object) -> None:
        self.asked.append((name, key))
        failure = self.broken.get((name, key)) or self.broken.get((name, None))
        if failure is not None:
            raise failure()

    async def _answer(self, name: str, key: object, answer: T) -> T:
        for _ in range(self.turns.get(name, 0)):
            await asyncio.sleep(0)
        self._ask(name, key)
        return answer

    def check(self, stay: Stay) -> None:
        self._ask("check", stay.homestay_id)
        self.asked.append(("check of", stay))

    async def homestays(self, homestay_ids: Sequence[int]) -> list[Homestay | Exception | None]:
        async def one(homestay_id: int) -> Homestay | None:
            return await self._answer("homestay", homestay_id, HOMESTAYS.get(homestay_id))

        found = await asyncio.gather(*(one(each) for each in homestay_ids), return_exceptions=True)
        return [each if isinstance(each, Exception | Homestay | None) else None for each in found]

    async def taken(self, ranges: Collection[Range]) -> dict[int, Taken]:
        taken: dict[int, Taken] = {homestay_id: {date(2026, 6, 2): {0: True}} for homestay_id, *_ in ranges}
        return await self._answer("taken", tuple(sorted(ranges)), taken)

    async def find(self, user_id: int, sn: str) -> Order | None:
        number = int(sn[3:]) if sn.startswith("HSO") and sn[3:].isdecimal() else 0
        found = create_order(number) if 1 <= number <= self.orders and user_id else None
        return await self._answer("find", sn, found)

    async def page(
        self, user_id: int, wanted: OrderFilter, window: Window, only: frozenset[str] | None = None
    ) -> list[Order]:
        self.asked.append(("page of", (sorted(wanted.states or ()), wanted.start_from, wanted.start_to)))
        states = STATES if wanted.states is None else wanted.states
        found = [create_order(number) for number in range(self.orders, 0, -1)]
        page = [order for order in found if order.trade_state in states and user_id][: window.limit]
        self.only.append(only)
        if only is not None:
            kind = part(sorted(only))
            page = [kind._make(getattr(order, name) for name in kind._fields) for order in page]
        return await self._answer("page", window.limit, page)

    async def lines(self, user_id: int, wanted: OrderFilter, window: Window, only: frozenset[str]) -> None:
        """Here there is no database that could write them."""

    async def count(self, user_id: int, wanted: OrderFilter) -> int:  # noqa: ARG002 -- the use case's signature
        return await self._answer("count", None, self.orders)

    async def history(self, sns: Sequence[str]) -> list[Event]:
        steps = [
            step
            for each in sns
            for step in (
                Event(order_sn=each, at=AT, from_state=None, to_state=TradeState.WAIT_PAY, reason=None),
                Event(
                    order_sn=each,
                    at=AT,
                    from_state=TradeState.WAIT_PAY,
                    to_state=TradeState.CANCELLED,
                    reason=CloseReason.UNPAID_TIMEOUT,
                ),
            )
        ]
        return await self._answer("history", tuple(sns), steps)

    async def payment(self, sn: str) -> Payment | None:
        found = Payment(f"PMT{sn[3:]}", sn, "WECHAT_PAY", Fen(71_800), PaymentStatus.SUCCESS, AT)
        return await self._answer("payment", sn, found)

    async def create(self, user_id: int, stay: Stay, *, expected_total: int | None, key: str | None) -> Placed:
        self.asked.append(("create as", (stay, expected_total, key)))
        order = create_order(1)._replace(homestay_id=stay.homestay_id, user_id=user_id)
        return await self._answer("create", stay.homestay_id, Placed(order, replayed=key is not None))

    async def cancel(self, user_id: int, sn: str, *, key: str | None) -> Order:
        self.asked.append(("cancel by", key))
        order = create_order(1)._replace(sn=sn, user_id=user_id, trade_state=TradeState.CANCELLED)
        return await self._answer("cancel", sn, order)

    async def open_payment(self, user_id: int, sn: str, *, key: str | None) -> tuple[Payment, Order]:
        self.asked.append(("open_payment by", key))
        order = create_order(1)._replace(sn=sn, user_id=user_id)
        payment = Payment(f"PMT{sn[3:]}", sn, "WECHAT_PAY", Fen(71_800), PaymentStatus.WAIT, None)
        return await self._answer("open_payment", sn, (payment, order))


def context_of(orders: StandIn, *, signed_in: bool = True) -> RequestContext:
    """A request of a guest, who follows no order and may ask for anything."""
    return RequestContext(
        orders=orders,  # type: ignore[arg-type] # it stands in for them
        following=None,  # type: ignore[arg-type]
        allowance=Allowance(0),
        request_id="a request",
        caller=Caller(7, AT + timedelta(days=36500)) if signed_in else None,
    )
