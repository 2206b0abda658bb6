"""The GraphQL objects, and their translation from domain values. Nothing here decides."""

from datetime import date, datetime
from typing import Self, TypeAlias

import strawberry

import bff.enums  # noqa: F401 -- makes the domain's enums GraphQL enums
from bff import ids
from bff.context import RequestContext
from bff.scalars import BigInt
from domain.money import Fen
from domain.order import nights, ports
from domain.order.models import Event, Order
from domain.order.pricing import Offer
from domain.order.states import CloseReason, PaymentStatus, SaleUnit, TradeState

Info: TypeAlias = strawberry.Info[RequestContext, None]


@strawberry.interface(description="An object with a global id.")
class Node:
    id: strawberry.ID = strawberry.field(description="Opaque, unique over all types, stable.")


@strawberry.type(
    description=(
        "Money in a currency. `amountMinor` is the truth; `amount` is the same number as an exact decimal string."
    )
)
class Money:
    amount_minor: BigInt = strawberry.field(description="Integer count of the currency's smallest unit (fen for CNY).")
    currency: str = strawberry.field(description="ISO 4217.")
    amount: str = strawberry.field(description="Exact decimal string in major units, e.g. `899.00`; never a float.")

    @classmethod
    def of(cls, fen: Fen) -> Self:
        return cls(amount_minor=BigInt(fen), currency="CNY", amount=f"{fen // 100}.{fen % 100:02}")


@strawberry.type(description="A homestay, from the travel service.")
class Homestay(Node):
    homestay_id: BigInt = strawberry.field(description="The travel service's number.")
    title: str
    sub_title: str
    cover: str | None
    banner: list[str]
    info: str
    people_num: int = strawberry.field(description="Guests it holds.")
    sale_unit: SaleUnit
    on_shelf: bool
    homestay_price: Money
    market_homestay_price: Money
    food_info: str
    food_price: Money

    @classmethod
    def of(cls, homestay: ports.Homestay) -> Self:
        return cls(
            id=strawberry.ID(ids.global_id(ids.HOMESTAY, homestay.id)),
            homestay_id=BigInt(homestay.id),
            title=homestay.title,
            sub_title=homestay.sub_title,
            cover=homestay.cover,
            banner=list(homestay.banner),
            info=homestay.info,
            people_num=homestay.people_num,
            sale_unit=homestay.sale_unit,
            on_shelf=homestay.on_shelf,
            homestay_price=Money.of(homestay.price),
            market_homestay_price=Money.of(homestay.market_price),
            food_info=homestay.food_info,
            food_price=Money.of(homestay.food_price),
        )


@strawberry.type(description="A price worked out by the server, without an order.")
class HomestayQuote:
    nights: int
    homestay_total_price: Money
    food_total_price: Money
    order_total_price: Money
    offer: strawberry.Private[Offer]

    @strawberry.field(description="True when every night is free.")
    async def available(self, info: Info) -> bool:
        stay = self.offer.stay
        taken = await info.context.loaders.taken.load((stay.homestay_id, stay.start, stay.end))
        return nights.is_free(self.offer.homestay, stay, taken)

    @classmethod
    def of(cls, offer: Offer) -> Self:
        return cls(
            nights=offer.price.nights,
            homestay_total_price=Money.of(offer.price.homestay_total),
            food_total_price=Money.of(offer.price.food_total),
            order_total_price=Money.of(offer.price.total),
            offer=offer,
        )


@strawberry.type(description="A night of a homestay.")
class HomestayNight:
    night: date
    places_left: int = strawberry.field(
        description="Places left: 1 or 0 when sold by room, guests that still fit when sold per person."
    )


@strawberry.type(description="The payment of an order, from the payment service.")
class OrderPayment:
    sn: strawberry.ID
    pay_mode: str
    pay_total: Money
    pay_time: datetime | None
    status: PaymentStatus

    @classmethod
    def of(cls, payment: ports.Payment) -> Self:
        return cls(
            sn=strawberry.ID(payment.sn),
            pay_mode=payment.mode,
            pay_total=Money.of(payment.total),
            pay_time=payment.paid_at,
            status=payment.status,
        )


@strawberry.type(description="A step in an order's life.")
class OrderEvent:
    at: datetime
    from_: TradeState | None = strawberry.field(name="from")
    to: TradeState
    reason: CloseReason | None

    @classmethod
    def of(cls, event: Event) -> Self:
        return cls(at=event.at, from_=event.from_state, to=event.to_state, reason=event.reason)


@strawberry.type(description="An order for a homestay; prices and texts are the snapshot of the moment it was made.")
class HomestayOrder(Node):
    sn: strawberry.ID = strawberry.field(description="Order number shown to people; unguessable.")
    homestay_id: strawberry.ID
    title: str
    sub_title: str
    cover: str | None
    info: str
    food_info: str
    sale_unit: SaleUnit
    people_num: int
    live_people_num: int
    live_start_date: date
    live_end_date: date
    nights: int
    need_food: bool
    homestay_price: Money
    market_homestay_price: Money
    food_price: Money
    homestay_total_price: Money
    food_total_price: Money
    order_total_price: Money
    trade_state: TradeState
    close_reason: CloseReason | None
    trade_code: str | None = strawberry.field(description="Check-in code; null until paid.")
    remark: str
    create_time: datetime
    pay_before: datetime | None = strawberry.field(
        description="When an unpaid order closes; null once it is no longer WAIT_PAY."
    )
    order: strawberry.Private[Order]

    @strawberry.field(description="The homestay as it is now; null when the travel service no longer has it.")
    async def homestay(self, info: Info) -> Homestay | None:
        homestay = await info.context.loaders.homestay.load(self.order.homestay_id)
        return None if homestay is None else Homestay.of(homestay)

    @strawberry.field(
        description="Null when unpaid; null with a top-level error when the payment service can't be asked."
    )
    async def payment(self, info: Info) -> OrderPayment | None:
        # An order that waits has not been paid; asking would cost a call and tell nothing.
        if self.order.trade_state is TradeState.WAIT_PAY:
            return None
        payment = await info.context.loaders.payment.load(self.order.sn)
        if payment is None or payment.status not in {PaymentStatus.SUCCESS, PaymentStatus.REFUNDED}:
            return None
        return OrderPayment.of(payment)

    @strawberry.field
    async def history(self, info: Info) -> list[OrderEvent]:
        return [OrderEvent.of(event) for event in await info.context.loaders.history.load(self.order.sn)]

    @classmethod
    def of(cls, order: Order) -> Self:
        return cls(
            id=strawberry.ID(ids.global_id(ids.ORDER, order.sn)),
            sn=strawberry.ID(order.sn),
            homestay_id=strawberry.ID(str(order.homestay_id)),
            title=order.title,
            sub_title=order.sub_title,
            cover=order.cover or None,
            info=order.info,
            food_info=order.food_info,
            sale_unit=order.row_type,
            people_num=order.people_num,
            live_people_num=order.live_people_num,
            live_start_date=order.live_start_date,
            live_end_date=order.live_end_date,
            nights=order.nights,
            need_food=order.need_food,
            homestay_price=Money.of(order.homestay_price),
            market_homestay_price=Money.of(order.market_homestay_price),
            food_price=Money.of(order.food_price),
            homestay_total_price=Money.of(order.homestay_total_price),
            food_total_price=Money.of(order.food_total_price),
            order_total_price=Money.of(order.order_total_price),
            trade_state=order.trade_state,
            close_reason=order.close_reason,
            trade_code=order.shown_code,
            remark=order.remark,
            create_time=order.create_time,
            pay_before=order.pay_before,
            order=order,
        )
