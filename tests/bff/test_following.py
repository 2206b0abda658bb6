"""A guest follows an order: over a WebSocket, and by server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from bff.context import RequestContext
from bff.identity.tokens import Caller
from bff.limits.allowance import Allowance
from domain.order.closing import Closing
from domain.order.room import OrderRoom
from domain.order.service import Orders
from tests.bff.client import ANN, BOB, Client, any_database
from tests.bff.documents import CANCEL
from tests.bff.streams import FOLLOW, NO_CERTIFICATES, events_of, following, socket_to, token
from tests.clock import FrozenClock
from tests.conftest import PAY_WINDOW

WAITING = {"tradeState": "WAIT_PAY", "closeReason": None}
GIVEN_UP = {"tradeState": "CANCELLED", "closeReason": "GUEST"}
TIMED_OUT = {"tradeState": "CANCELLED", "closeReason": "UNPAID_TIMEOUT"}


async def test_the_state_now_then_every_change_then_the_end(client: Client, served: int) -> None:
    sn = (await client.place())["sn"]
    async with socket_to(served) as socket:
        await socket.init(token())
        await socket.subscribe(sn=sn)
        assert await socket.data() == {"sn": sn, **WAITING}
        await client.data(CANCEL, {"sn": sn})
        assert await socket.data() == {"sn": sn, **GIVEN_UP}
        # A cancelled order changes no more.
        assert await socket.receive() == {"type": "complete", "id": "1"}


async def test_the_same_by_server_sent_events(client: Client, served: int) -> None:
    sn = (await client.place())["sn"]
    async with events_of(served, sn=sn) as events:
        assert await anext(events) == ("next", {"data": {"homestayOrderChanged": {"sn": sn, **WAITING}}})
        await client.data(CANCEL, {"sn": sn})
        assert await anext(events) == ("next", {"data": {"homestayOrderChanged": {"sn": sn, **GIVEN_UP}}})
        assert await anext(events) == ("complete", None)


async def test_the_close_by_the_timer_is_seen(
    client: Client, served: int, clock: FrozenClock, closing: Closing
) -> None:
    sn = (await client.place())["sn"]
    async with following(served, sn) as socket:
        clock.advance(PAY_WINDOW)
        await closing.close_if_unpaid(sn)
        assert await socket.data() == {"sn": sn, **TIMED_OUT}


@any_database
async def test_what_came_while_the_client_was_away_is_there_when_it_is_back(client: Client, served: int) -> None:
    sn = (await client.place())["sn"]
    async with following(served, sn):
        pass
    await client.data(CANCEL, {"sn": sn})
    async with socket_to(served) as socket:
        await socket.init(token())
        await socket.subscribe(sn=sn)
        assert await socket.data() == {"sn": sn, **GIVEN_UP}
        assert (await socket.receive())["type"] == "complete"


@any_database
async def test_each_state_comes_with_what_others_say_then(client: Client, served: int) -> None:
    sn = (await client.place())["sn"]
    query = "subscription ($sn: ID!) { homestayOrderChanged(sn: $sn) { history { to } } }"
    async with events_of(served, query, sn=sn) as events:
        await anext(events)
        await client.data(CANCEL, {"sn": sn})
        _, event = await anext(events)
        steps = [step["to"] for step in event["data"]["homestayOrderChanged"]["history"]]
        assert steps == ["WAIT_PAY", "CANCELLED"]


@any_database
@pytest.mark.parametrize("sn", ["nothing", "HSO20260520120000abcdefgh"])
async def test_an_order_that_is_not_there_or_not_the_guests_own_is_refused_alike(
    client: Client, served: int, sn: str
) -> None:
    foreign = (await client.place(user=BOB))["sn"]
    told = []
    for wanted in (sn, foreign):
        async with socket_to(served) as socket:
            await socket.init(token())
            await socket.subscribe(sn=wanted)
            (error,) = (await socket.receive())["payload"]["errors"]
            assert error["extensions"].pop("requestId")
            told.append(error)
            assert (await socket.receive())["type"] == "complete"
    assert told[0] == told[1]
    assert told[0]["extensions"] == {"code": "BAD_USER_INPUT", "reason": "ORDER_NOT_FOUND", "field": ["sn"]}


@any_database
async def test_a_guest_follows_so_many_at_once_and_not_one_more(
    client: Client, served: int, room: OrderRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.order.following.MAX_FOLLOWED", 2)
    sn = (await client.place())["sn"]
    async with following(served, sn) as socket, following(served, sn):
        await socket.subscribe(id="one more", sn=sn)
        (error,) = (await socket.receive())["payload"]["errors"]
        assert error["extensions"]["code"] == "RATE_LIMITED"
        assert error["extensions"]["retryAfter"] == 1
        # Another guest's are others.
        async with following(
            served,
            (await client.place(user=BOB, homestayId="1", liveStartDate="2026-08-01", liveEndDate="2026-08-02"))["sn"],
            BOB,
        ):
            assert len(room.following) == 3
    await gone(room)
    async with following(served, sn):
        assert len(room.following) == 1


@any_database
async def test_a_token_that_expires_ends_the_stream(client: Client, served: int, room: OrderRoom) -> None:
    sn = (await client.place())["sn"]
    async with events_of(served, authorization=token(ttl=timedelta(seconds=2)), sn=sn) as events:
        await anext(events)
        name, event = await anext(events)
        assert (name, event["errors"][0]["extensions"]["code"]) == ("next", "UNAUTHENTICATED")
        assert await anext(events) == ("complete", None)
    async with socket_to(served) as socket:
        await socket.init(token(ttl=timedelta(seconds=2)))
        await socket.subscribe(sn=sn)
        await socket.data()
        assert (await socket.receive())["payload"]["errors"][0]["message"] == "The token has expired."
        assert (await socket.receive())["type"] == "complete"
        assert await socket.closed() == (4403, "The token has expired.")
    await gone(room)


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
@pytest.mark.parametrize("how", ["socket", "events"])
async def test_a_thousand_who_come_and_go_leave_nothing_behind(
    client: Client, served: int, room: OrderRoom, how: str, figures: list[str]
) -> None:
    sn = (await client.place())["sn"]

    async def come_and_go() -> None:
        if how == "socket":
            async with following(served, sn):
                pass
        else:
            async with events_of(served, sn=sn) as events:
                await anext(events)

    async def many(count: int) -> None:
        for _ in range(count // 10):
            await asyncio.gather(*(come_and_go() for _ in range(10)))
        await gone(room)

    await many(50)
    before, memory = await tasks(), resident()
    await many(1000)
    after, grown = await tasks(), resident() - memory
    figures.append(f"1,000 guests came and went by {how}: {before} tasks before, {after} after, {grown} KiB more")
    assert after <= before
    assert grown < 10_000


def resident() -> int:
    """The memory of this process, in KiB; client and server are both in it."""
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * 4


async def tasks() -> int:
    await asyncio.sleep(0.2)
    return len(asyncio.all_tasks())


async def gone(room: OrderRoom) -> None:
    async with asyncio.timeout(30):
        while len(room.following):  # noqa: ASYNC110 -- nobody tells when they are gone
            await asyncio.sleep(0.01)


@any_database
async def test_a_stream_that_is_broken_off_twice_ends_as_if_once(orders: Orders, room: OrderRoom) -> None:
    # A server that loses a client says so again until its request has ended.
    caller = Caller(ANN, datetime.now(UTC) + timedelta(hours=1))
    context = RequestContext(orders, room.following, Allowance(0), "1", caller=caller)

    async def changes() -> AsyncIterator[int]:
        try:
            await asyncio.Event().wait()
            yield 1
        finally:
            await asyncio.sleep(0.2)

    async def follow() -> None:
        async with aclosing(changes()) as found:  # type: ignore[type-var] # it is a generator
            await context.in_time(anext(found))

    following = asyncio.create_task(follow())
    await asyncio.sleep(0)
    for _ in range(2):
        following.cancel()
        await asyncio.sleep(0.02)
    with pytest.raises(asyncio.CancelledError):
        await following


@any_database
async def test_a_query_and_a_mutation_run_over_a_socket_too(client: Client, served: int) -> None:
    sn = (await client.place())["sn"]
    async with socket_to(served) as socket:
        await socket.init(token())
        await socket.subscribe("query ($sn: ID!) { userHomestayOrderDetail(sn: $sn) { sn } }", sn=sn)
        assert await socket.data() == {"sn": sn}
        assert await socket.receive() == {"type": "complete", "id": "1"}
        await socket.subscribe(CANCEL, sn=sn)
        assert (await socket.data())["order"]["tradeState"] == "CANCELLED"


@any_database
async def test_by_plain_post_a_subscription_is_told_where_to_go(client: Client) -> None:
    error = await client.error(FOLLOW, {"sn": "1"})
    assert error["extensions"]["code"] == "BAD_REQUEST"
    assert "text/event-stream" in error["message"]


MUCH = 'subscription { homestayOrderChanged(sn: "1") { ' + " ".join(f"a{n}: sn" for n in range(40)) + " } }"
TWO = 'subscription A { homestayOrderChanged(sn: "1") { sn } } subscription B { homestayOrderChanged(sn: "1") { sn } }'


@pytest.mark.parametrize(
    ("query", "authorization", "code"),
    [
        (FOLLOW, "", "UNAUTHENTICATED"),
        (MUCH, token(), "OPERATION_TOO_COMPLEX"),
        (TWO, token(), "OPERATION_RESOLUTION_FAILURE"),
    ],
)
async def test_what_is_refused_before_execution_is_said_in_an_event(
    client: Client, served: int, query: str, authorization: str, code: str
) -> None:
    sn = (await client.place())["sn"]
    async with events_of(served, query, authorization, sn=sn) as events:
        name, event = await anext(events)
        assert name == "next"
        assert event["errors"][0]["extensions"]["code"] == code
        assert "data" not in event
        assert await anext(events) == ("complete", None)


async def test_events_end_their_lines_as_every_client_reads_them(client: Client, served: int) -> None:
    # urql takes a blank line for the end of an event only where it is "\n\n".
    sn = (await client.place())["sn"]
    await client.data(CANCEL, {"sn": sn})
    headers = {"Accept": "text/event-stream", "Authorization": token()}
    async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(verify=NO_CERTIFICATES)) as http:
        answer = await http.post(
            f"http://127.0.0.1:{served}/graphql", json={"query": FOLLOW, "variables": {"sn": sn}}, headers=headers
        )
    assert answer.content.count(b"\n\n") == 2
    assert b"\r" not in answer.content
