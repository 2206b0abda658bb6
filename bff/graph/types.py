"""The GraphQL objects, and their translation from domain values. Nothing here decides.

An order and a homestay have more fields than most operations select. Theirs are worked out of the domain's object when
they are selected: `lazy`.
"""

import asyncio
from collections.abc import Callable, Iterable
from datetime import date, datetime
from operator import attrgetter
from typing import Any, Final, Self, TypeAlias

import strawberry

import bff.graph.enums  # noqa: F401 -- makes the domain's enums GraphQL enums
from bff.context import RequestContext
from bff.execution import facts
from bff.graph import ids, texts
from bff.graph.scalars import BigInt
from domain.money import Fen
from domain.order import nights, ports
from domain.order.models import DERIVED, Event, Order
from domain.order.pricing import Offer
from domain.order.states import CloseReason, PaymentStatus, SaleUnit, TradeState

Info: TypeAlias = strawberry.Info[RequestContext, None]

# What a price calls the column that it is made of.
_FEN: Final = "fen"
# States of a payment of which guests are shown something.
_SHOWN: Final = frozenset({PaymentStatus.SUCCESS, PaymentStatus.REFUNDED})
_ID: Final = "Opaque, unique over all types, stable."


def lazy(
    read: Callable[[Any], Any],
    description: str | None = None,
    *,
    reads: Iterable[str] = (),
    written: facts.Written | facts.Passed | None = None,
) -> Any:  # noqa: ANN401 -- as the field says
    """A field that `read` makes of its object when it is selected; it does nothing else, and may be called twice.

    Args:
        read: makes it.
        description: of the field.
        reads: all that it reads of the domain's object, where that is an order.
        written: the same of an order that is a line of texts.
    """
    # The executor wants to see that the object is all that it takes.
    metadata = facts.PURE | _reading(reads) | ({facts.WRITTEN: written} if written else {})
    return strawberry.field(resolver=read, description=description, metadata=metadata)


def read(
    path: str,
    description: str | None = None,
    *,
    reads: Iterable[str] = (),
    written: facts.Write | None = None,
) -> Any:  # noqa: ANN401 -- as the field says
    """A field that is an attribute of the object's own object, e.g. `order.title`: `lazy`, without a call.

    Args:
        path: the attributes that lead to it.
        description: of the field.
        reads: as with `lazy`, where the attribute itself is worked out of others.
        written: makes it of the texts of what it reads; None where its type says how.
    """
    get = attrgetter(path)

    def value(self: Any) -> Any:  # noqa: ANN401 -- as the field says
        return get(self)

    columns = tuple(reads or path.split(".")[1:2])
    made = {facts.PATH: path, facts.WRITTEN: facts.Written(columns, written)}
    return strawberry.field(resolver=value, description=description, metadata=facts.PURE | made | _reading(columns))


def loaded(
    key: Callable[[Any], Any],
    load: Callable[[RequestContext, Any], "asyncio.Future[Any]"],
    make: Callable[[Any], Any],
    *,
    written: facts.Written,
    description: str,
) -> Any:  # noqa: ANN401 -- as the field says
    """A field that a loader of the request has.

    Args:
        key: of its object; None where there is nothing to be loaded, and the field is null.
        load: loads by the key what nobody may cancel, for others may want it, too.
        make: makes the field's value of what was loaded.
        written: makes the key of an order that is a line of texts; its columns are all that is read of the order.
        description: of the field.
    """

    async def value(self: Any, info: Info) -> Any:  # noqa: ANN401 -- as the field says
        wanted = key(self)
        return None if wanted is None else make(await asyncio.shield(load(info.context, wanted)))

    metadata = {facts.LOADED: facts.Loaded(key, written, load, make)} | _reading(written.columns)
    return strawberry.field(resolver=value, description=description, metadata=metadata)


def _reading(attributes: Iterable[str]) -> dict[str, frozenset[str]]:
    """The metadata of a field that reads these and no others; of one that says nothing, nothing is known."""
    found = frozenset(attributes)
    return {facts.READS: found} if found else {}


def _of_fen(write: facts.Write) -> dict[str, facts.Written]:
    """The metadata of a price's field: what it is where the price is a text."""
    return {facts.WRITTEN: facts.Written((_FEN,), write)}


@strawberry.interface(description="An object with a global id.")
class Node:
    id: strawberry.ID = strawberry.field(description=_ID)


@strawberry.type(
    description=(
        "Money in a currency. `amountMinor` is the truth; `amount` is the same number as an exact decimal string."
    )
)
class Money:
    amount_minor: BigInt = strawberry.field(
        description="Integer count of the currency's smallest unit (fen for CNY).",
        metadata=_of_fen(texts.amount_minor),
    )
    currency: str = strawberry.field(description="ISO 4217.", metadata=_of_fen(lambda _: "CNY"))

    @strawberry.field(
        description="Exact decimal string in major units, e.g. `899.00`; never a float.",
        metadata=facts.PURE | _of_fen(texts.AMOUNTS),
    )
    def amount(self) -> str:
        return f"{self.amount_minor // 100}.{self.amount_minor % 100:02}"

    @classmethod
    def of(cls, fen: Fen) -> Self:
        return cls(amount_minor=BigInt(fen), currency="CNY")


@strawberry.type(description="A homestay, from the travel service.")
class Homestay(Node):
    id: strawberry.ID = lazy(lambda self: ids.global_id(ids.HOMESTAY, self.homestay.id), _ID)
    homestay_id: BigInt = read("homestay.id", "The travel service's number.")
    title: str = read("homestay.title")
    sub_title: str = read("homestay.sub_title")
    cover: str | None = read("homestay.cover")
    banner: list[str] = read("homestay.banner")
    info: str = read("homestay.info")
    people_num: int = read("homestay.people_num", "Guests it holds.")
    sale_unit: SaleUnit = read("homestay.sale_unit")
    on_shelf: bool = read("homestay.on_shelf")
    homestay_price: Money = lazy(lambda self: Money.of(self.homestay.price))
    market_homestay_price: Money = lazy(lambda self: Money.of(self.homestay.market_price))
    food_info: str = read("homestay.food_info")
    food_price: Money = lazy(lambda self: Money.of(self.homestay.food_price))
    homestay: strawberry.Private[ports.Homestay]

    @classmethod
    def of(cls, homestay: ports.Homestay) -> Self:
        return cls(homestay=homestay)


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


def _price(name: str) -> Any:  # noqa: ANN401 -- as the field says
    get = attrgetter(f"order.{name}")
    return lazy(lambda self: Money.of(get(self)), reads=[name], written=facts.Passed({_FEN: name}))


@strawberry.type(description="An order for a homestay; prices and texts are the snapshot of the moment it was made.")
class HomestayOrder(Node):
    id: strawberry.ID = lazy(
        lambda self: ids.global_id(ids.ORDER, self.order.sn),
        _ID,
        reads=["sn"],
        written=facts.Written(("sn",), texts.order_id),
    )
    sn: strawberry.ID = read("order.sn", "Order number shown to people; unguessable.")
    homestay_id: strawberry.ID = lazy(
        lambda self: str(self.order.homestay_id), reads=["homestay_id"], written=facts.Written(("homestay_id",))
    )
    title: str = read("order.title")
    sub_title: str = read("order.sub_title")
    cover: str | None = lazy(
        lambda self: self.order.cover or None, reads=["cover"], written=facts.Written(("cover",), nullable=True)
    )
    info: str = read("order.info")
    food_info: str = read("order.food_info")
    sale_unit: SaleUnit = read("order.row_type")
    people_num: int = read("order.people_num")
    live_people_num: int = read("order.live_people_num")
    live_start_date: date = read("order.live_start_date", written=texts.DAYS)
    live_end_date: date = read("order.live_end_date", written=texts.DAYS)
    nights: int = read("order.nights", reads=DERIVED["nights"], written=texts.NIGHTS)
    need_food: bool = read("order.need_food")
    homestay_price: Money = _price("homestay_price")
    market_homestay_price: Money = _price("market_homestay_price")
    food_price: Money = _price("food_price")
    homestay_total_price: Money = _price("homestay_total_price")
    food_total_price: Money = _price("food_total_price")
    order_total_price: Money = _price("order_total_price")
    trade_state: TradeState = read("order.trade_state")
    close_reason: CloseReason | None = read("order.close_reason")
    trade_code: str | None = read(
        "order.shown_code",
        "Check-in code; null until paid.",
        reads=DERIVED["shown_code"],
        written=texts.shown_code,
    )
    remark: str = read("order.remark")
    create_time: datetime = read("order.create_time", written=texts.instant)
    pay_before: datetime | None = read(
        "order.pay_before",
        "When an unpaid order closes; null once it is no longer WAIT_PAY.",
        reads=DERIVED["pay_before"],
        written=texts.pay_before,
    )
    order: strawberry.Private[Order]

    homestay: Homestay | None = loaded(
        lambda self: self.order.homestay_id,
        lambda context, number: context.loaders.homestay.begin(number),
        lambda found: None if found is None else Homestay.of(found),
        written=facts.Written(("homestay_id",), int),
        description="The homestay as it is now; null when the travel service no longer has it.",
    )
    payment: OrderPayment | None = loaded(
        lambda self: None if self.order.trade_state is TradeState.WAIT_PAY else self.order.sn,
        lambda context, sn: context.loaders.begin_payment(sn),
        lambda found: OrderPayment.of(found) if found is not None and found.status in _SHOWN else None,
        # An order that waits has not been paid; asking would cost a call and tell nothing.
        written=facts.Written(("trade_state", "sn"), texts.paid_sn),
        description="Null when unpaid; null with a top-level error when the payment service can't be asked.",
    )

    @strawberry.field(metadata=_reading(["sn"]))
    async def history(self, info: Info) -> list[OrderEvent]:
        return [OrderEvent.of(event) for event in await info.context.loaders.history.load(self.order.sn)]

    @classmethod
    def of(cls, order: Order) -> Self:
        return cls(order=order)
