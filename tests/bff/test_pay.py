from datetime import UTC, datetime

from domain.order.settling import Settling
from domain.order.states import PaymentStatus
from tests.bff import documents
from tests.bff.client import Client, Json
from tests.bff.prices import PRICE, yuan
from tests.clock import FrozenClock
from tests.conftest import PAY_WINDOW
from tests.fakes import FakePayments


async def pay(client: Client, sn: str) -> Json:
    payload: Json = (await client.data(documents.PAY, {"sn": sn}))["payHomestayOrder"]
    return payload


async def test_the_payment_of_an_order_is_opened_in_full_and_for_as_long_as_it_waits(
    client: Client, payments: FakePayments
) -> None:
    placed = await client.place(needFood=True)
    assert await pay(client, placed["sn"]) == {
        "payment": {
            "sn": f"PMT{placed['sn'][3:]}",
            "payMode": "WECHAT_PAY",
            "payTotal": yuan(71800, "718.00"),
            "payTime": None,
            "status": "WAIT",
        },
        "order": placed,
        "userErrors": [],
    }
    assert payments.opened_with == [datetime(2026, 5, 20, 4, 20, tzinfo=UTC)]


async def test_the_one_payment_is_found_again(client: Client) -> None:
    sn = (await client.place())["sn"]
    assert await pay(client, sn) == await pay(client, sn)


async def test_another_payment_is_opened_where_the_first_one_failed(client: Client, payments: FakePayments) -> None:
    sn = (await client.place())["sn"]
    payments.pay(sn, PRICE, PaymentStatus.FAILED)
    assert (await pay(client, sn))["payment"]["status"] == "WAIT"


async def test_money_that_came_unnoticed_is_noticed(client: Client, payments: FakePayments) -> None:
    sn = (await client.place())["sn"]
    payments.pay(sn, PRICE)
    payload = await pay(client, sn)
    assert (payload["payment"]["status"], payload["order"]["tradeState"]) == ("SUCCESS", "WAIT_USE")


async def test_an_order_is_not_paid_twice(settling: Settling, client: Client, payments: FakePayments) -> None:
    sn = (await client.place())["sn"]
    payments.pay(sn, PRICE)
    await settling.settle(sn)
    refusal = await client.refused(documents.PAY, {"sn": sn})
    assert (refusal["__typename"], refusal["code"]) == ("InvalidTransitionError", "INVALID_TRANSITION")
    assert (refusal["from"], refusal["to"], refusal["field"]) == ("WAIT_USE", "WAIT_USE", None)
    assert payments.opened_with == []


async def test_an_order_that_was_given_up_is_not_paid(client: Client, payments: FakePayments) -> None:
    sn = (await client.place())["sn"]
    await client.data(documents.CANCEL, {"sn": sn})
    refusal = await client.refused(documents.PAY, {"sn": sn})
    assert (refusal["code"], refusal["from"], refusal["to"]) == ("INVALID_TRANSITION", "CANCELLED", "WAIT_USE")
    assert payments.opened_with == []


async def test_no_payment_is_opened_when_the_time_is_over_though_nobody_closed_the_order(
    client: Client, clock: FrozenClock, payments: FakePayments
) -> None:
    sn = (await client.place())["sn"]
    clock.advance(PAY_WINDOW)
    refusal = await client.refused(documents.PAY, {"sn": sn})
    assert (refusal["code"], refusal["from"], refusal["to"]) == ("INVALID_TRANSITION", "WAIT_PAY", "WAIT_USE")
    assert payments.opened_with == []


async def test_an_order_that_is_not_there_is_not_paid(client: Client, payments: FakePayments) -> None:
    refusal = await client.refused(documents.PAY, {"sn": "HSO20260520120000ABCDEFGH"})
    assert (refusal["__typename"], refusal["code"], refusal["field"]) == ("InputError", "ORDER_NOT_FOUND", ["sn"])
    assert payments.opened_with == []


async def test_a_payment_service_that_is_down_opens_nothing_and_the_order_waits_on(
    client: Client, payments: FakePayments
) -> None:
    placed = await client.place()
    payments.down = True
    refusal = await client.refused(documents.PAY, {"sn": placed["sn"]})
    assert (refusal["__typename"], refusal["code"], refusal["field"]) == ("InputError", "UPSTREAM_UNAVAILABLE", None)
    assert await client.data(documents.DETAIL, {"sn": placed["sn"]}) == {"userHomestayOrderDetail": placed}
