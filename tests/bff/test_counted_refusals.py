"""Whatever the edge refuses, and each bug of its own, is counted by its code; and there is something to count from."""

import asyncio
from typing import Any, Final

import pytest
from prometheus_client import REGISTRY
from starlette.applications import Starlette

from bff.app import create_app
from bff.errors import EdgeCode
from bff.graph import enums
from bff.http import endpoint
from bff.http.persisted import TrustedDocuments
from bff.http.request_body import MAX_BODY
from bff.http.straight import Application
from domain.database import Database
from domain.errors import ErrorCode
from domain.order.room import OrderRoom
from tests.bff.client import ANN, Client, any_database, guest
from tests.bff.edges import edge_of
from tests.bff.streams import events_of, socket_to, token
from tests.bff.test_operation_figures import figure
from tests.fakes import FakeTravel

LIST: Final = {"query": "{ userHomestayOrderList { totalCount } }"}
JSON: Final = {"Content-Type": "application/json"}
LONG_WAY: Final = {"Accept": "text/event-stream"}


class Counts:
    """What was counted since."""

    def __init__(self, series: str = "homestay_errors_total") -> None:
        self._series = series
        self._before = self._now()

    def new(self) -> dict[str, float]:
        return {code: count - self._before[code] for code, count in self._now().items() if count != self._before[code]}

    def _now(self) -> dict[str, float]:
        return {code: figure(self._series, code=code) for code in {*EdgeCode, *ErrorCode}}


def test_there_is_a_series_of_each_code_before_the_first_error() -> None:
    # `increase` sees no first one in a series that begins with it.
    for code in {*EdgeCode, *ErrorCode} - enums.NOT_FOR_GUESTS:
        for name in ("homestay_errors_total", "homestay_operations_failed_total"):
            assert REGISTRY.get_sample_value(name, {"code": code}) is not None


@any_database
@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"json": {"query": 5}}, 400, "BAD_REQUEST"),
        ({"content": b"x" * (MAX_BODY + 1), "headers": JSON}, 413, "BAD_REQUEST"),
        ({"content": b"{}", "headers": {"Content-Type": "text/plain"}}, 415, "BAD_REQUEST"),
        ({"method": "PUT", "json": LIST}, 405, "BAD_REQUEST"),
        (
            {"json": {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}}},
            200,
            "PERSISTED_QUERY_NOT_FOUND",
        ),
        ({"json": {"query": 5}, "headers": LONG_WAY}, 400, "BAD_REQUEST"),
        ({"json": LIST}, 200, "UNAUTHENTICATED"),
    ],
)
async def test_what_is_no_request_is_counted(client: Client, request_: dict[str, Any], status: int, code: str) -> None:
    counts = Counts()
    response = await client.http.request(**{"method": "POST", "url": "/graphql", **request_})
    assert response.status_code == status
    assert counts.new() == {code: 1}


@any_database
async def test_a_document_that_is_not_trusted_is_counted(room: OrderRoom, database: Database) -> None:
    client = Client(create_app(edge=edge_of(room, documents=TrustedDocuments({})), database=database))
    counts = Counts()
    assert (await client.http.post("/graphql", json=LIST)).status_code == 403
    assert counts.new() == {"FORBIDDEN": 1}


@any_database
@pytest.mark.parametrize("headers", [{}, LONG_WAY], ids=["straight", "long way"])
async def test_who_finds_no_place_is_counted_as_an_operation_that_failed(
    app: Starlette, headers: dict[str, str]
) -> None:
    assert isinstance(app, Application)
    app.straight._places.free = 0
    counts, failed = Counts(), Counts("homestay_operations_failed_total")
    response = await Client(app).http.post("/graphql", json=LIST, headers=headers)
    assert response.status_code == 503
    assert counts.new() == failed.new() == {"OVERLOADED": 1}


@any_database
async def test_so_is_an_operation_of_a_socket(app: Starlette, served: int) -> None:
    assert isinstance(app, Application)
    app.straight._places.free = 0
    counts, failed = Counts(), Counts("homestay_operations_failed_total")
    async with socket_to(served) as socket, asyncio.timeout(5):
        await socket.init(token())
        await socket.subscribe(LIST["query"])
        await socket.error()
    assert counts.new() == failed.new() == {"OVERLOADED": 1}


@any_database
async def test_an_answer_that_is_late_is_counted_once(
    room: OrderRoom, database: Database, travel: FakeTravel, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(endpoint, "BUDGET", 0.1)
    monkeypatch.setattr(travel, "several", never)
    client = Client(create_app(edge=edge_of(room), database=database))
    counts, failed = Counts(), Counts("homestay_operations_failed_total")
    response = await client.http.post("/graphql", json={"query": "{ homestay(id: 1) { title } }"}, headers=guest(ANN))
    assert response.status_code == 504
    assert counts.new() == failed.new() == {"UPSTREAM_UNAVAILABLE": 1}


@any_database
@pytest.mark.parametrize("headers", [{}, {"Accept": "text/event-stream"}], ids=["straight", "long way"])
async def test_a_bug_beside_all_operations_is_counted(
    client: Client, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    def broken(_: object) -> None:
        raise LookupError

    monkeypatch.setattr("bff.http.request_body.said", broken)
    counts, failed = Counts(), Counts("homestay_operations_failed_total")
    response = await client.http.post("/graphql", json=LIST, headers=headers)
    assert response.status_code == 500
    assert counts.new() == failed.new() == {"INTERNAL_SERVER_ERROR": 1}


@any_database
async def test_a_bug_in_the_midst_of_an_answer_is_counted(served: int, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = Counts()
    sent = 0

    def answer(*_: object, **__: object) -> Any:
        nonlocal sent
        sent += 1
        raise LookupError

    monkeypatch.setattr("bff.http.edge.Edge.answer", answer)
    async with events_of(served, LIST["query"]) as events:
        with pytest.raises(Exception, match=r"incomplete|peer closed"):
            await anext(events)
    assert sent == 1
    assert counts.new() == {"INTERNAL_SERVER_ERROR": 1}


@any_database
async def test_a_bug_of_a_socket_is_counted_and_told(served: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> Any:
        raise LookupError

    monkeypatch.setattr("bff.graph.schema.Schema.stream", broken)
    counts = Counts()
    async with socket_to(served) as socket, asyncio.timeout(5):
        await socket.init(token())
        await socket.subscribe(LIST["query"])
        error = await socket.error()
        assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
        assert "LookupError" not in str(error)
    assert counts.new() == {"INTERNAL_SERVER_ERROR": 1}


@any_database
@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"type": "connection_init", "payload": {"Authorization": "Bearer nonsense"}}, "UNAUTHENTICATED"),
        ({"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }"}}, "UNAUTHENTICATED"),
        ({"type": "unheard of"}, "BAD_REQUEST"),
    ],
)
async def test_a_socket_that_is_closed_for_what_it_says_is_counted(
    served: int, message: dict[str, Any], code: str
) -> None:
    counts = Counts()
    async with socket_to(served) as socket, asyncio.timeout(5):
        await socket.send(**message)
        await socket.closed()
    assert counts.new() == {code: 1}


@any_database
async def test_so_is_one_too_many(served: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bff.http.sockets.MOST_OF_NOBODY", 0)
    monkeypatch.setattr("bff.http.sockets.MOST_OF_A_GUEST", 0)
    for payload, code in (({}, "OVERLOADED"), ({"Authorization": token()}, "RATE_LIMITED")):
        counts = Counts()
        async with socket_to(served) as socket, asyncio.timeout(5):
            await socket.send(type="connection_init", payload=payload)
            await socket.closed()
        assert counts.new() == {code: 1}


@any_database
async def test_a_page_of_another_site_is_counted(served: int) -> None:
    counts = Counts()
    with pytest.raises(Exception, match="403"):
        async with socket_to(served, origin="https://evil.example"):
            pass
    assert counts.new() == {"FORBIDDEN": 1}
