"""The table of legal moves, and that everybody means the same by its numbers."""

import re
from itertools import product
from pathlib import Path

import pytest
import sqlalchemy as sa

import proto
from domain.database import Database
from domain.errors import InvalidInput, InvalidTransition
from domain.order.states import (
    CODE_SHOWN,
    MOVES,
    CloseReason,
    PaymentStatus,
    SaleUnit,
    TradeState,
    check_move,
    from_wire,
)
from domain.payment.states import PayStatus
from tests.order.rows import ORDERS, add_order, add_rows, create_row, stored

CANCELLED, WAIT_PAY, WAIT_USE, USED, REFUNDED, EXPIRED = TradeState
LEGAL = {(WAIT_PAY, WAIT_USE), (WAIT_PAY, CANCELLED), (WAIT_USE, USED), (WAIT_USE, REFUNDED), (WAIT_USE, EXPIRED)}
# What the world outside knows them by.
NUMBERS = {"CANCELLED": -1, "WAIT_PAY": 0, "WAIT_USE": 1, "USED": 2, "REFUNDED": 3, "EXPIRED": 4}
WORDS = {
    CANCELLED: "cancelled",
    WAIT_PAY: "waiting for payment",
    WAIT_USE: "paid and waiting for use",
    USED: "used",
    REFUNDED: "refunded",
    EXPIRED: "expired",
}


@pytest.mark.parametrize(("current", "wanted"), [*product(TradeState, TradeState)])
def test_a_move_is_in_the_table_or_refused(current: TradeState, wanted: TradeState) -> None:
    if (current, wanted) in LEGAL:
        check_move(current, wanted)
        return
    with pytest.raises(InvalidTransition) as refusal:
        check_move(current, wanted)
    assert (refusal.value.current, refusal.value.wanted) == (current, wanted)


def test_every_state_has_its_line_in_the_table() -> None:
    assert set(MOVES) == set(TradeState)


@pytest.mark.parametrize("number", [-100, -99, -2, 5, 99, 127, 128, 255, 2**31, 2**63 - 1, -(2**63)])
def test_a_number_that_is_no_state_is_refused(number: int) -> None:
    with pytest.raises(InvalidInput) as refusal:
        from_wire(number)
    assert refusal.value.field == ("tradeState",)


def test_the_code_is_shown_from_payment_on_unless_the_money_went_back() -> None:
    assert {WAIT_USE, USED, EXPIRED} == CODE_SHOWN


def test_the_numbers_of_the_states_are_those_of_the_wire() -> None:
    assert {state.name: state.value for state in TradeState} == NUMBERS
    assert [from_wire(number) for number in NUMBERS.values()] == list(TradeState)


def test_the_comment_on_the_wire_names_the_same_states() -> None:
    text = (Path(proto.__file__).parent / "order.proto").read_text()
    found = re.search(r"int64 tradeState = 20;  // (.*)", text)
    assert found is not None
    assert found[1] == ", ".join(f"{state.value} {WORDS[state]}" for state in TradeState)


def test_orders_and_payments_mean_the_same_by_a_payments_status() -> None:
    assert {status.name: status.value for status in PaymentStatus} == {
        status.name: status.value for status in PayStatus
    }


async def test_the_numbers_in_the_table_are_the_same(database: Database) -> None:
    await add_rows(database, [create_row(sn=state.name, trade_state=state) for state in TradeState])
    plain = sa.text("select sn, trade_state from homestay_order")
    found = await database.read(lambda connection: connection.execute(plain))
    assert {sn.strip(): number for sn, number in found} == NUMBERS


@pytest.mark.parametrize(("column", "values"), [("row_type", list(SaleUnit)), ("close_reason", [None, *CloseReason])])
async def test_units_and_reasons_come_back_as_they_were_stored(
    database: Database, column: str, values: list[SaleUnit | CloseReason | None]
) -> None:
    for value in values:
        sn = (await add_order(database, **{column: value})).sn
        (row,) = await stored(database, ORDERS, sn=sn)
        assert row[column] is value


async def test_a_number_in_the_table_that_is_no_state_is_never_read_as_one(database: Database) -> None:
    order = await add_order(database)
    alien = sa.text("update homestay_order set trade_state = 99")
    await database.write(lambda connection: connection.execute(alien))
    with pytest.raises(ValueError, match="99"):
        await stored(database, ORDERS, sn=order.sn)
