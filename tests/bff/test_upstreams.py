"""Other services are asked for what is wanted and once; one that is down takes only its own fields with it."""

import pytest

from domain.database import Database
from domain.order.settling import Settling
from tests.bff import documents
from tests.bff.client import Client, any_database
from tests.bff.documents import stay, stays
from tests.bff.prices import PRICE
from tests.bff.rows import owners
from tests.factories import create_homestay
from tests.fakes import FakePayments, FakeTimer, FakeTravel

LIST = "{ userHomestayOrderList { nodes { sn homestay { homestayId title } payment { sn } } } }"

# Nights that no other order of a test wants.
LATER = stays(2)[1]


async def paid(settling: Settling, client: Client, payments: FakePayments) -> str:
    sn: str = (await client.place())["sn"]
    payments.pay(sn, PRICE)
    await settling.settle(sn)
    payments.asked.clear()
    return sn


async def test_nothing_is_ordered_while_the_travel_service_is_down(
    client: Client, database: Database, travel: FakeTravel, timer: FakeTimer
) -> None:
    travel.down = True
    refusal = await client.refused(documents.PLACE, {"input": stay()})
    assert (refusal["__typename"], refusal["code"], refusal["field"]) == ("InputError", "UPSTREAM_UNAVAILABLE", None)
    assert await owners(database) == []
    assert timer.set == []


async def test_an_order_is_answered_without_the_homestay_that_cannot_be_asked_for(
    settling: Settling, client: Client, travel: FakeTravel, payments: FakePayments
) -> None:
    sn = await paid(settling, client, payments)
    whole = await client.data(documents.FULL_DETAIL, {"sn": sn})
    travel.down = True
    answer = await client.ask(documents.FULL_DETAIL, {"sn": sn})
    assert answer["data"] == {"userHomestayOrderDetail": {**whole["userHomestayOrderDetail"], "homestay": None}}
    (error,) = answer["errors"]
    assert error["path"] == ["userHomestayOrderDetail", "homestay"]
    assert error["extensions"]["code"] == "UPSTREAM_UNAVAILABLE"
    assert "the test says so" not in error["message"]


async def test_an_order_is_answered_without_the_payment_that_cannot_be_asked_for(
    settling: Settling, client: Client, payments: FakePayments
) -> None:
    sn = await paid(settling, client, payments)
    whole = await client.data(documents.FULL_DETAIL, {"sn": sn})
    payments.down = True
    answer = await client.ask(documents.FULL_DETAIL, {"sn": sn})
    assert answer["data"] == {"userHomestayOrderDetail": {**whole["userHomestayOrderDetail"], "payment": None}}
    (error,) = answer["errors"]
    assert error["path"] == ["userHomestayOrderDetail", "payment"]
    assert error["extensions"]["code"] == "UPSTREAM_UNAVAILABLE"


async def test_a_list_is_answered_without_what_cannot_be_asked_for(
    settling: Settling, client: Client, travel: FakeTravel, payments: FakePayments
) -> None:
    waiting = (await client.place(**LATER))["sn"]
    sn = await paid(settling, client, payments)
    travel.down = payments.down = True
    answer = await client.ask(LIST)
    assert answer["data"]["userHomestayOrderList"]["nodes"] == [
        {"sn": sn, "homestay": None, "payment": None},
        {"sn": waiting, "homestay": None, "payment": None},
    ]
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"UPSTREAM_UNAVAILABLE"}
    assert sorted(error["path"] for error in answer["errors"]) == [
        ["userHomestayOrderList", "nodes", 0, "homestay"],
        ["userHomestayOrderList", "nodes", 0, "payment"],
        ["userHomestayOrderList", "nodes", 1, "homestay"],
    ]


async def test_one_homestay_that_cannot_be_told_leaves_the_others(client: Client, travel: FakeTravel) -> None:
    travel.offer(create_homestay(id=2, title="The other"))
    await client.place()
    await client.place(homestayId="2")
    del travel.homestays[1]
    data = await client.data("{ userHomestayOrderList { nodes { homestay { title } } } }")
    assert data["userHomestayOrderList"]["nodes"] == [{"homestay": {"title": "The other"}}, {"homestay": None}]


async def test_nodes_are_answered_without_those_that_cannot_be_asked_for(client: Client, travel: FakeTravel) -> None:
    order = await client.place()
    homestay = (await client.data(documents.HOMESTAY_BY_ID, {"id": "1"}))["homestay"]
    travel.down = True
    answer = await client.ask(documents.NODES, {"ids": [order["id"], homestay["id"]]})
    assert answer["data"] == {"nodes": [{"__typename": "HomestayOrder", "id": order["id"], "sn": order["sn"]}, None]}
    (error,) = answer["errors"]
    assert error["path"] == ["nodes", 1]
    assert error["extensions"]["code"] == "UPSTREAM_UNAVAILABLE"


@any_database
async def test_a_homestay_or_a_quote_that_cannot_be_asked_for_is_an_error(client: Client, travel: FakeTravel) -> None:
    travel.down = True
    error = await client.error_at("homestay", documents.HOMESTAY_BY_ID, {"id": "1"})
    assert error["extensions"]["code"] == "UPSTREAM_UNAVAILABLE"
    wanted = {"homestayId": "1", "from": "2026-06-01", "to": "2026-06-03", "people": 2}
    error = await client.error(documents.QUOTE, wanted)
    assert error["path"] == ["homestayQuote"]
    assert error["extensions"]["code"] == "UPSTREAM_UNAVAILABLE"


async def test_each_homestay_is_asked_for_once_however_many_orders_name_it(client: Client, travel: FakeTravel) -> None:
    for number in (2, 3):
        travel.offer(create_homestay(id=number))
    for number, wanted in zip((1, 2, 3, 3, 2, 1, 1, 2), stays(8), strict=True):
        await client.place(**{**wanted, "homestayId": str(number)})
    travel.asked.clear()
    data = await client.data(
        """{
          userHomestayOrderList { nodes { homestay { title } } edges { node { homestay { homestayId } } } }
          homestay(id: 1) { title }
        }"""
    )
    assert len(data["userHomestayOrderList"]["nodes"]) == 8
    assert sorted(travel.asked) == [1, 2, 3]


async def test_what_one_request_was_told_is_not_kept_for_the_next(client: Client, travel: FakeTravel) -> None:
    await client.data(documents.HOMESTAY_BY_ID, {"id": "1"})
    travel.offer(create_homestay(id=1, title="Renamed"))
    assert (await client.data(documents.HOMESTAY_BY_ID, {"id": "1"}))["homestay"]["title"] == "Renamed"


async def test_nobody_is_asked_for_what_is_not_wanted(
    settling: Settling, client: Client, travel: FakeTravel, payments: FakePayments
) -> None:
    sn = await paid(settling, client, payments)
    travel.asked.clear()
    await client.data(documents.DETAIL, {"sn": sn})
    await client.data(documents.LIST)
    assert (travel.asked, payments.asked) == ([], [])


async def test_only_orders_that_wait_no_longer_are_asked_about_at_the_payment_service(
    settling: Settling, client: Client, payments: FakePayments
) -> None:
    sn = await paid(settling, client, payments)
    waiting = (await client.place(**LATER))["sn"]
    # Opened, but not paid: the order shows no payment yet.
    await client.data(documents.PAY, {"sn": waiting})
    nodes = (await client.data(LIST))["userHomestayOrderList"]["nodes"]
    assert [(node["sn"], node["payment"]) for node in nodes] == [(waiting, None), (sn, {"sn": f"PMT{sn[3:]}"})]
    assert payments.asked == [sn]


@pytest.mark.parametrize("selection", ["sn", "homestay { title }", "payment { sn }"])
async def test_a_payment_is_asked_about_only_where_it_is_selected(
    settling: Settling, client: Client, payments: FakePayments, selection: str
) -> None:
    sn = await paid(settling, client, payments)
    await client.data(f"query ($sn: ID!) {{ userHomestayOrderDetail(sn: $sn) {{ {selection} }} }}", {"sn": sn})
    assert payments.asked == ([sn] if "payment" in selection else [])
