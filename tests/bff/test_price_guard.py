"""Who says which price they were shown pays that price or is told the one of now; nobody pays another by surprise."""

from typing import Final

import pytest

from domain.database import Database
from domain.order.states import SaleUnit
from tests.bff import documents
from tests.bff.client import ANN, BOB, Client, Json, any_database
from tests.bff.documents import stay
from tests.bff.prices import PRICE, PRICE_WITH_FOOD, yuan
from tests.bff.rows import held, owners
from tests.factories import create_homestay
from tests.fakes import FakeTimer, FakeTravel

GUARDED: Final = """
  mutation ($input: CreateHomestayOrderInput!) {
    createHomestayOrder(input: $input) {
      order { sn }
      userErrors { code ... on PriceChangedError { quote { available orderTotalPrice { amountMinor } } } }
    }
  }
"""


@pytest.mark.parametrize("expected", [PRICE, str(PRICE), None])
async def test_an_order_is_placed_at_the_price_that_was_shown(client: Client, expected: object) -> None:
    order = await client.place(expectedTotalMinor=expected)
    assert order["orderTotalPrice"]["amountMinor"] == PRICE


async def test_another_price_is_refused_with_the_one_of_now(
    client: Client, database: Database, travel: FakeTravel, timer: FakeTimer
) -> None:
    shown = (await client.place(BOB, needFood=True))["orderTotalPrice"]["amountMinor"]
    travel.offer(create_homestay(id=1, price=30_000))
    wanted = stay(needFood=True, expectedTotalMinor=shown, liveStartDate="2026-06-03", liveEndDate="2026-06-05")
    refused = await client.refused(documents.PLACE, {"input": wanted})
    assert refused == {
        "__typename": "PriceChangedError",
        "code": "PRICE_CHANGED",
        "field": ["input", "expectedTotalMinor"],
        "message": "The price has changed.",
        "quote": {
            "nights": 2,
            "homestayTotalPrice": yuan(60_000, "600.00"),
            "foodTotalPrice": yuan(12_000, "120.00"),
            "orderTotalPrice": yuan(72_000, "720.00"),
        },
    }
    assert (await owners(database), await held(database), len(timer.set)) == ([BOB], 2, 1)
    # The client shows that price, and the guest agrees.
    order = await client.place(**{**wanted, "expectedTotalMinor": refused["quote"]["orderTotalPrice"]["amountMinor"]})
    assert order["orderTotalPrice"]["amount"] == "720.00"


@any_database
@pytest.mark.parametrize("expected", [PRICE - 1, PRICE + 1, PRICE_WITH_FOOD, 0, -PRICE, 2**63 - 1, -(2**63)])
async def test_a_price_is_exact_to_the_fen(client: Client, database: Database, expected: int) -> None:
    refused = await client.refused(documents.PLACE, {"input": stay(expectedTotalMinor=str(expected))})
    assert refused["code"] == "PRICE_CHANGED"
    assert await owners(database) == []


@any_database
@pytest.mark.parametrize("expected", [2**63, "598.00", 598.5, "", True, []], ids=str)
async def test_what_is_no_amount_of_fen_does_not_fit(client: Client, travel: FakeTravel, expected: object) -> None:
    error = await client.error(documents.PLACE, {"input": stay(expectedTotalMinor=expected)})
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert travel.asked == []


async def test_the_quote_of_a_refusal_says_whether_the_nights_are_free_as_they_are_then(
    client: Client, database: Database
) -> None:
    async def quoted() -> Json:
        payload = (await client.data(GUARDED, {"input": stay(expectedTotalMinor=1)}))["createHomestayOrder"]
        (refused,) = payload["userErrors"]
        quote: Json = refused["quote"]
        return quote

    assert await quoted() == {"available": True, "orderTotalPrice": {"amountMinor": PRICE}}
    await client.place()
    assert await quoted() == {"available": False, "orderTotalPrice": {"amountMinor": PRICE}}
    assert await owners(database) == [ANN]


async def test_an_earlier_mutation_of_the_same_request_counts(client: Client) -> None:
    selection = "{ userErrors { code ... on PriceChangedError { quote { available } } } }"
    data = await client.data(
        f"""mutation ($guarded: CreateHomestayOrderInput!, $wanted: CreateHomestayOrderInput!) {{
          before: createHomestayOrder(input: $guarded) {selection}
          between: createHomestayOrder(input: $wanted) {selection}
          after: createHomestayOrder(input: $guarded) {selection}
        }}""",
        {"guarded": stay(expectedTotalMinor=1), "wanted": stay()},
    )
    assert data == {
        "before": {"userErrors": [{"code": "PRICE_CHANGED", "quote": {"available": True}}]},
        "between": {"userErrors": []},
        "after": {"userErrors": [{"code": "PRICE_CHANGED", "quote": {"available": False}}]},
    }


async def test_a_price_by_the_guest_is_compared_in_all(client: Client, travel: FakeTravel) -> None:
    travel.offer(create_homestay(id=2, sale_unit=SaleUnit.PERSON, people_num=6))
    wanted = stay(homestayId="2", livePeopleNum=3, expectedTotalMinor=PRICE)
    assert (await client.refused(documents.PLACE, {"input": wanted}))["code"] == "PRICE_CHANGED"
    await client.place(**{**wanted, "expectedTotalMinor": 3 * PRICE})


@any_database
async def test_what_cannot_be_had_at_any_price_is_refused_for_that(client: Client, travel: FakeTravel) -> None:
    travel.offer(create_homestay(id=3, on_shelf=False))
    for wanted, code in (
        ({"homestayId": "3"}, "HOMESTAY_OFF_SHELF"),
        ({"homestayId": "404"}, "HOMESTAY_NOT_FOUND"),
        ({"livePeopleNum": 5}, "TOO_MANY_GUESTS"),
    ):
        refused = await client.refused(documents.PLACE, {"input": stay(expectedTotalMinor=1, **wanted)})
        assert refused["code"] == code
