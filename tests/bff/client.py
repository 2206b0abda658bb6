"""A guest's program: asks over HTTP, and holds each answer to what all answers have in common."""

from collections.abc import AsyncIterable
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final, TypeAlias

import httpx
import pytest
from starlette.types import ASGIApp

from bff.identity.tokens import Tokens
from tests.bff import documents
from tests.bff.wire import Wire

KEY: Final = "a key that nothing but these tests knows, long enough for every algorithm of this kind"
TOKENS: Final = Tokens(KEY)

# Guests.
ANN: Final = 7
BOB: Final = 8

Json: TypeAlias = dict[str, Any]

# Every `extensions.code` that a client may have to understand.
CODES: Final = frozenset(
    {
        "BAD_REQUEST",
        "BAD_USER_INPUT",
        "FORBIDDEN",
        "GRAPHQL_PARSE_FAILED",
        "GRAPHQL_VALIDATION_FAILED",
        "INTERNAL_SERVER_ERROR",
        "OPERATION_RESOLUTION_FAILURE",
        "OPERATION_TOO_COMPLEX",
        "OVERLOADED",
        "PERSISTED_QUERY_NOT_FOUND",
        "RATE_LIMITED",
        "UNAUTHENTICATED",
        "UPSTREAM_UNAVAILABLE",
    }
)

# For what is decided before any database is asked: one kind of database is enough.
any_database = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def guest(user: int) -> dict[str, str]:
    return bearer(TOKENS.sign(user, timedelta(hours=1)))


class Client:
    def __init__(self, app: ASGIApp, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.http = httpx.AsyncClient(transport=transport or Wire(app), base_url="http://test")

    async def send(
        self, content: bytes | AsyncIterable[bytes], headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """Posts a body as it is."""
        response = await self.http.post(
            "/graphql", content=content, headers={"Content-Type": "application/json", **(headers or {})}
        )
        check(response)
        return response

    async def post(self, body: object, user: int | None = ANN, headers: dict[str, str] | None = None) -> httpx.Response:
        """Posts a body as JSON."""
        who = {} if user is None else guest(user)
        response = await self.http.post("/graphql", json=body, headers={**who, **(headers or {})})
        check(response)
        return response

    async def ask(
        self,
        query: str,
        variables: Json | None = None,
        user: int | None = ANN,
        headers: dict[str, str] | None = None,
    ) -> Json:
        """The whole answer to an operation."""
        response = await self.post({"query": query, "variables": variables}, user, headers)
        assert response.status_code == HTTPStatus.OK
        answer: Json = response.json()
        return answer

    async def data(self, query: str, variables: Json | None = None, user: int | None = ANN) -> Json:
        """What was asked for, where nothing went wrong."""
        answer = await self.ask(query, variables, user)
        assert "errors" not in answer
        data: Json = answer["data"]
        return data

    async def error(self, query: str, variables: Json | None = None, user: int | None = ANN) -> Json:
        """The one thing that went wrong, where nothing was answered."""
        answer = await self.ask(query, variables, user)
        assert answer.get("data") is None
        (error,) = answer["errors"]
        found: Json = error
        return found

    async def error_at(self, field: str, query: str, variables: Json | None = None, user: int | None = ANN) -> Json:
        """The one thing that went wrong, where a root field is null for it."""
        answer = await self.ask(query, variables, user)
        assert answer["data"] == {field: None}
        (error,) = answer["errors"]
        assert error["path"] == [field]
        found: Json = error
        return found

    async def place(self, user: int = ANN, **wanted: object) -> Json:
        """An order placed; two nights for two in homestay 1, unless the test says otherwise."""
        payload = (await self.data(documents.PLACE, {"input": documents.stay(**wanted)}, user))["createHomestayOrder"]
        assert payload["userErrors"] == []
        order: Json = payload["order"]
        return order

    async def place_several(self, count: int) -> list[Json]:
        """As many orders placed, one after the other, none with a night of another."""
        return [await self.place(**wanted) for wanted in documents.stays(count)]

    async def refused(self, mutation: str, variables: Json, user: int = ANN) -> Json:
        """The one reason why a mutation was refused."""
        (payload,) = (await self.data(mutation, variables, user)).values()
        (refusal,) = payload.pop("userErrors")
        assert payload.pop("replayed", False) is False
        assert set(payload.values()) == {None}
        found: Json = refusal
        assert found["message"]
        return found


def check(response: httpx.Response) -> None:
    """Holds an answer to what all answers have in common: an id, and errors that programs and people can read."""
    assert response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR
    request_id = response.headers["X-Request-Id"]
    assert request_id
    assert "Traceback" not in response.text
    for error in response.json().get("errors", ()):
        assert error["message"]
        assert error["extensions"]["requestId"] == request_id
        assert error["extensions"]["code"] in CODES
