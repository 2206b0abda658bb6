"""The network to the other services breaks, in each of its ways: guests are told in time, and told the rest."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import pytest
import sqlalchemy as sa

from bff.app import create_app
from domain.columns import table_of
from domain.database import Database
from domain.order import payment_client, travel_client
from domain.order.payment_client import PaymentClient
from domain.order.pricing import Rules
from domain.order.room import OrderRoom, assemble
from domain.order.travel_client import TravelClient
from domain.payment import server as payment_server
from domain.travel import catalogue
from domain.travel import server as travel_server
from domain.travel.models import StoredHomestay
from proto import payment_pb2, travel_pb2
from tests.bff import documents
from tests.bff.client import Client, any_database
from tests.bff.documents import stay, stays
from tests.bff.edges import edge_of
from tests.bff.rows import owners
from tests.clock import FrozenClock
from tests.conftest import PAY_WINDOW, SHANGHAI
from tests.fakes import FakeTimer
from tests.order.strangers import Stranger, serving
from tests.servers.proxy import Mode, Proxy
from workers import bootstrap

pytestmark = any_database

# Seconds, from the figures that we promise.
READ_WITHIN: Final = 1.5
WRITE_WITHIN: Final = 2.5
RECOVERED_WITHIN: Final = 1.0
# What a busy machine adds. What has no deadline of its own takes as long as a request may, which is longer than that.
SLACK: Final = 5.0

DETAIL: Final = "query ($sn: ID!) { userHomestayOrderDetail(sn: $sn) { sn homestay { info } payment { status } } }"
# Guests at once, half of them with each of the two.
GUESTS: Final = 64
LIST: Final = "{ userHomestayOrderList { nodes { sn homestay { info } } } }"
# What nobody else is needed for; so many guests ask it at once, again and again, while others wait.
PLAIN: Final = "{ userHomestayOrderList { nodes { sn tradeState } } }"
OTHERS: Final = 8
FAULTS: Final = [mode for mode in Mode if mode is not Mode.GOOD]


@dataclass
class Broken:
    """A client of an edge with a stretch of network to each of the other services."""

    client: Client
    travel: Proxy
    payment: Proxy
    database: Database

    async def become(self, mode: Mode) -> None:
        await self.travel.become(mode)
        await self.payment.become(mode)

    async def timed(self, query: str, variables: dict[str, Any] | None = None) -> tuple[dict[str, Any], float]:
        started = time.monotonic()
        answer = await self.client.ask(query, variables)
        return answer, time.monotonic() - started


@pytest.fixture
async def broken(database: Database, clock: FrozenClock) -> AsyncIterator[Broken]:
    await catalogue.seed(database)
    # So long that at 1 kB/s it is not there in time.
    longer = sa.update(table_of(StoredHomestay)).values(info="A quiet yard. " * 200)
    await database.write(lambda connection: connection.execute(longer))
    travel = travel_server.server(database, host="127.0.0.1", port=0)
    payment = payment_server.server(database, lambda: None, clock, zone=SHANGHAI, host="127.0.0.1", port=0)
    async with AsyncExitStack() as stack:
        for server in (travel, payment):
            await server.start()
            stack.push_async_callback(server.stop, 0)
        to_travel, to_payment = [await stack.enter_async_context(Proxy(each.port)) for each in (travel, payment)]
        room: OrderRoom = assemble(
            database,
            clock,
            replace(Rules(zone=SHANGHAI, pay_window=PAY_WINDOW), max_unpaid=None),
            travel=TravelClient(
                await stack.enter_async_context(bootstrap.open_channel(to_travel.address, reads=travel_client.READS))
            ),
            payments=PaymentClient(
                await stack.enter_async_context(bootstrap.open_channel(to_payment.address, reads=payment_client.READS))
            ),
            timer=FakeTimer(),
        )
        client = Client(create_app(edge=edge_of(room), database=database))
        await stack.enter_async_context(client.http)
        yield Broken(client, to_travel, to_payment, database)


def codes(answer: dict[str, Any]) -> set[str]:
    return {error["extensions"]["code"] for error in answer.get("errors", ())}


async def recovered(broken: Broken, sn: str) -> float:
    """The seconds until an order is answered whole again."""
    started = time.monotonic()
    while codes((await broken.timed(DETAIL, {"sn": sn}))[0]):
        assert time.monotonic() - started < 10
        await asyncio.sleep(0.02)
    return time.monotonic() - started


async def unconcerned(broken: Broken) -> float:
    """The longest that guests wait for what needs no other service, while it is broken."""

    async def guest() -> float:
        longest = 0.0
        for _ in range(5):
            answer, took = await broken.timed(PLAIN)
            assert codes(answer) == set()
            longest = max(longest, took)
            await asyncio.sleep(0.05)
        return longest

    return max(await asyncio.gather(*(guest() for _ in range(OTHERS))))


@pytest.mark.parametrize("mode", FAULTS, ids=lambda mode: mode.name.lower())
async def test_reads_are_answered_without_it_nothing_is_ordered_and_it_is_soon_well_again(
    broken: Broken, mode: Mode, figures: list[str]
) -> None:
    wanted = stays(3)
    sn = (await broken.client.place(**wanted[0]))["sn"]
    assert codes((await broken.timed(DETAIL, {"sn": sn}))[0]) == set()
    before = await owners(broken.database)

    await broken.become(mode)
    reads = writes = others = 0.0
    # First those that find everything as it was, then those that come when it is known how things are.
    for _ in range(2):
        placing = asyncio.create_task(broken.timed(documents.PLACE, {"input": stay(**wanted[1])}))
        paying = asyncio.create_task(broken.timed(documents.PAY, {"sn": sn}))
        reading = [broken.timed(query, {"sn": sn}) for query in (DETAIL, LIST) for _ in range(GUESTS // 2)]
        reads_alone = asyncio.create_task(unconcerned(broken))
        for answer, took in await asyncio.gather(*reading):
            reads = max(reads, took)
            assert codes(answer) == {"UPSTREAM_UNAVAILABLE"}
            (data,) = answer["data"].values()
            order = data if "sn" in data else data["nodes"][0]
            assert (order["sn"], order["homestay"]) == (sn, None)
        others = max(others, await reads_alone)
        for answer, took in (await placing, await paying):
            writes = max(writes, took)
            (payload,) = answer["data"].values()
            told = [refusal["code"] for refusal in payload["userErrors"]]
            # What is short comes in time even at 1 kB/s: nothing keeps a guest from paying.
            assert told == ["UPSTREAM_UNAVAILABLE"] or (mode is Mode.TRICKLE and "payment" in payload)
    assert await owners(broken.database) == before

    await broken.become(Mode.GOOD)
    back = await recovered(broken, sn)
    await broken.client.place(**wanted[2])
    figure = f"reads {reads:.2f} s, writes {writes:.2f} s, reads without it {others:.2f} s at most"
    figures.append(f"network {mode.name.lower()}, {GUESTS} guests: {figure}; well again after {back:.2f} s")
    assert others < READ_WITHIN + SLACK
    assert reads < READ_WITHIN + SLACK
    assert writes < WRITE_WITHIN + SLACK
    assert back < RECOVERED_WITHIN + SLACK


@asynccontextmanager
async def among_strangers(
    database: Database, clock: FrozenClock, travel: Stranger, payment: Stranger
) -> AsyncIterator[Client]:
    """A client of an edge whose other services were written by somebody else."""
    async with serving(travel) as to_travel, serving(payment) as to_payment:
        room = assemble(
            database,
            clock,
            Rules(zone=SHANGHAI, pay_window=PAY_WINDOW),
            travel=TravelClient(to_travel),
            payments=PaymentClient(to_payment),
            timer=FakeTimer(),
        )
        client = Client(create_app(edge=edge_of(room), database=database))
        async with client.http:
            yield client


HUGE: Final = travel_pb2.HomestayDetailResp(homestay=travel_pb2.Homestay(id=1, info="x" * 5_000_000))
OTHER: Final = travel_pb2.HomestayDetailResp(homestay=travel_pb2.Homestay(id=2, peopleNum=4, rowState=1))
GOOD: Final = travel_pb2.HomestayDetailResp(
    homestay=travel_pb2.Homestay(id=1, peopleNum=4, rowState=1, homestayPrice=29_900)
)
NOT_MINE: Final = payment_pb2.GetPaymentByOrderSnResp(
    paymentDetail=payment_pb2.PaymentDetail(id=5, sn="PMT1", orderSn="HSO20260520120000SOMEBODY", payStatus=1)
)


@pytest.mark.parametrize("answer", [HUGE, OTHER], ids=["5 MB", "another homestay"])
async def test_an_answer_that_is_too_long_or_of_something_else_is_none(
    database: Database, clock: FrozenClock, answer: travel_pb2.HomestayDetailResp
) -> None:
    travel, payment = Stranger(homestayDetail=GOOD), Stranger(GetPaymentByOrderSn=NOT_MINE)
    wanted = stays(3)
    async with among_strangers(database, clock, travel, payment) as client:
        sn = (await client.place(**wanted[0]))["sn"]
        travel.answers["homestayDetail"] = answer
        started = time.monotonic()
        told = await client.ask(DETAIL, {"sn": sn})
        assert time.monotonic() - started < READ_WITHIN + SLACK
        # An order that waits for its money is not shown another order's.
        assert told["data"]["userHomestayOrderDetail"] == {"sn": sn, "homestay": None, "payment": None}
        assert codes(told) == {"UPSTREAM_UNAVAILABLE"}
        refusal = await client.refused(documents.PLACE, {"input": stay(**wanted[1])})
        assert refusal["code"] == "UPSTREAM_UNAVAILABLE"
        assert len(await owners(database)) == 1
        travel.answers["homestayDetail"] = GOOD
        await client.place(**wanted[2])
