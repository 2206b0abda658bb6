"""What a connection promises, on the straight way as on the long one."""

import asyncio
from functools import partial

import pytest
from starlette.applications import Starlette
from structlog.testing import capture_logs

from bff.app import create_app
from bff.http import guards, straight_protocol
from bff.http.admission import Admission
from bff.http.straight import Application
from domain.database import Database
from domain.order.room import OrderRoom
from tests.bff.client import any_database
from tests.bff.connections import ASK, SLOW, SlowTravel, answer, connected, post, straight_bodies, until
from tests.bff.edges import edge_of
from tests.bff.wire import Server

pytestmark = any_database


@pytest.fixture
def travel() -> SlowTravel:
    return SlowTravel()


@pytest.fixture
def server(app: Starlette) -> Server:
    return Server(app)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    return straight_bodies(monkeypatch)


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
        protocol.connection_lost(ConnectionResetError())
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
