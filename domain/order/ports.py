"""What an order needs of others: the travel and payment services, and somebody who watches the clock."""

from collections.abc import Awaitable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

from domain.errors import UpstreamUnavailable
from domain.money import Fen
from domain.order.states import PaymentStatus, SaleUnit


class Sold(Protocol):
    """How a homestay is sold: the whole of it, or a place for each guest that it holds."""

    @property
    def sale_unit(self) -> SaleUnit:
        """By room or per person."""
        ...

    @property
    def people_num(self) -> int:
        """How many guests it holds."""
        ...


@dataclass(frozen=True, slots=True)
class Homestay:
    """A homestay as the travel service tells it now. Prices are per night, food per person and day."""

    id: int
    title: str
    sub_title: str
    banner: tuple[str, ...]
    info: str
    people_num: int
    business_id: int
    user_id: int
    on_shelf: bool
    sale_unit: SaleUnit
    food_info: str
    food_price: Fen
    price: Fen
    market_price: Fen

    @property
    def cover(self) -> str | None:
        """The first picture."""
        return self.banner[0] if self.banner else None


# What was found of one of several homestays; that one can't be had takes none of the others with it.
Found: TypeAlias = Homestay | UpstreamUnavailable | None


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment as the payment service tells it now."""

    sn: str
    order_sn: str
    mode: str
    total: Fen
    status: PaymentStatus
    paid_at: datetime | None


@dataclass(frozen=True, slots=True)
class ChangedPayment:
    """A payment as a walk along all changes meets it.

    Attributes:
        payment: as it is now.
        id: the payment service's own number of it, from which the walk goes on within a second.
        changed_at: when it changed last, in whole seconds.
    """

    payment: Payment
    id: int
    changed_at: datetime


class Travel(Protocol):
    """The travel service."""

    def homestay(self, homestay_id: int) -> Awaitable[Homestay | None]:
        """The homestay, or None where there is none.

        Raises:
            UpstreamUnavailable: it could not be asked.
        """
        ...

    async def several(self, homestay_ids: Sequence[int]) -> dict[int, Found]:
        """Several homestays, at most 100.

        Returns:
            For each id the homestay, None where there is none, or why it could not be asked for.
        """
        ...


class Payments(Protocol):
    """The payment service. Each method raises UpstreamUnavailable where it could not be asked."""

    async def open(self, *, order_sn: str, user_id: int, total: Fen, pay_before: datetime) -> Payment:
        """Opens the one payment of an order, or finds it again."""
        ...

    def of_order(self, order_sn: str) -> Awaitable[Payment | None]:
        """The payment of an order that matters now: paid, refunded or open, else the last that failed."""
        ...

    async def of_orders(self, order_sns: Sequence[str]) -> dict[str, list[Payment]]:
        """All payments of these orders, the one that matters most first.

        Returns:
            A list for each order that was asked for, empty where it has no payment. A service that can't tell of
            several payments of an order tells of the one that matters.
        """
        ...

    async def changed(self, since: datetime, after_id: int, limit: int) -> list[ChangedPayment] | None:
        """Payments by the time of their last change, the oldest first.

        Args:
            since: whole seconds; what changed earlier is left out.
            after_id: of those that changed in that very second, only ids above this one.
            limit: payments wanted, 500 at most. Fewer in the answer are the last ones.

        Returns:
            None where the service can't tell.
        """
        ...

    async def refund(self, order_sn: str, payment_sn: str) -> bool:
        """Returns the money of one payment of an order, once however often it is asked.

        Returns:
            False where the service can't do that by itself, and people must.
        """
        ...


class CloseTimer(Protocol):
    """Wakes somebody when an order falls due. May forget: the sweep finds what it forgot."""

    def close_unpaid(self, sn: str, *, after: float) -> None:
        """Asks for an attempt to close the order in `after` seconds. Never blocks, never raises."""
        ...


class Watch(Protocol):
    """One who watches one order."""

    def wake(self) -> None:
        """Says that the order may have changed. Never blocks, never raises; may be called from any thread."""
        ...

    async def changed(self) -> None:
        """Waits until the order may have changed since it was asked last."""
        ...


class Changes(Protocol):
    """Wakes whoever watches orders. May forget: they look for themselves now and then."""

    def tell(self, sns: Collection[str]) -> None:
        """Says that these orders have changed. Never blocks, never raises."""
        ...

    def watch(self, sn: str) -> AbstractContextManager[Watch]:
        """Watches an order within the context."""
        ...


class FairUse(Protocol):
    """Who sees to it that nobody takes too much of what is free."""

    async def admit(self, user_id: int) -> None:
        """Counts one attempt of a guest to place an order.

        Raises:
            RateLimited: the guest has made too many of late.
        """
        ...


class NoLimit:
    """`FairUse` where others see to it, as the callers of a back-end service do."""

    async def admit(self, user_id: int) -> None:
        """Lets everybody pass."""
