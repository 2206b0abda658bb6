"""What a guest may ask for in a minute, and what an operation cost."""

import httpx
import pytest

from bff.app import create_app
from bff.limits.allowance import Allowance
from domain.database import Database
from domain.order.room import OrderRoom
from tests.bff.client import ANN, BOB, Client, any_database
from tests.bff.edges import edge_of

LIST = "{ userHomestayOrderList(first: 10) { nodes { sn title } } }"


class Watch:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_fills_evenly() -> None:
    watch = Watch()
    allowance = Allowance(600, watch)
    assert allowance.left(ANN) == 600
    assert allowance.spend(ANN, 600) == 0
    assert allowance.left(ANN) == 0
    assert allowance.spend(ANN, 100) == 10
    # What is refused costs nothing, and another guest has another bucket.
    assert allowance.spend(BOB, 600) == 0
    watch.now += 10
    assert allowance.left(ANN) == 100
    assert allowance.spend(ANN, 101) == 1
    assert allowance.spend(ANN, 100) == 0
    watch.now += 3600
    assert allowance.left(ANN) == 600
    assert allowance.spend(ANN, 601) > 0


def test_guests_whose_buckets_are_full_are_forgotten() -> None:
    watch = Watch()
    allowance = Allowance(600, watch)
    for guest in range(1000):
        allowance.spend(guest, 1)
    watch.now += 61
    allowance.spend(ANN, 1)
    assert len(allowance) == 1


def test_none_is_no_limit() -> None:
    allowance = Allowance(0)
    assert allowance.spend(ANN, 10**9) == 0
    assert len(allowance) == 0


@any_database
async def test_who_asks_for_too_much_is_told_when_to_come_back(room: OrderRoom, database: Database) -> None:
    client = Client(create_app(edge=edge_of(room, per_minute=100), database=database))
    async with client.http:
        asked = [await client.ask(LIST) for _ in range(5)]
        refused = [answer["errors"][0] for answer in asked if "errors" in answer]
        assert asked[0] == {"data": {"userHomestayOrderList": {"nodes": []}}}
        assert refused
        assert refused[-1]["extensions"]["code"] == "RATE_LIMITED"
        assert 0 < refused[-1]["extensions"]["retryAfter"] <= 60
        newer = await client.post({"query": LIST}, headers={"Accept": "application/graphql-response+json"})
        assert newer.status_code == httpx.codes.TOO_MANY_REQUESTS
        assert newer.headers["Retry-After"] == str(newer.json()["errors"][0]["extensions"]["retryAfter"])
        assert "errors" not in await client.ask(LIST, user=BOB)


@any_database
@pytest.mark.parametrize("asked", [True, False])
async def test_the_cost_is_told_on_demand(room: OrderRoom, database: Database, asked: bool) -> None:  # noqa: FBT001
    client = Client(create_app(edge=edge_of(room, per_minute=1000), database=database))
    async with client.http:
        answer = (await client.post({"query": LIST, "extensions": {"cost": asked}})).json()
    if not asked:
        assert "extensions" not in answer
        return
    cost = answer["extensions"]["cost"]
    assert cost == {
        "depth": 3,
        "rootFields": 1,
        "aliases": 0,
        "directives": 0,
        "fields": 4,
        "values": 31,
        "perMinute": 1000,
        "left": 969,
    }
