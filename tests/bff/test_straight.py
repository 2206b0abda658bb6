"""The straight way gives the same bytes as the long one."""

import asyncio
from collections import Counter
from random import Random
from types import SimpleNamespace
from typing import Final

import pytest
from starlette.applications import Starlette
from structlog.testing import capture_logs

from bff.app import create_app
from bff.graph.schema import Schema
from bff.http import request_id
from bff.http.straight import Application
from bff.metrics import RESPONSES
from domain.database import Database
from domain.order.room import OrderRoom
from tests.bff import raw_requests
from tests.bff.client import any_database
from tests.bff.connections import ASK, answer, connected, post, straight_bodies, until
from tests.bff.edges import edge_of
from tests.bff.wire import Server

pytestmark = any_database

SEEDS: Final = 4
CONNECTIONS: Final = 40
SHOP: Final = "https://shop.example"


@pytest.fixture(params=[[SHOP, "https://inn.example"], ["*"], []], ids=str)
def app(room: OrderRoom, database: Database, request: pytest.FixtureRequest) -> Starlette:
    return create_app(edge=edge_of(room), database=database, origins=request.param, production=True)


@pytest.fixture
def server(app: Starlette) -> Server:
    found = Server(app)
    found.state.default_headers = [(b"date", b"today")]
    return found


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    return straight_bodies(monkeypatch)


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
    server: Server, taken: list[bytes], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_id, "random", SimpleNamespace(getrandbits=lambda _: 7))
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
        [b"Origin: https://shop.example"],
    ],
    ids=str,
)
async def test_a_usual_request_takes_it(server: Server, taken: list[bytes], headers: list[bytes]) -> None:
    assert (await ask(server, post(ASK, *headers))).endswith(b'{"data":{"__typename":"Query"}}')
    assert taken == [ASK]


@pytest.mark.parametrize(
    "header",
    [
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
