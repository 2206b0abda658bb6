"""The schema may be asked about itself by anybody; nothing else slips by with it."""

import pytest
from graphql import build_client_schema, get_introspection_query, print_schema

from bff.graph import ids
from bff.graph.sdl import print_sdl
from tests.bff.client import Client, any_database
from tests.fakes import FakeTravel

pytestmark = any_database

HOMESTAY = ids.global_id(ids.HOMESTAY, 1)


@pytest.mark.parametrize(
    "query",
    [
        "{ __typename }",
        "mutation { __typename }",
        "query Q { ...F } fragment F on Query { ... on Query { __typename } }",
        "{ __schema { queryType { name } } }",
        '{ __type(name: "Money") { name } }',
    ],
)
async def test_the_schema_is_told_to_anybody(client: Client, query: str) -> None:
    answer = await client.ask(query, user=None)
    assert "errors" not in answer
    assert answer["data"]


async def test_what_is_told_is_what_is_printed(client: Client) -> None:
    answer = await client.ask(get_introspection_query(), user=None)
    told = print_schema(build_client_schema(answer["data"]))
    assert sorted(told.split("\n\n")) == sorted(print_sdl().partition("\n\n")[2].removesuffix("\n").split("\n\n"))


@pytest.mark.parametrize(
    "query",
    [
        "{ __typename homestay(id: 1) { title } }",
        "{ homestay(id: 1) { title } __typename }",
        "{ __schema { queryType { name } } homestay(id: 1) { title } }",
        "{ __typename: homestay(id: 1) { title } }",
        "{ ... { homestay(id: 1) { title } } }",
        "{ ... on Query { homestay(id: 1) { title } } }",
        "{ ... on Query { ... { ... on Query { homestay(id: 1) { title } } } } }",
        "{ ...F } fragment F on Query { homestay(id: 1) { title } }",
        "{ ...F ...G } fragment F on Query { __typename } fragment G on Query { ...F homestay(id: 1) { title } }",
        "{ __typename ...F } fragment F on Query { ...G } fragment G on Query { homestay(id: 1) { title } }",
        "query Q($yes: Boolean = true) { homestay(id: 1) @include(if: $yes) { title } }",
        "query Q($no: Boolean = false) { ...F @skip(if: $no) } fragment F on Query { homestay(id: 1) { title } }",
        f'{{ node(id: "{HOMESTAY}") {{ id }} }}',
        f'{{ nodes(ids: ["{HOMESTAY}"]) {{ id }} }}',
        """{ homestayQuote(
          homestayId: 1, liveStartDate: "2026-06-01", liveEndDate: "2026-06-02", livePeopleNum: 1
        ) { nights } }""",
        "mutation { __typename ...F } fragment F on Mutation { cancelHomestayOrder(sn: 1) { __typename } }",
    ],
)
async def test_nothing_slips_by_with_the_schema(
    client: Client, travel: FakeTravel, statements: list[str], query: str
) -> None:
    error = await client.error(query, user=None)
    assert error["extensions"]["code"] == "UNAUTHENTICATED"
    assert (travel.asked, statements) == ([], [])


async def test_of_several_operations_the_one_that_is_meant_counts(client: Client, travel: FakeTravel) -> None:
    query = "query Free { __typename } query Guarded { homestay(id: 1) { title } }"
    free = await client.post({"query": query, "operationName": "Free"}, user=None)
    assert free.json() == {"data": {"__typename": "Query"}}
    guarded = await client.post({"query": query, "operationName": "Guarded"}, user=None)
    assert "data" not in guarded.json()
    assert guarded.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert travel.asked == []


@pytest.mark.parametrize("name", ["", " ", "Other", "guarded", None])
async def test_no_operation_runs_that_was_not_named(client: Client, travel: FakeTravel, name: str | None) -> None:
    query = "query Free { __typename } query Guarded { homestay(id: 1) { title } }"
    response = await client.post({"query": query, "operationName": name}, user=None)
    assert "data" not in response.json()
    assert response.json()["errors"][0]["extensions"]["code"] == "OPERATION_RESOLUTION_FAILURE"
    assert travel.asked == []


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{ ...F } fragment F on Query { ...F homestay(id: 1) { title } }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ ...Missing homestay(id: 1) { title } }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ ...Missing }", "GRAPHQL_VALIDATION_FAILED"),
        ("query Q { __typename } query Q { homestay(id: 1) { title } }", "OPERATION_RESOLUTION_FAILURE"),
        ("{ __typename } { homestay(id: 1) { title } }", "OPERATION_RESOLUTION_FAILURE"),
    ],
)
async def test_a_document_that_is_not_sound_runs_nothing(
    client: Client, travel: FakeTravel, query: str, code: str
) -> None:
    answer = await client.ask(query, user=None)
    assert "data" not in answer
    assert {error["extensions"]["code"] for error in answer["errors"]} == {code}
    assert travel.asked == []


async def test_of_two_operations_of_one_name_none_runs(client: Client, travel: FakeTravel) -> None:
    query = "query Q { __typename } query Q { homestay(id: 1) { title } }"
    response = await client.post({"query": query, "operationName": "Q"}, user=None)
    assert {error["extensions"]["code"] for error in response.json()["errors"]} == {"GRAPHQL_VALIDATION_FAILED"}
    assert "data" not in response.json()
    assert travel.asked == []


async def test_a_schema_that_is_not_to_be_asked_says_nothing_of_itself(secretive: Client) -> None:
    for query in ("{ __schema { queryType { name } } }", '{ __type(name: "Money") { name } }'):
        answer = await secretive.ask(query)
        assert "data" not in answer
        assert {error["extensions"]["code"] for error in answer["errors"]} == {"GRAPHQL_VALIDATION_FAILED"}
    assert await secretive.data("{ __typename homestay(id: 1) { __typename } }")


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("{ homestai(id: 1) { title } }", "homestay"),
        ("{ homestay(id: 1) { titel } }", "title"),
        ("{ homestay(ib: 1) { title } }", "id"),
        ("{ homestay(id: 1) { ... on Homestai { title } } }", "Homestay"),
        ("{ userHomestayOrderList(filter: {tradeStat: WAIT_PAY}) { totalCount } }", "tradeState"),
        ("{ userHomestayOrderList(filter: {tradeState: WAIT_PAI}) { totalCount } }", "WAIT_PAY"),
        ("query ($a: HomestayOrderFilte) { userHomestayOrderList(filter: $a) { totalCount } }", "HomestayOrderFilter"),
    ],
)
async def test_a_schema_that_is_not_to_be_asked_suggests_no_names(secretive: Client, query: str, name: str) -> None:
    answer = await secretive.ask(query)
    assert answer["errors"]
    assert [error["message"] for error in answer["errors"] if f"'{name}'" in error["message"]] == []


@pytest.mark.parametrize("wanted", [{"tradeStat": []}, {"tradeState": ["WAIT_PAI"]}], ids=str)
async def test_a_schema_that_is_not_to_be_asked_suggests_no_names_for_variables(
    secretive: Client, wanted: dict[str, object]
) -> None:
    error = await secretive.error(
        "query ($wanted: HomestayOrderFilter) { userHomestayOrderList(filter: $wanted) { totalCount } }",
        {"wanted": wanted},
    )
    assert "Did you mean" not in error["message"]
