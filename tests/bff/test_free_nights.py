"""Which nights are free: in the calendar, in a quote, and in the refusal of who comes too late."""

from datetime import date, timedelta
from typing import Final

import pytest

from domain.order.closing import Closing
from domain.order.service import Orders
from domain.order.settling import Settling
from domain.order.states import PaymentStatus, SaleUnit
from tests.bff import documents
from tests.bff.client import ANN, BOB, Client, Json, any_database
from tests.bff.documents import stay
from tests.bff.prices import PRICE
from tests.clock import FrozenClock
from tests.conftest import PAY_WINDOW
from tests.factories import create_homestay
from tests.fakes import FakePayments, FakeTravel

AVAILABLE: Final = """
  query ($homestayId: ID!, $from: Date!, $to: Date!, $people: Int!) {
    homestayQuote(homestayId: $homestayId, liveStartDate: $from, liveEndDate: $to, livePeopleNum: $people) { available }
  }
"""


async def left(client: Client, start: str, end: str, homestay: str = "1", user: int = ANN) -> dict[str, int]:
    data = await client.data(documents.CALENDAR, {"homestayId": homestay, "from": start, "to": end}, user)
    nights = {each["night"]: each["placesLeft"] for each in data["homestayCalendar"]}
    assert list(nights) == sorted(nights)
    assert len(nights) == len(data["homestayCalendar"])
    return nights


async def available(client: Client, start: str, end: str, homestay: str = "1", people: int = 2) -> bool:
    wanted = {"homestayId": homestay, "from": start, "to": end, "people": people}
    free: bool = (await client.data(AVAILABLE, wanted))["homestayQuote"]["available"]
    return free


async def refusal(client: Client, user: int = ANN, **wanted: object) -> Json:
    return await client.refused(documents.PLACE, {"input": stay(**wanted)}, user)


async def test_an_order_takes_the_nights_until_the_day_of_leaving(client: Client) -> None:
    await client.place()
    for user in (ANN, BOB):
        assert await left(client, "2026-05-31", "2026-06-05", user=user) == {
            "2026-05-31": 1,
            "2026-06-01": 0,
            "2026-06-02": 0,
            "2026-06-03": 1,
            "2026-06-04": 1,
        }


async def test_a_quote_says_whether_every_night_is_free(client: Client) -> None:
    await client.place()
    for start, end, free in (
        ("2026-05-30", "2026-06-01", True),
        ("2026-05-30", "2026-06-02", False),
        ("2026-06-01", "2026-06-03", False),
        ("2026-06-02", "2026-06-03", False),
        ("2026-06-02", "2026-06-04", False),
        ("2026-06-03", "2026-06-04", True),
        ("2026-05-20", "2026-07-01", False),
    ):
        assert await available(client, start, end) is free, (start, end)


async def test_who_comes_too_late_is_told_which_nights_are_taken(client: Client) -> None:
    await client.place()
    assert await refusal(client, BOB, liveStartDate="2026-05-31", liveEndDate="2026-06-06") == {
        "__typename": "DatesUnavailableError",
        "code": "DATES_UNAVAILABLE",
        "field": ["input", "liveStartDate"],
        "message": "Not enough places are free on 2026-06-01, 2026-06-02.",
        "nights": ["2026-06-01", "2026-06-02"],
    }
    # Nothing of what was refused is taken.
    assert await available(client, "2026-06-03", "2026-06-06") is True
    await client.place(BOB, liveStartDate="2026-06-03", liveEndDate="2026-06-06")


async def test_all_nights_that_are_taken_are_named_however_many(client: Client) -> None:
    await client.place(liveStartDate="2026-06-01", liveEndDate="2026-07-01")
    refused = await refusal(client, BOB, liveStartDate="2026-05-30", liveEndDate="2026-07-03")
    assert refused["nights"] == [(date(2026, 6, 1) + timedelta(days=day)).isoformat() for day in range(30)]


async def test_a_homestay_sold_per_person_has_a_place_for_each_guest(client: Client, travel: FakeTravel) -> None:
    travel.offer(create_homestay(id=2, sale_unit=SaleUnit.PERSON, people_num=6))
    assert await left(client, "2026-06-01", "2026-06-02", "2") == {"2026-06-01": 6}
    await client.place(homestayId="2", livePeopleNum=4)
    await client.place(BOB, homestayId="2", livePeopleNum=1, liveStartDate="2026-06-02", liveEndDate="2026-06-04")
    assert await left(client, "2026-06-01", "2026-06-05", "2") == {
        "2026-06-01": 2,
        "2026-06-02": 1,
        "2026-06-03": 5,
        "2026-06-04": 6,
    }
    for people, free in ((1, True), (2, False), (6, False)):
        assert await available(client, "2026-06-01", "2026-06-04", "2", people) is free
    refused = await refusal(client, homestayId="2", livePeopleNum=2, liveEndDate="2026-06-05")
    assert (refused["code"], refused["nights"]) == ("DATES_UNAVAILABLE", ["2026-06-02"])
    await client.place(BOB, homestayId="2", livePeopleNum=1, liveEndDate="2026-06-04")
    assert await left(client, "2026-06-01", "2026-06-04", "2") == {
        "2026-06-01": 1,
        "2026-06-02": 0,
        "2026-06-03": 4,
    }


async def test_what_is_given_up_closed_or_refunded_is_free_again(
    client: Client, orders: Orders, closing: Closing, settling: Settling, clock: FrozenClock, payments: FakePayments
) -> None:
    async def is_free() -> bool:
        return await available(client, "2026-06-01", "2026-06-03")

    await orders.cancel(ANN, (await client.place())["sn"])
    assert await is_free()

    paid = (await client.place())["sn"]
    payments.pay(paid, PRICE)
    await settling.settle(paid)
    assert not await is_free()
    payments.pay(paid, PRICE, PaymentStatus.REFUNDED)
    await settling.settle(paid)
    assert await is_free()

    unpaid = (await client.place())["sn"]
    clock.advance(PAY_WINDOW)
    assert not await is_free()
    await closing.close_if_unpaid(unpaid)
    assert await is_free()
    assert await left(client, "2026-06-01", "2026-06-03") == {"2026-06-01": 1, "2026-06-02": 1}


async def test_an_order_of_one_homestay_takes_nothing_of_another(client: Client, travel: FakeTravel) -> None:
    travel.offer(create_homestay(id=2))
    await client.place()
    assert await left(client, "2026-06-01", "2026-06-03", "2") == {"2026-06-01": 1, "2026-06-02": 1}
    await client.place(BOB, homestayId="2")


async def test_a_night_that_is_over_has_no_place(client: Client) -> None:
    # Noon in Shanghai on 20 May.
    assert await left(client, "2026-05-18", "2026-05-22") == {
        "2026-05-18": 0,
        "2026-05-19": 0,
        "2026-05-20": 1,
        "2026-05-21": 1,
    }
    assert set((await left(client, "0001-01-01", "0001-02-01")).values()) == {0}


async def test_which_night_is_over_is_decided_where_the_homestay_stands(client: Client, clock: FrozenClock) -> None:
    clock.at = clock.at.replace(hour=15, minute=59)
    assert await left(client, "2026-05-20", "2026-05-21") == {"2026-05-20": 1}
    clock.at = clock.at.replace(hour=16, minute=0)
    assert await left(client, "2026-05-20", "2026-05-21") == {"2026-05-20": 0}


async def test_nights_far_ahead_are_shown(client: Client) -> None:
    assert await left(client, "9999-12-30", "9999-12-31") == {"9999-12-30": 1}


@any_database
async def test_a_homestay_off_the_shelf_has_no_place(client: Client, travel: FakeTravel) -> None:
    travel.offer(create_homestay(id=3, on_shelf=False))
    assert await left(client, "2026-06-01", "2026-06-03", "3") == {"2026-06-01": 0, "2026-06-02": 0}


@any_database
@pytest.mark.parametrize("count", [1, 2, 91, 92])
async def test_a_calendar_shows_one_to_92_nights(client: Client, count: int) -> None:
    end = date(2026, 6, 1) + timedelta(days=count)
    nights = await left(client, "2026-06-01", end.isoformat())
    assert len(nights) == count
    assert set(nights.values()) == {1}
    assert list(nights)[-1] == (end - timedelta(days=1)).isoformat()


@any_database
@pytest.mark.parametrize(
    ("wanted", "reason", "field"),
    [
        ({"to": "2026-06-01"}, "INVALID_INPUT", "to"),
        ({"to": "2026-05-31"}, "INVALID_INPUT", "to"),
        ({"to": "2026-09-02"}, "INVALID_INPUT", "to"),
        ({"from": "0001-01-01", "to": "9999-12-31"}, "INVALID_INPUT", "to"),
        ({"homestayId": "x"}, "INVALID_INPUT", "homestayId"),
        ({"homestayId": "404"}, "HOMESTAY_NOT_FOUND", "homestayId"),
    ],
    ids=str,
)
async def test_a_calendar_that_is_refused_says_why_and_for_which_argument(
    client: Client, statements: list[str], wanted: Json, reason: str, field: str
) -> None:
    asked = {"homestayId": "1", "from": "2026-06-01", "to": "2026-06-03", **wanted}
    error = await client.error(documents.CALENDAR, asked)
    assert error["path"] == ["homestayCalendar"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert error["extensions"]["reason"] == reason
    assert error["extensions"]["field"] == [field]
    assert statements == []


@any_database
async def test_a_calendar_is_an_error_while_the_travel_service_is_down(client: Client, travel: FakeTravel) -> None:
    travel.down = True
    error = await client.error(documents.CALENDAR, {"homestayId": "1", "from": "2026-06-01", "to": "2026-06-03"})
    assert (error["path"], error["extensions"]["code"]) == (["homestayCalendar"], "UPSTREAM_UNAVAILABLE")
