"""What every answer carries: headers that bind browsers, an id, and a form for what nobody expected."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, TypeAlias

import httpx
import pytest
import structlog
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Message, Scope
from starlette.websockets import WebSocket
from structlog.testing import capture_logs

from bff import explorer
from bff.app import create_app
from bff.http import guards
from bff.http.security_headers import ALWAYS, PRODUCTION
from domain.database import Database
from domain.order.room import OrderRoom
from tests.bff import documents
from tests.bff.client import Client, any_database, guest
from tests.bff.edges import edge_of

NOTHING: Final[Message] = {"type": "http.request", "body": b""}
SHOP: Final = "https://shop.example"
ASK: Final = {"query": "{ __typename }"}

Edge: TypeAlias = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
def edge(room: OrderRoom, database: Database) -> Edge:
    """The product, as a test sets it."""

    @asynccontextmanager
    async def opened(**settings: Any) -> AsyncIterator[Client]:
        routes = explorer.routes(endpoint="/graphql", tabs=list, token=None)
        app = create_app(edge=edge_of(room), database=database, explorer_routes=routes, **settings)
        made = Client(app)
        async with made.http:
            yield made

    return opened


async def answers(client: Client) -> list[httpx.Response]:
    """One of each kind."""
    http = client.http
    return [
        await http.post("/graphql", json=ASK),
        await http.post("/graphql", json={"query": "{ userHomestayOrderList { totalCount } }"}),
        await http.post("/graphql", content=b"no request", headers={"Content-Type": "application/json"}),
        await http.post("/graphql", content=b"x" * 70_000, headers={"Content-Type": "application/json"}),
        await http.get("/graphql"),
        await http.options("/graphql"),
        await http.get("/nowhere"),
        await http.post("/graphql/", json=ASK),
        await http.post("/livez"),
        await http.get("/livez"),
        await http.get("/readyz"),
    ]


@any_database
async def test_every_answer_binds_browsers(edge: Edge) -> None:
    async with edge() as client:
        for answer in await answers(client):
            for name, value in ALWAYS.items():
                assert answer.headers.get_list(name) == [value], (answer.url, name)
            assert "Strict-Transport-Security" not in answer.headers
            assert len(answer.headers.get_list("X-Request-Id")) == 1


@any_database
async def test_only_production_asks_for_tls_from_now_on(edge: Edge) -> None:
    async with edge(production=True) as client:
        for answer in await answers(client):
            assert answer.headers["Strict-Transport-Security"] == PRODUCTION["Strict-Transport-Security"]


@any_database
async def test_a_page_of_ours_keeps_its_own_policy(edge: Edge) -> None:
    async with edge(production=True) as client:
        answer = await client.http.get("/graphiql")
        for name in ALWAYS:
            assert len(answer.headers.get_list(name, split_commas=False)) == 1
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Strict-Transport-Security"]


# CORS


async def preflight(client: Client, origin: str, *headers: str, method: str = "POST") -> httpx.Response:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": ",".join(headers),
    }
    return await client.http.options("/graphql", headers=asked)


SENT: Final = (
    "authorization",
    "content-type",
    "graphql-require-preflight",
    "apollo-require-preflight",
    "x-apollo-operation-name",
    "idempotency-key",
    "x-request-id",
    "traceparent",
)


@any_database
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_page_of_a_listed_origin_may_ask(edge: Edge, method: str) -> None:
    async with edge(origins=("https://other.example", SHOP)) as client:
        asked = await preflight(client, SHOP, *SENT, method=method)
        assert asked.status_code == 200
        assert asked.headers["Access-Control-Allow-Origin"] == SHOP
        assert asked.headers["X-Request-Id"]
        assert asked.headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Credentials" not in asked.headers
        answer = await client.post(ASK, headers={"Origin": SHOP, "X-Request-Id": "of-the-page"})
        assert answer.headers["Access-Control-Allow-Origin"] == SHOP
        assert answer.headers["Access-Control-Expose-Headers"] == "X-Request-Id, Retry-After"
        assert answer.headers["X-Request-Id"] == "of-the-page"
        assert "Origin" in answer.headers["Vary"]
        assert "Access-Control-Allow-Credentials" not in answer.headers


@any_database
@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "http://shop.example", f"{SHOP}.evil.example", f"{SHOP}:8443", "null", SHOP.upper(), "*"],
)
async def test_a_page_of_another_origin_reads_nothing(edge: Edge, origin: str) -> None:
    async with edge(origins=(SHOP,)) as client:
        asked = await preflight(client, origin, "content-type")
        assert asked.status_code == 400
        assert "Access-Control-Allow-Origin" not in asked.headers
        answer = await client.post(ASK, headers={"Origin": origin})
        assert "Access-Control-Allow-Origin" not in answer.headers


@any_database
@pytest.mark.parametrize(("method", "header"), [("DELETE", "content-type"), ("PUT", "content-type"), ("POST", "x-any")])
async def test_a_listed_origin_may_not_do_everything(edge: Edge, method: str, header: str) -> None:
    async with edge(origins=(SHOP,)) as client:
        assert (await preflight(client, SHOP, header, method=method)).status_code == 400


@any_database
async def test_every_page_may_ask_where_everybody_may_and_with_no_cookie(edge: Edge) -> None:
    async with edge(origins=("*",)) as client:
        answer = await client.post(ASK, headers={"Origin": SHOP, "Cookie": "session=1"})
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in answer.headers


@any_database
async def test_no_page_may_ask_where_none_is_listed(edge: Edge) -> None:
    async with edge() as client:
        assert (await preflight(client, SHOP, "content-type")).status_code == 405
        answer = await client.post(ASK, headers={"Origin": SHOP})
        assert [name for name in answer.headers if name.startswith("access-control")] == []


# Compression


@any_database
async def test_a_long_answer_is_packed_for_those_who_can_unpack_it(edge: Edge) -> None:
    async with edge() as client:
        await client.place_several(5)
        body = {"query": f"{{ userHomestayOrderList {{ nodes {{ {documents.ORDER} }} }} }}"}
        packed = await client.http.post("/graphql", json=body, headers={"Accept-Encoding": "br, gzip", **guest(7)})
        plain = await client.http.post("/graphql", json=body, headers={"Accept-Encoding": "identity", **guest(7)})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert packed.content == plain.content
    assert int(packed.headers["Content-Length"]) < len(plain.content) / 3
    for answer in (packed, plain):
        assert "Accept-Encoding" in answer.headers["Vary"]


@any_database
async def test_a_short_answer_goes_as_it_is(edge: Edge) -> None:
    async with edge() as client:
        answer = await client.post(ASK, headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in answer.headers


def around(*routes: BaseRoute) -> Starlette:
    return Starlette(routes=routes, middleware=guards.around_all(origins=(SHOP,), production=False))


async def test_what_is_packed_already_is_not_packed_again() -> None:
    async def stored(_: Request) -> Response:
        return PlainTextResponse(gzip.compress(bytes(9000)), headers={"Content-Encoding": "gzip"})

    app = around(Route("/", stored, middleware=guards.around_graphql()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        assert (await http.get("/", headers={"Accept-Encoding": "gzip"})).content == bytes(9000)


async def passed(app: Starlette, incoming: Message = NOTHING, **scope: Any) -> list[Message]:
    """The messages of an answer, one by one as they are sent."""
    sent: list[Message] = []

    coming = [incoming]

    async def receive() -> Message:
        if not coming:
            await asyncio.Event().wait()
        return coming.pop()

    async def send(message: Message) -> None:
        sent.append(message)

    asked: Scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b"", **scope}
    await app(asked, receive, send)
    return sent


async def test_an_event_is_not_held_back() -> None:
    async def events() -> AsyncIterator[bytes]:
        for number in range(3):
            yield b"data: %d\n\n" % number + b":" * 2000

    async def stream(_: Request) -> Response:
        return StreamingResponse(events(), media_type="text/event-stream")

    app = around(Route("/", stream, middleware=guards.around_graphql()))
    start, *bodies = await passed(app, headers=[(b"accept-encoding", b"gzip")])
    assert b"content-encoding" not in dict(start["headers"])
    assert [body["body"][:7] for body in bodies] == [b"data: 0", b"data: 1", b"data: 2", b""]


# What nobody expected


async def broken(_: Request) -> Response:
    raise RuntimeError("secret")


async def test_a_bug_beside_all_resolvers_is_masked_and_logged_once() -> None:
    app = around(Route("/", broken))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
            answer = await http.get("/", headers={"X-Request-Id": "the-same", "Origin": SHOP})
    assert answer.status_code == 500
    assert answer.json()["errors"][0]["extensions"] == {"code": "INTERNAL_SERVER_ERROR", "requestId": "the-same"}
    assert "secret" not in answer.text
    assert answer.headers["X-Request-Id"] == "the-same"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Access-Control-Allow-Origin"] == SHOP
    (logged,) = logs
    assert (logged["log_level"], logged["request_id"], logged["path"]) == ("error", "the-same", "/")


async def test_half_an_answer_gets_no_second_beginning() -> None:
    async def half() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError("secret")

    async def stream(_: Request) -> Response:
        return StreamingResponse(half())

    with capture_logs() as logs:
        sent = await passed(around(Route("/", stream)))
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert len(logs) == 1


async def test_a_client_that_goes_away_is_nobodys_bug() -> None:
    async def read(_: Request) -> Response:
        raise ClientDisconnect

    with capture_logs() as logs:
        assert await passed(around(Route("/", read))) == []
    assert logs == []


# WebSockets


async def let_in(socket: WebSocket) -> None:
    await socket.accept(headers=[(b"x-more", b"1")])
    await socket.send_text(str(socket.scope["state"]["request_id"]))
    await socket.close()


async def let_in_plainly(socket: WebSocket) -> None:
    await socket.send({"type": "websocket.accept"})
    await socket.close()


async def turn_away(socket: WebSocket) -> None:
    await socket.send_denial_response(PlainTextResponse("no", 403))


async def greeted(endpoint: Callable[[WebSocket], Awaitable[None]], *headers: tuple[bytes, bytes]) -> list[Message]:
    """What a WebSocket's client is sent."""
    denial: dict[str, Any] = {"websocket.http.response": {}}
    return await passed(
        around(WebSocketRoute("/", endpoint)),
        type="websocket",
        headers=headers,
        extensions=denial,
        incoming={"type": "websocket.connect"},
    )


@pytest.mark.parametrize("given", [b"of-the-page", b"no id \xe4", b"", b"x" * 129])
async def test_a_websocket_has_an_id_too(given: bytes) -> None:
    accept, text, _ = await greeted(let_in, (b"x-request-id", given))
    headers = dict(accept["headers"])
    assert headers[b"x-more"] == b"1"
    assert headers[b"x-request-id"].decode() == text["text"]
    assert (text["text"].encode() == given) == (given == b"of-the-page")


async def test_a_websocket_that_is_let_in_without_ado_has_one_as_well() -> None:
    accept, _ = await greeted(let_in_plainly)
    assert len(dict(accept["headers"])[b"x-request-id"]) == 32


async def test_a_websocket_that_is_turned_away_has_one_as_well() -> None:
    start, _ = await greeted(turn_away, (b"x-request-id", b"mine"))
    assert (start["status"], dict(start["headers"])[b"x-request-id"]) == (403, b"mine")
