"""What a process may be doing when it dies, and how its orders stand once another has taken over."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from domain.order.states import SaleUnit, TradeState
from tests.factories import SOON, create_stay
from tests.life.world import HOMESTAYS, World
from tests.order.rows import GUEST

CANCELLED, WAIT_USE = TradeState.CANCELLED, TradeState.WAIT_USE


@dataclass(frozen=True, slots=True)
class Trial:
    """A process that may die, or the one after it.

    Attributes:
        world: the installation as this process opened it.
        unit: how the homestay is sold.
    """

    world: World
    unit: SaleUnit

    async def place(self, place: int = 0, guest: int = GUEST) -> str:
        """One more order of a guest; the same again for the same place."""
        stay = create_stay(homestay_id=HOMESTAYS[self.unit].id, start=SOON + timedelta(days=3 * place))
        return (await self.world.room.orders.create(guest, stay, key=f"place {place}")).order.sn


# Does something with orders, and returns those that somebody was told of by it.
Act = Callable[[Trial, list[str]], Awaitable[list[str]]]


async def _nothing(_: Trial, __: list[str]) -> list[str]:
    return []


@dataclass(frozen=True, slots=True)
class Case:
    """Something in which a process may die.

    Attributes:
        act: what it does.
        ends: how its orders end.
        orders: how many there are before.
        late: whether their time to be paid is over by then.
        before: what has happened to them.
        again: whether somebody waits for an answer, and asks again with the same key. What a message set going nobody
            sets going again: the periodic jobs must find it.
        unit: how the homestay is sold.
    """

    act: Act
    ends: tuple[TradeState, ...] = (CANCELLED,)
    orders: int = 1
    late: bool = False
    before: Act = _nothing
    again: bool = False
    unit: SaleUnit = SaleUnit.ROOM


async def _create(trial: Trial, _: list[str]) -> list[str]:
    return [await trial.place()]


async def _create_three(trial: Trial, _: list[str]) -> list[str]:
    return await asyncio.gather(*(trial.place(place, GUEST + place) for place in range(3)))


async def _open_payment(trial: Trial, sns: list[str]) -> list[str]:
    await trial.world.room.orders.open_payment(GUEST, sns[0], key="pay")
    return []


async def _money_comes(trial: Trial, sns: list[str]) -> list[str]:
    order = await trial.world.room.closing.find(sns[0])
    assert order is not None
    trial.world.bank.pay(trial.world.bank.opened(sns[0], order.order_total_price).sn)
    return []


async def _settle(trial: Trial, sns: list[str]) -> list[str]:
    await trial.world.room.settling.settle(sns[0])
    return []


async def _close(trial: Trial, sns: list[str]) -> list[str]:
    await trial.world.room.closing.close_if_unpaid(sns[0])
    return []


async def _close_many(trial: Trial, sns: list[str]) -> list[str]:
    await trial.world.room.closing.close_many(sns)
    return []


async def _give_up(trial: Trial, sns: list[str]) -> list[str]:
    await trial.world.room.orders.cancel(GUEST, sns[0], key="no")
    return []


async def _closes_and_money_comes(trial: Trial, sns: list[str]) -> list[str]:
    await _close(trial, sns)
    return await _money_comes(trial, sns)


async def _send_back(trial: Trial, sns: list[str]) -> list[str]:
    await _settle(trial, sns)
    await trial.world.relay()
    return []


CASES: Final = {
    "create": Case(_create, orders=0, again=True),
    "create, by the bed": Case(_create, orders=0, again=True, unit=SaleUnit.PERSON),
    "create three at once": Case(_create_three, (CANCELLED,) * 3, orders=0, again=True),
    "open a payment": Case(_open_payment, again=True),
    "pay": Case(_settle, (WAIT_USE,), before=_money_comes),
    "close": Case(_close, late=True),
    "close a paid one": Case(_close, (WAIT_USE,), late=True, before=_money_comes),
    "close three, one paid": Case(
        _close_many, (CANCELLED, CANCELLED, WAIT_USE), orders=3, late=True, before=_money_comes
    ),
    "give up": Case(_give_up, again=True),
    "send late money back": Case(_send_back, late=True, before=_closes_and_money_comes),
}
