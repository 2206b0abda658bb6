"""Another guest's order answers exactly as one that does not exist, and nothing happens to it."""

import re
from typing import Final

import pytest

from bff.graph import ids
from domain.order.settling import Settling
from tests.bff import documents
from tests.bff.client import ANN, BOB, Client
from tests.bff.prices import PRICE
from tests.fakes import FakePayments

MISSING: Final = "HSO20260520120000ABCDEFGH"


async def answer(client: Client, query: str, variables: dict[str, object]) -> bytes:
    """The bytes of an answer, with the same request id each time."""
    body = {"query": query, "variables": variables}
    response = await client.post(body, BOB, {"X-Request-Id": "the-same"})
    return response.content


@pytest.mark.parametrize("state", ["WAIT_PAY", "WAIT_USE", "CANCELLED"])
async def test_by_its_number(settling: Settling, client: Client, payments: FakePayments, state: str) -> None:
    sn = (await client.place(ANN))["sn"]
    if state == "WAIT_USE":
        payments.pay(sn, PRICE)
        await settling.settle(sn)
    elif state == "CANCELLED":
        await client.data(documents.CANCEL, {"sn": sn})
    before = await client.data(documents.FULL_DETAIL, {"sn": sn})
    payments.asked.clear()

    for query in (documents.DETAIL, documents.FULL_DETAIL, documents.CANCEL, documents.PAY):
        foreign = await answer(client, query, {"sn": sn})
        assert foreign == await answer(client, query, {"sn": MISSING})
        assert sn.encode() not in foreign
    assert (payments.asked, payments.opened_with) == ([], [])
    assert await client.data(documents.FULL_DETAIL, {"sn": sn}) == before


async def test_by_its_global_id(client: Client) -> None:
    order = await client.place(ANN)
    missing = ids.global_id(ids.ORDER, MISSING)
    foreign = await answer(client, documents.NODE, {"id": order["id"]})
    assert foreign == await answer(client, documents.NODE, {"id": missing})
    several = await answer(client, documents.NODES, {"ids": [order["id"]]})
    assert several == await answer(client, documents.NODES, {"ids": [missing]})
    assert order["sn"].encode() not in foreign + several


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_both_take_the_same_steps(client: Client, statements: list[str]) -> None:
    # So nobody learns from how long an answer takes whether there is such an order.
    sn = (await client.place(ANN))["sn"]
    for query in (documents.DETAIL, documents.FULL_DETAIL, documents.CANCEL, documents.PAY):
        ran = []
        for each in (MISSING, sn, MISSING):
            statements.clear()
            await answer(client, query, {"sn": each})
            ran.append([*statements])
        assert ran[0]
        assert ran[1] == ran[0] == ran[2], query


async def test_a_number_is_exact_on_every_database(client: Client) -> None:
    sn = (await client.place())["sn"]
    likes = [
        sn.lower(),
        f"{sn} ",
        f" {sn}",
        f"{sn}\0",
        f"{sn}\u200b",
        sn.replace("H", "\N{FULLWIDTH LATIN CAPITAL LETTER H}"),
        sn.replace("O", "Ó"),
        f"{sn[:-1]}%",
    ]
    for like in likes:
        assert await client.data(documents.DETAIL, {"sn": like}) == {"userHomestayOrderDetail": None}, ascii(like)
        assert (await client.refused(documents.PAY, {"sn": like}))["code"] == "ORDER_NOT_FOUND"
        assert (await client.refused(documents.CANCEL, {"sn": like}))["code"] == "ORDER_NOT_FOUND"


async def test_a_number_that_is_none_finds_nothing(client: Client) -> None:
    await client.place()
    for sn in ("", "'", "x" * 60_000, "☃", "%", "\0"):
        assert await client.data(documents.DETAIL, {"sn": sn}) == {"userHomestayOrderDetail": None}, ascii(sn[:9])
        assert (await client.refused(documents.CANCEL, {"sn": sn}))["code"] == "ORDER_NOT_FOUND"
        assert (await client.refused(documents.PAY, {"sn": sn}))["code"] == "ORDER_NOT_FOUND"


async def test_the_check_in_code_is_nowhere_in_an_unpaid_order(
    settling: Settling, client: Client, payments: FakePayments
) -> None:
    sn = (await client.place())["sn"]
    before = (await client.post({"query": documents.FULL_DETAIL, "variables": {"sn": sn}})).text
    payments.pay(sn, PRICE)
    await settling.settle(sn)
    order = (await client.data(documents.DETAIL, {"sn": sn}))["userHomestayOrderDetail"]
    assert re.fullmatch("[0-9A-Z]{8}", order["tradeCode"])
    assert order["tradeCode"] not in before
