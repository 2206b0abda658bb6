"""What the short commands of `homestay` do: each opens what it needs, does one thing, and closes it again."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from bff.cli.migrated import Migrated
from bff.cli.progress import Tell
from domain import rpc
from domain.errors import InvalidTransition, OrderNotFound, PaymentNotFound
from domain.order import backlog
from domain.order.adoption import Adopted, Adoption
from domain.order.room import OrderRoom
from domain.order.settlement_repository import Settlement
from domain.order.settlements import Settlements
from domain.order.states import PaymentStatus, TradeState
from domain.order.upstreams import WRITE_DEADLINE
from domain.outbox import DeadLetter, LetterState, Outbox
from proto import payment_pb2, payment_pb2_grpc
from workers import bootstrap, migration
from workers.clock import SystemClock
from workers.deliveries import deliveries
from workers.relay import Relay
from workers.resources import NoTimer
from workers.settings import Settings
from workers.sweeper import Sweeper, Swept

# Seconds that `pay` and `refund` wait for the worker, so that who asks next sees what came of it.
SETTLED_WITHIN: Final = 5.0
# What a number of 64 bits has at most, surely.
_ID_DIGITS: Final = 18


@dataclass(frozen=True, slots=True)
class Played:
    """What came of playing the payment provider.

    Attributes:
        sn: the order.
        payment_sn: its payment.
        trade_state: the order's state, when the worker had had a moment for it.
    """

    sn: str
    payment_sn: str
    trade_state: TradeState

    def as_json(self) -> dict[str, str]:
        """One object."""
        return {"sn": self.sn, "payment_sn": self.payment_sn, "trade_state": self.trade_state.name}


async def sweep(settings: Settings, tell: Tell) -> Swept:
    """One sweep, and one delivery of what waits in the outbox: refunds, and announcements to guests.

    Args:
        settings: where everything is.
        tell: is told how far it is.
    """
    async with (
        bootstrap.open_orders(settings, NoTimer()) as room,
        bootstrap.open_webhook(settings) as webhook,
    ):
        waiting = await room.database.read(lambda connection: backlog.count(connection, room.clock.sql_now()))

        def watch(swept: Swept) -> None:
            # More may fall due meanwhile.
            tell(f"{swept.closed} orders closed", swept.overdue, max(waiting.overdue, swept.overdue))

        tell("closing orders", 0, waiting.overdue)
        sweeper = Sweeper(room.closing, interval=settings.sweep_interval, grace=settings.sweep_grace)
        swept = await sweeper.sweep(watch=watch)
        tell("delivering what waits", 0, None)
        await Relay(Outbox(room.database, room.clock), deliveries(room, webhook)).run_once()
        return swept


async def migrate(settings: Settings, tell: Tell) -> Migrated:
    """Brings the tables up to date, and then the nights of the orders in them.

    Args:
        settings: where the database is.
        tell: is told how far it is.
    """
    tell("bringing the tables up to date", 0, None)
    async with bootstrap.open_database(settings, migrate=True, statement_deadline=None) as database:
        adoption = Adoption(database, SystemClock(), settings.zone)
        end = await adoption.end()

        def watch(done: Adopted) -> None:
            nights = f"nights: {done.adopted} orders have theirs, {len(done.conflicts)} can't have them"
            tell(nights, done.after or end, end)

        tell("nights: freeing those of closed orders", 0, None)
        adopted = await adoption.run(watch=watch)
        return Migrated(await migration.version(database), adopted)


async def pay(settings: Settings, sn: str) -> Played:
    """Plays the payment provider that confirms an order's open payment; opens it where the guest has not.

    Raises:
        OrderNotFound: there is no such order.
        InvalidTransition: nothing is to be paid.
        UpstreamUnavailable: the payment service can't be asked.
    """
    async with bootstrap.open_orders(settings, NoTimer()) as room:
        order = await room.closing.find(sn)
        if order is None:
            raise OrderNotFound("There is no such order.", "sn")
        payment = await room.payments.of_order(sn)
        if payment is None or payment.status is PaymentStatus.FAILED:
            payment, _ = await room.orders.open_payment(order.user_id, sn)
        if payment.status is not PaymentStatus.WAIT:
            raise InvalidTransition(
                f"The payment of this order is {payment.status.name} already.",
                current=payment.status,
                wanted=PaymentStatus.SUCCESS,
            )
        await _tell(settings, payment.sn, "SUCCESS", PaymentStatus.SUCCESS)
        return Played(sn, payment.sn, await _wait_for(room, sn, leaving=order.trade_state))


async def refund(settings: Settings, sn: str) -> Played:
    """Plays the payment provider that returns an order's money.

    Raises:
        OrderNotFound: there is no such order.
        PaymentNotFound: no money was paid for it.
        UpstreamUnavailable: the payment service can't be asked.
    """
    async with bootstrap.open_orders(settings, NoTimer()) as room:
        order = await room.closing.find(sn)
        if order is None:
            raise OrderNotFound("There is no such order.", "sn")
        payment = await room.payments.of_order(sn)
        if payment is None or payment.status is not PaymentStatus.SUCCESS:
            raise PaymentNotFound("No money was paid for this order, or it went back already.")
        await _tell(settings, payment.sn, "REFUND", PaymentStatus.REFUNDED)
        return Played(sn, payment.sn, await _wait_for(room, sn, leaving=order.trade_state))


async def settlements(settings: Settings, month: date, business_id: int | None) -> list[Settlement]:
    """The settlements of a month, of all businesses or of one."""
    async with bootstrap.open_database(settings) as database:
        return await Settlements(database, SystemClock(), settings.zone).of(month, business_id)


async def dead_letters(settings: Settings) -> tuple[list[DeadLetter], int]:
    """The oldest dead letters, and how many there are."""
    async with bootstrap.open_database(settings) as database:
        outbox = Outbox(database, SystemClock())
        return await outbox.dead(), (await outbox.counts())[LetterState.DEAD]


async def retry_dead_letters(settings: Settings, ids: Sequence[str] | None, tell: Tell) -> tuple[int, list[str]]:
    """Has dead letters tried again: these, or all. Returns how many, and the ids that none of them has."""
    async with bootstrap.open_database(settings) as database:
        return await _each_dead(Outbox(database, SystemClock()).retry, ids, tell)


async def drop_dead_letters(settings: Settings, ids: Sequence[str] | None, tell: Tell) -> tuple[int, list[str]]:
    """Throws dead letters away: these, or all. Returns how many, and the ids that none of them has."""
    async with bootstrap.open_database(settings) as database:
        return await _each_dead(Outbox(database, SystemClock()).drop, ids, tell)


async def _each_dead(
    act: Callable[[Sequence[int] | None], Awaitable[int]], ids: Sequence[str] | None, tell: Tell
) -> tuple[int, list[str]]:
    if ids is None:
        tell("all that are dead", 0, None)
        return await act(None), []
    # One by one, so that of each it is known whether it was dead.
    unknown = []
    for at, text in enumerate(ids):
        tell(f"letter {at + 1} of {len(ids)}", at, len(ids))
        if not (text.isascii() and text.isdecimal() and len(text) <= _ID_DIGITS and await act([int(text)])):
            unknown.append(text)
    return len(ids) - len(unknown), unknown


async def _tell(settings: Settings, payment_sn: str, word: str, status: PaymentStatus) -> None:
    async with bootstrap.open_channel(settings.payment) as channel:
        await rpc.ask(
            rpc.guard("payment", channel),
            payment_pb2_grpc.paymentStub(channel).UpdateTradeState,
            payment_pb2.UpdateTradeStateReq(
                sn=payment_sn,
                tradeState=word,
                tradeType="JSAPI",
                payStatus=status,
                payTime=int(datetime.now(UTC).timestamp()) if status is PaymentStatus.SUCCESS else 0,
            ),
            deadline=WRITE_DEADLINE,
        )


async def _wait_for(room: OrderRoom, sn: str, *, leaving: TradeState) -> TradeState:
    """Waits a moment for the worker to bring the order to what its payment says, and returns its state then."""
    deadline = asyncio.get_running_loop().time() + SETTLED_WITHIN
    while True:
        order = await room.closing.find(sn)
        if order is None:
            raise OrderNotFound("There is no such order.", "sn")
        if order.trade_state is not leaving or asyncio.get_running_loop().time() > deadline:
            return order.trade_state
        await asyncio.sleep(0.05)
