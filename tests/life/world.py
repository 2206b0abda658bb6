"""An installation in this process: the real domain, sweep and outbox, with a payment service beside it."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from domain.database import Database
from domain.errors import RefundUnsupported, UpstreamUnavailable
from domain.order import letters
from domain.order.pricing import Rules
from domain.order.room import assemble
from domain.order.states import SaleUnit
from domain.outbox import Letter, LetterState, Outbox
from domain.outbox.service import LEASE
from tests.clock import FrozenClock
from tests.conftest import NOW, PAY_WINDOW, SHANGHAI
from tests.factories import create_homestay
from tests.fakes import FakeTimer, FakeTravel
from tests.life import invariants
from tests.life.bank import Bank, Weather
from workers.sweeper import Sweeper

# Homestays of the travel service, by how they are sold.
HOMESTAYS: Final = {
    SaleUnit.ROOM: create_homestay(id=1),
    SaleUnit.PERSON: create_homestay(id=2, sale_unit=SaleUnit.PERSON, price=8_800, food_price=1_500),
}
_RETRY: Final = timedelta(seconds=1)
_ROUNDS: Final = 10


class World:
    """What there is to an order's life.

    Args:
        database: with our tables.
        bank: the payment service, whose memory is its own.
        announces: whether guests are told of each change.
    """

    def __init__(self, database: Database, bank: Bank, *, announces: bool = True) -> None:
        self.database = database
        self.bank = bank
        self.clock = FrozenClock(NOW)
        travel = FakeTravel({homestay.id: homestay for homestay in HOMESTAYS.values()})
        rules = Rules(zone=SHANGHAI, pay_window=PAY_WINDOW)
        self.room = assemble(
            database, self.clock, rules, travel=travel, payments=bank, timer=FakeTimer(), announces=announces
        )
        self.sweeper = Sweeper(self.room.closing, interval=5, grace=10)
        self.outbox = Outbox(database, self.clock)
        self._deliver: dict[str, Callable[[Letter], Awaitable[None]]] = {
            letters.REFUND: lambda letter: self.room.settling.refund(letter.payload["paymentSn"]),
            letters.CHANGED: _told,
        }

    async def relay(self, *, dies: bool = False) -> int:
        """Delivers the letters that are due, as the worker's relay does. Returns how many there were.

        Args:
            dies: with every letter delivered and before that is written down, so that each is delivered again.
        """
        taken = await self.outbox.take(self._deliver, limit=100)
        for letter in taken:
            try:
                await self._deliver[letter.topic](letter)
            except UpstreamUnavailable as error:
                await self.outbox.put_off(letter, delay=_RETRY, error=error.reason)
            except RefundUnsupported as error:
                await self.outbox.bury(letter, error=error.message)
            else:
                if not dies:
                    await self.outbox.delivered(letter)
        return len(taken)

    async def come_to_rest(self) -> None:
        """Does what is left to do, as the worker's services would in time: nothing is down any more."""
        self.bank.weather = Weather.FINE
        for _ in range(_ROUNDS):
            await self.sweeper.sweep()
            for sn in sorted({entry.order_sn for entry in self.bank.book()}):
                await self.room.settling.settle(sn)
            while await self.relay():
                pass
            if not (await self.outbox.counts())[LetterState.WAITING]:
                return
            # Letters that a dead holder took are anybody's after this.
            self.clock.advance(LEASE)
        raise AssertionError(f"letters wait after {_ROUNDS} rounds")

    async def books(self) -> invariants.Books:
        """All that is written down."""
        return await invariants.read(self.database, self.bank)


async def _told(_: Letter) -> None:
    """The guest has heard of it."""
