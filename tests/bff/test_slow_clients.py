"""Clients that take their time hold nothing but their own connection, and that not for ever."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final, TypeAlias

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bff.http import protocol as http_protocol
from bff.http import server as http_server
from bff.http.server import HttpServer
from tests.bff.test_counted_refusals import Counts
from tests.servers import free_port

# Seconds, in the place of 10, 30, 1 and 10.
HEAD: Final = 0.3
READ: Final = 0.5
LINGER: Final = 0.3
GRACE: Final = 1
SLACK: Final = 2.0

ASK: Final = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_WITHIN", HEAD)
    monkeypatch.setattr(http_protocol, "READ_WITHIN", READ)
    monkeypatch.setattr(http_protocol, "LINGER", LINGER)
    monkeypatch.setattr(http_server, "GRACE", GRACE)


async def hello(_: Request) -> Response:
    return PlainTextResponse("hello")


@asynccontextmanager
async def serving(answer: Callable[[Request], Awaitable[Response]] = hello) -> AsyncIterator[HttpServer]:
    server = HttpServer(
        Starlette(routes=[Route("/", answer, methods=["GET", "POST"])]), host="127.0.0.1", port=free_port()
    )
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


Stream: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connect(server: HttpServer) -> Stream:
    # It reads no more than it is asked for.
    return await asyncio.open_connection("127.0.0.1", server.port, limit=1000)


async def leave(*streams: Stream) -> None:
    for _, writer in streams:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


async def end_of(reader: asyncio.StreamReader) -> tuple[bytes, float]:
    """What comes until the server closes the connection, and the seconds until then."""
    started = time.monotonic()
    async with asyncio.timeout(10):
        return await reader.read(), time.monotonic() - started


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: te"], ids=["nothing", "half a head"])
async def test_who_sends_no_request_is_told_so_and_cut_off(sent: bytes) -> None:
    async with serving() as server:
        counts = Counts()
        reader, writer = await connect(server)
        writer.write(sent)
        got, took = await end_of(reader)
        await leave((reader, writer))
    assert_told(got, 408, "BAD_REQUEST")
    # A browser opens connections that it may not need: who sends nothing asked for nothing.
    assert counts.new() == ({"BAD_REQUEST": 1} if sent else {})
    assert HEAD * 0.9 < took < HEAD + SLACK


async def test_a_head_that_comes_byte_by_byte_has_no_more_time_than_any_other() -> None:
    async with serving() as server:
        reader, writer = await connect(server)

        async def drip() -> None:
            for byte in ASK[:-1] * 10:
                writer.write(bytes([byte]))
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        got, took = await end_of(reader)
        dripping.cancel()
        await leave((reader, writer))
    assert got.startswith(b"HTTP/1.1 408 ")
    assert took < HEAD + SLACK


async def test_who_asks_again_in_time_is_answered_again() -> None:
    async with serving() as server:
        reader, writer = await connect(server)
        for _ in range(5):
            writer.write(ASK[:5])
            await asyncio.sleep(HEAD / 3)
            writer.write(ASK[5:])
            assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200 ")
        # The next head does not come.
        writer.write(ASK[:5])
        got, took = await end_of(reader)
        await leave((reader, writer))
    assert got == b""
    assert took < HEAD + SLACK


async def test_who_goes_on_sending_when_it_has_its_answer_is_cut_off() -> None:
    async with serving() as server:
        reader, writer = await connect(server)
        writer.write(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000\r\n\r\n")
        await reader.readuntil(b"hello")

        async def drip() -> None:
            while True:
                writer.write(b"x")
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        _, took = await end_of(reader)
        dripping.cancel()
        await leave((reader, writer))
    assert took < HEAD + SLACK


async def test_who_does_not_read_its_answer_is_cut_off() -> None:
    async def long(_: Request) -> Response:
        return Response(b"x" * 32_000_000)

    async with serving(long) as server:
        server._server.config.timeout_keep_alive = 0
        reader, writer = await connect(server)
        writer.write(ASK)
        await reader.read(10)
        connections = server._server.server_state.connections
        assert len(connections) == 1
        async with asyncio.timeout(READ + SLACK):
            while connections:  # noqa: ASYNC110 -- uvicorn has a set, no event
                await asyncio.sleep(0.02)
        await leave((reader, writer))


async def test_a_stop_answers_what_is_under_way_and_what_comes_on_open_connections() -> None:
    entered, go = asyncio.Event(), asyncio.Event()

    async def slow(request: Request) -> Response:
        if request.method == "POST":
            entered.set()
            await go.wait()
        return PlainTextResponse("hello")

    async with serving(slow) as server:
        busy, idle, silent = [await connect(server) for _ in range(3)]
        idle[1].write(ASK)
        await idle[0].readuntil(b"hello")
        busy[1].write(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n")
        await entered.wait()
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(LINGER / 2)
        idle[1].write(ASK)
        head = await idle[0].readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close" in head
        with pytest.raises(OSError, match=r"."):
            await connect(server)
        go.set()
        head = await busy[0].readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close" in head
        await end_of(silent[0])
        async with asyncio.timeout(GRACE + SLACK):
            await stopping
        await leave(busy, idle, silent)


async def test_a_stop_does_not_wait_for_clients_that_are_stuck() -> None:
    async def read(request: Request) -> Response:
        await request.body()
        return PlainTextResponse("hello")

    async with serving(read) as server:
        clients = [await connect(server) for _ in range(4)]
        for (_, writer), sent in zip(
            clients, (b"", ASK[:9], b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nx", ASK), strict=True
        ):
            writer.write(sent)
        await asyncio.sleep(0.05)
        async with asyncio.timeout(LINGER + GRACE + SLACK):
            await server.stop()
        await leave(*clients)


@pytest.mark.parametrize("where", ["name", "value", "address", "many"])
async def test_a_head_that_is_too_long_is_refused_before_it_is_all_there(where: str) -> None:
    long = b"x" * 1_000_000
    heads = {
        "name": b"GET / HTTP/1.1\r\nHost: test\r\n" + long + b": 1\r\n\r\n",
        "value": b"GET / HTTP/1.1\r\nHost: test\r\nX: " + long + b"\r\n\r\n",
        "address": b"GET /" + long + b" HTTP/1.1\r\nHost: test\r\n\r\n",
        "many": b"GET / HTTP/1.1\r\nHost: test\r\n" + b"X: 1\r\n" * 100_000 + b"\r\n",
    }
    async with serving() as server:
        reader, writer = await connect(server)
        counts = Counts()
        writer.write(heads[where])
        got, took = await end_of(reader)
        await leave((reader, writer))
    assert_told(got, 431, "BAD_REQUEST")
    assert counts.new() == {"BAD_REQUEST": 1}
    assert took < SLACK


@pytest.mark.parametrize("pieces", [1, 7])
async def test_a_head_may_be_so_long_and_no_longer(pieces: int) -> None:
    def head(size: int) -> bytes:
        begin, end = b"GET / HTTP/1.1\r\nHost: test\r\nX: ", b"\r\n\r\n"
        return begin + b"x" * (size - len(begin) - len(end)) + end

    async with serving() as server:
        for size, status in ((http_protocol.MAX_HEAD, 200), (http_protocol.MAX_HEAD + 100, 431)):
            reader, writer = await connect(server)
            whole = head(size)
            for start in range(0, size, -(-size // pieces)):
                writer.write(whole[start : start - (-size // pieces)])
                await asyncio.sleep(0.01)
            assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 %d " % status)
            if status == 200:
                # Of the next head nothing has come yet.
                await reader.readuntil(b"hello")
                writer.write(whole)
                assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200 ")
            await leave((reader, writer))


async def test_a_head_behind_a_request_that_is_under_way_may_be_no_longer() -> None:
    go = asyncio.Event()

    async def slow(_: Request) -> Response:
        await go.wait()
        return PlainTextResponse("hello")

    async with serving(slow) as server:
        reader, writer = await connect(server)
        writer.write(ASK)
        await asyncio.sleep(0.05)
        writer.write(b"GET / HTTP/1.1\r\nX: " + b"x" * 1_000_000)
        with suppress(ConnectionResetError):
            assert (await end_of(reader))[0] == b""
        go.set()
        await leave((reader, writer))


async def test_what_is_no_http_is_told_so_as_everything_else_is() -> None:
    async with serving() as server:
        reader, writer = await connect(server)
        counts = Counts()
        writer.write(b"\x16\x03\x01 hello\r\n\r\n")
        got, _ = await end_of(reader)
        await leave((reader, writer))
    assert_told(got, 400, "BAD_REQUEST")
    assert counts.new() == {"BAD_REQUEST": 1}


@pytest.mark.parametrize(
    "ask",
    [
        ASK,
        ASK[:-2] + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    ],
    ids=["request", "socket"],
)
async def test_connections_beyond_the_limit_are_told_when_to_come_again(
    monkeypatch: pytest.MonkeyPatch, ask: bytes
) -> None:
    monkeypatch.setattr(http_server, "MAX_CONNECTIONS", 2)
    async with serving() as server:
        first = await connect(server)
        first[1].write(ASK)
        await first[0].readuntil(b"hello")
        second = await connect(server)
        counts = Counts()
        second[1].write(ask)
        got, _ = await end_of(second[0])
        await leave(first, second)
    assert_told(got, 503, "OVERLOADED")
    assert b"retry-after: 1\r\n" in got
    assert counts.new() == {"OVERLOADED": 1}


def assert_told(got: bytes, status: int, code: str) -> None:
    """An answer in the form of every other error, after which the connection ends."""
    head, _, body = got.partition(b"\r\n\r\n")
    line, *headers = head.decode().split("\r\n")
    told = dict(header.split(": ", 1) for header in headers)
    assert line.startswith(f"HTTP/1.1 {status} ")
    assert told["connection"] == "close"
    assert int(told["content-length"]) == len(body)
    assert told["content-type"].startswith("application/json")
    (error,) = json.loads(body)["errors"]
    assert error["message"]
    assert error["extensions"]["code"] == code
    assert error["extensions"]["requestId"] == told["x-request-id"]
