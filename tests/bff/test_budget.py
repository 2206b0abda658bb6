"""No request takes for ever, whatever carries it, and what can't be known now is no refusal."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence

import httpx
import pytest
from starlette.applications import Starlette

from bff.app import create_app
from bff.http import endpoint
from bff.http.server import HttpServer
from bff.http.straight import Application
from bff.identity.issuer_keys import IssuerKeys
from bff.identity.tokens import Tokens
from domain.database import Database
from domain.deadline import remaining
from domain.order.ports import Found, Homestay
from domain.order.room import OrderRoom
from tests.bff.client import ANN, KEY, Client, any_database, bearer, guest
from tests.bff.edges import edge_of
from tests.bff.issuer import URL, Issuer, rsa_key, signed
from tests.bff.streams import Socket, events_of, socket_to, token
from tests.factories import create_stays
from tests.fakes import FakeTravel

pytestmark = any_database


class HangingTravel(FakeTravel):
    """Answers when it is told to, and remembers how much time it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[float | None] = []
        self.wakes = asyncio.Event()

    async def homestay(self, homestay_id: int) -> Homestay | None:
        self.given.append(remaining())
        await self.wakes.wait()
        return await super().homestay(homestay_id)

    async def several(self, homestay_ids: Sequence[int]) -> dict[int, Found]:
        return {each: await self.homestay(each) for each in homestay_ids}


@pytest.fixture
def travel() -> HangingTravel:
    return HangingTravel()


@pytest.fixture
def app(room: OrderRoom, database: Database, monkeypatch: pytest.MonkeyPatch) -> Starlette:
    monkeypatch.setattr(endpoint, "BUDGET", 0.2)
    return create_app(edge=edge_of(room), database=database)


QUERY = "{ homestay(id: 1) { title } }"
MUTATION = """mutation {
  createHomestayOrder(
    input: { homestayId: 1, liveStartDate: "2026-06-01", liveEndDate: "2026-06-02", livePeopleNum: 1 }
  ) { order { sn } }
}"""
LIVE = "subscription ($sn: ID!) { homestayOrderChanged(sn: $sn) { sn tradeState homestay { title } } }"
BOTH = pytest.mark.parametrize("document", [QUERY, MUTATION], ids=["query", "mutation"])


@pytest.fixture
async def served(app: Starlette) -> AsyncIterator[int]:
    server = HttpServer(app, host="127.0.0.1", port=0)
    await server.start()
    yield server.port
    await server.stop()


def places_of(app: Starlette, free: int) -> None:
    """Leaves an edge so many places."""
    assert isinstance(app, Application)
    app.straight._places.free = free


def is_given_up(error: dict[str, object]) -> bool:
    told = error["extensions"]
    assert isinstance(told, dict)
    assert told["requestId"]
    return told["code"] == "UPSTREAM_UNAVAILABLE" and "may have been carried out or not" in str(error["message"])


@BOTH
async def test_an_answer_that_takes_too_long_is_given_up(app: Starlette, travel: HangingTravel, document: str) -> None:
    client = Client(app)
    response = await client.http.post("/graphql", json={"query": document}, headers=guest(7))
    assert response.status_code == httpx.codes.GATEWAY_TIMEOUT
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] == "UPSTREAM_UNAVAILABLE"
    assert "may have been carried out or not" in error["message"]
    if document is MUTATION:
        # Whom it asks on the way is given no more time than is left.
        (given,) = travel.given
        assert given is not None
        assert given <= 0.2
    assert (await client.ask("{ __typename }"))["data"]


@BOTH
async def test_so_is_one_over_a_socket_which_stays(served: int, travel: HangingTravel, document: str) -> None:
    async with socket_to(served) as socket, asyncio.timeout(5):
        await socket.init(token())
        await socket.subscribe(document)
        assert is_given_up(await socket.error())
        await had_no_more_time(travel, document)
        await socket.subscribe("{ __typename }")
        assert await socket.data() == "Query"


@BOTH
async def test_so_is_one_by_events_which_no_client_sends_again_by_itself(
    served: int, travel: HangingTravel, document: str
) -> None:
    async with events_of(served, document) as events, asyncio.timeout(5):
        name, answer = await anext(events)
        assert (name, set(answer)) == ("next", {"errors"})
        assert is_given_up(answer["errors"][0])
        assert await anext(events) == ("complete", None)
    await had_no_more_time(travel, document)


async def had_no_more_time(travel: HangingTravel, document: str) -> None:
    if document is MUTATION:
        (given,) = travel.given
        assert given is not None
        assert given <= 0.2


@pytest.mark.parametrize("how", ["socket", "events"])
async def test_what_is_followed_has_a_budget_for_its_first_answer_and_then_none(
    room: OrderRoom, served: int, travel: HangingTravel, how: str
) -> None:
    travel.wakes.set()
    sn = await order_of(room)
    travel.wakes.clear()
    travel.given.clear()
    if how == "socket":
        async with socket_to(served) as socket, asyncio.timeout(5):
            await socket.init(token())
            await socket.subscribe(LIVE, sn=sn)
            assert is_given_up(await socket.error())
            travel.wakes.set()
            await socket.subscribe(LIVE, sn=sn)
            assert (await socket.data())["tradeState"] == "WAIT_PAY"
            await asyncio.sleep(0.3)
            await room.orders.cancel(ANN, sn)
            assert (await socket.data())["tradeState"] == "CANCELLED"
    else:
        async with events_of(served, LIVE, sn=sn) as events, asyncio.timeout(5):
            assert is_given_up((await anext(events))[1]["errors"][0])
        travel.wakes.set()
        async with events_of(served, LIVE, sn=sn) as events, asyncio.timeout(5):
            assert (await anext(events))[1]["data"]["homestayOrderChanged"]["tradeState"] == "WAIT_PAY"
            await asyncio.sleep(0.3)
            await room.orders.cancel(ANN, sn)
            assert (await anext(events))[1]["data"]["homestayOrderChanged"]["tradeState"] == "CANCELLED"


async def test_what_a_socket_asks_takes_a_place_of_all_those_there_are(
    app: Starlette, served: int, travel: HangingTravel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint_of(app).limit, "seconds", 5)
    places_of(app, 2)
    async with socket_to(served) as socket, asyncio.timeout(5):
        await socket.init(token())
        await under_way(socket, travel, 2)
        await socket.subscribe(QUERY, id="one more")
        error = await socket.error()
        assert (error["extensions"]["code"], error["extensions"]["retryAfter"]) == ("OVERLOADED", 1)
        refused = await Client(app).http.post("/graphql", json={"query": QUERY}, headers=guest(7))
        assert refused.status_code == httpx.codes.SERVICE_UNAVAILABLE
        # Who is told to stop gives the place back, and so does who is answered.
        await socket.send(type="complete", id="0")
        await until_free(app, 1)
        travel.wakes.set()
        assert (await socket.receive())["id"] == "1"
        await until_free(app, 2)


async def test_what_is_asked_by_events_keeps_its_place_until_it_is_answered(
    app: Starlette, served: int, travel: HangingTravel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint_of(app).limit, "seconds", 5)
    places_of(app, 1)

    async def ask() -> object:
        async with events_of(served, QUERY) as events:
            return await anext(events)

    asking = asyncio.create_task(ask())
    async with asyncio.timeout(5):
        await until_given(travel, 1)
        refused = await Client(app).http.post("/graphql", json={"query": QUERY}, headers=guest(7))
        assert refused.status_code == httpx.codes.SERVICE_UNAVAILABLE
        travel.wakes.set()
        assert await asking == ("next", {"data": {"homestay": {"title": "Courtyard House"}}})
        await until_free(app, 1)


@pytest.mark.parametrize("how", ["socket", "events"])
async def test_what_is_followed_holds_no_place_once_its_first_answer_is_there(
    app: Starlette, room: OrderRoom, served: int, travel: HangingTravel, how: str
) -> None:
    travel.wakes.set()
    sn = await order_of(room)
    places_of(app, 1)
    async with asyncio.timeout(5):
        if how == "socket":
            async with socket_to(served) as socket:
                await socket.init(token())
                await socket.subscribe(LIVE, sn=sn)
                await socket.data()
                await until_free(app, 1)
        else:
            async with events_of(served, LIVE, sn=sn) as events:
                await anext(events)
                await until_free(app, 1)


async def order_of(room: OrderRoom) -> str:
    (wanted,) = create_stays(1)
    return (await room.orders.create(ANN, wanted)).order.sn


def endpoint_of(app: Starlette) -> endpoint.Endpoint:
    assert isinstance(app, Application)
    return app.straight._endpoint


async def under_way(socket: Socket, travel: HangingTravel, count: int) -> None:
    """Asks as often, and waits until the answers are being made."""
    for number in range(count):
        await socket.subscribe(f"{{ homestay(id: {number + 1}) {{ title }} }}", id=str(number))
    await until_given(travel, count)


async def until_given(travel: HangingTravel, count: int) -> None:
    while len(travel.given) < count:  # noqa: ASYNC110 -- a list, no event
        await asyncio.sleep(0.01)


async def until_free(app: Starlette, count: int) -> None:
    assert isinstance(app, Application)
    while app.straight._places.free != count:  # noqa: ASYNC110 -- a number, no event
        await asyncio.sleep(0.01)


async def test_a_token_that_can_not_be_checked_now_is_not_told_to_be_bad(room: OrderRoom, database: Database) -> None:
    key = rsa_key("one")
    issuer = Issuer(one=key)
    tokens = Tokens(KEY, IssuerKeys(URL, transport=issuer.transport))
    client = Client(create_app(edge=edge_of(room, tokens=tokens), database=database))
    headers = bearer(signed(key, "RS256", "one"))
    async with client.http:
        issuer.answer = lambda: httpx.Response(503)
        (error,) = (await client.post({"query": "{ userHomestayOrderList { totalCount } }"}, None, headers)).json()[
            "errors"
        ]
        assert error["extensions"]["code"] == "UPSTREAM_UNAVAILABLE"
        assert json.dumps(headers) not in error["message"]
        # Under the media type whose status tells of the operation, it is none that says "never again".
        newer = headers | {"Accept": "application/graphql-response+json"}
        refused = await client.http.post("/graphql", json={"query": QUERY}, headers=newer)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")


async def test_a_token_of_a_sign_in_service_opens_the_door(room: OrderRoom, database: Database) -> None:
    key = rsa_key("one")
    tokens = Tokens(KEY, IssuerKeys(URL, transport=Issuer(one=key).transport))
    client = Client(create_app(edge=edge_of(room, tokens=tokens), database=database))
    query = {"query": "{ userHomestayOrderList { totalCount } }"}
    async with client.http:
        good = await client.post(query, None, bearer(signed(key, "RS256", "one")))
        assert good.json() == {"data": {"userHomestayOrderList": {"totalCount": 0}}}
        forged = await client.post(query, None, bearer(signed(rsa_key("other"), "RS256", "one")))
        assert forged.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
