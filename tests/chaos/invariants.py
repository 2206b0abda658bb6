"""The judge: what the tables must keep of what was promised, whatever was killed meanwhile."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from operator import itemgetter
from typing import Final

from domain.order.states import CloseReason, PaymentStatus, TradeState
from tests.chaos import money
from tests.chaos.books import Books, EventRow, OrderRow
from tests.chaos.findings import (
    EARLY,
    HISTORY,
    LATE,
    LEFT_OPEN,
    LETTER,
    LOST,
    NIGHTS,
    PRICE,
    TOLD_OTHERWISE,
    TWO_WINNERS,
    Finding,
    Outage,
    Verdict,
)
from tests.chaos.ledger import Attempt, Ledger, Outcome
from tests.chaos.lodgings import LODGINGS
from tests.chaos.money import MONEY_CAME, PAID

_TIMER: Final = frozenset({CloseReason.UNPAID_TIMEOUT, CloseReason.PAYMENT_FAILED})
# A letter that nobody tries to deliver any more.
_DEAD: Final = 2


def judge(
    books: Books,
    ledger: Ledger,
    *,
    bound: timedelta,
    outages: Sequence[Outage] = (),
    patience: timedelta = timedelta(),
) -> Verdict:
    """Compares the tables with the ledger.

    Args:
        books: what the tables say, once all is quiet.
        ledger: what the clients were told.
        bound: how long after it is due an order may stay open.
        outages: when the promise did not hold; an order is due at the end of the last one that it met.
        patience: how long money that came, and letters, may still be on their way.
    """
    due = _Due(outages)
    verdict = Verdict()
    for check in (_i1_orders_kept, _i1_states_kept, _i1_payments_kept, _i4_nights, _i5_prices, _i7_histories):
        verdict.findings += check(books, ledger)
    verdict.findings += _i2_closed_in_time(books, due, bound, verdict)
    verdict.findings += money.check(books, ledger, verdict, since=books.now - patience)
    verdict.findings += _letters(books, since=books.now - patience)
    return verdict


class _Due:
    """When an order is due: the promise holds while the database and a worker are up, and starts anew after that."""

    def __init__(self, outages: Sequence[Outage]) -> None:
        self._outages = sorted(outages, key=itemgetter(1))

    def since(self, close_at: datetime, until: datetime) -> datetime:
        met = bisect_right(self._outages, close_at, key=itemgetter(1))
        return max([close_at, *(end for start, end in self._outages[met:] if start < until)])


def _i1_orders_kept(books: Books, ledger: Ledger) -> Iterator[Finding]:
    """What was acknowledged is there once and as promised; what is unknown is there once or not at all."""
    by_remark: defaultdict[str, list[OrderRow]] = defaultdict(list)
    for order in books.orders:
        by_remark[order.remark].append(order)
    for attempt in ledger.attempts:
        rows = by_remark.pop(attempt.remark, [])
        if len(rows) > 1:
            yield Finding(TOLD_OTHERWISE, rows[0].sn, f"is there {len(rows)} times: {[row.sn for row in rows]}")
        elif attempt.outcome is Outcome.ACKNOWLEDGED and not rows:
            yield Finding(LOST, attempt.sn, "was acknowledged and is not there")
        elif attempt.outcome is Outcome.ACKNOWLEDGED and (lie := _difference(rows[0], attempt)):
            yield Finding(TOLD_OTHERWISE, attempt.sn, lie)
        elif attempt.outcome in {Outcome.REFUSED, Outcome.UNREACHED} and rows:
            yield Finding(TOLD_OTHERWISE, rows[0].sn, f"is there, though its guest was told {attempt.outcome.value}")
    for rows in by_remark.values():
        yield Finding(TOLD_OTHERWISE, rows[0].sn, "is there, and nobody asked for it")


def _i1_states_kept(books: Books, ledger: Ledger) -> Iterator[Finding]:
    """An order that an answer called given up, or paid, is so for good."""
    orders = {order.sn: order for order in books.orders}
    for sn in ledger.given_up:
        order = orders.get(sn)
        if order is None or (order.trade_state, order.close_reason) != (TradeState.CANCELLED, CloseReason.GUEST):
            yield Finding(LOST, sn, "its cancellation was acknowledged and is not there")
    for sn in ledger.seen_paid:
        order = orders.get(sn)
        if order is None or order.trade_state not in PAID:
            yield Finding(LOST, sn, "an answer called it paid, and it is not")


def _difference(order: OrderRow, attempt: Attempt) -> str:
    there = (
        order.sn,
        order.user_id,
        order.homestay_id,
        order.live_start_date,
        order.live_end_date,
        order.live_people_num,
        bool(order.need_food),
        order.order_total_price,
    )
    promised = (
        attempt.sn,
        attempt.user,
        attempt.lodging.id,
        attempt.start,
        attempt.end,
        attempt.people,
        attempt.food,
        attempt.total,
    )
    return "" if there == promised else f"is {there}, promised was {promised}"


def _i1_payments_kept(books: Books, ledger: Ledger) -> Iterator[Finding]:
    """A payment that a guest or the provider was told of is there, and says what it was told."""
    payments = {payment.sn: payment for payment in books.payments}
    for sn, opened in ledger.opened.items():
        payment = payments.get(sn)
        if payment is None:
            yield Finding(LOST, sn, f"the payment of {opened.order_sn} was acknowledged and is not there")
        elif (payment.order_sn, payment.pay_total) != (opened.order_sn, opened.total):
            yield Finding(TOLD_OTHERWISE, sn, f"is {payment}, promised was {opened}")
    for sn, told in ledger.told.items():
        payment = payments.get(sn)
        status = None if payment is None else PaymentStatus(payment.pay_status)
        if PaymentStatus.SUCCESS in told and status not in MONEY_CAME:
            yield Finding(LOST, sn, f"the provider's money was acknowledged, and the payment is {status}")
        elif status is PaymentStatus.WAIT:
            yield Finding(LOST, sn, "the provider's word was acknowledged, and the payment still waits")


def _i2_closed_in_time(books: Books, due: _Due, bound: timedelta, verdict: Verdict) -> Iterator[Finding]:
    """No order stays open past its time, and the timer closes none before."""
    for order in books.orders:
        if order.trade_state == TradeState.WAIT_PAY:
            since = due.since(order.close_at, books.now)
            if books.now > since + bound:
                yield Finding(LEFT_OPEN, order.sn, f"is open {(books.now - since).total_seconds():.1f} s after due")
            continue
        for event in books.events.get(order.sn, []):
            if event.from_state != TradeState.WAIT_PAY:
                continue
            late = event.at - due.since(order.close_at, event.at)
            verdict.lateness = max(verdict.lateness, late)
            if late > bound:
                yield Finding(LATE, order.sn, f"ended {late.total_seconds():.1f} s after it was due")
            if event.reason in _TIMER and event.at < order.close_at:
                yield Finding(EARLY, order.sn, f"closed {order.close_at - event.at} before its time")


def _i4_nights(books: Books, _: Ledger) -> Iterator[Finding]:
    """An open or paid order holds exactly its nights, a closed one none, and no place is sold twice."""
    lodgings = {lodging.id: lodging for lodging in LODGINGS}
    held = books.nights_of()
    for order in books.orders:
        places = sorted((row.homestay_id, row.night) for row in held.pop(order.sn, []))
        if places != sorted(_owed(order)):
            yield Finding(NIGHTS, order.sn, f"{TradeState(order.trade_state).name} holds {places}")
    for sn in held:
        yield Finding(NIGHTS, sn, "holds nights and is not there")
    sold = Counter((row.homestay_id, row.night, row.place) for row in books.nights)
    for (homestay_id, night, place), times in sold.items():
        lodging = lodgings[homestay_id]
        if times > 1 or not 0 <= place < (lodging.capacity if lodging.per_person else 1):
            yield Finding(NIGHTS, f"homestay {homestay_id}", f"place {place} of {night} is sold {times} times")


def _owed(order: OrderRow) -> list[tuple[int, date]]:
    """The nights that an order has to hold, one for each place."""
    if order.trade_state != TradeState.WAIT_PAY and order.trade_state not in PAID:
        return []
    places = order.live_people_num if order.row_type == 1 else 1
    nights = [order.live_start_date + timedelta(days=number) for number in range(order.nights)]
    return [(order.homestay_id, night) for night in nights for _ in range(places)]


def _letters(books: Books, *, since: datetime) -> Iterator[Finding]:
    """Whoever had to be told was told."""
    for letter in books.letters:
        if letter.state == _DEAD or letter.created_at < since:
            yield Finding(LETTER, letter.subject, f"{letter.topic} is not delivered ({letter.state}, {letter.error})")


def _i5_prices(books: Books, _: Ledger) -> Iterator[Finding]:
    """Each total is nights times price, per guest where sold so, and food; and what was kept is what was paid for."""
    for order in books.orders:
        sold = order.live_people_num if order.row_type == 1 else 1
        homestay = order.nights * order.homestay_price * sold
        food = order.nights * order.food_price * order.live_people_num if order.need_food else 0
        there = (order.homestay_total_price, order.food_total_price, order.order_total_price)
        if there != (homestay, food, homestay + food):
            yield Finding(PRICE, order.sn, f"costs {there}, should be {(homestay, food, homestay + food)}")


def _i7_histories(books: Books, _: Ledger) -> Iterator[Finding]:
    """Each order's history leads from nothing to where it stands, without gap or repeat, and has one end."""
    for order in books.orders:
        steps = books.events.get(order.sn, [])
        if not _leads_to(steps, order.trade_state):
            shown = [(step.from_state, step.to_state) for step in steps]
            yield Finding(HISTORY, order.sn, f"is {order.trade_state}, its history is {shown}")
        if sum(step.from_state == TradeState.WAIT_PAY for step in steps) > 1:
            yield Finding(TWO_WINNERS, order.sn, f"left its first state more than once: {steps}")
    known = {order.sn for order in books.orders}
    for sn in books.events.keys() - known:
        yield Finding(HISTORY, sn, "has a history and is not there")


def _leads_to(steps: Sequence[EventRow], state: int) -> bool:
    return (
        bool(steps)
        and (steps[0].from_state, steps[0].to_state) == (None, TradeState.WAIT_PAY)
        and all(later.from_state == earlier.to_state for earlier, later in pairwise(steps))
        and all(later.at >= earlier.at for earlier, later in pairwise(steps))
        and steps[-1].to_state == state
    )
