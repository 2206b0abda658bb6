"""What a request wants of others and of the database is asked for together, but never by everybody at once."""

from collections.abc import Sequence
from typing import Final

import pytest

from bff.graph import ids
from domain.order.ports import Found
from domain.order.service import Orders
from tests.bff import documents
from tests.bff.client import ANN, Client, any_database
from tests.factories import create_homestay, create_stay
from tests.fakes import FakeTravel

# Overlapping ranges of one homestay, another one's nights, and a homestay by itself.
MANY: Final = """{
  week: homestayCalendar(homestayId: 1, from: "2026-06-01", to: "2026-06-08") { night placesLeft }
  day: homestayCalendar(homestayId: 1, from: "2026-06-02", to: "2026-06-03") { night placesLeft }
  tail: homestayCalendar(homestayId: 1, from: "2026-06-03", to: "2026-06-06") { night placesLeft }
  other: homestayCalendar(homestayId: 2, from: "2026-06-01", to: "2026-06-03") { night placesLeft }
  taken: homestayQuote(
    homestayId: 1, liveStartDate: "2026-06-02", liveEndDate: "2026-06-04", livePeopleNum: 1
  ) { available }
  free: homestayQuote(
    homestayId: 1, liveStartDate: "2026-06-03", liveEndDate: "2026-06-10", livePeopleNum: 1
  ) { nights available }
  elsewhere: homestayQuote(
    homestayId: 2, liveStartDate: "2026-06-01", liveEndDate: "2026-06-03", livePeopleNum: 1
  ) { available }
  again: homestayQuote(
    homestayId: 2, liveStartDate: "2026-06-01", liveEndDate: "2026-06-03", livePeopleNum: 1
  ) { available }
  homestay(id: 1) { title }
}"""


class CountingTravel(FakeTravel):
    """Remembers how it was asked."""

    questions = 0

    async def several(self, homestay_ids: Sequence[int]) -> dict[int, Found]:
        self.questions += 1
        return await super().several(homestay_ids)


@pytest.fixture
def travel() -> CountingTravel:
    return CountingTravel({number: create_homestay(id=number) for number in range(1, 41)})


@any_database
async def test_the_homestays_of_a_list(client: Client, orders: Orders, travel: CountingTravel) -> None:
    for number in travel.homestays:
        await orders.create(ANN, create_stay(homestay_id=number))
    travel.asked.clear()
    data = await client.data("{ userHomestayOrderList(first: 40) { nodes { homestay { title } } } }")
    assert len(data["userHomestayOrderList"]["nodes"]) == 40
    assert travel.questions == 1


@any_database
async def test_the_homestays_of_many_nodes(client: Client, travel: CountingTravel) -> None:
    asked = [ids.global_id(ids.HOMESTAY, number) for number in travel.homestays]
    data = await client.data(documents.NODES, {"ids": asked})
    assert [node["id"] for node in data["nodes"]] == asked
    assert travel.questions == 1


async def test_the_nights_and_homestays_of_many_calendars_and_quotes(
    client: Client, orders: Orders, travel: CountingTravel, statements: list[str]
) -> None:
    await orders.create(ANN, create_stay(homestay_id=1))
    travel.asked.clear()
    statements.clear()
    data = await client.data(MANY)
    assert len([each for each in statements if "homestay_night" in each]) == 1
    assert sorted(travel.asked) == [1, 2]

    left = {name: [night["placesLeft"] for night in data[name]] for name in ("week", "day", "tail", "other")}
    assert left == {"week": [0, 0, 1, 1, 1, 1, 1], "day": [0], "tail": [1, 1, 1], "other": [1, 1]}
    assert [data[name]["available"] for name in ("taken", "free", "elsewhere", "again")] == [False, True, True, True]


async def test_nights_are_read_only_where_they_are_wanted(
    client: Client, travel: CountingTravel, statements: list[str]
) -> None:
    quote = """query ($wanted: Boolean!) {
      homestayQuote(homestayId: 1, liveStartDate: "2026-06-01", liveEndDate: "2026-06-03", livePeopleNum: 2) {
        nights orderTotalPrice { amount } available @include(if: $wanted)
      }
    }"""
    await client.data(quote, {"wanted": False})
    assert statements == []
    await client.data(quote, {"wanted": True})
    assert len([each for each in statements if "homestay_night" in each]) == 1
    assert travel.asked == [1, 1]
