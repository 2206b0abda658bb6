"""What must be true of orders whatever happened: read from the tables and from the payment service's books.

Each rule is stated anew here, from numbers and words written out, and borrows nothing from the code that it judges.
Two rules join when their tables do: I4, an open or paid order holds exactly its nights and no night is held twice,
belongs into `broken`; that a repeated key made one order belongs to I1.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.database import Database
from domain.order.states import CloseReason, PaymentStatus, SaleUnit, TradeState
from domain.outbox.models import LetterState
from tests.life.bank import Bank, Entry
from tests.order.rows import EVENTS, LETTERS, ORDERS, REFUNDS

Row = Mapping[str, Any]

CANCELLED, WAIT_PAY, WAIT_USE, USED, REFUNDED, EXPIRED = TradeState
STEPS: Final = {
    (None, WAIT_PAY),
    (WAIT_PAY, WAIT_USE),
    (WAIT_PAY, CANCELLED),
    (WAIT_USE, USED),
    (WAIT_USE, REFUNDED),
    (WAIT_USE, EXPIRED),
}
# Its guest has paid for the stay, and the money is the host's.
KEPT: Final = {WAIT_USE, USED, EXPIRED}
RECEIVED: Final = {PaymentStatus.SUCCESS, PaymentStatus.REFUNDED}

_ORDER_COLUMNS: Final = [
    ORDERS.c[name]
    for name in (
        *("sn", "user_id", "version", "trade_state", "close_at", "close_reason", "payment_sn", "row_type"),
        *("need_food", "food_price", "homestay_price", "live_start_date", "live_end_date", "live_people_num"),
        *("order_total_price", "food_total_price", "homestay_total_price"),
    )
]
_LETTER_COLUMNS: Final = [LETTERS.c[name] for name in ("id", "topic", "subject", "payload", "state")]


@dataclass(frozen=True, slots=True)
class Books:
    """All that is written down, here and at the payment service.

    Attributes:
        orders: rows by sn.
        events: of each order, oldest first.
        refunds: rows by the payment's sn.
        letters: by topic and subject, oldest first.
        payments: the payment service's books, by sn.
    """

    orders: Mapping[str, Row]
    events: Mapping[str, list[Row]]
    refunds: Mapping[str, Row]
    letters: Mapping[str, Mapping[str, list[Row]]]
    payments: Mapping[str, Entry]

    def states(self) -> dict[str, TradeState]:
        return {sn: order["trade_state"] for sn, order in self.orders.items()}

    def received(self, sn: str) -> list[Entry]:
        """The payments by which money came for an order, wherever it is now."""
        return [entry for entry in self.payments.values() if entry.order_sn == sn and entry.status in RECEIVED]


async def read(database: Database, bank: Bank) -> Books:
    """Reads everything, in one transaction as far as it is ours."""

    async def work(connection: AsyncConnection) -> list[list[Row]]:
        statements = (
            sa.select(*_ORDER_COLUMNS),
            sa.select(EVENTS).order_by(EVENTS.c.id),
            sa.select(REFUNDS),
            sa.select(*_LETTER_COLUMNS).order_by(LETTERS.c.id),
        )
        return [[dict(row._mapping) for row in await connection.execute(statement)] for statement in statements]

    orders, steps, refunds, posted = await database.read(work)
    events: dict[str, list[Row]] = defaultdict(list)
    for step in steps:
        events[step["order_sn"]].append(step)
    letters: dict[str, dict[str, list[Row]]] = {topic: defaultdict(list) for topic in ("order.refund", "order.changed")}
    for letter in posted:
        letters[letter["topic"]][letter["subject"]].append(letter)
    return Books(
        orders={order["sn"]: order for order in orders},
        events=events,
        refunds={refund["payment_sn"]: refund for refund in refunds},
        letters=letters,
        payments={entry.sn: entry for entry in bank.book()},
    )


def broken(
    books: Books, *, acknowledged: Collection[str] = (), moved: Collection[str] = (), announced: bool = True
) -> list[str]:
    """The rules that are broken now; they hold at every instant between two transactions.

    Args:
        books: what is written down.
        acknowledged: the sn's that guests were told of.
        moved: the sn's of orders that another service may have moved, without a word on their money.
        announced: whether each move is announced by a letter.
    """
    found = [f"I1: acknowledged and not there: {sn}" for sn in acknowledged if sn not in books.orders]
    found += [f"I7: a history of no order: {sn}" for sn in books.events if sn not in books.orders]
    for sn, order in books.orders.items():
        for rule in (_price(order), _history(order, books.events.get(sn, [])), _paid(order, books, moved=sn in moved)):
            found += [f"{sn}: {sentence}" for sentence in rule]
    for payment_sn, refund in books.refunds.items():
        found += [f"{payment_sn}: {sentence}" for sentence in _refund(refund, books)]
    found += _letters(books, announced=announced)
    found += [
        f"I3: {entry.sn} went back {entry.returns} times" for entry in books.payments.values() if entry.returns > 1
    ]
    return found


def unfinished(books: Books, now: datetime) -> list[str]:
    """What is left undone once everything was told, swept and delivered; money adds up then.

    Args:
        books: what is written down.
        now: the present; what fell due by now is overdue.
    """
    found = [f"I3: money waits to go back: {sn}" for sn, row in books.refunds.items() if row["refunded_at"] is None]
    found += [
        f"a letter was not delivered: {topic} {subject}"
        for topic, by_subject in books.letters.items()
        for subject, letters in by_subject.items()
        for letter in letters
        if letter["state"] is not LetterState.DELIVERED
    ]
    for sn, order in books.orders.items():
        if order["trade_state"] is WAIT_PAY and order["close_at"] is not None and order["close_at"] <= now:
            found.append(f"I2: {sn} is open after {order['close_at']}")
        if order["trade_state"] not in {WAIT_PAY, CANCELLED} and not order["payment_sn"]:
            continue  # moved by a service that did not say by which money; it looks after the others
        kept = sum(
            entry.total
            for entry in books.received(sn)
            # What a host gives back after the stay is between the two: the order has ended.
            if entry.status is PaymentStatus.SUCCESS
            or (entry.sn == order["payment_sn"] and order["trade_state"] in {USED, EXPIRED} and not entry.asked_back)
        )
        due = order["order_total_price"] if order["trade_state"] in KEPT else 0
        if kept != due:
            found.append(f"I5: {sn} is {order['trade_state'].name} and {kept} of its guest's money is kept, not {due}")
    return found


def _price(order: Row) -> Iterator[str]:
    nights = (order["live_end_date"] - order["live_start_date"]).days
    guests = order["live_people_num"]
    stay = nights * order["homestay_price"] * (guests if order["row_type"] is SaleUnit.PERSON else 1)
    food = nights * guests * order["food_price"] if order["need_food"] else 0
    if (order["homestay_total_price"], order["food_total_price"]) != (stay, food):
        yield f"I5: costs {order['homestay_total_price']} + {order['food_total_price']}, not {stay} + {food}"
    if order["order_total_price"] != stay + food:
        yield f"I5: costs {order['order_total_price']}, not {stay + food}"


def _history(order: Row, events: list[Row]) -> Iterator[str]:
    state = None
    for event in events:
        step = event["from_state"], event["to_state"]
        if event["from_state"] is not state or step not in STEPS:
            yield f"I7: went from {state} by {step}"
        state = event["to_state"]
    instants = [event["at"] for event in events]
    if instants != sorted(instants):
        yield f"I7: went back in time: {instants}"
    if state is not order["trade_state"]:
        yield f"I7: is {order['trade_state'].name} and its history ends with {state}"
    if order["version"] != len(events) - 1:
        yield f"I7: was written {order['version']} times and moved {len(events) - 1} times"
    reason = events[-1]["reason"] if events else None
    if order["close_reason"] is not reason or (reason is None) is (order["trade_state"] is CANCELLED):
        yield f"I7: is {order['trade_state'].name} for {order['close_reason']}, its history says {reason}"
    by_time = reason in {CloseReason.UNPAID_TIMEOUT, CloseReason.PAYMENT_FAILED}
    if by_time and (order["close_at"] is None or instants[-1] < order["close_at"]):
        yield f"I2: was closed at {instants[-1]}, before {order['close_at']}"


def _paid(order: Row, books: Books, *, moved: bool) -> Iterator[str]:
    payment_sn, state = order["payment_sn"], order["trade_state"]
    if not payment_sn:
        if state not in {WAIT_PAY, CANCELLED} and not moved:
            yield f"I3: is {state.name} and no payment is named"
        return
    payment = books.payments.get(payment_sn)
    if state in {WAIT_PAY, CANCELLED}:
        yield f"I3: is {state.name} and paid by {payment_sn}"
    elif payment is None or payment.order_sn != order["sn"] or payment.status not in RECEIVED:
        yield f"I3: is paid by {payment}, which is no money of its guest"
    elif payment.total != order["order_total_price"]:
        yield f"I5: costs {order['order_total_price']} and was paid by {payment.total}"
    elif state is REFUNDED and payment.status is not PaymentStatus.REFUNDED:
        yield "I5: is REFUNDED and its money is kept"
    if payment_sn in books.refunds:
        yield f"I3: the money that paid it is to go back: {payment_sn}"


def _refund(refund: Row, books: Books) -> Iterator[str]:
    payment = books.payments.get(refund["payment_sn"])
    if payment is None or payment.status not in RECEIVED:
        yield "I3: is to go back and never came"
    elif (payment.order_sn, payment.total) != (refund["order_sn"], refund["total"]):
        yield f"I5: {refund['total']} is to go back of {payment}"
    elif refund["refunded_at"] is not None and payment.status is not PaymentStatus.REFUNDED:
        yield "I3: is said to have gone back, and is kept"
    elif payment.asked_back and books.orders[refund["order_sn"]]["payment_sn"] == payment.sn:
        yield "I3: went back and pays the order"
    asked = books.letters["order.refund"].get(refund["payment_sn"], [])
    if [letter["payload"] for letter in asked] != [{"orderSn": refund["order_sn"], "paymentSn": refund["payment_sn"]}]:
        yield f"I3: one letter asks for it back, and there are {len(asked)}"
    elif asked[0]["state"] is LetterState.DELIVERED and refund["refunded_at"] is None:
        yield "I3: was asked for and given back, and is not marked"


def _letters(books: Books, *, announced: bool) -> Iterator[str]:
    for payment_sn in books.letters["order.refund"].keys() - books.refunds.keys():
        yield f"I3: a letter asks for money that need not go back: {payment_sn}"
    for payment in books.payments.values():
        if payment.asked_back and payment.sn not in books.refunds:
            yield f"I3: {payment.sn} was asked back, and that is written nowhere"
    for sn, events in books.events.items():
        moves = [event["to_state"].name for event in events[1:]] if announced else []
        told = [letter["payload"]["tradeState"] for letter in books.letters["order.changed"].get(sn, [])]
        if moves != told:
            yield f"{sn}: became {moves}, and its guest is told {told}"
