"""Nobody may take too much of what is free; who does is told when there will be some again."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import pytest

from domain.database import Database
from domain.errors import RateLimited
from domain.order.pricing import Rules
from domain.order.room import OrderRoom, assemble
from domain.order.service import Orders
from tests.bff import documents
from tests.bff.client import ANN, BOB, Client
from tests.bff.documents import stay, stays
from tests.bff.rows import held, owners
from tests.clock import FrozenClock
from tests.conftest import PAY_WINDOW, SHANGHAI
from tests.fakes import FakePayments, FakeTimer, FakeTravel

MAX_UNPAID: Final = 2


@dataclass
class Attempts:
    """Admits every guest until the test says otherwise; remembers who came."""

    came: list[int] = field(default_factory=list)
    closed_for: int | None = None

    async def admit(self, user_id: int) -> None:
        self.came.append(user_id)
        if self.closed_for is not None:
            raise RateLimited("Too many orders in one minute.", retry_after=self.closed_for)


@pytest.fixture
def attempts() -> Attempts:
    return Attempts()


@pytest.fixture
def room(
    database: Database,
    clock: FrozenClock,
    travel: FakeTravel,
    payments: FakePayments,
    timer: FakeTimer,
    attempts: Attempts,
) -> OrderRoom:
    rules = Rules(zone=SHANGHAI, pay_window=PAY_WINDOW, max_unpaid=MAX_UNPAID)
    return assemble(database, clock, rules, travel=travel, payments=payments, timer=timer, fair_use=attempts)


async def test_of_fifty_requests_with_one_key_at_once_one_is_an_attempt(client: Client, attempts: Attempts) -> None:
    wanted = stay(idempotencyKey="a tap that came often")
    answers = await asyncio.gather(*(client.data(documents.PLACE, {"input": wanted}) for _ in range(50)))
    payloads = [answer["createHomestayOrder"] for answer in answers]
    assert Counter(payload["replayed"] for payload in payloads) == {False: 1, True: 49}
    assert len({payload["order"]["sn"] for payload in payloads}) == 1
    assert attempts.came == [ANN]


async def test_a_guest_has_only_so_many_unpaid_orders(
    client: Client, database: Database, orders: Orders, clock: FrozenClock
) -> None:
    *wanted, another = stays(MAX_UNPAID + 1)
    placed = [await client.place(**each) for each in wanted]
    clock.advance(timedelta(minutes=1))
    refused = await client.refused(documents.PLACE, {"input": another})
    assert refused == {
        "__typename": "RateLimitedError",
        "code": "RATE_LIMITED",
        "field": None,
        "message": "At most 2 orders may wait for their payment: pay one, or give one up.",
        "retryAfter": 19 * 60,
    }
    assert await held(database) == 2 * MAX_UNPAID
    await client.place(BOB, **another)
    # One that is given up makes room for the next.
    await orders.cancel(ANN, placed[0]["sn"])
    await client.place(**wanted[0])
    assert sorted(await owners(database)) == [ANN, ANN, ANN, BOB]


async def test_who_tries_too_often_is_told_when_to_try_again(
    client: Client, database: Database, travel: FakeTravel, attempts: Attempts
) -> None:
    attempts.closed_for = 42
    refused = await client.refused(documents.PLACE, {"input": stay()})
    assert refused == {
        "__typename": "RateLimitedError",
        "code": "RATE_LIMITED",
        "field": None,
        "message": "Too many orders in one minute.",
        "retryAfter": 42,
    }
    assert attempts.came == [ANN]
    assert (await owners(database), travel.asked) == ([], [])


async def test_an_order_that_is_there_is_answered_again_whatever_the_limits(client: Client, attempts: Attempts) -> None:
    wanted = [{**each, "idempotencyKey": each["liveStartDate"]} for each in stays(MAX_UNPAID)]
    placed = [await client.place(**each) for each in wanted]
    attempts.closed_for = 42
    for each, order in zip(wanted, placed, strict=True):
        payload = (await client.data(documents.PLACE, {"input": each}))["createHomestayOrder"]
        assert payload == {"order": order, "replayed": True, "userErrors": []}


async def test_reading_and_giving_up_are_free(client: Client, attempts: Attempts) -> None:
    sn = (await client.place())["sn"]
    attempts.closed_for = 42
    await client.data(documents.LIST)
    await client.data(documents.DETAIL, {"sn": sn})
    await client.data(documents.CALENDAR, {"homestayId": "1", "from": "2026-06-01", "to": "2026-06-03"})
    await client.data(documents.PAY, {"sn": sn})
    await client.data(documents.CANCEL, {"sn": sn})
    assert attempts.came == [ANN]
