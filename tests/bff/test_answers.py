"""What an answer looks like: its media type, its status, its errors' codes, its id."""

import asyncio
import re
from typing import Final

import pytest

from tests.bff.client import Client, any_database
from tests.bff.documents import stay

pytestmark = any_database

NEWER: Final = "application/graphql-response+json"
OLDER: Final = "application/json"

QUOTE: Final = """
  query ($start: Date!, $people: Int!) {
    homestayQuote(homestayId: 1, liveStartDate: $start, liveEndDate: "2026-06-03", livePeopleNum: $people) { nights }
  }
"""


def nested(depth: int) -> list[object]:
    return [nested(depth - 1)] if depth else []


# Requests that are refused before anything is executed: query, other members, code.
REFUSED: Final = {
    "syntax": ("{ homestay(id: 1) { title }", {}, "GRAPHQL_PARSE_FAILED"),
    "blank": (" # nothing\n", {}, "GRAPHQL_PARSE_FAILED"),
    "400 fields deep": ("{a" * 400 + "}" * 400, {}, "OPERATION_TOO_COMPLEX"),
    "a control character": ("{ \0 }", {}, "GRAPHQL_PARSE_FAILED"),
    "unknown field": ("{ homestay(id: 1) { colour } }", {}, "GRAPHQL_VALIDATION_FAILED"),
    "unknown argument": ("{ homestay(id: 1, name: 2) { title } }", {}, "GRAPHQL_VALIDATION_FAILED"),
    "missing argument": ("{ homestay { title } }", {}, "GRAPHQL_VALIDATION_FAILED"),
    "nothing selected": ("{ homestay(id: 1) }", {}, "GRAPHQL_VALIDATION_FAILED"),
    "a subscription": ("subscription { __typename }", {}, "GRAPHQL_VALIDATION_FAILED"),
    "a literal that does not fit": (
        """{ homestayQuote(
          homestayId: 1, liveStartDate: "1 June", liveEndDate: "2026-06-03", livePeopleNum: 2
        ) { nights } }""",
        {},
        "GRAPHQL_VALIDATION_FAILED",
    ),
    "a type definition": ("type Query { x: Int }", {}, "OPERATION_RESOLUTION_FAILURE"),
    "no operation": ("fragment F on Query { __typename }", {}, "OPERATION_RESOLUTION_FAILURE"),
    "which operation": ("query A { __typename } query B { __typename }", {}, "OPERATION_RESOLUTION_FAILURE"),
    "unknown operation": ("query A { __typename }", {"operationName": "B"}, "OPERATION_RESOLUTION_FAILURE"),
    "missing variables": (QUOTE, {}, "BAD_USER_INPUT"),
    "null variable": (QUOTE, {"variables": {"start": "2026-06-01", "people": None}}, "BAD_USER_INPUT"),
    "a text for a number": (QUOTE, {"variables": {"start": "2026-06-01", "people": "2"}}, "BAD_USER_INPUT"),
    "a number above 32 bits": (QUOTE, {"variables": {"start": "2026-06-01", "people": 2**31}}, "BAD_USER_INPUT"),
    "a date that is none": (QUOTE, {"variables": {"start": "2026-02-30", "people": 2}}, "BAD_USER_INPUT"),
    "an unknown input field": (
        "mutation ($input: CreateHomestayOrderInput!) { createHomestayOrder(input: $input) { order { sn } } }",
        {"variables": {"input": stay(colour="blue")}},
        "BAD_USER_INPUT",
    ),
    "a variable 150 deep": (
        "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }",
        {"variables": {"ids": nested(150)}},
        "BAD_USER_INPUT",
    ),
}


@pytest.mark.parametrize("request_", REFUSED.values(), ids=REFUSED)
async def test_what_is_refused_before_it_runs_has_no_data_and_one_kind_of_code(
    client: Client, request_: tuple[str, dict[str, object], str]
) -> None:
    query, members, code = request_
    body = {"query": query, **members}
    answer = (await client.post(body)).json()
    assert set(answer) == {"errors"}
    assert {error["extensions"]["code"] for error in answer["errors"]} == {code}
    assert all("path" not in error for error in answer["errors"])

    newer = await client.post(body, headers={"Accept": NEWER})
    assert newer.status_code == 400
    assert newer.headers["Content-Type"] == f"{NEWER}; charset=utf-8"
    assert set(newer.json()) == {"errors"}


async def test_an_error_says_where(client: Client) -> None:
    error = await client.error("{\n  homestay(id: 1) { colour }\n}")
    assert error["locations"] == [{"line": 2, "column": 21}]
    error = await client.error_at("stay", '{ stay: homestay(id: "x") { title } }')
    assert error["locations"] == [{"line": 1, "column": 3}]


async def test_who_asks_by_the_newer_media_type_is_told_401(client: Client) -> None:
    body = {"query": "{ homestay(id: 1) { title } }"}
    newer = await client.post(body, None, {"Accept": NEWER})
    assert newer.status_code == 401
    assert newer.headers["WWW-Authenticate"] == "Bearer"
    older = await client.post(body, None, {"Accept": OLDER})
    assert older.status_code == 200
    assert "WWW-Authenticate" not in older.headers
    for response in (newer, older):
        assert response.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_an_operation_that_ran_is_200_whatever_came_of_it(client: Client) -> None:
    for query in (
        "{ __typename }",
        '{ homestay(id: "x") { title } }',
        "{ userHomestayOrderList(first: 0) { totalCount } }",
    ):
        response = await client.post({"query": query}, headers={"Accept": NEWER})
        assert response.status_code == 200
        assert "data" in response.json()


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("*/*", OLDER),
        ("application/*", OLDER),
        ("text/html", OLDER),
        ("", OLDER),
        (OLDER, OLDER),
        (NEWER, NEWER),
        (f"{NEWER}; charset=utf-8", NEWER),
        (NEWER.upper(), NEWER),
        (f"{NEWER}, {OLDER}", NEWER),
        (f"{OLDER}, {NEWER}", OLDER),
        (f"{OLDER};q=0.9, {NEWER}", NEWER),
        (f"{OLDER};q=0.9, {NEWER};q=0.8", OLDER),
        (f"{OLDER}; q=0.1 ,{NEWER} ; q=0.2", NEWER),
        (f"{NEWER};q=0, {OLDER};q=0.1", OLDER),
        (f"{NEWER};q=0", OLDER),
        (f"{NEWER};q=high, {OLDER}", OLDER),
        (f"{NEWER}, {OLDER}, text/event-stream, multipart/mixed", NEWER),
        (";;,,q=;q", OLDER),
    ],
)
async def test_the_answer_has_the_media_type_that_is_liked_best(client: Client, accept: str, media_type: str) -> None:
    for content in (b'{"query": "{ __typename }"}', b'{"query": "{ colour }"}', b"no request"):
        response = await client.send(content, {"Accept": accept})
        assert response.headers["Content-Type"] == f"{media_type}; charset=utf-8"


async def test_a_client_that_does_not_say_gets_the_older_media_type(client: Client) -> None:
    del client.http.headers["Accept"]
    response = await client.send(b'{"query": "{ __typename }"}')
    assert "accept" not in response.request.headers
    assert response.headers["Content-Type"] == f"{OLDER}; charset=utf-8"


@pytest.mark.parametrize("given", ["a", "4711", "req_01.A-b", "x" * 128])
async def test_a_sane_id_of_the_client_is_given_back(client: Client, given: str) -> None:
    for content in (b'{"query": "{ __typename }"}', b'{"query": "{ colour }"}', b"no request"):
        response = await client.send(content, {"X-Request-Id": given})
        assert response.headers["X-Request-Id"] == given


@pytest.mark.parametrize(
    "given", [None, "", " ", "two words", "x" * 129, "a;b", '"quoted"', "a\tb", "<b>", "{}", "a/b"]
)
async def test_an_id_is_made_where_none_or_none_that_is_sane_is_given(client: Client, given: str | None) -> None:
    headers = {} if given is None else {"X-Request-Id": given}
    made = [(await client.send(b"no request", headers)).headers["X-Request-Id"] for _ in range(2)]
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in made)
    assert made[0] != made[1]


async def test_two_requests_at_once_keep_their_ids_apart(client: Client) -> None:
    async def ask(number: int) -> None:
        response = await client.post(
            {"query": '{ homestay(id: "x") { title } }'}, headers={"X-Request-Id": f"r{number}"}
        )
        assert response.headers["X-Request-Id"] == f"r{number}"

    await asyncio.gather(*(ask(number) for number in range(20)))


@pytest.mark.parametrize(
    ("query", "path"),
    [
        (
            "query ($v: Boolean = true) { userHomestayOrderList { totalCount @include(if: $v) } }",
            ["userHomestayOrderList"],
        ),
        ("query ($v: Boolean = true) { userHomestayOrderList @skip(if: $v) { totalCount } }", None),
        (
            """query ($v: Boolean = true) { homestayQuote(
              homestayId: 1, liveStartDate: "2026-06-01", liveEndDate: "2026-06-03", livePeopleNum: 1, needFood: $v
            ) { nights } }""",
            ["homestayQuote"],
        ),
    ],
)
async def test_a_null_in_the_place_of_a_default_is_no_bug(client: Client, query: str, path: list[str] | None) -> None:
    error = await client.error(query, {"v": None})
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert error.get("path") == path
    assert "$v" in error["message"]
