import re

import pytest

from domain.database import Database
from domain.money import MAX_FEN, Fen
from domain.order.states import SaleUnit
from tests.bff import documents
from tests.bff.client import ANN, BOB, Client, Json, any_database
from tests.bff.documents import stay, stays
from tests.bff.prices import yuan
from tests.bff.rows import owners
from tests.factories import create_homestay
from tests.fakes import FakeTimer, FakeTravel


async def test_a_placed_order_tells_all_that_it_holds(client: Client, timer: FakeTimer) -> None:
    order = await client.place(needFood=True, remark="Arriving late 🚄")
    sn, global_id = order.pop("sn"), order.pop("id")
    assert re.fullmatch(r"HSO20260520120000[0-9A-Z]{8}", sn)
    assert global_id != sn
    assert timer.set == [(sn, 1200.0)]
    assert order == {
        "homestayId": "1",
        "title": "Courtyard House",
        "subTitle": "Two steps from the Drum Tower",
        "cover": "https://example.com/cover.jpg",
        "info": "A quiet yard.",
        "foodInfo": "Breakfast and dinner.",
        "saleUnit": "ROOM",
        "peopleNum": 4,
        "livePeopleNum": 2,
        "liveStartDate": "2026-06-01",
        "liveEndDate": "2026-06-03",
        "nights": 2,
        "needFood": True,
        "homestayPrice": yuan(29900, "299.00"),
        "marketHomestayPrice": yuan(39900, "399.00"),
        "foodPrice": yuan(3000, "30.00"),
        "homestayTotalPrice": yuan(59800, "598.00"),
        "foodTotalPrice": yuan(12000, "120.00"),
        "orderTotalPrice": yuan(71800, "718.00"),
        "tradeState": "WAIT_PAY",
        "closeReason": None,
        "tradeCode": None,
        "remark": "Arriving late 🚄",
        "createTime": "2026-05-20T04:00:00Z",
        "payBefore": "2026-05-20T04:20:00Z",
    }


async def test_food_and_remark_may_be_left_out(client: Client) -> None:
    order = await client.place()
    assert (order["needFood"], order["remark"]) == (False, "")
    assert order["orderTotalPrice"]["amount"] == "598.00"


async def test_a_homestay_sold_per_person_costs_by_the_guest(client: Client, travel: FakeTravel) -> None:
    travel.offer(create_homestay(id=2, sale_unit=SaleUnit.PERSON, people_num=6))
    order = await client.place(homestayId="2", livePeopleNum=3)
    assert order["saleUnit"] == "PERSON"
    assert order["orderTotalPrice"]["amount"] == "1794.00"


async def test_the_homestay_may_be_named_by_its_global_id(client: Client) -> None:
    homestay = (await client.data(documents.HOMESTAY_BY_ID, {"id": "1"}))["homestay"]
    assert (await client.place(homestayId=homestay["id"]))["homestayId"] == "1"


@any_database
@pytest.mark.parametrize(
    ("wanted", "code", "field"),
    [
        ({"homestayId": "none"}, "INVALID_INPUT", "homestayId"),
        ({"homestayId": "0"}, "INVALID_INPUT", "homestayId"),
        ({"homestayId": "-1"}, "INVALID_INPUT", "homestayId"),
        ({"homestayId": "9223372036854775808"}, "INVALID_INPUT", "homestayId"),
        ({"homestayId": "404"}, "HOMESTAY_NOT_FOUND", "homestayId"),
        ({"homestayId": "3"}, "HOMESTAY_OFF_SHELF", "homestayId"),
        ({"liveStartDate": "2026-05-19"}, "INVALID_INPUT", "liveStartDate"),
        ({"liveEndDate": "2026-06-01"}, "INVALID_INPUT", "liveEndDate"),
        ({"liveEndDate": "2026-05-31"}, "INVALID_INPUT", "liveEndDate"),
        ({"liveEndDate": "2026-08-31"}, "STAY_TOO_LONG", "liveEndDate"),
        ({"liveStartDate": "2028-05-20", "liveEndDate": "2028-05-21"}, "INVALID_INPUT", "liveEndDate"),
        ({"livePeopleNum": 0}, "INVALID_INPUT", "livePeopleNum"),
        ({"livePeopleNum": -5}, "INVALID_INPUT", "livePeopleNum"),
        ({"livePeopleNum": 5}, "TOO_MANY_GUESTS", "livePeopleNum"),
        ({"livePeopleNum": 2**31 - 1}, "TOO_MANY_GUESTS", "livePeopleNum"),
        ({"remark": "x" * 65}, "INVALID_INPUT", "remark"),
        ({"remark": "no\0thing"}, "INVALID_INPUT", "remark"),
    ],
    ids=str,
)
async def test_a_refusal_is_an_answer_with_its_code_and_field(
    client: Client, database: Database, travel: FakeTravel, timer: FakeTimer, wanted: Json, code: str, field: str
) -> None:
    travel.offer(create_homestay(id=3, on_shelf=False))
    refusal = await client.refused(documents.PLACE, {"input": stay(**wanted)})
    assert (refusal["__typename"], refusal["code"]) == ("InputError", code)
    assert refusal["field"] == ["input", field]
    assert await owners(database) == []
    assert timer.set == []


async def test_more_money_than_can_be_counted_is_refused_for_no_single_field(
    client: Client, travel: FakeTravel
) -> None:
    travel.offer(create_homestay(id=9, price=MAX_FEN))
    refusal = await client.refused(documents.PLACE, {"input": stay(homestayId="9")})
    assert (refusal["code"], refusal["field"]) == ("INVALID_INPUT", None)


async def test_the_largest_amount_of_money_is_answered_exactly(client: Client, travel: FakeTravel) -> None:
    travel.offer(create_homestay(id=9, price=Fen(MAX_FEN - 1), market_price=MAX_FEN))
    order = await client.place(homestayId="9", liveEndDate="2026-06-02")
    assert order["orderTotalPrice"] == yuan(9007199254740990, "90071992547409.90")
    assert order["marketHomestayPrice"] == yuan(9007199254740991, "90071992547409.91")


async def test_64_characters_of_any_script_are_a_remark(client: Client) -> None:
    remark = "晚🚄é" * 21 + "!"
    assert (await client.place(remark=remark))["remark"] == remark


async def test_an_order_is_placed_for_who_asks(client: Client, database: Database) -> None:
    bobs, anns = stays(2)
    await client.place(BOB, **bobs)
    await client.place(ANN, **anns)
    assert sorted(await owners(database)) == [ANN, BOB]


async def test_two_orders_of_one_request_are_both_placed(client: Client) -> None:
    payload = "{ order { sn } userErrors { code } }"
    first, second = stays(2)
    both = await client.data(
        f"""mutation ($first: CreateHomestayOrderInput!, $second: CreateHomestayOrderInput!) {{
          first: createHomestayOrder(input: $first) {payload} second: createHomestayOrder(input: $second) {payload}
        }}""",
        {"first": first, "second": second},
    )
    assert both["first"]["order"]["sn"] != both["second"]["order"]["sn"]
