"""What one request knows: who is asking, its id, and loaders that ask others once for what several fields want."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, TypeVar

from strawberry.dataloader import DataLoader

from domain.order.models import Event
from domain.order.ports import Homestay, Payment
from domain.order.service import Orders

K = TypeVar("K")
V = TypeVar("V")

# A page has at most 100 orders; more keys in one call would be a mistake.
_MAX_BATCH: Final = 100
# Calls to one service that one request may have under way.
_AT_ONCE: Final = 16


class Unauthenticated(Exception):
    """Nobody, or nobody who could prove it, is asking."""


@dataclass
class RequestContext:
    """One request."""

    orders: Orders
    request_id: str
    caller: int | None = None
    refusal: str = "A bearer token is needed: `Authorization: Bearer …`."
    loaders: "Loaders" = field(init=False)

    def __post_init__(self) -> None:
        self.loaders = Loaders(self.orders)

    @property
    def user_id(self) -> int:
        """The guest who is asking.

        Raises:
            Unauthenticated: nobody is.
        """
        if self.caller is None:
            raise Unauthenticated(self.refusal)
        return self.caller


class Loaders:
    """One request's loaders. New for each request: what one guest was shown is never kept for another."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders

    @cached_property
    def homestay(self) -> DataLoader[int, Homestay | None]:
        """Homestays by number; each is asked for once however many orders name it."""
        return DataLoader(self._homestays, max_batch_size=_MAX_BATCH)

    @cached_property
    def payment(self) -> DataLoader[str, Payment | None]:
        """Payments by their order's sn."""
        return DataLoader(self._payments, max_batch_size=_MAX_BATCH)

    @cached_property
    def history(self) -> DataLoader[str, list[Event]]:
        """Steps by their order's sn, oldest first."""
        return DataLoader(self._histories, max_batch_size=_MAX_BATCH)

    async def _homestays(self, keys: list[int]) -> list[Homestay | BaseException | None]:
        return await _each(self._orders.homestay, keys)

    async def _payments(self, keys: list[str]) -> list[Payment | BaseException | None]:
        return await _each(self._orders.payment, keys)

    async def _histories(self, keys: list[str]) -> list[list[Event]]:
        steps: defaultdict[str, list[Event]] = defaultdict(list)
        for event in await self._orders.history(keys):
            steps[event.order_sn].append(event)
        return [steps[key] for key in keys]


async def _each(ask: Callable[[K], Awaitable[V]], keys: list[K]) -> list[V | BaseException]:
    """Asks for each key; one that fails takes only its own answer with it."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(key: K) -> V:
        async with gate:
            return await ask(key)

    return await asyncio.gather(*(one(key) for key in keys), return_exceptions=True)
