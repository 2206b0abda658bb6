"""No request takes for ever, and what can't be known now is no refusal."""

import asyncio
import json
from collections.abc import Sequence

import httpx
import pytest
from starlette.applications import Starlette

from bff.app import create_app
from bff.http import endpoint
from bff.identity.issuer_keys import IssuerKeys
from bff.identity.tokens import Tokens
from domain.database import Database
from domain.deadline import remaining
from domain.order.ports import Found, Homestay
from domain.order.room import OrderRoom
from tests.bff.client import KEY, Client, any_database, bearer, guest
from tests.bff.edges import edge_of
from tests.bff.issuer import URL, Issuer, rsa_key, signed
from tests.fakes import FakeTravel

pytestmark = any_database


class HangingTravel(FakeTravel):
    """Never answers, and remembers how much time it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[float | None] = []

    async def homestay(self, homestay_id: int) -> Homestay | None:
        self.given.append(remaining())
        await asyncio.Event().wait()
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


@pytest.mark.parametrize("document", [QUERY, MUTATION], ids=["query", "mutation"])
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
