import pytest

from domain.database import Database
from domain.order.states import SaleUnit
from tests.bff import documents
from tests.bff.client import Client, Json, any_database
from tests.bff.prices import yuan
from tests.bff.rows import owners
from tests.factories import create_homestay
from tests.fakes import FakeTravel

STAY: Json = {"homestayId": "1", "from": "2026-06-01", "to": "2026-06-03", "people": 2}


async def test_a_quote_tells_the_price_and_orders_nothing(client: Client, database: Database) -> None:
    data = await client.data(documents.QUOTE, {**STAY, "food": True})
    assert data == {
        "homestayQuote": {
            "nights": 2,
            "homestayTotalPrice": yuan(59800, "598.00"),
            "foodTotalPrice": yuan(12000, "120.00"),
            "orderTotalPrice": yuan(71800, "718.00"),
        }
    }
    assert await owners(database) == []


@any_database
async def test_no_food_is_quoted_unless_wanted(client: Client) -> None:
    quote = (await client.data(documents.QUOTE, STAY))["homestayQuote"]
    assert quote["foodTotalPrice"]["amount"] == "0.00"


async def test_a_quote_and_the_order_after_it_agree(client: Client, travel: FakeTravel) -> None:
    travel.offer(create_homestay(id=2, sale_unit=SaleUnit.PERSON, price=12345, food_price=678))
    quote = (await client.data(documents.QUOTE, {**STAY, "homestayId": "2", "people": 3, "food": True}))[
        "homestayQuote"
    ]
    order = await client.place(homestayId="2", livePeopleNum=3, needFood=True)
    assert {name: order[name] for name in quote} == quote


@any_database
@pytest.mark.parametrize(
    ("wanted", "reason", "field"),
    [
        ({"homestayId": "x"}, "INVALID_INPUT", "homestayId"),
        ({"homestayId": "404"}, "HOMESTAY_NOT_FOUND", "homestayId"),
        ({"homestayId": "3"}, "HOMESTAY_OFF_SHELF", "homestayId"),
        ({"from": "2026-05-19"}, "INVALID_INPUT", "liveStartDate"),
        ({"to": "2026-06-01"}, "INVALID_INPUT", "liveEndDate"),
        ({"to": "2026-08-31"}, "STAY_TOO_LONG", "liveEndDate"),
        ({"people": 0}, "INVALID_INPUT", "livePeopleNum"),
        ({"people": 5}, "TOO_MANY_GUESTS", "livePeopleNum"),
    ],
    ids=str,
)
async def test_a_quote_that_is_refused_says_why_and_for_which_argument(
    client: Client, travel: FakeTravel, wanted: Json, reason: str, field: str
) -> None:
    travel.offer(create_homestay(id=3, on_shelf=False))
    error = await client.error(documents.QUOTE, {**STAY, **wanted})
    assert error["path"] == ["homestayQuote"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert error["extensions"]["reason"] == reason
    assert error["extensions"]["field"] == [field]


@any_database
async def test_the_first_day_may_be_today_where_the_homestay_stands(client: Client) -> None:
    # Noon in Shanghai on 20 May.
    data = await client.data(documents.QUOTE, {**STAY, "from": "2026-05-20", "to": "2026-05-21"})
    assert data["homestayQuote"]["nights"] == 1
