from domain.order.closing import Closing
from domain.order.settling import Settling
from tests.bff import documents
from tests.bff.client import Client, Json
from tests.bff.prices import PRICE
from tests.clock import FrozenClock
from tests.conftest import PAY_WINDOW
from tests.fakes import FakePayments


async def cancel(client: Client, sn: str) -> Json:
    payload: Json = (await client.data(documents.CANCEL, {"sn": sn}))["cancelHomestayOrder"]
    return payload


async def test_a_guest_gives_up_an_unpaid_order(client: Client) -> None:
    placed = await client.place()
    payload = await cancel(client, placed["sn"])
    assert payload == {
        "order": {**placed, "tradeState": "CANCELLED", "closeReason": "GUEST", "payBefore": None},
        "userErrors": [],
    }
    detail = await client.data(documents.DETAIL, {"sn": placed["sn"]})
    assert detail["userHomestayOrderDetail"] == payload["order"]


async def test_giving_up_twice_is_answered_as_the_first_time(client: Client) -> None:
    sn = (await client.place())["sn"]
    assert await cancel(client, sn) == await cancel(client, sn)


async def test_an_order_that_is_paid_is_not_given_up(
    settling: Settling, client: Client, payments: FakePayments
) -> None:
    sn = (await client.place())["sn"]
    payments.pay(sn, PRICE)
    await settling.settle(sn)
    refusal = await client.refused(documents.CANCEL, {"sn": sn})
    assert (refusal["__typename"], refusal["code"]) == ("InvalidTransitionError", "INVALID_TRANSITION")
    assert (refusal["from"], refusal["to"], refusal["field"]) == ("WAIT_USE", "CANCELLED", None)


async def test_money_that_came_unnoticed_is_noticed_before_an_order_is_given_up(
    client: Client, payments: FakePayments
) -> None:
    sn = (await client.place())["sn"]
    payments.pay(sn, PRICE)
    refusal = await client.refused(documents.CANCEL, {"sn": sn})
    assert (refusal["code"], refusal["from"]) == ("INVALID_TRANSITION", "WAIT_USE")


async def test_an_order_that_its_time_closed_is_not_given_up(
    client: Client, closing: Closing, clock: FrozenClock
) -> None:
    sn = (await client.place())["sn"]
    clock.advance(PAY_WINDOW)
    await closing.close_if_unpaid(sn)
    refusal = await client.refused(documents.CANCEL, {"sn": sn})
    assert (refusal["code"], refusal["from"], refusal["to"]) == ("INVALID_TRANSITION", "CANCELLED", "CANCELLED")


async def test_an_order_can_be_given_up_while_the_payment_service_is_down(
    client: Client, payments: FakePayments
) -> None:
    sn = (await client.place())["sn"]
    payments.down = True
    assert (await cancel(client, sn))["order"]["closeReason"] == "GUEST"


async def test_an_order_that_is_not_there_is_not_given_up(client: Client) -> None:
    refusal = await client.refused(documents.CANCEL, {"sn": "HSO20260520120000ABCDEFGH"})
    assert (refusal["__typename"], refusal["code"]) == ("InputError", "ORDER_NOT_FOUND")
    assert refusal["field"] == ["sn"]
