"""The straight way gives the same bytes as the long one, and keeps what a connection promises."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from random import Random
from types import SimpleNamespace
from typing import Final

import pytest
from starlette.applications import Starlette
from structlog.testing import capture_logs

from bff.app import create_app
from bff.graph.schema import Schema
from bff.http import guards, request_id, straight_protocol
from bff.http.admission import Admission
from bff.http.straight import Application, Straight
from bff.http.straight_protocol import StraightProtocol
from bff.metrics import RESPONSES
from domain.database import Database
from domain.order.ports import Homestay
from domain.order.room import OrderRoom
from tests.bff import raw_requests
from tests.bff.client import any_database, guest
from tests.bff.edges import edge_of
from tests.bff.wire import Pipe, Server
from tests.fakes import FakeTravel

pytestmark = any_database

SEEDS: Final = 12
CONNECTIONS: Final = 40
SHOP: Final = "https://shop.example"

ASK: Final = b'{"query":"{ __typename }"}'
SLOW: Final = b'{"query":"{ homestay(id: 1) { title } }"}'


def post(body: bytes, *headers: bytes, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    who = b"Authorization: " + guest(7)["Authorization"].encode()
    lines = [b"POST /graphql HTTP/1.1", b"Host: test", who, b"Content-Type: application/json", *headers]
    return b"\r\n".join([*lines, b"Content-Length: %d" % size, b"", body])


class SlowTravel(FakeTravel):
    """Answers when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked_now, self.go = asyncio.Event(), asyncio.Event()
        self.answered = 0

    async def homestay(self, homestay_id: int) -> Homestay | None:
        self.asked_now.set()
        await self.go.wait()
        self.answered += 1
        return await super().homestay(homestay_id)


@pytest.fixture
def travel() -> SlowTravel:
    return SlowTravel()


@pytest.fixture
def app(room: OrderRoom, database: Database) -> Starlette:
    return create_app(edge=edge_of(room), database=database, origins=[SHOP], production=True)


@pytest.fixture
def server(app: Starlette) -> Server:
    found = Server(app)
    found.state.default_headers = [(b"date", b"today")]
    return found


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The bodies that took the straight way."""
    bodies: list[bytes] = []
    answer = Straight.answer

    async def noted(self: Straight, headers: dict[bytes, bytes], body: bytes) -> tuple[bytes, bytes, bytes]:
        bodies.append(body)
        return await answer(self, headers, body)

    monkeypatch.setattr(Straight, "answer", noted)
    return bodies


@asynccontextmanager
async def connected(server: Server, *, straight: bool = True) -> AsyncIterator[tuple[StraightProtocol, Pipe]]:
    protocol, pipe = server.connect()
    if not straight:
        protocol._straight = None
    yield protocol, pipe
    if protocol.parser is not None:
        protocol.connection_lost(None)
    await until(lambda: not server.state.tasks)


async def until(reached: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not reached():  # noqa: ASYNC110 -- a condition, not an event
            await asyncio.sleep(0.001)


async def answer(pipe: Pipe, count: int = 1) -> bytes:
    """What was sent, when it has as many answers."""
    await until(lambda: bytes(pipe.sent).count(b"HTTP/1.1 ") >= count or pipe.is_closing())
    return bytes(pipe.sent)


async def ask(server: Server, sent: bytes, *, straight: bool = True) -> bytes:
    async with connected(server, straight=straight) as (protocol, pipe):
        protocol.data_received(sent)
        return await answer(pipe)


def counted() -> Counter[str]:
    """Answers so far, by their status."""
    return Counter(
        {
            sample.labels["status"]: int(sample.value)
            for family in RESPONSES.collect()
            for sample in family.samples
            if sample.name.endswith("_total")
        }
    )


async def talk(server: Server, pieces: list[bytes], *, straight: bool) -> tuple[bytes, bool, Counter[str], list[str]]:
    """What a client gets for what it sends; whether the connection was closed; what was counted, and what logged."""
    before = counted()
    with capture_logs() as logs:
        async with connected(server, straight=straight) as (protocol, pipe):
            for piece in pieces:
                if pipe.is_closing():
                    break
                await until(lambda: pipe.is_read or pipe.is_closing())
                protocol.data_received(piece)
                await asyncio.sleep(0)
            await until(lambda: not server.state.tasks or pipe.is_closing())
            closed = pipe.is_closing()
    return bytes(pipe.sent), closed, counted() - before, [each["event"] for each in logs]


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_both_ways_give_the_same_bytes(
    server: Server, travel: SlowTravel, taken: list[bytes], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_id, "random", SimpleNamespace(getrandbits=lambda _: 7))
    travel.go.set()
    chance = Random(seed)  # noqa: S311 -- to be repeated
    for _ in range(CONNECTIONS):
        requests = [raw_requests.request(chance) for _ in range(chance.choice([1, 1, 1, 2, 3]))]
        pieces = raw_requests.split(chance, b"".join(requests))
        short = await talk(server, pieces, straight=True)
        long = await talk(server, pieces, straight=False)
        for one, other in zip(short, long, strict=True):
            assert one == other, pieces
    # They did not both go the same.
    assert len(taken) > CONNECTIONS / 4


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [b"X-Request-Id: mine"],
        [b"Accept-Encoding: gzip, br"],
        [b"Accept: */*", b"User-Agent: x", b"Cookie: a=b", b"X-Forwarded-For: 10.0.0.1"],
        [b"Connection: close"],
    ],
    ids=str,
)
async def test_a_usual_request_takes_it(server: Server, taken: list[bytes], headers: list[bytes]) -> None:
    assert (await ask(server, post(ASK, *headers))).endswith(b'{"data":{"__typename":"Query"}}')
    assert taken == [ASK]


@pytest.mark.parametrize(
    "header",
    [
        b"Origin: https://shop.example",
        b"Accept: text/event-stream",
        b"Expect: 100-continue",
        b"Upgrade: h2c",
        b"Accept: */*\r\nAccept: text/html",
    ],
)
async def test_an_unusual_one_does_not(server: Server, taken: list[bytes], header: bytes) -> None:
    assert b"HTTP/1.1 200 OK" in await ask(server, post(ASK, header))
    assert taken == []


async def test_a_bug_is_told_and_logged_the_same(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise LookupError("x")

    monkeypatch.setattr(Schema, "execute", broken)
    sent = [post(ASK, b"X-Request-Id: mine")]
    short, long = [await talk(server, sent, straight=straight) for straight in (True, False)]
    assert short == long
    assert short[0].startswith(b"HTTP/1.1 500 ")
    assert (short[2], short[3]) == (Counter({"500": 1}), ["request failed"])


async def test_who_finds_no_place_is_told_the_same(
    server: Server, app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.straight._places, "free", 0)
    sent = [post(ASK, b"X-Request-Id: mine")]
    short, long = [await talk(server, sent, straight=straight) for straight in (True, False)]
    assert short == long
    assert short[0].startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1\r\n" in short[0]


async def test_what_is_worked_on_has_a_place(server: Server, app: Application, travel: SlowTravel) -> None:
    free = app.straight._places.free
    async with connected(server) as (protocol, pipe):
        protocol.data_received(post(SLOW))
        await travel.asked_now.wait()
        assert app.straight._places.free == free - 1
        travel.go.set()
        await answer(pipe)
    assert app.straight._places.free == free


async def test_connections_beyond_the_limit_are_turned_away(server: Server, taken: list[bytes]) -> None:
    async with connected(server) as (protocol, pipe):
        protocol.limit_concurrency = 1
        protocol.data_received(post(ASK))
        assert (await answer(pipe)).startswith(b"HTTP/1.1 503 ")
    assert taken == []


async def test_a_body_may_come_after_its_head(server: Server, taken: list[bytes]) -> None:
    async with connected(server) as (protocol, pipe):
        whole = post(ASK)
        for cut in range(len(ASK), 0, -5):
            protocol.data_received(whole[:-cut] if cut == len(ASK) else whole[-cut - 5 : -cut])
            await asyncio.sleep(0)
        assert not pipe.sent
        protocol.data_received(whole[-cut:])
        assert b"200 OK" in await answer(pipe)
    assert taken == [ASK]


async def test_a_body_that_takes_long_is_waited_for_on_the_long_way(
    server: Server, taken: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(straight_protocol, "BODY_WITHIN", 0.02)
    async with connected(server) as (protocol, pipe):
        whole = post(ASK)
        protocol.data_received(whole[:-10])
        await until(lambda: server.state.tasks)
        protocol.data_received(whole[-10:])
        assert b"200 OK" in await answer(pipe)
        # And the next one is a usual one again.
        protocol.data_received(whole)
        assert (await answer(pipe, 2)).endswith(b'{"data":{"__typename":"Query"}}')
    assert taken == [ASK]


async def test_a_body_that_does_not_come_is_given_up(
    room: OrderRoom, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(straight_protocol, "BODY_WITHIN", 0.02)
    monkeypatch.setattr(guards, "Admission", partial(Admission, receive_within=0.05))
    server = Server(create_app(edge=edge_of(room), database=database))
    async with connected(server) as (protocol, pipe):
        protocol.data_received(post(ASK, length=1000))
        got = await answer(pipe)
        assert got.startswith(b"HTTP/1.1 408 ")
        assert b"connection: close\r\n" in got
        assert pipe.is_closing()


@pytest.mark.parametrize("straight", [True, False])
async def test_requests_sent_at_once_are_answered_in_turn(
    server: Server, travel: SlowTravel, taken: list[bytes], *, straight: bool
) -> None:
    async with connected(server, straight=straight) as (protocol, pipe):
        ids = [b"X-Request-Id: %d" % number for number in range(4)]
        protocol.data_received(b"".join([post(SLOW, ids[0]), post(ASK, ids[1]), post(SLOW, ids[2]), post(ASK, ids[3])]))
        await travel.asked_now.wait()
        await asyncio.sleep(0.02)
        assert not pipe.sent
        travel.go.set()
        got = await answer(pipe, 4)
        places = [got.index(each.lower()) for each in ids]
        assert places == sorted(places)
        assert pipe.is_read
    assert len(taken) == (1 if straight else 0)


async def test_who_leaves_in_the_middle_is_sent_nothing_and_the_operation_ends(
    server: Server, travel: SlowTravel
) -> None:
    async with connected(server) as (protocol, pipe):
        protocol.data_received(post(SLOW))
        await travel.asked_now.wait()
        protocol.connection_lost(None)
        travel.go.set()
        await until(lambda: not server.state.tasks)
        assert travel.answered == 1
        assert not pipe.sent


async def test_who_leaves_before_its_body_came_has_begun_nothing(server: Server, taken: list[bytes]) -> None:
    async with connected(server) as (protocol, pipe):
        protocol.data_received(post(ASK)[:-3])
        protocol.connection_lost(None)
        assert protocol._late is None
        await asyncio.sleep(0)
        assert not pipe.sent
    assert taken == []


async def test_nothing_is_written_to_who_does_not_read(server: Server, travel: SlowTravel) -> None:
    async with connected(server) as (protocol, pipe):
        protocol.data_received(post(SLOW))
        await travel.asked_now.wait()
        protocol.pause_writing()
        travel.go.set()
        await until(lambda: travel.answered)
        await asyncio.sleep(0.02)
        assert not pipe.sent
        protocol.resume_writing()
        assert b"200 OK" in await answer(pipe)


async def test_a_stop_finishes_what_is_under_way_and_closes(server: Server, travel: SlowTravel) -> None:
    async with connected(server) as (protocol, pipe):
        protocol.data_received(post(SLOW))
        await travel.asked_now.wait()
        # This is what a server waits for.
        assert len(server.state.tasks) == 1
        protocol.shutdown()
        assert not pipe.is_closing()
        travel.go.set()
        got = await answer(pipe)
        assert got.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close\r\n" in got
        assert pipe.is_closing()


async def test_a_stop_waits_for_a_body_that_is_on_its_way(server: Server) -> None:
    async with connected(server) as (protocol, pipe):
        protocol.data_received(post(ASK)[:-3])
        protocol.shutdown()
        assert server.state.tasks
        protocol.data_received(post(ASK)[-3:])
        assert b"connection: close\r\n" in await answer(pipe)


async def test_a_request_that_comes_while_it_stops_is_the_last(server: Server) -> None:
    async with connected(server) as (protocol, pipe):
        protocol.shutdown()
        protocol.data_received(post(ASK))
        assert b"connection: close\r\n" in await answer(pipe)
        assert pipe.is_closing()


async def test_what_the_server_gives_up_at_its_end_is_told_so(server: Server, travel: SlowTravel) -> None:
    async with connected(server) as (protocol, pipe):
        protocol.data_received(post(SLOW))
        await travel.asked_now.wait()
        protocol.shutdown()
        with capture_logs() as logs:
            for task in server.state.tasks:
                task.cancel()
            got = await answer(pipe)
        assert [each["event"] for each in logs] == ["request failed"]
        assert got.startswith(b"HTTP/1.1 500 ")
        assert b"INTERNAL_SERVER_ERROR" in got
        assert pipe.is_closing()


async def test_a_connection_may_rest_as_long_after_its_last_request_as_after_its_first(server: Server) -> None:
    async with connected(server) as (protocol, pipe):
        protocol.timeout_keep_alive = 0.1  # type: ignore[assignment]
        for number in range(1, 6):
            protocol.data_received(post(ASK))
            await answer(pipe, number)
            await asyncio.sleep(0.06)
            assert not pipe.is_closing()
        await asyncio.sleep(0.1)
        assert pipe.is_closing()


async def test_a_connection_with_a_request_under_way_does_not_rest(server: Server, travel: SlowTravel) -> None:
    async with connected(server) as (protocol, pipe):
        protocol.timeout_keep_alive = 0.02  # type: ignore[assignment]
        protocol.data_received(post(ASK))
        await answer(pipe)
        protocol.data_received(post(SLOW))
        await asyncio.sleep(0.08)
        assert not pipe.is_closing()
        travel.go.set()
        await answer(pipe, 2)
        await until(pipe.is_closing)
