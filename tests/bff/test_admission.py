"""No more at once than can be worked on, and nothing that is not there as a whole."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from bff.http.admission import AT_ONCE, HELD, Admission
from bff.http.guards import around_graphql
from bff.http.request_id import RequestId

PLACES: Final = 2


class Work:
    """An application that works until it is told to end."""

    def __init__(self) -> None:
        self.under_way = 0
        self.most = 0
        self.bodies: list[bytes] = []
        self.end = asyncio.Event()

    async def answer(self, request: Request) -> Response:
        self.bodies.append(await request.body())
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self.end.wait()
        finally:
            self.under_way -= 1
        if "fail" in request.query_params:
            raise LookupError
        return PlainTextResponse("done")

    async def stream(self, _: Request) -> Response:
        async def events() -> AsyncIterator[bytes]:
            yield b"data: 1\n\n"
            await self.end.wait()

        return StreamingResponse(events(), media_type="text/event-stream")

    async def under(self, count: int) -> None:
        async with asyncio.timeout(30):
            while self.under_way < count:  # noqa: ASYNC110 -- it counts, and sets no event
                await asyncio.sleep(0.01)


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
async def http(work: Work) -> AsyncIterator[httpx.AsyncClient]:
    app = Starlette(
        routes=[
            Route(
                "/graphql",
                work.answer,
                methods=["GET", "POST"],
                middleware=[Middleware(Admission, at_once=PLACES, receive_within=0.2)],
            ),
            Route("/livez", lambda _: PlainTextResponse("ok")),
        ],
        middleware=[Middleware(RequestId)],
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def test_who_finds_no_place_is_told_when_to_come_again_and_others_go_on(
    http: httpx.AsyncClient, work: Work
) -> None:
    let_in = [asyncio.create_task(http.post("/graphql", content=b"{}")) for _ in range(PLACES)]
    await work.under(PLACES)
    for method in ("GET", "POST"):
        refused = await http.request(method, "/graphql", headers={"X-Request-Id": "mine"})
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert refused.headers["X-Request-Id"] == "mine"
        (error,) = refused.json()["errors"]
        assert error["message"]
        assert error["extensions"] == {"code": "OVERLOADED", "requestId": "mine", "retryAfter": 1}
        assert set(refused.json()) == {"errors"}
    # Whoever asks whether we live must not be told that we are busy.
    assert (await http.get("/livez")).status_code == 200
    work.end.set()
    assert {answer.status_code for answer in await asyncio.gather(*let_in)} == {200}
    assert work.most == PLACES
    assert (await http.post("/graphql")).status_code == 200


async def test_a_place_comes_back_however_the_work_ends(http: httpx.AsyncClient, work: Work) -> None:
    left = [asyncio.create_task(http.post("/graphql")) for _ in range(PLACES)]
    await work.under(PLACES)
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    work.end.set()
    for _ in range(2 * PLACES):
        assert (await http.post("/graphql?fail=1")).status_code == 500
    assert (await http.post("/graphql")).status_code == 200


async def pieces(*sent: bytes, pause: float = 0) -> AsyncIterator[bytes]:
    for piece in sent:
        yield piece
        await asyncio.sleep(pause)


async def test_a_body_is_worked_on_as_it_was_sent(http: httpx.AsyncClient, work: Work) -> None:
    work.end.set()
    long = b"x" * (HELD + 10)
    for sent in ((b"{}",), (b"{", b"}"), (b"",), (long, b"y", b"z"), (long[:-20], long, b"end")):
        assert (await http.post("/graphql", content=pieces(*sent))).status_code == 200
    assert work.bodies == [b"{}", b"{}", b"", long + b"yz", long[:-20] + long + b"end"]


async def test_a_body_that_does_not_come_is_given_up_and_has_taken_no_place(
    http: httpx.AsyncClient, work: Work
) -> None:
    slow = [
        asyncio.create_task(http.post("/graphql", content=pieces(b"{", b"}", pause=0.3))) for _ in range(2 * PLACES)
    ]
    await asyncio.sleep(0.05)
    quick = asyncio.create_task(http.post("/graphql", content=b"{}"))
    await work.under(1)
    work.end.set()
    assert (await quick).status_code == 200
    for answer in await asyncio.gather(*slow):
        assert (answer.status_code, answer.headers["Connection"]) == (408, "close")
        (error,) = answer.json()["errors"]
        assert error["extensions"] == {"code": "BAD_REQUEST", "requestId": answer.headers["X-Request-Id"]}
    assert work.bodies == [b"{}"]


async def test_what_goes_on_until_the_client_leaves_holds_no_place(work: Work) -> None:
    admission = Admission(Starlette(routes=[Route("/graphql", work.stream)]), at_once=1)
    started = asyncio.Semaphore(0)

    async def receive() -> dict[str, object]:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, object]) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 200
            started.release()

    def scope() -> dict[str, object]:
        return {
            "type": "http",
            "method": "GET",
            "path": "/graphql",
            "query_string": b"",
            "headers": [],
            "state": {"request_id": "x"},
        }

    streams = []
    for _ in range(3):
        streams.append(asyncio.create_task(admission(scope(), receive, send)))  # type: ignore[arg-type]
        async with asyncio.timeout(30):
            await started.acquire()
    work.end.set()
    await asyncio.gather(*streams)
    assert admission._places.free == 1


def test_the_endpoint_has_it() -> None:
    outermost: object = around_graphql()[0].cls
    assert outermost is Admission
    assert AT_ONCE == 256
