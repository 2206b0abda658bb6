"""Money is counted in whole fen and written in yuan; nothing on its way to a client is a float."""

import json
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.graph.sdl import print_sdl
from bff.graph.types import Money
from domain.money import MAX_FEN, Fen
from domain.order.settling import Settling
from tests.bff import documents
from tests.bff.client import Client
from tests.bff.documents import stay
from tests.bff.prices import PRICE_WITH_FOOD
from tests.fakes import FakePayments


@pytest.mark.parametrize(
    ("fen", "amount"),
    [(0, "0.00"), (1, "0.01"), (10, "0.10"), (100, "1.00"), (71800, "718.00"), (123456789, "1234567.89")],
)
def test_an_amount_is_written_in_yuan_to_the_fen(fen: int, amount: str) -> None:
    money = Money.of(Fen(fen))
    assert (money.amount_minor, money.currency, money.amount()) == (fen, "CNY", amount)


@given(st.integers(0, MAX_FEN))
def test_the_amount_written_is_the_amount_counted(fen: int) -> None:
    yuan, _, rest = Money.of(Fen(fen)).amount().partition(".")
    assert (len(rest), int(yuan) * 100 + int(rest)) == (2, fen)


def test_the_schema_has_no_floats() -> None:
    assert "Float" not in print_sdl()


async def test_no_answer_has_a_float_and_ids_are_texts(
    settling: Settling, client: Client, payments: FakePayments
) -> None:
    def refuse(text: str) -> NoReturn:
        raise AssertionError(f"a float: {text}")

    placed = await client.post({"query": documents.PLACE, "variables": {"input": stay(needFood=True)}})
    order = json.loads(placed.text, parse_float=refuse)["data"]["createHomestayOrder"]["order"]
    variables = {"sn": order["sn"]}
    opened = await client.post({"query": documents.PAY, "variables": variables})
    payments.pay(order["sn"], PRICE_WITH_FOOD)
    await settling.settle(order["sn"])
    detail = await client.post({"query": documents.FULL_DETAIL, "variables": variables})
    for response in (opened, detail):
        json.loads(response.text, parse_float=refuse)

    shown = detail.json()["data"]["userHomestayOrderDetail"]
    found = [shown["id"], shown["sn"], shown["homestayId"], shown["homestay"]["id"], shown["payment"]["sn"]]
    assert all(isinstance(each, str) for each in found)
    assert (shown["homestayId"], shown["homestay"]["homestayId"]) == ("1", 1)
