"""Requests with one key that meet, and requests that nobody waits for: there is one order, and its key finds it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import httpx
import orjson
import pytest
import sqlalchemy as sa
from starlette.applications import Starlette

from bff.http.server import HttpServer
from domain.database import Database
from domain.mysql_driver import GuardedConnection
from tests.bff import documents
from tests.bff.client import ANN, Client, Json, guest
from tests.bff.documents import stay, stays
from tests.bff.rows import held, owners

KEY: Final = "8e03978e-40d5-43dd-bc93-6894a57f9324"
# More than a request that places an order has.
STATEMENTS: Final = 20
# Far more than there are connections to a database.
AT_ONCE: Final = 50


async def place(client: Client, wanted: Json) -> Json:
    payload: Json = (await client.data(documents.PLACE, {"input": wanted}))["createHomestayOrder"]
    return payload


async def place_all(client: Client, wanted: list[Json]) -> list[Json]:
    return await asyncio.gather(*(place(client, stay) for stay in wanted))


def codes(answer: Json) -> list[str]:
    """Why nothing was placed."""
    if "errors" in answer:
        return [error["extensions"]["code"] for error in answer["errors"]]
    errors = answer["data"]["createHomestayOrder"]["userErrors"]
    return [error["code"] for error in errors] or ["placed"]


async def test_of_fifty_requests_with_one_key_one_makes_an_order(client: Client, database: Database) -> None:
    payloads = await place_all(client, [stay(idempotencyKey=KEY)] * AT_ONCE)
    assert await owners(database) == [ANN]
    told = Counter(
        payload["userErrors"][0]["code"] if payload["userErrors"] else payload["replayed"] for payload in payloads
    )
    assert told[False] == 1
    assert set(told) <= {False, True, "IDEMPOTENCY_IN_PROGRESS"}
    assert len({payload["order"]["sn"] for payload in payloads if payload["order"]}) == 1
    # Whoever was told to wait finds it afterwards.
    assert (await place(client, stay(idempotencyKey=KEY)))["replayed"] is True


async def test_of_fifty_requests_for_the_same_nights_one_gets_them(client: Client, database: Database) -> None:
    answers = await asyncio.gather(
        *(client.ask(documents.PLACE, {"input": stay(idempotencyKey=f"{KEY} {number}")}) for number in range(AT_ONCE))
    )
    told = Counter(code for answer in answers for code in codes(answer))
    assert told.pop("placed") == 1
    # On a busy machine some find no connection in time, and are told that, too.
    assert (
        {"DATES_UNAVAILABLE"} <= set(told) <= {"DATES_UNAVAILABLE", "UPSTREAM_UNAVAILABLE", "IDEMPOTENCY_IN_PROGRESS"}
    )
    assert told.total() == AT_ONCE - 1
    assert await owners(database) == [ANN]
    assert await held(database) == 2


async def test_a_request_that_is_given_up_at_any_moment_leaves_what_its_key_finds(
    app: Starlette, database: Database
) -> None:
    # With this one, who gives up asking cancels the work: a server does so at its end.
    client = Client(app, httpx.ASGITransport(app))
    made: list[bool] = []
    for number, nights in enumerate(stays(STATEMENTS), start=1):
        wanted = {**nights, "idempotencyKey": f"{KEY} {number}"}
        if not await given_up(client, database, wanted, at=number):
            break
        payload = await place(client, wanted)
        assert payload["userErrors"] == []
        made.append(payload["replayed"])
        assert await place(client, wanted) == {**payload, "replayed": True}
        assert (await client.data(documents.DETAIL, {"sn": payload["order"]["sn"]})) == {
            "userHomestayOrderDetail": payload["order"]
        }
        assert await owners(database) == [ANN] * number
        assert await held(database) == 2 * number
    # Given up early it made nothing, given up late it made the order all the same.
    assert made == sorted(made)
    assert {False, True} == set(made)


async def given_up(client: Client, database: Database, wanted: Json, *, at: int) -> bool:
    """Gives a request up as it asks the database for the time of this number; False where it asked less often."""
    ran = 0
    request = asyncio.create_task(place(client, wanted))

    def count() -> None:
        nonlocal ran
        ran += 1
        if ran == at:
            request.cancel()

    with counting(database, count):
        try:
            await request
        except asyncio.CancelledError:
            return True
    return False


@contextmanager
def counting(database: Database, count: Callable[[], None]) -> Iterator[None]:
    """Calls this before each statement, and on MySQL before whatever else is sent: not all of it is SQLAlchemy's."""
    engine = database.engine.sync_engine
    if engine.dialect.name != "mysql":

        def listener(*_: object) -> None:
            count()

        sa.event.listen(engine, "before_cursor_execute", listener)
        yield
        sa.event.remove(engine, "before_cursor_execute", listener)
        return
    sound = GuardedConnection._execute_command

    async def send(connection: GuardedConnection, command: int, sql: str | bytes) -> None:
        count()
        await sound(connection, command, sql)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GuardedConnection, "_execute_command", send)
        yield


@pytest.fixture
async def address(app: Starlette) -> AsyncIterator[tuple[str, int]]:
    """The edge on a port of its own."""
    server = HttpServer(app, host="127.0.0.1", port=0)
    await server.start()
    yield "127.0.0.1", server.port
    await server.stop()


async def hang_up(address: tuple[str, int], wanted: Json, *, after: float) -> None:
    """Sends a request and waits for no answer."""
    _, writer = await asyncio.open_connection(*address)
    body = orjson.dumps({"query": documents.PLACE, "variables": {"input": wanted}})
    headers = {"Host": "test", "Content-Type": "application/json", "Content-Length": str(len(body)), **guest(ANN)}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(f"POST /graphql HTTP/1.1\r\n{lines}\r\n".encode() + body)
    await writer.drain()
    await asyncio.sleep(after)
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def test_a_client_that_hangs_up_finds_its_order(address: tuple[str, int], database: Database) -> None:
    async with httpx.AsyncClient(base_url="http://{}:{}".format(*address), headers=guest(ANN)) as http:
        for number, nights in enumerate(stays(6), start=1):
            wanted = {**nights, "idempotencyKey": f"{KEY} {number}"}
            await hang_up(address, wanted, after=number * 0.003)
            answer = await http.post("/graphql", json={"query": documents.PLACE, "variables": {"input": wanted}})
            payload = answer.json()["data"]["createHomestayOrder"]
            assert payload["userErrors"] == []
            again = await http.post("/graphql", json={"query": documents.PLACE, "variables": {"input": wanted}})
            assert again.json()["data"]["createHomestayOrder"] == {**payload, "replayed": True}
            assert await owners(database) == [ANN] * number
            assert await held(database) == 2 * number
