"""A database that can't be asked is named to whoever runs the server, and to nobody else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import httpx
import pytest
from structlog.testing import capture_logs

from bff.app import create_app
from domain.database import Database
from domain.engine import create_engine
from domain.order.pricing import Rules
from domain.order.room import assemble
from tests.bff import documents
from tests.bff.client import Client
from tests.bff.documents import stay
from tests.bff.edges import edge_of
from tests.clock import FrozenClock
from tests.conftest import PAY_WINDOW, SHANGHAI
from tests.fakes import FakePayments, FakeTimer, FakeTravel
from tests.servers import free_port

WANTED: Final = {"homestayId": "1", "from": "2026-06-01", "to": "2026-06-03", "people": 2}


@asynccontextmanager
async def edge_over(port: int, clock: FrozenClock, timer: FakeTimer) -> AsyncIterator[Client]:
    """A client of an edge whose database should be at this port, and is not."""
    database = Database(create_engine(f"mysql+aiomysql://guest:secret@127.0.0.1:{port}/homestay"))
    rules, payments = Rules(zone=SHANGHAI, pay_window=PAY_WINDOW), FakePayments()
    room = assemble(database, clock, rules, travel=FakeTravel(), payments=payments, timer=timer)
    client = Client(create_app(edge=edge_of(room), database=database))
    async with client.http:
        yield client
    await database.close()


@pytest.fixture
async def silent_port() -> AsyncIterator[int]:
    """A port that takes calls and says nothing."""

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


async def test_not_ready_but_alive(clock: FrozenClock, timer: FakeTimer) -> None:
    async with edge_over(free_port(), clock, timer) as client:
        response = await client.http.get("/readyz")
        assert is_not_ready(response) == "OperationalError (2003)"
        assert (await client.http.get("/livez")).status_code == 200


async def test_not_ready_in_time_though_the_database_says_nothing(
    clock: FrozenClock, timer: FakeTimer, silent_port: int
) -> None:
    async with edge_over(silent_port, clock, timer) as client, asyncio.timeout(4):
        response = await client.http.get("/readyz")
    assert is_not_ready(response) == "no answer in 2 s"


def is_not_ready(response: httpx.Response) -> str:
    """The reason."""
    assert response.status_code == 503
    told = response.json()
    reason = str(told["reasons"]["database"])
    assert told == {"ready": False, "missing": ["database"], "reasons": {"database": reason}}
    return reason


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        (documents.LIST, {}),
        (documents.DETAIL, {"sn": "none"}),
        (documents.CALENDAR, {name: WANTED[name] for name in ("homestayId", "from", "to")}),
        (documents.PLACE, {"input": stay()}),
        (documents.PLACE, {"input": stay(idempotencyKey="a key")}),
        (documents.CANCEL, {"sn": "none"}),
        (documents.PAY, {"sn": "none"}),
    ],
    ids=["list", "detail", "calendar", "place", "place with a key", "cancel", "pay"],
)
async def test_guests_are_told_nothing_of_it(
    clock: FrozenClock, timer: FakeTimer, query: str, variables: dict[str, object]
) -> None:
    port = free_port()
    async with edge_over(port, clock, timer) as client:
        with capture_logs() as logs:
            response = await client.post({"query": query, "variables": variables})
    # Of mutations too: a refusal would say that nothing was changed, and whether a commit was made is not known.
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] == "UPSTREAM_UNAVAILABLE"
    assert error["path"]
    assert not any(word in response.text for word in (str(port), "guest", "secret", "SQL", "SELECT"))
    assert [(each["log_level"], "exc_info" in each) for each in logs] == [("warning", False)]
    assert timer.set == []


async def test_what_needs_no_database_is_answered(clock: FrozenClock, timer: FakeTimer) -> None:
    async with edge_over(free_port(), clock, timer) as client:
        assert (await client.data(documents.HOMESTAY_BY_ID, {"id": "1"}))["homestay"]["title"] == "Courtyard House"
        assert (await client.data(documents.QUOTE, WANTED))["homestayQuote"]["orderTotalPrice"]["amount"] == "598.00"
