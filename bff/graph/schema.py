"""Query, Mutation, Subscription: a table of contents. Each field says who asks what of which use case, in brief."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from datetime import date
from typing import Annotated, Any, Final, cast

import strawberry
from graphql import ExecutionResult as Executed
from graphql import GraphQLError
from strawberry.extensions import DisableIntrospection, SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import StreamResult
from strawberry.types.execution import ExecutionContext, ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType
from strawberry.types.unset import UNSET

from bff import errors, watching
from bff.context import RequestContext
from bff.execution import facts
from bff.execution.again import Known
from bff.execution.documents import Document, Documents
from bff.execution.executor import CompiledExecutor
from bff.graph import homestays, ids
from bff.graph.connection import (
    DEFAULT_PAGE,
    HomestayOrderConnection,
    HomestayOrderFilter,
    PageArguments,
    given,
    resolve_page,
)
from bff.graph.payloads import (
    CancelHomestayOrderPayload,
    CreateHomestayOrderInput,
    CreateHomestayOrderPayload,
    PayHomestayOrderPayload,
)
from bff.graph.refusals import KINDS, user_error
from bff.graph.scalars import SCALARS
from bff.graph.types import Homestay, HomestayNight, HomestayOrder, HomestayQuote, Info, Node, OrderPayment
from bff.limits.complexity import MAX_TOKENS, check_length, known_cost
from bff.limits.gate import Gate, admits
from bff.limits.turns import Turns
from bff.watching import Watch
from domain import tracing
from domain.errors import HomestayError, InvalidInput
from domain.order.pricing import Stay


@strawberry.type(description="Reads.")
class Query:
    @strawberry.field(
        description="The signed-in guest's orders, newest first.", metadata={facts.FETCHES: HomestayOrder}
    )
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
        homestay = await info.context.loaders.homestay.load(ids.homestay_number(id, "id"))
        return None if homestay is None else Homestay.of(homestay)

    @strawberry.field(description="A price and the free nights, before ordering.")
    async def homestay_quote(
        self,
        info: Info,
        homestay_id: strawberry.ID,
        live_start_date: date,
        live_end_date: date,
        live_people_num: int,
        need_food: bool = False,  # noqa: FBT001, FBT002 -- GraphQL passes arguments by name
    ) -> HomestayQuote:
        stay = Stay(ids.homestay_number(homestay_id), live_start_date, live_end_date, live_people_num, need_food)
        return await homestays.quote(info, stay)

    @strawberry.field(description="Free places night by night, `to` excluded; at most 92 nights.")
    async def homestay_calendar(
        self,
        info: Info,
        homestay_id: strawberry.ID,
        from_: Annotated[date, strawberry.argument(name="from")],
        to: date,
    ) -> list[HomestayNight]:
        return await homestays.calendar(info, ids.homestay_number(homestay_id), from_, to)

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
        context = info.context
        try:
            placed = await context.orders.create(
                context.user_id,
                input.stay(),
                expected_total=given(input.expected_total_minor),
                key=context.key(given(input.idempotency_key)),
            )
        except HomestayError as error:
            return CreateHomestayOrderPayload(user_errors=[user_error(context, error, "input")])
        return CreateHomestayOrderPayload(order=HomestayOrder.of(placed.order), replayed=placed.replayed)

    @strawberry.mutation(description="Give up an unpaid order and free its nights.")
    async def cancel_homestay_order(
        self, info: Info, sn: strawberry.ID, idempotency_key: str | None = UNSET
    ) -> CancelHomestayOrderPayload:
        context = info.context
        try:
            order = await context.orders.cancel(context.user_id, sn, key=context.key(given(idempotency_key)))
        except HomestayError as error:
            return CancelHomestayOrderPayload(user_errors=[user_error(context, error)])
        return CancelHomestayOrderPayload(order=HomestayOrder.of(order))

    @strawberry.mutation(description="Open (or find again) the one payment of an unpaid order at the payment service.")
    async def pay_homestay_order(
        self, info: Info, sn: strawberry.ID, idempotency_key: str | None = UNSET
    ) -> PayHomestayOrderPayload:
        context = info.context
        try:
            key = context.key(given(idempotency_key))
            payment, order = await context.orders.open_payment(context.user_id, sn, key=key)
        except HomestayError as error:
            return PayHomestayOrderPayload(user_errors=[user_error(context, error)])
        return PayHomestayOrderPayload(payment=OrderPayment.of(payment), order=HomestayOrder.of(order))


@strawberry.type(description="Streams.")
class Subscription:
    @strawberry.subscription(
        description="Every state change of one of the signed-in guest's orders; first the state now."
    )
    async def homestay_order_changed(self, info: Info, sn: strawberry.ID) -> AsyncGenerator[HomestayOrder, None]:
        context = info.context
        async with aclosing(context.following.follow(context.user_id, sn)) as orders:
            while (order := await context.in_time(anext(orders, None))) is not None:
                context.renew()
                yield HomestayOrder.of(order)


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


class Schema(strawberry.Schema):
    """Strawberry's schema, logging as this house does.

    Attributes:
        documents: those that came before, parsed and validated.
    """

    def __init__(self, *args: Any, **named: Any) -> None:  # noqa: ANN401 -- passed through
        super().__init__(*args, **named)
        self.documents = Documents(MAX_TOKENS, check=check_length)
        self._turns = Turns()

    def process_errors(self, errors_: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:  # noqa: ARG002 -- Strawberry's signature
        for error in errors_:
            errors.record(error)

    async def execute(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any | None = None,  # noqa: ANN401 -- Strawberry's signature
        root_value: Any | None = None,  # noqa: ANN401 -- Strawberry's signature
        operation_name: str | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
        operation_extensions: dict[str, Any] | None = None,
    ) -> ExecutionResult:
        """Executes an operation: one that came before by the steps that it needs, any other by all of Strawberry's.

        The steps and their order are those of `Watch` and `Gate`.
        """
        context = context_value if isinstance(context_value, RequestContext) and root_value is None else None
        document = self.documents.find(query or "")
        known = None if context is None else self._known(document, operation_name, allowed_operation_types)
        if (
            known is None
            or document is None
            or context is None
            or context.streams
            or (operation_extensions is not None and operation_extensions.get("cost") is True)
            or not admits(document, variable_values, context)
        ):
            await self._turn(query, variable_values)
            return await super().execute(
                query,
                variable_values,
                context_value,
                root_value,
                operation_name,
                allowed_operation_types,
                operation_extensions,
            )
        with watching.known_operation(context, known.name):
            return await self._again(known, variable_values or {}, context, operation_extensions)

    def _known(
        self, document: Document | None, operation_name: str | None, allowed: Iterable[OperationType] | None
    ) -> Known | None:
        known = None if document is None else document.known(self._schema, operation_name)
        if known is None or known.sort is OperationType.SUBSCRIPTION or tracing.is_on():
            return None
        return known if allowed is None or known.sort in allowed else None

    async def _again(
        self, known: Known, variables: dict[str, Any], context: RequestContext, extensions: dict[str, Any] | None
    ) -> ExecutionResult:
        """Compare `strawberry.Schema.execute`."""
        try:
            answer = known.begin(CompiledExecutor, variables, context, extensions)
            result = answer if isinstance(answer, Executed) else await answer
        except Exception as error:  # noqa: BLE001 -- as Strawberry does it
            told = error if isinstance(error, GraphQLError) else GraphQLError(str(error), original_error=error)
            self.process_errors([told])
            return PreExecutionError(data=None, errors=[told], extensions={})
        if result.errors:
            self.process_errors(result.errors)
        return ExecutionResult(data=result.data, errors=result.errors, extensions={})

    async def stream(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        *others: Any,  # noqa: ANN401 -- passed through, as are those by name
        **named: Any,  # noqa: ANN401
    ) -> StreamResult:
        """Runs an operation whose answers are several. What the gate refuses is its one answer, as in `execute`.

        Nothing is done before the first answer is asked for, which waits for its turn, too.
        """
        return self._answers(query, variable_values, await super().stream(query, variable_values, *others, **named))

    async def _answers(self, text: str | None, variables: dict[str, Any] | None, results: StreamResult) -> StreamResult:
        await self._turn(text, variables)
        try:
            async with aclosing(results):
                async for result in results:
                    yield result
        except GraphQLError as refusal:
            yield PreExecutionError(data=None, errors=[refusal])

    async def _turn(self, text: str | None, variables: dict[str, Any] | None) -> None:
        """Waits, where it is not known yet what this would cost."""
        document = self.documents.find(text) if text else None
        if text and (document is None or known_cost(document, variables) is None):
            await self._turns.wait()


def build(*, introspection: bool) -> Schema:
    """Returns the schema; without introspection it answers no question about itself."""
    extensions: list[type[SchemaExtension]] = [Watch, Gate]
    if not introspection:
        extensions.append(DisableIntrospection)
    return Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=KINDS,
        extensions=extensions,
        execution_context_class=CompiledExecutor,
        config=StrawberryConfig(scalar_map=SCALARS),
    )
