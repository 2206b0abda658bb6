"""The travel service as orders see it, whoever wrote it and whatever it says."""

from typing import Any

import grpc
import pytest

from domain import rpc
from domain.database import Database
from domain.errors import HomestayNotFound, HomestayOffShelf, UpstreamUnavailable
from domain.order.ports import Homestay
from domain.order.pricing import Rules
from domain.order.room import assemble
from domain.order.states import SaleUnit
from domain.order.travel_client import TravelClient
from proto import travel_pb2
from tests.clock import FrozenClock
from tests.conftest import PAY_WINDOW, SHANGHAI
from tests.factories import create_stay
from tests.fakes import FakePayments, FakeTimer
from tests.order.rows import GUEST, ORDERS, stored
from tests.order.strangers import FAILURES, Stranger, serving
from tests.servers import free_port


def told(**named: Any) -> travel_pb2.HomestayDetailResp:
    """What the travel service says of homestay 1, valid unless a test says otherwise."""
    homestay = {
        "id": 1,
        "title": "Courtyard House",
        "subTitle": "Two steps from the Drum Tower",
        "banner": "https://example.com/a.jpg,https://example.com/b.jpg",
        "info": "A quiet yard.",
        "peopleNum": 4,
        "homestayBusinessId": 11,
        "userId": 12,
        "rowState": 1,
        "rowType": 0,
        "foodInfo": "Breakfast and dinner.",
        "foodPrice": 3000,
        "homestayPrice": 29_900,
        "marketHomestayPrice": 39_900,
    }
    return travel_pb2.HomestayDetailResp(homestay=travel_pb2.Homestay(**{**homestay, **named}))


async def ask(answer: Any, homestay_id: int = 1) -> Homestay | None:
    async with serving(Stranger(homestayDetail=answer)) as channel:
        return await TravelClient(channel).homestay(homestay_id)


async def test_every_field_is_understood() -> None:
    assert await ask(told()) == Homestay(
        id=1,
        title="Courtyard House",
        sub_title="Two steps from the Drum Tower",
        banner=("https://example.com/a.jpg", "https://example.com/b.jpg"),
        info="A quiet yard.",
        people_num=4,
        business_id=11,
        user_id=12,
        on_shelf=True,
        sale_unit=SaleUnit.ROOM,
        food_info="Breakfast and dinner.",
        food_price=3000,  # type: ignore[arg-type]
        price=29_900,  # type: ignore[arg-type]
        market_price=39_900,  # type: ignore[arg-type]
    )


async def test_the_homestay_that_is_wanted_is_asked_for() -> None:
    stranger = Stranger(homestayDetail=told(id=2**40))
    async with serving(stranger) as channel:
        await TravelClient(channel).homestay(2**40)
    assert stranger.asked == ["homestayDetail"]
    assert [travel_pb2.HomestayDetailReq.FromString(request).id for request in stranger.requests] == [2**40]


@pytest.mark.parametrize(
    ("row_state", "row_type", "on_shelf", "unit"),
    [(0, 0, False, SaleUnit.ROOM), (1, 1, True, SaleUnit.PERSON), (2, 1, False, SaleUnit.PERSON)],
)
async def test_only_what_is_on_the_shelf_is_on_sale(
    row_state: int, row_type: int, *, on_shelf: bool, unit: SaleUnit
) -> None:
    homestay = await ask(told(rowState=row_state, rowType=row_type))
    assert homestay is not None
    assert (homestay.on_shelf, homestay.sale_unit) == (on_shelf, unit)


@pytest.mark.parametrize(
    ("banner", "cover"),
    [("", None), (" , ,", None), (" https://example.com/a.jpg ,b", "https://example.com/a.jpg")],
)
async def test_the_cover_is_the_first_picture_if_there_is_one(banner: str, cover: str | None) -> None:
    homestay = await ask(told(banner=banner))
    assert homestay is not None
    assert homestay.cover == cover


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(grpc.StatusCode.NOT_FOUND, id="not found"),
        pytest.param(travel_pb2.HomestayDetailResp(), id="nothing"),
        pytest.param(travel_pb2.HomestayDetailResp(homestay=travel_pb2.Homestay()), id="empty"),
    ],
)
async def test_no_homestay_is_understood_however_it_is_said(answer: Any) -> None:
    assert await ask(answer, 404) is None


@pytest.mark.parametrize(
    "named",
    [
        {"rowType": 2},
        {"rowType": -1},
        {"homestayPrice": -1},
        {"homestayPrice": 2**53},
        {"foodPrice": -1},
        {"marketHomestayPrice": -(2**63)},
    ],
    ids=str,
)
async def test_what_makes_no_sense_is_no_answer(named: dict[str, int]) -> None:
    with pytest.raises(UpstreamUnavailable) as failure:
        await ask(told(**named))
    assert failure.value.upstream == "travel"


async def test_what_is_said_of_another_homestay_is_no_answer() -> None:
    with pytest.raises(UpstreamUnavailable):
        await ask(told(id=2), 1)


async def test_a_reply_that_cant_be_read_does_not_mean_that_there_is_no_homestay() -> None:
    with pytest.raises(UpstreamUnavailable):
        await ask(b"\xff\xff\xff")


@pytest.mark.parametrize("status", [*FAILURES, grpc.StatusCode.UNIMPLEMENTED], ids=str)
async def test_what_fails_is_unavailable_and_nothing_else(status: grpc.StatusCode) -> None:
    with pytest.raises(UpstreamUnavailable) as failure:
        await ask(status)
    assert failure.value.upstream == "travel"


async def test_a_service_that_is_not_there_cant_be_asked() -> None:
    async with rpc.channel(f"127.0.0.1:{free_port()}") as channel:
        with pytest.raises(UpstreamUnavailable):
            await TravelClient(channel).homestay(1)


@pytest.mark.parametrize(
    ("answer", "refusal"),
    [
        pytest.param(travel_pb2.HomestayDetailResp(homestay=travel_pb2.Homestay()), HomestayNotFound, id="empty"),
        pytest.param(grpc.StatusCode.NOT_FOUND, HomestayNotFound, id="not found"),
        pytest.param(told(rowState=0), HomestayOffShelf, id="off shelf"),
        pytest.param(grpc.StatusCode.UNAVAILABLE, UpstreamUnavailable, id="unavailable"),
    ],
)
async def test_what_travel_does_not_offer_is_not_ordered(
    database: Database, clock: FrozenClock, answer: Any, refusal: type[Exception]
) -> None:
    timer = FakeTimer()
    rules = Rules(zone=SHANGHAI, pay_window=PAY_WINDOW)
    async with serving(Stranger(homestayDetail=answer)) as channel:
        travel = TravelClient(channel)
        orders = assemble(database, clock, rules, travel=travel, payments=FakePayments(), timer=timer).orders
        with pytest.raises(refusal):
            await orders.create(GUEST, create_stay())
    assert await stored(database, ORDERS) == []
    assert timer.set == []


def told_together(*ids: int, **named: Any) -> travel_pb2.HomestayDetailsResp:
    """What the travel service says of several homestays."""
    return travel_pb2.HomestayDetailsResp(homestays=[told(id=each, **named).homestay for each in ids])


async def test_several_are_asked_for_in_one_call() -> None:
    stranger = Stranger(homestayDetails=told_together(3, 1))
    async with serving(stranger) as channel:
        found = await TravelClient(channel).several([1, 2, 3])
    assert {each: homestay and homestay.id for each, homestay in found.items()} == {1: 1, 2: None, 3: 3}  # type: ignore[union-attr]
    assert stranger.asked == ["homestayDetails"]
    assert list(travel_pb2.HomestayDetailsReq.FromString(stranger.requests[0]).ids) == [1, 2, 3]


async def test_one_alone_is_asked_for_as_the_existing_service_knows_it() -> None:
    stranger = Stranger(homestayDetail=told())
    async with serving(stranger) as channel:
        assert (await TravelClient(channel).several([1]))[1]
    assert stranger.asked == ["homestayDetail"]


async def test_a_service_without_the_method_is_asked_one_by_one_and_not_bothered_again() -> None:
    stranger = Stranger(homestayDetail=told())
    async with serving(stranger) as channel:
        client = TravelClient(channel)
        for _ in range(2):
            found = await client.several([1, 2])
            assert found[1] is not None
            # It answers with homestay 1 whatever it is asked.
            assert isinstance(found[2], UpstreamUnavailable)
        client._one_by_one_until = 0
        await client.several([1, 2])
    assert stranger.asked.count("homestayDetails") == 2
    assert stranger.asked.count("homestayDetail") == 6


async def test_one_that_makes_no_sense_takes_no_other_with_it() -> None:
    answer = told_together(1, 2)
    answer.homestays[1].rowType = 7
    async with serving(Stranger(homestayDetails=answer)) as channel:
        found = await TravelClient(channel).several([1, 2])
    assert isinstance(found[1], Homestay)
    assert isinstance(found[2], UpstreamUnavailable)


@pytest.mark.parametrize("answer", [told_together(1, 3), None], ids=["not asked for", "down"])
async def test_a_service_that_can_not_be_asked_fails_for_each(answer: Any) -> None:
    stranger = Stranger(homestayDetails=answer or grpc.StatusCode.UNAVAILABLE)
    async with serving(stranger) as channel:
        try:
            found = await TravelClient(channel).several([1, 2])
        except UpstreamUnavailable:
            pytest.fail("it is told of each")
    assert [isinstance(each, UpstreamUnavailable) for each in found.values()] == [True, True]
