"""An operation whose answers come piece by piece is a trace of its own, with a link to whoever sent it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Final

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind
from starlette.applications import Starlette

from bff.http.server import HttpServer
from domain import tracing
from domain.order.room import OrderRoom
from tests.bff.client import Client
from tests.bff.documents import CANCEL
from tests.bff.streams import NO_CERTIFICATES, events_of, socket_to, token
from tests.spans import Kept, keeping

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

FOLLOW: Final = """
    subscription Follow($sn: ID!) { homestayOrderChanged(sn: $sn) { sn tradeState history { to } } }"""
LOOK: Final = "query Look($sn: ID!) { userHomestayOrderDetail(sn: $sn) { sn history { to } } }"
CALLER: Final = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
SENT_BY: Final = {"traceparent": f"00-{CALLER[0]}-{CALLER[1]}-01"}


@pytest.fixture
def kept() -> Iterator[Kept]:
    with keeping() as kept:
        yield kept


@pytest.fixture
async def watched(app: Starlette) -> AsyncIterator[int]:
    """The port of the application as it is served, with what watches it."""
    server = HttpServer(app, host="127.0.0.1", port=0)
    await server.start()
    yield server.port
    await server.stop()


@pytest.fixture
async def sn(client: Client) -> str:
    """An order, placed before anybody keeps spans."""
    return str((await client.place())["sn"])


async def ended(kept: Kept, name: str) -> ReadableSpan:
    """The one span of this name, when it has ended."""
    async with asyncio.timeout(30):
        while not kept.all(name):  # noqa: ASYNC110 -- an exporter tells nobody
            await asyncio.sleep(0.01)
    return kept.one(name)


def links(span: ReadableSpan) -> list[tuple[str, str]]:
    return [(f"{each.context.trace_id:032x}", f"{each.context.span_id:016x}") for each in span.links]


def parts(kept: Kept, span: ReadableSpan) -> list[str]:
    """What happened within a step, straight below it."""
    return [each.name for each in kept.every() if each.parent and each.parent.span_id == span.context.span_id]


def check(span: ReadableSpan, kind: str, name: str) -> None:
    attributes = dict(span.attributes or {})
    assert attributes.pop("homestay.request.id")
    assert (
        attributes.items()
        >= {
            "graphql.operation.type": kind,
            "graphql.operation.name": name,
            "user.id": "7",
        }.items()
    )
    assert (span.kind, span.parent, links(span)) == (SpanKind.SERVER, None, [CALLER])
    assert span.context.trace_id != int(CALLER[0], 16)


async def test_each_operation_of_a_websocket_is_a_trace(client: Client, watched: int, kept: Kept) -> None:
    sn = (await client.place())["sn"]
    async with socket_to(watched, **SENT_BY) as socket:
        await socket.init(token())
        await socket.subscribe(FOLLOW, sn=sn)
        await socket.data()
        await socket.subscribe(LOOK, id="2", sn=sn)
        await socket.data()
        assert (await socket.receive())["type"] == "complete"
        look = await ended(kept, "query Look")
        # One that goes on is a step that has not ended.
        assert kept.all("subscription Follow") == []
        await client.data(CANCEL, {"sn": sn})
        await socket.data()
        assert (await socket.receive())["type"] == "complete"
        follow = await ended(kept, "subscription Follow")
    check(look, "query", "Look")
    check(follow, "subscription", "Follow")
    assert look.context.trace_id != follow.context.trace_id
    assert look.attributes
    assert look.attributes["network.protocol.name"] == "websocket"
    # What each piece asked of others is part of it: the state then, and the history, of each of the two.
    assert len(parts(kept, look)) >= 2
    assert len(parts(kept, follow)) >= 4


async def test_events_are_a_trace(client: Client, watched: int, kept: Kept) -> None:
    sn = (await client.place())["sn"]
    async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(verify=NO_CERTIFICATES)) as http:
        sent = asyncio.create_task(
            http.post(
                f"http://127.0.0.1:{watched}/graphql",
                json={"query": FOLLOW, "variables": {"sn": sn}},
                headers={"Accept": "text/event-stream", "Authorization": token(), **SENT_BY},
            )
        )
        await asyncio.sleep(0.2)
        assert kept.all("subscription Follow") == []
        await client.data(CANCEL, {"sn": sn})
        await sent
    follow = await ended(kept, "subscription Follow")
    check(follow, "subscription", "Follow")
    assert follow.attributes
    assert follow.attributes["http.response.status_code"] == 200
    assert len(parts(kept, follow)) >= 4


async def test_a_client_that_leaves_ends_its_steps_without_a_word(
    client: Client, watched: int, kept: Kept, room: OrderRoom, caplog: pytest.LogCaptureFixture
) -> None:
    sn = (await client.place())["sn"]
    with caplog.at_level(logging.WARNING):
        async with socket_to(watched) as socket:
            await socket.init(token())
            await socket.subscribe(FOLLOW, sn=sn)
            await socket.data()
        await ended(kept, "subscription Follow")
        async with events_of(watched, FOLLOW, sn=sn) as events:
            await anext(events)
        async with asyncio.timeout(30):
            while len(kept.all("subscription Follow")) < 2:  # noqa: ASYNC110 -- an exporter tells nobody
                await asyncio.sleep(0.01)
    assert len(room.following) == 0
    # OpenTelemetry complains of steps that end elsewhere than they began.
    assert [record.getMessage() for record in caplog.records if "opentelemetry" in record.name] == []


async def test_what_all_followers_share_is_no_step_of_the_first(
    client: Client, watched: int, kept: Kept, monkeypatch: pytest.MonkeyPatch, room: OrderRoom
) -> None:
    monkeypatch.setattr(room.following, "_look_every", 0.05)
    sn = (await client.place())["sn"]
    async with socket_to(watched) as socket:
        await socket.init(token())
        await socket.subscribe(FOLLOW, sn=sn)
        await socket.data()
        await asyncio.sleep(0.3)
    follow = await ended(kept, "subscription Follow")
    assert [name for name in parts(kept, follow) if "_look_at" in name] == []


@pytest.mark.parametrize("query", ["subscription Follow { nothing }", "subscription Follow {"])
async def test_what_is_refused_is_a_step_too(watched: int, kept: Kept, query: str) -> None:
    async with socket_to(watched) as socket:
        await socket.init(token())
        await socket.subscribe(query)
        await socket.error()
        name = "subscription Follow" if query.endswith("}") else "graphql"
        assert (await ended(kept, name)).attributes
    async with events_of(watched, query) as events:
        await anext(events)
    async with asyncio.timeout(30):
        while len(kept.all(name)) < 2:  # noqa: ASYNC110 -- an exporter tells nobody
            await asyncio.sleep(0.01)


async def test_who_reads_events_too_and_likes_json_better_gets_the_step_of_a_post(
    sn: str, watched: int, kept: Kept
) -> None:
    async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(verify=NO_CERTIFICATES)) as http:
        await http.post(
            f"http://127.0.0.1:{watched}/graphql",
            json={"query": LOOK, "variables": {"sn": sn}},
            headers={"Accept": "application/json, text/event-stream;q=0.5", "Authorization": token(), **SENT_BY},
        )
    edge = await ended(kept, "POST /graphql")
    assert edge.parent
    assert edge.parent.span_id == int(CALLER[1], 16)


async def test_where_nobody_keeps_spans_none_is_made(
    client: Client, watched: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not tracing.is_on()
    monkeypatch.setattr(tracing, "span", None)
    monkeypatch.setattr(tracing, "kept", None)
    sn = (await client.place())["sn"]
    async with socket_to(watched) as socket:
        await socket.init(token())
        await socket.subscribe(LOOK, sn=sn)
        assert (await socket.data())["sn"] == sn
    async with events_of(watched, LOOK, sn=sn) as events:
        assert (await anext(events))[0] == "next"
