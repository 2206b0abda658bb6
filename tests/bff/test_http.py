"""GraphQL over HTTP: one form of request, and a refusal in the same form for everything else."""

import json
from collections.abc import AsyncIterator
from itertools import product
from typing import Final

import httpx
import pytest

from bff.http.endpoint import PREFLIGHT
from bff.http.request_body import MAX_BODY
from domain.database import Database
from tests.bff import documents
from tests.bff.client import Client, any_database, check, guest
from tests.bff.rows import owners
from tests.fakes import FakeTravel

pytestmark = any_database

ASK: Final = b'{"query": "{ __typename }"}'
ANSWER: Final = {"data": {"__typename": "Query"}}

BODIES: Final[dict[str, bytes]] = {
    "nothing": b"",
    "blank": b" \n",
    "null": b"null",
    "a text": b'"x"',
    "a number": b"5",
    "a truth": b"true",
    "a list": b"[]",
    "a batch": b'[{"query": "{ __typename }"}]',
    "no JSON": b"{ __typename }",
    "half a body": b'{"query": "{ __typename }"',
    "two bodies": ASK + ASK,
    "not a number": b'{"query": "{ __typename }", "variables": {"a": NaN}}',
    "bad UTF-8": b'{"query": "\xff\xfe"}',
    "UTF-16": '{"query": "{ __typename }"}'.encode("utf-16"),
    "half a character": b'{"query": "\\ud800"}',
    "5,000 digits": b"1" * 5_000,
    "5,000 digits in a variable": b'{"query": "{ __typename }", "variables": {"a": ' + b"1" * 5_000 + b"}}",
    "a list 30,000 deep": b"[" * 30_000 + b"]" * 30_000,
    "an endless list": b"[" * 60_000,
    "objects 10,000 deep": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "no query": b"{}",
    "a null query": b'{"query": null}',
    "an empty query": b'{"query": ""}',
    "a query that is a number": b'{"query": 5}',
    "a query that is a list": b'{"query": ["{ __typename }"]}',
    "variables that are a list": b'{"query": "{ __typename }", "variables": []}',
    "variables that are a text": b'{"query": "{ __typename }", "variables": "{}"}',
    "variables that are false": b'{"query": "{ __typename }", "variables": false}',
    "an operation's name that is a number": b'{"query": "{ __typename }", "operationName": 5}',
    "an operation's name that is an object": b'{"query": "{ __typename }", "operationName": {}}',
    "extensions that are a number": b'{"query": "{ __typename }", "extensions": 5}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_a_body_that_is_no_request_is_refused(client: Client, body: bytes) -> None:
    response = await client.send(body)
    assert response.status_code == 400
    answer = response.json()
    assert set(answer) == {"errors"}
    assert answer["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
    assert (await client.send(ASK)).json() == ANSWER


@pytest.mark.parametrize(
    "members",
    [
        {"variables": None},
        {"variables": {}},
        {"variables": {"unused": [1, 2.5, None, True, {"a": "☃"}]}},
        {"operationName": None},
        {"extensions": None},
        {"extensions": {"trace": 1}},
        {"more": "than is needed"},
    ],
    ids=str,
)
async def test_a_request_may_have_members_that_say_nothing(client: Client, members: dict[str, object]) -> None:
    assert (await client.post({"query": "{ __typename }", **members}, None)).json() == ANSWER


async def test_a_body_may_be_as_large_as_the_limit_and_not_larger(client: Client) -> None:
    assert MAX_BODY == 64 * 1024
    assert (await client.send(ASK.ljust(MAX_BODY))).json() == ANSWER
    response = await client.send(ASK.ljust(MAX_BODY + 1))
    assert response.status_code == 413
    assert response.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


async def test_a_body_without_end_is_not_read_to_its_end(client: Client) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1000
            yield b" " * 1000

    assert (await client.send(endless())).status_code == 413
    assert sent <= MAX_BODY + 1000


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "APPLICATION/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        "application/json ; charset=utf-8",
        'application/json; charset="utf-8"',
        "application/json; profile=x",
    ],
)
async def test_json_in_utf_8_is_read(client: Client, media_type: str) -> None:
    response = await client.send(ASK, {"Content-Type": media_type})
    assert response.status_code == 200
    assert response.json() == ANSWER


@pytest.mark.parametrize(
    "media_type",
    [
        "",
        "text/plain",
        "text/plain; application/json",
        "application/graphql",
        "application/jsonp",
        "application/json; charset=utf-16",
        "application/json; charset=latin-1",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
    ],
)
async def test_any_other_media_type_is_refused_unread(client: Client, media_type: str, travel: FakeTravel) -> None:
    body = json.dumps({"query": "{ homestay(id: 1) { title } }"}).encode()
    response = await client.send(body, {"Content-Type": media_type, **guest(7)})
    assert response.status_code == 415
    assert response.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
    assert travel.asked == []


METHODS: Final = ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"]
URLS: Final = ["/graphql", "/graphql?query={homestay(id:1){title}}"]


@pytest.mark.parametrize("method", METHODS)
async def test_a_page_of_another_site_can_send_no_operation(client: Client, method: str, travel: FakeTravel) -> None:
    for url, accept in product(URLS, ("*/*", "text/html,application/xhtml+xml,*/*;q=0.8", "application/json")):
        headers = {"Content-Type": "application/json", "Accept": accept, **guest(7)}
        response = await client.http.request(method, url, content=ASK, headers=headers)
        assert response.status_code == 405
        assert response.headers["Allow"] == "GET, POST"
        assert response.headers["X-Request-Id"]
    assert travel.asked == []


@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_who_sends_it_otherwise_is_told_how(client: Client, method: str) -> None:
    response = await client.http.request(method, "/graphql", content=ASK)
    check(response)
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] == "BAD_REQUEST"
    assert "POST" in error["message"]
    assert "GraphQL-Require-Preflight" in error["message"]


async def get(client: Client, headers: dict[str, str], **parameters: str) -> httpx.Response:
    response = await client.http.get("/graphql", params=parameters, headers={**headers, **guest(7)})
    check(response)
    return response


@pytest.mark.parametrize("header", PREFLIGHT)
async def test_a_query_may_be_sent_by_get_where_the_browser_would_have_asked_us_first(
    client: Client, header: str
) -> None:
    query = "query Q($id: ID!) { homestay(id: $id) { title } } query Other { __typename }"
    response = await get(client, {header: "1"}, query=query, variables='{"id": 1}', operationName="Q")
    assert response.status_code == 200
    assert response.json() == {"data": {"homestay": {"title": "Courtyard House"}}}


async def test_a_mutation_is_never_sent_by_get(client: Client, database: Database) -> None:
    query = documents.CANCEL.replace("$sn: ID!, $key: String", "$sn: ID!").replace(", idempotencyKey: $key", "")
    response = await get(client, {PREFLIGHT[0]: "1"}, query=query, variables='{"sn": "HSO1"}')
    assert response.status_code == 405
    assert response.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
    assert await owners(database) == []


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"query": ""},
        {"query": "{ __typename }", "variables": "{"},
        {"query": "{ __typename }", "variables": "[]"},
        {"query": "{ __typename }", "variables": "1" * 5000},
        {"query": "{ __typename }", "extensions": '"x"'},
    ],
)
async def test_what_a_get_says_wrongly_is_refused(client: Client, parameters: dict[str, str]) -> None:
    response = await get(client, {PREFLIGHT[0]: "1"}, **parameters)
    assert response.status_code == 400
    assert response.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


async def test_a_path_that_is_none_is_not_found(client: Client) -> None:
    for path in ("/", "/graphql/", "/graphql/x"):
        response = await client.http.post(path, json={"query": "{ __typename }"})
        assert response.status_code in {307, 404}
        assert response.headers["X-Request-Id"]
