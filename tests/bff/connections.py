"""Connections without sockets, what is sent over them, and an edge that takes its time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import pytest

from bff.http.straight import Straight
from bff.http.straight_protocol import StraightProtocol
from domain.order.ports import Homestay
from tests.bff.client import guest
from tests.bff.wire import Pipe, Server
from tests.fakes import FakeTravel

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


def straight_bodies(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The bodies that take the straight way from now on."""
    bodies: list[bytes] = []
    answer = Straight.answer

    async def noted(self: Straight, headers: dict[bytes, bytes], body: bytes) -> tuple[bytes, bytes, bytes]:
        bodies.append(body)
        return await answer(self, headers, body)

    monkeypatch.setattr(Straight, "answer", noted)
    return bodies
