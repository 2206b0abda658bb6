"""graphql-transport-ws: who may connect, and what a connection answers to what is no message."""

import asyncio
import json
import socket as socketlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from websockets.exceptions import ConnectionClosed, InvalidStatus

from bff.app import create_app
from bff.http.request_body import MAX_BODY
from bff.http.server import HttpServer
from domain.database import Database
from domain.order.room import OrderRoom
from tests.bff.client import Client, any_database
from tests.bff.documents import CANCEL
from tests.bff.edges import edge_of
from tests.bff.streams import FOLLOW, Socket, socket_to, token

pytestmark = any_database


@pytest.fixture
async def open_to_one(room: OrderRoom, database: Database) -> AsyncIterator[int]:
    """The port of an edge that pages of one other site may use."""
    app = create_app(edge=edge_of(room, origins=["https://app.example"]), database=database)
    server = HttpServer(app, host="127.0.0.1", port=0)
    await server.start()
    yield server.port
    await server.stop()


async def test_no_page_of_another_site_may_connect(open_to_one: int) -> None:
    for other in ("https://evil.example", "null", "https://app.example.evil.example", "http://app.example"):
        with pytest.raises(InvalidStatus) as refused:
            async with socket_to(open_to_one, origin=other):
                pass
        assert refused.value.response.status_code == 403
    fine: tuple[str | None, ...] = (None, "https://app.example", f"http://127.0.0.1:{open_to_one}")
    for origin in fine:
        async with socket_to(open_to_one, origin=origin) as socket:
            await socket.init()


async def test_another_protocol_is_not_spoken(served: int) -> None:
    async with socket_to(served, protocol="graphql-ws") as socket:
        assert (await socket.closed())[0] == 4406


@pytest.mark.parametrize("said", ["Bearer nonsense", "nonsense", "Bearer é"])
async def test_a_bad_token_is_turned_away(served: int, said: str) -> None:
    async with socket_to(served) as socket:
        await socket.send(type="connection_init", payload={"Authorization": said})
        assert (await socket.closed())[0] == 4403


@pytest.mark.parametrize("name", ["Authorization", "authorization", "AUTHORIZATION"])
async def test_the_first_message_says_who_asks(client: Client, served: int, name: str) -> None:
    sn = (await client.place())["sn"]
    async with socket_to(served) as socket:
        await socket.send(type="connection_init", payload={name: token()})
        assert (await socket.receive())["type"] == "connection_ack"
        await socket.subscribe(sn=sn)
        assert (await socket.data())["sn"] == sn


async def test_so_does_the_header_of_the_handshake(client: Client, served: int) -> None:
    sn = (await client.place())["sn"]
    async with socket_to(served, Authorization=token()) as socket:
        await socket.init()
        await socket.subscribe(sn=sn)
        assert (await socket.data())["sn"] == sn


async def test_who_does_not_say_may_ask_about_the_schema_and_nothing_else(served: int) -> None:
    async with socket_to(served) as socket:
        await socket.init()
        await socket.subscribe("{ __schema { queryType { name } } }")
        assert await socket.data() == {"queryType": {"name": "Query"}}
        assert (await socket.receive())["type"] == "complete"
        for query in (FOLLOW, "query ($sn: ID!) { userHomestayOrderDetail(sn: $sn) { sn } }", CANCEL):
            await socket.subscribe(query, sn="1")
            assert (await socket.error())["extensions"]["code"] == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("no json", 4400),
        (b"bytes", 4400),
        ("null", 4400),
        ("[]", 4400),
        ("5", 4400),
        ("{}", 4400),
        ('{"type": "unheard of"}', 4400),
        ('{"type": 5}', 4400),
        ('{"type": "subscribe"}', 4400),
        ('{"type": "subscribe", "id": "1"}', 4400),
        ('{"type": "subscribe", "id": 1, "payload": {"query": "{ __typename }"}}', 4400),
        ('{"type": "subscribe", "id": "", "payload": {"query": "{ __typename }"}}', 4400),
        ('{"type": "subscribe", "id": "1", "payload": "x"}', 4400),
        ('{"type": "subscribe", "id": "1", "payload": {"query": 5}}', 4400),
        ('{"type": "subscribe", "id": "1", "payload": {"query": "{ x }", "variables": []}}', 4400),
        ('{"type": "subscribe", "id": "1", "payload": {"query": "{ x }", "extensions": "x"}}', 4400),
        ('{"type": "complete"}', 4400),
        ('{"type": "connection_init"}', 4429),
        ("[" * 30_000, 4400),
        ("1" * 5_000, 4400),
        (json.dumps({"type": "ping", "payload": "x" * MAX_BODY}), 1009),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_what_is_no_message_closes_the_connection(
    served: int, message: str | bytes, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with socket_to(served) as socket:
        await socket.init()
        await socket.connection.send(message)
        assert (await socket.closed())[0] == code
    assert "Traceback" not in caplog.text
    async with socket_to(served) as socket:
        await socket.init()


async def test_nothing_is_begun_before_the_first_message(served: int) -> None:
    async with socket_to(served) as socket:
        await socket.subscribe("{ __typename }")
        assert (await socket.closed())[0] == 4401


async def test_one_id_stands_for_one_operation_at_a_time(client: Client, served: int) -> None:
    sn = (await client.place())["sn"]
    async with socket_to(served) as socket:
        await socket.init(token())
        await socket.subscribe(sn=sn)
        await socket.data()
        await socket.send(type="complete", id="1")
        await socket.subscribe(sn=sn)
        await socket.data()
        await socket.subscribe(sn=sn)
        assert (await socket.closed())[0] == 4409


async def test_a_connection_has_so_many_operations_at_once(
    client: Client, served: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bff.http.websocket.MAX_OPERATIONS", 2)
    sn = (await client.place())["sn"]
    async with socket_to(served) as socket:
        await socket.init(token())
        for name in ("1", "2"):
            await socket.subscribe(id=name, sn=sn)
            await socket.data()
        await socket.subscribe(id="3", sn=sn)
        assert (await socket.error())["extensions"]["code"] == "RATE_LIMITED"
        await socket.send(type="ping")
        assert (await socket.receive())["type"] == "pong"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ colour }", "GRAPHQL_VALIDATION_FAILED"),
        ("", "BAD_REQUEST"),
        ("query A { __typename } query B { __typename }", "OPERATION_RESOLUTION_FAILURE"),
        ("{ " + "a: __typename " * 16 + "}", "OPERATION_TOO_COMPLEX"),
        (
            "subscription { a: homestayOrderChanged(sn: 1) { sn } b: homestayOrderChanged(sn: 1) { sn } }",
            "GRAPHQL_VALIDATION_FAILED",
        ),
    ],
)
async def test_errors_look_as_they_do_over_http(served: int, query: str, code: str) -> None:
    async with socket_to(served) as socket:
        await socket.init(token())
        await socket.subscribe(query)
        error = await socket.error()
        assert error["message"]
        assert error["extensions"]["code"] == code
        assert error["extensions"]["requestId"]


async def test_who_says_nothing_is_sent_away(app: Starlette, monkeypatch: pytest.MonkeyPatch) -> None:
    (endpoint,) = {route.endpoint for route in app.routes if isinstance(route, WebSocketRoute)}
    monkeypatch.setattr(endpoint, "connection_init_wait_timeout", timedelta(seconds=0.1))
    server = HttpServer(app, host="127.0.0.1", port=0)
    await server.start()
    async with socket_to(server.port) as socket:
        assert (await socket.closed())[0] == 4408
    await server.stop()


@pytest.mark.skipif(not hasattr(socketlib, "TCP_USER_TIMEOUT"), reason="only Linux ends such connections")
async def test_who_does_not_read_is_cut_off(app: Starlette, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bff.http.listener.SLOWEST", 1.0)
    server = HttpServer(app, host="127.0.0.1", port=0)
    await server.start()
    async with socket_to(server.port) as socket:
        await socket.init()
        before = len(asyncio.all_tasks())
        socket.connection.transport.pause_reading()
        await flood(socket)
        async with asyncio.timeout(20):
            # That of this connection is gone, too.
            while len(asyncio.all_tasks()) >= before:  # noqa: ASYNC110 -- nobody tells when they are gone
                await asyncio.sleep(0.05)
        socket.connection.transport.abort()
    await server.stop()


async def flood(socket: Socket) -> None:
    """Asks for far more than the buffers between client and server hold."""
    query = "{ __schema { types { name description fields { name description type { name kind } } } } }"
    for count in range(1000):
        message: dict[str, Any] = {"type": "subscribe", "id": str(count), "payload": {"query": query}}
        try:
            async with asyncio.timeout(0.5):
                await socket.connection.send(json.dumps(message))
        except (TimeoutError, ConnectionClosed):
            return
        await asyncio.sleep(0)
