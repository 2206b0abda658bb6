"""A payment service with books of its own, outside the orders' database: honest, but not always to be reached."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Final

from domain.errors import UpstreamUnavailable
from domain.money import Fen
from domain.order.ports import Payment
from domain.order.states import PaymentStatus

FAILED, WAIT, SUCCESS, REFUNDED = PaymentStatus

_BOOK: Final = """
create table if not exists payment (
    id integer primary key,
    order_sn text not null,
    total integer not null,
    status integer not null,
    paid integer,
    returns integer not null default 0,
    asked_back integer not null default 0
)
"""
_ALL: Final = "select id, order_sn, total, status, paid, returns, asked_back from payment"
_ONE: Final = f"{_ALL} where id = ?"
_OF_ORDER: Final = (
    f"{_ALL} where order_sn = ?"
    " order by case status when 1 then 0 when 2 then 1 when 0 then 2 else 3 end, paid, id desc"
)
_FIRST: Final = datetime(2026, 5, 20, 4, 0, tzinfo=UTC)


class Weather(Enum):
    """How the service can be asked."""

    FINE = "fine"
    DOWN = "can't be asked"
    LOSSY = "does what it is asked, and its answer is lost"


@dataclass(frozen=True, slots=True)
class Entry:
    """A payment as the books have it.

    Attributes:
        paid: its place among all that were ever paid; None while no money came.
        returns: how often its money went back.
        asked_back: whether that was because somebody asked for it, and not the provider's or the host's own decision.
    """

    sn: str
    order_sn: str
    total: Fen
    status: PaymentStatus
    paid: int | None
    returns: int
    asked_back: bool

    def as_told(self) -> Payment:
        paid_at = None if self.paid is None else _FIRST + timedelta(seconds=self.paid)
        return Payment(self.sn, self.order_sn, "WECHAT_PAY", self.total, self.status, paid_at)


class Bank:
    """`domain.order.ports.Payments`, and what guests, hosts and the provider do behind it.

    Args:
        file: where the books are, so that they outlive a process and can be shared by some; else in memory.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._books = sqlite3.connect(file or ":memory:", timeout=10, isolation_level=None, check_same_thread=False)
        self._books.execute("pragma synchronous = off")
        self._books.execute(_BOOK)
        self._books.execute("create index if not exists of_order on payment (order_sn)")
        self.weather = Weather.FINE

    def close(self) -> None:
        self._books.close()

    async def open(self, *, order_sn: str, user_id: int, total: Fen, pay_before: datetime) -> Payment:  # noqa: ARG002 -- the port's signature
        async with self._asked():
            return self.opened(order_sn, total).as_told()

    async def of_order(self, order_sn: str) -> Payment | None:
        return next(iter((await self.of_orders([order_sn])).get(order_sn, ())), None)

    async def of_orders(self, order_sns: Sequence[str]) -> dict[str, list[Payment]]:
        async with self._asked():
            told = {sn: [entry.as_told() for entry in self.entries(sn)] for sn in order_sns}
            return {sn: payments for sn, payments in told.items() if payments}

    async def changed(self, since: datetime, after_id: int, limit: int) -> None:
        """It keeps no list of changes."""

    async def refund(self, order_sn: str, payment_sn: str) -> bool:
        async with self._asked():
            self._give_back(payment_sn, asked=True)
            entry = self.entry(payment_sn)
            assert entry.order_sn == order_sn, "asked for the money of another order"
            assert entry.status is REFUNDED, "asked to give back money that never came"
            return True

    def opened(self, order_sn: str, total: Fen) -> Entry:
        """The order's one live payment, or a new one."""
        self._books.execute("begin immediate")
        try:
            live = [entry for entry in self.entries(order_sn) if entry.status is not FAILED]
            return live[0] if live else self.add(order_sn, total)
        finally:
            self._books.execute("commit")

    def add(self, order_sn: str, total: Fen) -> Entry:
        """A payment beside whatever the order has: one more, by another way."""
        added = self._books.execute(
            "insert into payment (order_sn, total, status) values (?, ?, ?)", (order_sn, total, WAIT)
        )
        return self.entry(_sn(added.lastrowid or 0))

    def pay(self, payment_sn: str) -> None:
        """Its money comes, late or in time, also where it had failed before."""
        self._books.execute(
            "update payment set status = ?, paid = (select count(paid) from payment) where id = ? and status in (?, ?)",
            (SUCCESS, _id(payment_sn), WAIT, FAILED),
        )

    def fail(self, payment_sn: str) -> None:
        """The provider gives up waiting for its money."""
        self._books.execute(
            "update payment set status = ? where id = ? and status = ?", (FAILED, _id(payment_sn), WAIT)
        )

    def give_back(self, payment_sn: str) -> None:
        """Its money goes back by the provider's or the host's own decision."""
        self._give_back(payment_sn, asked=False)

    def entry(self, payment_sn: str) -> Entry:
        (found,) = self._found(_ONE, _id(payment_sn))
        return found

    def entries(self, order_sn: str) -> list[Entry]:
        """What is in the books of one order: what matters most first."""
        return self._found(_OF_ORDER, order_sn)

    def book(self) -> list[Entry]:
        """All that is in the books, the oldest first."""
        return self._found(_ALL)

    def _found(self, question: str, *named: str | int) -> list[Entry]:
        return [
            Entry(_sn(number), order_sn, Fen(total), PaymentStatus(status), paid, returns, bool(asked))
            for number, order_sn, total, status, paid, returns, asked in self._books.execute(question, named)
        ]

    def _give_back(self, payment_sn: str, *, asked: bool) -> None:
        self._books.execute(
            "update payment set status = ?, returns = returns + 1, asked_back = ? where id = ? and status = ?",
            (REFUNDED, asked, _id(payment_sn), SUCCESS),
        )

    @asynccontextmanager
    async def _asked(self) -> AsyncIterator[None]:
        # Where others may run, and where a process may die: on the way there and on the way back.
        await asyncio.sleep(0)
        if self.weather is Weather.DOWN:
            raise UpstreamUnavailable("payment", self.weather.value)
        yield
        await asyncio.sleep(0)
        if self.weather is Weather.LOSSY:
            raise UpstreamUnavailable("payment", self.weather.value)


def _sn(number: int) -> str:
    return f"PMT20260520120000{number:08d}"


def _id(payment_sn: str) -> int:
    return int(payment_sn[-8:])
