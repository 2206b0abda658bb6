"""Reading one order: by its guest, and by nobody else."""

from domain.database import Database
from domain.order.closing import Closing
from domain.order.service import Orders
from domain.order.states import TradeState
from tests.order.rows import GUEST, add_order

SHOWN = {TradeState.WAIT_USE, TradeState.USED, TradeState.EXPIRED}
SOMEBODY = 8


async def test_an_order_of_somebody_else_is_not_there(orders: Orders, database: Database) -> None:
    order = await add_order(database)
    assert await orders.find(GUEST, order.sn) == order
    assert await orders.find(SOMEBODY, order.sn) is None
    assert await orders.find(GUEST, "HSO20260520120000NOBODY00") is None


async def test_the_check_in_code_is_known_from_payment_on_unless_the_money_went_back(
    orders: Orders, database: Database
) -> None:
    for state in TradeState:
        sn = (await add_order(database, trade_state=state, trade_code="8CHARS00")).sn
        order = await orders.find(GUEST, sn)
        assert order is not None
        assert order.shown_code == ("8CHARS00" if state in SHOWN else None), state


async def test_only_an_open_order_has_a_time_to_pay(database: Database) -> None:
    for state in TradeState:
        order = await add_order(database, trade_state=state)
        assert order.pay_before == (order.close_at if state is TradeState.WAIT_PAY else None), state


async def test_an_order_has_one_number_spelt_one_way(orders: Orders, closing: Closing, database: Database) -> None:
    sn = (await add_order(database, sn="HSO20260520120000ABCDEFGH")).sn
    fullwidth = sn.replace("2", "\uff12")
    for other in (sn.lower(), sn + " ", sn + "\0", " " + sn, sn.replace("A", "Á"), fullwidth, sn[:-1], ""):
        assert await orders.find(GUEST, other) is None, ascii(other)
        assert await closing.find(other) is None, ascii(other)
