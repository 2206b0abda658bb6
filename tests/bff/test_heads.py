"""A head that came before is taken as that one, on any connection; whatever is not the very same is parsed."""

import asyncio
from typing import Final

import pytest
from starlette.applications import Starlette

from bff.http import heads
from bff.http.heads import Head, Heads
from bff.http.straight import Application
from bff.http.straight_protocol import StraightProtocol
from tests.bff.client import any_database
from tests.bff.connections import ASK, answer, connected, post, straight_bodies, until
from tests.bff.wire import Server

pytestmark = any_database

# Of the size of `ASK`.
OTHER: Final = b'{"query":"{a:__typename}"}'

# A token is of its second, and a head is not to be another one.
SENT: Final = post(ASK)


@pytest.fixture
def server(app: Starlette) -> Server:
    return Server(app)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    return straight_bodies(monkeypatch)


def parsed(protocol: StraightProtocol, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What a connection has parsed from now on."""
    pieces: list[bytes] = []
    parse = protocol._parse

    def noted(data: bytes) -> None:
        pieces.append(data)
        parse(data)

    monkeypatch.setattr(protocol, "_parse", noted)
    return pieces


async def test_the_same_head_is_parsed_once_and_its_body_is_another(
    server: Server, app: Application, taken: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = post(ASK), post(OTHER)
    assert first.removesuffix(ASK) == second.removesuffix(OTHER)
    async with connected(server) as (protocol, pipe):
        pieces = parsed(protocol, monkeypatch)
        for number, sent in enumerate((first, second, first), 1):
            protocol.data_received(sent)
            got = await answer(pipe, number)
            await until(lambda: pipe.is_read and protocol.cycle.response_complete)
        assert pieces == [first]
        assert got.count(b'{"data":{"__typename":"Query"}}') == 2
        assert got.count(b'{"data":{"a":"Query"}}') == 1
    async with connected(server) as (protocol, pipe):
        pieces = parsed(protocol, monkeypatch)
        protocol.data_received(first)
        assert b"200 OK" in await answer(pipe)
        assert pieces == []
        # No timer waits for the head that was there.
        assert protocol._head is None
    assert taken == [ASK, OTHER, ASK, ASK]
    assert len(app.straight.heads) == 1


@pytest.mark.parametrize(
    ("pieces", "answers", "known"),
    [
        ([SENT + SENT], 2, 1),
        ([SENT + b"PO", SENT[2:]], 2, 1),
        ([SENT[:-1], SENT[-1:]], 1, 1),
        ([SENT[:30], SENT[30:], SENT], 2, 1),
        ([b"\r\n" + SENT, SENT], 2, 2),
        ([b"\r\n\r\n" + SENT, SENT], 2, 1),
    ],
)
async def test_what_comes_with_more_or_in_pieces_is_parsed(
    server: Server, app: Application, pieces: list[bytes], answers: int, known: int
) -> None:
    async with connected(server) as (protocol, pipe):
        protocol.data_received(SENT)
        await answer(pipe)
    assert len(app.straight.heads) == 1
    async with connected(server) as (protocol, pipe):
        for piece in pieces:
            protocol.data_received(piece)
            await asyncio.sleep(0)
            await until(lambda: pipe.is_read)
        got = await answer(pipe, answers)
        assert got.count(b'{"data":{"__typename":"Query"}}') == answers
    assert len(app.straight.heads) == known


async def test_a_body_that_looks_like_a_request_is_a_body(server: Server, app: Application, taken: list[bytes]) -> None:
    inner = post(ASK)
    async with connected(server) as (protocol, pipe):
        protocol.data_received(inner)
        await answer(pipe)
        outer = post(b" " * len(inner))
        protocol.data_received(outer.removesuffix(b" " * len(inner)))
        await asyncio.sleep(0)
        # The parser is within the outer request; what comes looks like one that is known.
        protocol.data_received(inner)
        got = await answer(pipe, 2)
    assert taken == [ASK, inner]
    assert got.count(b"HTTP/1.1 400 ") == 1
    assert len(app.straight.heads) == 1


@pytest.mark.parametrize("header", [b"Connection: close", b"X-Request-Id: one"])
async def test_a_known_head_says_all_that_it_said(server: Server, header: bytes) -> None:
    answers = []
    for _ in range(2):
        async with connected(server) as (protocol, pipe):
            protocol.data_received(post(ASK, header))
            answers.append(await answer(pipe))
            closes = header.startswith(b"Connection")
            assert pipe.is_closing() is closes
    first, second = (b"\r\n".join(line for line in got.split(b"\r\n") if b"date" not in line) for got in answers)
    if header.startswith(b"X-"):
        assert first == second
        assert b"x-request-id: one" in first


async def test_a_known_head_waits_where_another_request_is_under_way(server: Server) -> None:
    async with connected(server) as (protocol, pipe):
        protocol.data_received(post(ASK))
        await answer(pipe)
        protocol.pause_writing()
        protocol.data_received(post(ASK))
        await asyncio.sleep(0.01)
        protocol.resume_writing()
        assert (await answer(pipe, 2)).count(b"200 OK") == 2


@pytest.mark.usefixtures("database")
def test_heads_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "MAX_HEADS", 3)
    known = Heads()
    known.add(b"x" * (heads.MAX_SIZE + 1), Head({}, keep_alive=True, body_size=0))
    assert not known
    for number in range(10):
        known.add(b"%d" % number, Head({}, keep_alive=True, body_size=0))
        assert len(known) <= 3
    assert b"9" in known
