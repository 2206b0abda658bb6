"""What one request knows: who is asking, its id, and loaders that ask others once for what several fields want."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final, TypeVar

from strawberry.dataloader import DataLoader

from bff.http import idempotency_key
from bff.identity.tokens import Caller, InvalidToken, Tokens, UncheckedToken
from bff.limits.allowance import Allowance
from bff.limits.cost import Cost
from domain import tracing
from domain.order.following import Following
from domain.order.models import Event
from domain.order.night_repository import Range
from domain.order.nights import Taken
from domain.order.ports import Homestay, Payment
from domain.order.service import Orders

K = TypeVar("K")
V = TypeVar("V")

# A page has at most 100 orders; more keys in one call would be a mistake.
_MAX_BATCH: Final = 100

EXPIRED: Final = "The token has expired."


class Unauthenticated(Exception):
    """Nobody, or nobody who could prove it, is asking."""


@dataclass
class RequestContext:
    """One request.

    Attributes:
        orders: the use cases.
        following: lets guests follow their orders.
        allowance: what each guest may ask for in a minute.
        request_id: the request's id.
        key_headers: the values of its Idempotency-Key headers, as they came.
        caller: who is asking, where somebody known is.
        refusal: what whoever else asks is told.
        unchecked: whether nobody can say now who is asking; the same token may do later.
        streams: whether several answers may be sent.
        span: the step that such an operation is, begun by whoever carries its answers.
        connection_params: what the client said when it opened a WebSocket.
        loaders: ask others once for what several fields want.
        cost: what the operation asks for, once it is known.
        refused_by: the codes that its mutations were refused by.
    """

    orders: Orders
    following: Following
    allowance: Allowance
    request_id: str
    key_headers: Sequence[str] = ()
    caller: Caller | None = None
    refusal: str = "A bearer token is needed: `Authorization: Bearer …`."
    unchecked: bool = False
    streams: bool = False
    span: tracing.Span = tracing.NOTHING
    connection_params: dict[str, Any] | None = None
    cost: Cost | None = None
    refused_by: frozenset[str] = frozenset()
    loaders: "Loaders" = field(init=False)

    def __post_init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Forgets what was loaded: what comes next shows the world as it is then."""
        self.loaders = Loaders(self.orders)

    def again(self, span: tracing.Span) -> "RequestContext":
        """The context of an operation of the same caller on a connection that stays; the operation is this step."""
        return replace(self, streams=True, span=span)

    async def identify(self, tokens: Tokens, token: str) -> None:
        """Takes a token's word for who is asking, or remembers why it can't."""
        try:
            self.caller = await tokens.caller(token)
        except InvalidToken as error:
            self.caller, self.refusal = None, str(error)
            self.unchecked = isinstance(error, UncheckedToken)

    @property
    def user_id(self) -> int:
        """The guest who is asking.

        Raises:
            Unauthenticated: nobody is.
        """
        if self.caller is None:
            raise Unauthenticated(self.refusal)
        return self.caller.user_id

    async def in_time(self, answer: Awaitable[V]) -> V:
        """Waits for an answer for as long as the caller's token is good.

        Raises:
            Unauthenticated: it is no longer.
        """
        try:
            # Not `wait_for`: in Python 3.11 it waits in another task, which who is cancelled twice leaves running.
            async with asyncio.timeout(self.seconds_left):
                return await answer
        except TimeoutError:
            raise Unauthenticated(EXPIRED) from None

    @property
    def seconds_left(self) -> float:
        """For how long the caller's token is still good."""
        return 0.0 if self.caller is None else (self.caller.expires_at - datetime.now(UTC)).total_seconds()

    def key(self, argument: str | None) -> str | None:
        """The key of a mutation of this request: that of the header is every mutation's.

        Args:
            argument: as the mutation says it; None where it says nothing.

        Raises:
            InvalidInput: header and argument differ, or the header has no key.
        """
        return idempotency_key.agreed(argument, self.key_headers)


class SharedLoader(DataLoader[K, V]):
    """A loader whose answers are several fields'.

    One of them may be cancelled, where another field of its object failed; the others still get their answer.
    """

    def load(self, key: K) -> Awaitable[V]:
        """The value of a key."""
        return asyncio.shield(self.begin(key))

    def begin(self, key: K) -> "asyncio.Future[V]":
        """The same, for whoever does not cancel it."""
        return asyncio.ensure_future(super().load(key))


class Loaders:
    """One request's loaders. New for each request: what one guest was shown is never kept for another."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._payments: dict[str, asyncio.Future[Payment | None]] = {}

    @cached_property
    def homestay(self) -> SharedLoader[int, Homestay | None]:
        """Homestays by number; each is asked for once however many orders name it."""
        return SharedLoader(self._homestays, max_batch_size=_MAX_BATCH)

    def payment(self, order_sn: str) -> Awaitable[Payment | None]:
        """The payment of an order, asked for once. What is asked for together is no matter of one request alone."""
        return asyncio.shield(self.begin_payment(order_sn))

    def begin_payment(self, order_sn: str) -> "asyncio.Future[Payment | None]":
        """The same, for whoever does not cancel it."""
        asked = self._payments.get(order_sn)
        if asked is None or asked.cancelled():
            asked = self._payments[order_sn] = asyncio.ensure_future(self._orders.payment(order_sn))
        return asked

    @cached_property
    def history(self) -> DataLoader[str, list[Event]]:
        """Steps by their order's sn, oldest first."""
        return SharedLoader(self._histories, max_batch_size=_MAX_BATCH)

    @cached_property
    def taken(self) -> DataLoader[Range, Taken]:
        """What is taken of homestays, at least in a range of nights each.

        Fields that want it at once ask the database once. Nothing is kept: an earlier mutation of the same request may
        have taken or freed a night.
        """
        return SharedLoader(self._taken, max_batch_size=_MAX_BATCH, cache=False)

    async def _homestays(self, keys: list[int]) -> list[Homestay | BaseException | None]:
        return [*await self._orders.homestays(keys)]

    async def _histories(self, keys: list[str]) -> list[list[Event]]:
        steps: defaultdict[str, list[Event]] = defaultdict(list)
        for event in await self._orders.history(keys):
            steps[event.order_sn].append(event)
        return [steps[key] for key in keys]

    async def _taken(self, keys: list[Range]) -> list[Taken]:
        taken = await self._orders.taken(set(keys))
        return [taken[homestay_id] for homestay_id, *_ in keys]
