"""The lives of orders as a state machine: hypothesis chooses what happens, and everything is looked at after it."""

from collections import Counter
from collections.abc import Coroutine
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, ClassVar, Final

import pytest
import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    multiple,
    precondition,
    rule,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.columns import table_of
from domain.errors import HomestayError, InvalidTransition, OrderNotFound, UpstreamUnavailable
from domain.money import Fen
from domain.order.closing import Outcome
from domain.order.models import HomestayNight
from domain.order.pricing import local_date
from domain.order.states import CloseReason, SaleUnit, TradeState
from domain.outbox.service import LEASE
from tests.conftest import PAY_WINDOW, SHANGHAI
from tests.factories import create_stay
from tests.life import expected, invariants
from tests.life.bank import Bank, Weather
from tests.life.hasty import Stage
from tests.life.world import HOMESTAYS, World
from tests.order.rows import EVENTS, LETTERS, ORDERS, REFUNDS

CANCELLED, WAIT_PAY, WAIT_USE, USED, REFUNDED, EXPIRED = TradeState
USERS: Final = (7, 8)
NIGHTS: Final = table_of(HomestayNight)
NOBODYS: Final = "HSO20260520120000NOBODY00"
AT_ONCE: Final = 2
# Days between the stays of two orders: they are about money, and no two want the same nights.
_APART: Final = 10
MAX_ORDERS: Final = 12
INSTANT: Final = timedelta(milliseconds=1)
PAUSES: Final = (INSTANT, LEASE, PAY_WINDOW / 4, PAY_WINDOW / 2)

Party = tuple[int, SaleUnit, int, int, bool]
# Who wants to stay where, how many nights and guests, and whether they want to eat.
parties = st.tuples(
    st.sampled_from(USERS), st.sampled_from(SaleUnit), st.integers(1, 5), st.integers(1, 4), st.booleans()
)


class Life(RuleBasedStateMachine):
    """Two users, some orders, their money, and the clock.

    Attributes:
        stage: the loop and the database.
        tally: what happened in all runs.
    """

    stage: ClassVar[Stage]
    tally: ClassVar[Counter[str]]
    orders = Bundle("orders")

    def __init__(self) -> None:
        super().__init__()
        # Any rule in any run: hypothesis would leave out many of them in most runs, and an order's life needs most.
        every_rule: Any = SimpleNamespace(is_enabled=lambda _: True)
        self._rules_strategy.enabled_rules_strategy = st.just(every_rule)
        self.stage.run(self.stage.database.write(_clear))
        self.bank = Bank()
        self.world = World(self.stage.database, self.bank)
        self.owners: dict[str, int] = {}
        self.moved: set[str] = set()
        self.missing: list[tuple[str, tuple[str, ...]]] = []
        self.looked_at = -1
        self.books = self.look()
        self.sound = True
        self.tally["runs"] += 1

    def look(self) -> invariants.Books:
        """All that is written down; the tables are read only where they changed since."""
        changes = self.stage.changes()
        if changes == self.looked_at:
            return replace(self.books, payments={entry.sn: entry for entry in self.bank.book()})
        self.looked_at = changes
        return self.stage.run(self.world.books())

    def act(self, work: Coroutine[Any, Any, Any], become: dict[str, TradeState] | None = None) -> Any:
        """One thing happens. Of all orders, only those move that should, and no rule is broken after it."""
        self.sound = False
        states = self.books.states() | (become or {})
        end: Any
        try:
            end = self.stage.run(work)
        except HomestayError as error:
            end = error
        self.books = self.look()
        found = self.books.states()
        same({sn: found[sn] for sn in states}, states)
        same(invariants.broken(self.books, acknowledged=self.owners, moved=self.moved), [])
        self.sound = True
        self.tally["steps"] += 1
        return end

    @property
    def asked(self) -> bool:
        return self.bank.weather is Weather.FINE

    @initialize(target=orders, first=st.lists(parties, min_size=AT_ONCE, max_size=AT_ONCE))
    def begin(self, first: list[Party]) -> MultipleResults[str]:
        return multiple(*[self.place(party) for party in first])

    @precondition(lambda self: len(self.owners) < MAX_ORDERS)
    @rule(target=orders, left=consumes(orders), party=parties)
    def another_takes_the_place_of(self, left: str, party: Party) -> str:
        """Nobody looks at that order any more but the sweep."""
        del left
        return self.place(party)

    def place(self, party: Party) -> str:
        user, unit, nights, guests, food = party
        homestay, today = HOMESTAYS[unit], local_date(self.world.clock.now(), SHANGHAI)
        stay = create_stay(
            homestay_id=homestay.id,
            start=today + timedelta(days=1 + _APART * len(self.owners)),
            nights=nights,
            guests=guests,
            food=food,
        )
        order = self.act(self.world.room.orders.create(user, stay)).order
        price = {
            "homestay_total_price": homestay.price * nights * (guests if unit is SaleUnit.PERSON else 1),
            "food_total_price": homestay.food_price * nights * guests if food else 0,
        }
        price["order_total_price"] = sum(price.values())
        row = self.books.orders[order.sn]
        same({name: row[name] for name in price}, price)
        same({name: getattr(order, name) for name in price}, price)
        assert (row["user_id"], row["trade_state"]) == (user, WAIT_PAY)
        assert row["close_at"] == order.pay_before == self.world.clock.now() + PAY_WINDOW
        self.owners[order.sn] = user
        return str(order.sn)

    @rule(sn=orders)
    def a_guest_opens_a_payment(self, sn: str) -> None:
        order, now = self.books.orders[sn], self.world.clock.now()
        can = order["trade_state"] is WAIT_PAY and order["close_at"] > now
        paid = can and self.asked and expected.settled(self.books, sn) is WAIT_USE
        # Money that is not the price makes the payment service answer with that payment; it pays nothing.
        end = self.act(self.world.room.orders.open_payment(self.owners[sn], sn), {sn: WAIT_USE} if paid else None)
        if not can:
            assert isinstance(end, InvalidTransition)
        elif not self.asked:
            assert isinstance(end, UpstreamUnavailable)
        else:
            payment, answered = end
            assert payment.order_sn == sn
            assert answered.trade_state is (WAIT_USE if paid else WAIT_PAY)

    @rule(sn=orders, seen_by=st.sampled_from(["a message"] * 4 + ["the timer", "its guest", "nobody"]))
    def money_comes(self, sn: str, seen_by: str) -> None:
        """The price, in time or late, for a payment that waits, or had failed, or is new; or once more."""
        self.receive(sn, Fen(self.books.orders[sn]["order_total_price"]))
        if seen_by == "a message":
            self.tell(sn)
        elif seen_by == "the timer":
            self.ring(sn, timedelta())
        elif seen_by == "its guest":
            self.give_up(sn)

    @rule(sn=orders, difference=st.sampled_from([-1, 1]))
    def wrong_money_comes(self, sn: str, difference: int) -> None:
        self.receive(sn, Fen(self.books.orders[sn]["order_total_price"] + difference))

    def receive(self, sn: str, total: Fen) -> None:
        unpaid = [entry for entry in self.bank.entries(sn) if entry.paid is None and entry.total == total]
        self.bank.pay((unpaid[0] if unpaid else self.bank.add(sn, total)).sn)
        self.tally["money came"] += 1
        self.act(_nothing())

    @rule(sn=orders)
    def a_payment_fails(self, sn: str) -> None:
        for entry in self.bank.entries(sn):
            self.bank.fail(entry.sn)
        self.act(_nothing())

    @rule(sn=orders, first=st.booleans())
    def a_host_gives_money_back(self, sn: str, *, first: bool) -> None:
        """What paid the stay, or what came beside it."""
        if received := self.books.received(sn):
            self.bank.give_back(received[0 if first else -1].sn)
        self.act(_nothing())

    @rule(sn=orders)
    def a_message_arrives(self, sn: str) -> None:
        """The first one of a change, or one more; another is lost, because no rule sends any."""
        self.tell(sn)

    def tell(self, sn: str) -> None:
        become = {sn: expected.settled(self.books, sn)} if self.asked else {}
        end = self.act(self.world.room.settling.settle(sn), become)
        assert end is None if self.asked else isinstance(end, UpstreamUnavailable)

    @rule(sn=orders, late=st.sampled_from([None, None, None, -INSTANT, timedelta()]))
    def a_timer_rings(self, sn: str, late: timedelta | None) -> None:
        """At any time, or just before the order falls due, or when it does."""
        self.ring(sn, late)

    def ring(self, sn: str, late: timedelta | None) -> None:
        if late is not None:
            self.world.clock.at = max(self.world.clock.at, self.books.orders[sn]["close_at"] + late)
        outcome, state = expected.closed(self.books, sn, self.world.clock.now(), asked=self.asked)
        same(self.act(self.world.room.closing.close_if_unpaid(sn), {sn: state}), outcome)
        self.tally[f"timer: {outcome.name}"] += 1

    @rule(swept=st.booleans())
    def all_that_is_due_is_closed(self, *, swept: bool) -> None:
        """By the sweep, or by a worker that gathered the messages about all of them."""
        now = self.world.clock.now()
        ends = {sn: expected.closed(self.books, sn, now, asked=self.asked) for sn in self.owners}
        closing = self.world.room.closing
        outcomes = self.act(
            self.world.sweeper.sweep() if swept else closing.close_many([*self.owners, NOBODYS]),
            {sn: state for sn, (_, state) in ends.items()},
        )
        if swept:
            same([found for found in invariants.unfinished(self.books, now) if found.startswith("I2")], [])
        else:
            same(outcomes, {sn: outcome for sn, (outcome, _) in ends.items()} | {NOBODYS: Outcome.MISSING})

    @rule(sn=orders)
    def its_guest_gives_it_up(self, sn: str) -> None:
        self.give_up(sn)

    def give_up(self, sn: str) -> None:
        order = self.books.orders[sn]
        state, given_up = order["trade_state"], order["close_reason"] is CloseReason.GUEST
        become = expected.given_up(self.books, sn, asked=self.asked) if state is WAIT_PAY else state
        end = self.act(self.world.room.orders.cancel(self.owners[sn], sn), {sn: become})
        if given_up or (state is WAIT_PAY and become is CANCELLED):
            assert (end.trade_state, end.close_reason) == (CANCELLED, CloseReason.GUEST)
        else:
            assert isinstance(end, InvalidTransition)

    @rule(sn=orders, wishes=st.permutations(list(TradeState)).map(lambda states: states[:3]))
    def a_service_moves_it(self, sn: str, wishes: list[TradeState]) -> None:
        for wish in wishes:
            self.move(sn, wish)

    def move(self, sn: str, to: TradeState) -> None:
        order, now = self.books.orders[sn], self.world.clock.now()
        state = become = order["trade_state"]
        if to is REFUNDED and state is WAIT_USE:
            # Its word is true: the money is on its way back.
            for entry in self.bank.entries(sn):
                if entry.sn == order["payment_sn"]:
                    self.bank.give_back(entry.sn)
        if to is WAIT_USE and self.asked:
            # Its money is asked for first, so that the order knows it.
            state = become = expected.settled(self.books, sn)
        if to is CANCELLED and state is WAIT_PAY:
            outcome, become = expected.closed(self.books, sn, now, asked=self.asked)
            if outcome is Outcome.EARLY:
                become = expected.given_up(self.books, sn, asked=self.asked)
        elif (state, to) in invariants.STEPS:
            become = to
            self.moved |= {sn} if to is WAIT_USE else set()
        end = self.act(self.world.room.closing.move(sn, to), {sn: become})
        if become is to:
            assert end.trade_state is to
        else:
            assert isinstance(end, InvalidTransition)

    @rule(sn=orders)
    def a_stranger_asks_for_it(self, sn: str) -> None:
        (stranger,) = set(USERS) - {self.owners[sn]}
        foreign = self.act(self.asks(stranger, sn))
        self.missing = self.missing or self.stage.run(self.asks(stranger, NOBODYS))
        same(foreign, self.missing)

    async def asks(self, user: int, sn: str) -> list[tuple[str, tuple[str, ...]]]:
        """How a user is refused to whom no such order is known."""
        orders = self.world.room.orders
        assert await orders.find(user, sn) is None
        refusals = []
        for use_case in (orders.cancel, orders.open_payment):
            with pytest.raises(OrderNotFound) as refused:
                await use_case(user, sn)
            refusals.append((refused.value.message, refused.value.field))
        return refusals

    @rule(dies=st.booleans())
    def the_relay_delivers(self, *, dies: bool) -> None:
        self.tally["letters"] += self.act(self.world.relay(dies=dies))

    @rule(weather=st.sampled_from([*[Weather.FINE] * 4, Weather.DOWN, Weather.LOSSY]))
    def the_weather_changes(self, weather: Weather) -> None:
        self.bank.weather = weather
        self.tally["steps"] += 1

    @rule(pause=st.sampled_from(PAUSES))
    def time_passes(self, pause: timedelta) -> None:
        self.world.clock.advance(pause)
        self.tally["steps"] += 1

    def teardown(self) -> None:
        """Everything is told, swept and delivered; then nothing is left open, and the money adds up."""
        if self.sound:
            self.world.clock.advance(PAY_WINDOW)
            self.stage.run(self.world.come_to_rest())
            books = self.look()
            same(invariants.broken(books, acknowledged=self.owners, moved=self.moved), [])
            same(invariants.unfinished(books, self.world.clock.now()), [])
            self.tally.update(f"order: {state.name}" for state in books.states().values())
            self.tally["went back"] += len(books.refunds)
        self.bank.close()


def same(found: object, wanted: object) -> None:
    """An assertion that says what it found; pytest, which would, is not in this process."""
    if found != wanted:
        raise AssertionError(f"\n  is        {found}\n  should be {wanted}")


async def _nothing() -> None:
    """What happens elsewhere changes nothing here."""


async def _clear(connection: AsyncConnection) -> None:
    for table in (ORDERS, EVENTS, REFUNDS, LETTERS, NIGHTS):
        await connection.execute(sa.delete(table))
