"""Query and Mutation: a table of contents. Each field says who asks what of which use case, in a few lines."""

import asyncio
from datetime import date
from typing import Final, cast

import strawberry
from graphql import GraphQLError
from strawberry.extensions import DisableIntrospection, SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.types.execution import ExecutionContext
from strawberry.types.unset import UNSET

from bff import errors, ids
from bff.connection import (
    DEFAULT_PAGE,
    HomestayOrderConnection,
    HomestayOrderFilter,
    PageArguments,
    given,
    resolve_page,
)
from bff.gate import Gate
from bff.refusals import InputError, InvalidTransitionError, UserError, user_error
from bff.scalars import SCALARS
from bff.types import Homestay, HomestayOrder, HomestayQuote, Info, Node, OrderPayment
from domain.errors import HomestayError, InvalidInput
from domain.order.pricing import Stay


@strawberry.input(description="What the guest wants.")
class CreateHomestayOrderInput:
    homestay_id: strawberry.ID
    live_start_date: date
    live_end_date: date = strawberry.field(description="Day of leaving; the night before it is the last one paid.")
    live_people_num: int
    need_food: bool = False
    remark: str = strawberry.field(default="", description="At most 64 characters.")

    def stay(self) -> Stay:
        """The same as a domain value."""
        return Stay(
            homestay_id=_homestay_id(self.homestay_id),
            start=self.live_start_date,
            end=self.live_end_date,
            guests=self.live_people_num,
            food=self.need_food,
            remark=self.remark,
        )


@strawberry.type(description="Result of createHomestayOrder: exactly one of `order` and a non-empty `userErrors`.")
class CreateHomestayOrderPayload:
    order: HomestayOrder | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type(description="Result of payHomestayOrder.")
class PayHomestayOrderPayload:
    payment: OrderPayment | None = None
    order: HomestayOrder | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type(description="Result of cancelHomestayOrder.")
class CancelHomestayOrderPayload:
    order: HomestayOrder | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type(description="Reads.")
class Query:
    @strawberry.field(description="The signed-in guest's orders, newest first.")
    async def user_homestay_order_list(
        self,
        info: Info,
        first: int | None = DEFAULT_PAGE,
        after: str | None = UNSET,
        last: int | None = UNSET,
        before: str | None = UNSET,
        filter: HomestayOrderFilter | None = UNSET,  # noqa: A002 -- the contract's name
    ) -> HomestayOrderConnection:
        arguments = PageArguments(first=first, after=given(after), last=given(last), before=given(before))
        return await resolve_page(info, arguments, (filter or HomestayOrderFilter()).wanted())

    @strawberry.field(
        description="One of the signed-in guest's orders; null when there is none (also when it is another guest's)."
    )
    async def user_homestay_order_detail(self, info: Info, sn: strawberry.ID) -> HomestayOrder | None:
        order = await info.context.orders.find(info.context.user_id, sn)
        return None if order is None else HomestayOrder.of(order)

    @strawberry.field
    async def homestay(self, info: Info, id: strawberry.ID) -> Homestay | None:  # noqa: A002
        homestay = await info.context.loaders.homestay.load(_homestay_id(id, "id"))
        return None if homestay is None else Homestay.of(homestay)

    @strawberry.field(description="A price, before ordering.")
    async def homestay_quote(
        self,
        info: Info,
        homestay_id: strawberry.ID,
        live_start_date: date,
        live_end_date: date,
        live_people_num: int,
        need_food: bool = False,  # noqa: FBT001, FBT002 -- GraphQL passes arguments by name
    ) -> HomestayQuote:
        stay = Stay(_homestay_id(homestay_id), live_start_date, live_end_date, live_people_num, need_food)
        return HomestayQuote.of(await info.context.orders.quote(stay))

    @strawberry.field(description="Relay refetch.")
    async def node(self, info: Info, id: strawberry.ID) -> Node | None:  # noqa: A002
        return await _node(info, id)

    @strawberry.field
    async def nodes(self, info: Info, ids: list[strawberry.ID]) -> list[Node | None]:
        if len(ids) > MAX_NODES:
            raise InvalidInput(f"Ask for at most {MAX_NODES} nodes at once.", "ids")
        # All at once, so that the loaders ask others once; one that can't be had takes only its own place with it.
        found = await asyncio.gather(*(_node(info, one) for one in ids), return_exceptions=True)
        return cast("list[Node | None]", found)


@strawberry.type(description="Writes.")
class Mutation:
    @strawberry.mutation(
        description="Order a homestay for a range of nights. The unpaid order closes by itself at `payBefore`."
    )
    async def create_homestay_order(
        self,
        info: Info,
        input: CreateHomestayOrderInput,  # noqa: A002 -- the contract's name
    ) -> CreateHomestayOrderPayload:
        try:
            order = await info.context.orders.create(info.context.user_id, input.stay())
        except HomestayError as error:
            return CreateHomestayOrderPayload(user_errors=[user_error(error, "input")])
        return CreateHomestayOrderPayload(order=HomestayOrder.of(order))

    @strawberry.mutation(description="Give up an unpaid order and free its nights.")
    async def cancel_homestay_order(self, info: Info, sn: strawberry.ID) -> CancelHomestayOrderPayload:
        try:
            order = await info.context.orders.cancel(info.context.user_id, sn)
        except HomestayError as error:
            return CancelHomestayOrderPayload(user_errors=[user_error(error)])
        return CancelHomestayOrderPayload(order=HomestayOrder.of(order))

    @strawberry.mutation(description="Open (or find again) the one payment of an unpaid order at the payment service.")
    async def pay_homestay_order(self, info: Info, sn: strawberry.ID) -> PayHomestayOrderPayload:
        try:
            payment, order = await info.context.orders.open_payment(info.context.user_id, sn)
        except HomestayError as error:
            return PayHomestayOrderPayload(user_errors=[user_error(error)])
        return PayHomestayOrderPayload(payment=OrderPayment.of(payment), order=HomestayOrder.of(order))


# One page of a client's cache; more is a list to be asked for as a list.
MAX_NODES: Final = 100


async def _node(info: Info, value: str) -> Node | None:
    match ids.parse_global_id(value):
        case (ids.ORDER, sn):
            order = await info.context.orders.find(info.context.user_id, sn)
            return None if order is None else HomestayOrder.of(order)
        case (ids.HOMESTAY, _) if number := ids.parse_homestay_id(value):
            homestay = await info.context.loaders.homestay.load(number)
            return None if homestay is None else Homestay.of(homestay)
    return None


def _homestay_id(value: str, argument: str = "homestayId") -> int:
    number = ids.parse_homestay_id(value)
    if number is None:
        raise InvalidInput("A homestay's id is its number or its global id.", argument)
    return number


class Schema(strawberry.Schema):
    """Strawberry's schema, logging as this house does."""

    def process_errors(self, errors_: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:  # noqa: ARG002 -- Strawberry's signature
        for error in errors_:
            errors.record(error)


def build(*, introspection: bool) -> Schema:
    """Returns the schema; without introspection it answers no question about itself."""
    extensions: list[type[SchemaExtension]] = [Gate]
    if not introspection:
        extensions.append(DisableIntrospection)
    return Schema(
        query=Query,
        mutation=Mutation,
        types=[InputError, InvalidTransitionError],
        extensions=extensions,
        config=StrawberryConfig(scalar_map=SCALARS),
    )
