"""What a request wants of another service is asked for together, but never by everybody at once."""

import asyncio

import pytest

from bff import ids
from domain.order.ports import Homestay
from domain.order.service import Orders
from tests.bff import documents
from tests.bff.client import ANN, Client, any_database
from tests.factories import create_homestay, create_stay
from tests.fakes import FakeTravel


class SlowTravel(FakeTravel):
    """Takes its time over each question, and remembers how many it had before it at most."""

    waiting = 0
    most = 0

    async def homestay(self, homestay_id: int) -> Homestay | None:
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        await asyncio.sleep(0.005)
        self.waiting -= 1
        return await super().homestay(homestay_id)


@pytest.fixture
def travel() -> SlowTravel:
    return SlowTravel({number: create_homestay(id=number) for number in range(1, 41)})


@any_database
async def test_the_homestays_of_a_list(client: Client, orders: Orders, travel: SlowTravel) -> None:
    for number in travel.homestays:
        await orders.create(ANN, create_stay(homestay_id=number))
    data = await client.data("{ userHomestayOrderList(first: 40) { nodes { homestay { title } } } }")
    assert len(data["userHomestayOrderList"]["nodes"]) == 40
    assert 2 <= travel.most <= 16


@any_database
async def test_the_homestays_of_many_nodes(client: Client, travel: SlowTravel) -> None:
    asked = [ids.global_id(ids.HOMESTAY, number) for number in travel.homestays]
    data = await client.data(documents.NODES, {"ids": asked})
    assert [node["id"] for node in data["nodes"]] == asked
    assert 2 <= travel.most <= 16
