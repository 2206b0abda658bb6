import re

from domain.order.closing import Closing
from domain.order.settling import Settling
from domain.order.states import PaymentStatus
from tests.bff import documents
from tests.bff.client import Client, Json
from tests.bff.prices import PRICE, PRICE_WITH_FOOD, yuan
from tests.clock import FrozenClock
from tests.conftest import PAY_WINDOW
from tests.factories import create_homestay
from tests.fakes import FakePayments, FakeTravel

PLACED: Json = {"at": "2026-05-20T04:00:00Z", "from": None, "to": "WAIT_PAY", "reason": None}
PAID: Json = {"at": "2026-05-20T04:00:00Z", "from": "WAIT_PAY", "to": "WAIT_USE", "reason": None}


async def detail(client: Client, sn: str) -> Json:
    order: Json = (await client.data(documents.FULL_DETAIL, {"sn": sn}))["userHomestayOrderDetail"]
    return order


async def test_an_order_that_waits_is_shown_as_it_was_placed(client: Client) -> None:
    placed = await client.place(needFood=True)
    homestay = (await client.data(documents.HOMESTAY_BY_ID, {"id": "1"}))["homestay"]
    assert await detail(client, placed["sn"]) == {
        **placed,
        "homestay": homestay,
        "payment": None,
        "history": [PLACED],
    }


async def test_a_paid_order_shows_its_payment_and_code_and_no_more_time_to_pay(
    settling: Settling, client: Client, payments: FakePayments
) -> None:
    sn = (await client.place(needFood=True))["sn"]
    payments.pay(sn, PRICE_WITH_FOOD)
    await settling.settle(sn)
    order = await detail(client, sn)
    assert (order["tradeState"], order["closeReason"], order["payBefore"]) == ("WAIT_USE", None, None)
    assert re.fullmatch("[0-9A-Z]{8}", order["tradeCode"])
    assert order["payment"] == {
        "sn": f"PMT{sn[3:]}",
        "payMode": "WECHAT_PAY",
        "payTotal": yuan(71800, "718.00"),
        "payTime": "2026-05-20T04:05:00Z",
        "status": "SUCCESS",
    }
    assert order["history"] == [PLACED, PAID]


async def test_a_refunded_order_shows_where_its_money_went_and_its_code_no_more(
    settling: Settling, client: Client, payments: FakePayments
) -> None:
    sn = (await client.place())["sn"]
    for status in (PaymentStatus.SUCCESS, PaymentStatus.REFUNDED):
        payments.pay(sn, PRICE, status)
        await settling.settle(sn)
    order = await detail(client, sn)
    assert (order["tradeState"], order["tradeCode"]) == ("REFUNDED", None)
    assert order["payment"]["status"] == "REFUNDED"
    assert [step["to"] for step in order["history"]] == ["WAIT_PAY", "WAIT_USE", "REFUNDED"]


async def test_an_order_that_was_not_paid_in_time_shows_that_and_no_payment(
    client: Client, closing: Closing, clock: FrozenClock
) -> None:
    sn = (await client.place())["sn"]
    clock.advance(PAY_WINDOW)
    await closing.close_if_unpaid(sn)
    order = await detail(client, sn)
    assert (order["tradeState"], order["closeReason"]) == ("CANCELLED", "UNPAID_TIMEOUT")
    assert (order["tradeCode"], order["payBefore"], order["payment"]) == (None, None, None)
    assert order["history"][1:] == [
        {"at": "2026-05-20T04:20:00Z", "from": "WAIT_PAY", "to": "CANCELLED", "reason": "UNPAID_TIMEOUT"}
    ]


async def test_a_payment_that_failed_is_none(client: Client, closing: Closing, payments: FakePayments) -> None:
    sn = (await client.place())["sn"]
    payments.pay(sn, PRICE, PaymentStatus.FAILED)
    await closing.give_up(sn)
    assert (await detail(client, sn))["payment"] is None


async def test_an_order_keeps_what_its_homestay_was(client: Client, travel: FakeTravel) -> None:
    placed = await client.place()
    travel.offer(create_homestay(id=1, title="Renamed", price=1, on_shelf=False))
    order = await detail(client, placed["sn"])
    assert (order["title"], order["orderTotalPrice"]) == ("Courtyard House", yuan(59800, "598.00"))
    assert (order["homestay"]["title"], order["homestay"]["onShelf"]) == ("Renamed", False)


async def test_a_homestay_that_is_gone_is_null_and_no_error(client: Client, travel: FakeTravel) -> None:
    sn = (await client.place())["sn"]
    travel.homestays.clear()
    assert (await detail(client, sn))["homestay"] is None


async def test_a_homestay_without_pictures_leaves_an_order_without_a_cover(client: Client, travel: FakeTravel) -> None:
    travel.offer(create_homestay(id=1, banner=()))
    assert (await client.place())["cover"] is None


async def test_the_steps_of_a_whole_list_are_read_at_once(client: Client, statements: list[str]) -> None:
    placed = [order["sn"] for order in await client.place_several(3)]
    statements.clear()
    data = await client.data(f"{{ userHomestayOrderList {{ nodes {{ sn {documents.STEPS} }} }} }}")
    orders = data["userHomestayOrderList"]["nodes"]
    assert orders == [{"sn": sn, "history": [PLACED]} for sn in reversed(placed)]
    assert len([each for each in statements if "homestay_order_event" in each]) == 1
