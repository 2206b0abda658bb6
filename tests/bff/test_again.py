"""A request that is sent again with its key leads to what it led to the first time."""

from datetime import timedelta
from typing import Any, Final

import pytest

from domain.database import Database
from domain.order.service import Orders
from domain.order.states import SaleUnit
from tests.bff import documents
from tests.bff.client import ANN, BOB, Client, Json, any_database
from tests.bff.documents import stay, stays
from tests.bff.prices import PRICE
from tests.bff.rows import held, owners
from tests.clock import FrozenClock
from tests.factories import create_homestay
from tests.fakes import FakePayments, FakeTimer, FakeTravel

KEY: Final = "8e03978e-40d5-43dd-bc93-6894a57f9324"
BY_HEADER: Final = {"Idempotency-Key": KEY}


async def place(client: Client, wanted: Json, headers: dict[str, str] | None = None, user: int = ANN) -> Json:
    answer = await client.ask(documents.PLACE, {"input": wanted}, user, headers)
    payload: Json = answer["data"]["createHomestayOrder"]
    return payload


async def refusal(client: Client, wanted: Json, headers: dict[str, str] | None = None) -> Json:
    payload = await place(client, wanted, headers)
    assert (payload["order"], payload["replayed"]) == (None, False)
    (found,) = payload["userErrors"]
    refused: Json = found
    return refused


async def test_an_order_that_is_asked_for_again_is_the_same_order(
    client: Client, database: Database, timer: FakeTimer
) -> None:
    wanted = stay(idempotencyKey=KEY, needFood=True, remark="晚🚄", expectedTotalMinor=71800)
    first = await place(client, wanted)
    assert (first["replayed"], first["userErrors"]) == (False, [])
    for _ in range(2):
        assert await place(client, wanted) == {**first, "replayed": True}
    assert await owners(database) == [ANN]
    assert len(timer.set) == 1


async def test_an_order_that_is_asked_for_again_is_shown_as_it_is_now(client: Client, orders: Orders) -> None:
    wanted = stay(idempotencyKey=KEY)
    first = await place(client, wanted)
    await orders.cancel(ANN, first["order"]["sn"])
    again = await place(client, wanted)
    assert again["replayed"] is True
    assert again["order"] == {**first["order"], "tradeState": "CANCELLED", "closeReason": "GUEST", "payBefore": None}


async def test_without_a_key_the_same_request_is_another_one(client: Client, database: Database) -> None:
    await client.place()
    assert (await client.refused(documents.PLACE, {"input": stay()}))["code"] == "DATES_UNAVAILABLE"
    await place(client, stay(idempotencyKey=None, liveStartDate="2026-07-01", liveEndDate="2026-07-02"))
    assert await owners(database) == [ANN, ANN]


@pytest.mark.parametrize("header", [KEY, f'"{KEY}"', f"  {KEY}  "])
async def test_the_header_does_the_same_as_the_argument(client: Client, database: Database, header: str) -> None:
    first = await place(client, stay(), {"Idempotency-Key": header})
    for wanted, headers in (
        (stay(), BY_HEADER),
        (stay(idempotencyKey=KEY), None),
        (stay(idempotencyKey=KEY), {"idempotency-key": f'"{KEY}"'}),
        (stay(idempotencyKey=None), BY_HEADER),
    ):
        assert await place(client, wanted, headers) == {**first, "replayed": True}
    assert await owners(database) == [ANN]


@any_database
async def test_a_header_and_an_argument_that_differ_are_refused(
    client: Client, database: Database, travel: FakeTravel
) -> None:
    other = {"Idempotency-Key": "another"}
    refused = await refusal(client, stay(idempotencyKey=KEY), other)
    assert (refused["__typename"], refused["code"]) == ("InputError", "INVALID_INPUT")
    assert refused["field"] == ["input", "idempotencyKey"]
    for mutation in (documents.CANCEL, documents.PAY):
        answer = await client.ask(mutation, {"sn": "none", "key": KEY}, headers=other)
        (payload,) = answer["data"].values()
        assert [(each["code"], each["field"]) for each in payload["userErrors"]] == [
            ("INVALID_INPUT", ["idempotencyKey"])
        ]
    assert (await owners(database), travel.asked) == ([], [])


NO_KEYS: Final = ["", "x" * 65, "🚄" * 65, "a\nb", "\0", "a\N{ZERO WIDTH SPACE}", "\N{NO-BREAK SPACE}", "\x7f"]


@any_database
@pytest.mark.parametrize("key", NO_KEYS, ids=lambda key: ascii(key[:9]))
async def test_what_can_be_no_key_is_refused(client: Client, database: Database, key: str) -> None:
    sn = (await client.place())["sn"]
    refused = await refusal(client, stay(idempotencyKey=key))
    assert (refused["code"], refused["field"]) == ("INVALID_INPUT", ["input", "idempotencyKey"])
    for mutation in (documents.CANCEL, documents.PAY):
        refused = await client.refused(mutation, {"sn": sn, "key": key})
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", ["idempotencyKey"])
    assert await owners(database) == [ANN]


@any_database
@pytest.mark.parametrize("header", ["", '"', '""', "x" * 65, "a\tb", '"a", "b"'], ids=ascii)
async def test_a_header_that_can_be_no_key_is_refused_and_not_passed_over(
    client: Client, database: Database, header: str
) -> None:
    refused = await refusal(client, stay(), {"Idempotency-Key": header})
    assert (refused["code"], refused["field"]) == ("INVALID_INPUT", ["input", "idempotencyKey"])
    assert await owners(database) == []


@pytest.mark.parametrize("key", ["x", "x" * 64, "晚🚄é" * 21 + "!", " a key "])
async def test_64_characters_of_any_script_are_a_key(client: Client, key: str) -> None:
    first = await place(client, stay(idempotencyKey=key))
    assert await place(client, stay(idempotencyKey=key)) == {**first, "replayed": True}


async def test_keys_are_exact_on_every_database(client: Client, database: Database) -> None:
    keys = ["key", "KEY", "key ", "kéy", "\N{FULLWIDTH LATIN SMALL LETTER K}ey"]
    for key, wanted in zip(keys, stays(len(keys)), strict=True):
        assert (await place(client, {**wanted, "idempotencyKey": key}))["userErrors"] == []
    assert await owners(database) == [ANN] * len(keys)


OTHERS: Final[list[Json]] = [
    {"homestayId": "2"},
    {"liveStartDate": "2026-05-31"},
    {"liveEndDate": "2026-06-04"},
    {"livePeopleNum": 3},
    {"needFood": True},
    {"remark": "Another."},
    {"expectedTotalMinor": 59800},
]


@pytest.mark.parametrize("other", OTHERS, ids=str)
async def test_a_key_stands_for_one_request(client: Client, database: Database, other: Json) -> None:
    first = await place(client, stay(idempotencyKey=KEY))
    refused = await refusal(client, stay(idempotencyKey=KEY, **other))
    assert (refused["__typename"], refused["code"]) == ("InputError", "IDEMPOTENCY_KEY_REUSED")
    assert refused["field"] == ["input", "idempotencyKey"]
    assert await owners(database) == [ANN]
    # What it stands for, it still stands for.
    assert await place(client, stay(idempotencyKey=KEY)) == {**first, "replayed": True}


async def test_the_same_request_may_be_written_in_other_words(client: Client) -> None:
    first = await place(client, stay(idempotencyKey=KEY))
    homestay = (await client.data(documents.HOMESTAY_BY_ID, {"id": "1"}))["homestay"]
    for words in ({"homestayId": homestay["id"]}, {"homestayId": 1}, {"needFood": False, "remark": ""}):
        assert (await place(client, stay(idempotencyKey=KEY, **words))) == {**first, "replayed": True}, words


async def test_another_guests_key_is_another_key(client: Client, database: Database) -> None:
    anns, bobs = stays(2)
    ann = await place(client, anns, BY_HEADER)
    bob = await place(client, bobs, BY_HEADER, BOB)
    assert bob["userErrors"] == []
    assert bob["replayed"] is False
    assert await place(client, anns, BY_HEADER) == {**ann, "replayed": True}
    # Bob learns nothing of Ann's: for him, her nights are taken, whatever her key.
    (refused,) = (await place(client, {**anns, "idempotencyKey": "hers"}, user=BOB))["userErrors"]
    assert refused["code"] == "DATES_UNAVAILABLE"
    assert sorted(await owners(database)) == [ANN, BOB]


async def test_a_request_that_was_refused_may_be_sent_again_with_its_key(client: Client, orders: Orders) -> None:
    bobs = await client.place(BOB)
    wanted = stay(idempotencyKey=KEY)
    assert (await refusal(client, wanted))["code"] == "DATES_UNAVAILABLE"
    await orders.cancel(BOB, bobs["sn"])
    payload = await place(client, wanted)
    assert (payload["replayed"], payload["userErrors"]) == (False, [])


async def test_a_request_that_failed_may_be_sent_again_with_its_key(
    client: Client, database: Database, travel: FakeTravel
) -> None:
    travel.down = True
    assert (await refusal(client, stay(), BY_HEADER))["code"] == "UPSTREAM_UNAVAILABLE"
    travel.down = False
    first = await place(client, stay(), BY_HEADER)
    assert first["replayed"] is False
    travel.down = True
    assert await place(client, stay(), BY_HEADER) == {**first, "replayed": True}
    assert await owners(database) == [ANN]


async def test_a_key_is_kept_for_a_day(client: Client, orders: Orders, clock: FrozenClock) -> None:
    wanted = stay(idempotencyKey=KEY)
    first = await place(client, wanted)
    await orders.cancel(ANN, first["order"]["sn"])
    clock.advance(timedelta(hours=24))
    assert (await place(client, wanted))["order"]["sn"] == first["order"]["sn"]
    clock.advance(timedelta(seconds=1))
    later = await place(client, wanted)
    assert later["replayed"] is False
    assert later["order"]["sn"] != first["order"]["sn"]


BOTH: Final = """
  mutation ($first: CreateHomestayOrderInput!, $second: CreateHomestayOrderInput!) {
    first: createHomestayOrder(input: $first) { order { sn } replayed userErrors { code } }
    second: createHomestayOrder(input: $second) { order { sn } replayed userErrors { code } }
  }
"""


async def test_a_header_is_the_key_of_each_mutation_of_its_request(client: Client, database: Database) -> None:
    first, second = stays(2)
    data = (await client.ask(BOTH, {"first": first, "second": second}, headers=BY_HEADER))["data"]
    assert data["first"]["userErrors"] == []
    assert data["second"]["userErrors"] == [{"code": "IDEMPOTENCY_KEY_REUSED"}]
    # Sent again, each answers as it did before; only that the first one was made before.
    again = (await client.ask(BOTH, {"first": first, "second": second}, headers=BY_HEADER))["data"]
    assert again == {**data, "first": {**data["first"], "replayed": True}}
    assert await owners(database) == [ANN]


async def test_the_same_mutation_twice_in_a_document_is_made_once(client: Client, database: Database) -> None:
    data = (await client.ask(BOTH, {"first": stay(), "second": stay()}, headers=BY_HEADER))["data"]
    assert data["second"] == {**data["first"], "replayed": True}
    assert await owners(database) == [ANN]


@any_database
@pytest.mark.parametrize("header", [KEY, "", '"open'])
async def test_a_query_has_no_use_for_a_key(client: Client, header: str) -> None:
    answer = await client.ask("{ userHomestayOrderList { totalCount } }", headers={"Idempotency-Key": header})
    assert answer == {"data": {"userHomestayOrderList": {"totalCount": 0}}}


@pytest.mark.parametrize("mutation", [documents.CANCEL, documents.PAY], ids=["cancel", "pay"])
async def test_what_is_done_to_an_order_has_a_key_too(client: Client, mutation: str) -> None:
    anns, other = await client.place_several(2)
    first = await client.ask(mutation, {"sn": anns["sn"]}, headers=BY_HEADER)
    assert await client.data(mutation, {"sn": anns["sn"], "key": KEY}) == first["data"]
    refused = await client.refused(mutation, {"sn": other["sn"], "key": KEY})
    assert (refused["code"], refused["field"]) == ("IDEMPOTENCY_KEY_REUSED", ["idempotencyKey"])


async def test_a_key_of_one_mutation_is_not_another_ones(client: Client, payments: FakePayments) -> None:
    sn = (await place(client, stay(idempotencyKey=KEY)))["order"]["sn"]
    for mutation in (documents.CANCEL, documents.PAY):
        assert (await client.refused(mutation, {"sn": sn, "key": KEY}))["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert payments.opened_with == []


async def test_a_payment_that_came_meanwhile_is_shown_to_who_opens_it_again(
    client: Client, payments: FakePayments
) -> None:
    sn = (await client.place())["sn"]
    opened = (await client.data(documents.PAY, {"sn": sn, "key": KEY}))["payHomestayOrder"]
    assert opened["payment"]["status"] == "WAIT"
    payments.pay(sn, PRICE)
    again = (await client.data(documents.PAY, {"sn": sn, "key": KEY}))["payHomestayOrder"]
    assert (again["payment"]["sn"], again["payment"]["status"]) == (opened["payment"]["sn"], "SUCCESS")


async def test_places_are_taken_once_however_often_they_are_asked_for(
    client: Client, database: Database, travel: FakeTravel
) -> None:
    travel.offer(create_homestay(id=2, sale_unit=SaleUnit.PERSON, people_num=6))
    wanted: dict[str, Any] = stay(homestayId="2", livePeopleNum=3, idempotencyKey=KEY)
    for _ in range(3):
        await place(client, wanted)
    assert await held(database) == 6
