"""The dozen things that scanners of GraphQL services look for: each is refused, or has a limit."""

import json
from typing import Final

import pytest
from graphql import get_introspection_query
from structlog.testing import capture_logs

from bff.http.endpoint import PREFLIGHT
from bff.limits import complexity
from tests.bff.client import Client, any_database, guest
from tests.fakes import FakeTravel

pytestmark = any_database

ASK: Final = "{ __typename }"
FORM: Final = {"Content-Type": "application/x-www-form-urlencoded", **guest(7)}
PREFLIGHTED: Final = {PREFLIGHT[0]: "1", **guest(7)}


async def refused_as(client: Client, query: str) -> str:
    """The code of a refusal before anything ran."""
    answer = await client.ask(query)
    assert "data" not in answer
    (code,) = {error["extensions"]["code"] for error in answer["errors"]}
    return str(code)


async def too_much(client: Client, query: str) -> None:
    assert await refused_as(client, query) == "OPERATION_TOO_COMPLEX"


async def test_alias_overloading(client: Client, travel: FakeTravel) -> None:
    await too_much(client, "{" + " ".join(f"a{number}: __typename" for number in range(101)) + "}")
    await too_much(client, "{" + " ".join(f"a{each}: homestay(id: 1) {{ title }}" for each in range(16)) + "}")
    assert travel.asked == []


async def test_batched_queries(client: Client, travel: FakeTravel) -> None:
    batch = [{"query": "{ homestay(id: 1) { title } }"}] * 10
    response = await client.post(batch)
    assert response.status_code == 400
    assert response.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
    assert travel.asked == []


async def test_circular_introspection(client: Client) -> None:
    for times in (4, 12):
        query = "{ __schema { types { " + "fields { type { " * times + "name" + " } }" * times + " } } }"
        assert "data" not in await client.ask(query)


async def test_directive_overloading(client: Client) -> None:
    for times in (31, 300):
        await too_much(client, f"{{ __typename {'@include(if: true) ' * times}}}")
    assert await refused_as(client, f"{{ __typename {'@aa ' * 10}}}") == "GRAPHQL_VALIDATION_FAILED"


async def test_field_duplication(client: Client) -> None:
    await too_much(client, f"{{ homestay(id: 1) {{ {'title ' * 301}}} }}")
    assert await refused_as(client, "{ " + "__typename " * (complexity.MAX_TOKENS + 1) + "}") == "OPERATION_TOO_COMPLEX"


async def test_field_suggestions(secretive: Client) -> None:
    answer = await secretive.ask("{ __typenam homestai(id: 1) { titel } }")
    assert answer["errors"]
    assert "Did you mean" not in json.dumps(answer)


async def test_introspection_where_it_is_off(secretive: Client) -> None:
    for query in (get_introspection_query(), "{ __schema { types { name } } }", '{ __type(name: "Query") { name } }'):
        assert "data" not in await secretive.ask(query)
    # Under another name, in a fragment, and beside what may be asked.
    for query in ("{ x: __schema { types { name } } }", "{ ...F } fragment F on Query { __schema { types { name } } }"):
        assert "data" not in await secretive.ask(query)


async def test_queries_by_get_as_any_page_could_send_them(client: Client, travel: FakeTravel) -> None:
    response = await client.http.get("/graphql", params={"query": "{ homestay(id: 1) { title } }"}, headers=guest(7))
    assert response.status_code == 405
    assert travel.asked == []


@pytest.mark.parametrize("headers", [guest(7), PREFLIGHTED], ids=["plain", "under a preflight header"])
async def test_mutations_by_get(client: Client, travel: FakeTravel, headers: dict[str, str]) -> None:
    query = """mutation { createHomestayOrder(input: {
        homestayId: 1, liveStartDate: "2026-06-01", liveEndDate: "2026-06-03", livePeopleNum: 2
    }) { order { sn } } }"""
    named = f"query Q {ASK} {query.replace('mutation', 'mutation M', 1)}"
    for parameters in ({"query": query}, {"query": named, "operationName": "M"}):
        response = await client.http.get("/graphql", params=parameters, headers=headers)
        assert response.status_code == 405
        assert "data" not in response.json()
    assert travel.asked == []


async def test_forms_as_any_page_could_send_them(client: Client, travel: FakeTravel) -> None:
    said = {"query": "{ homestay(id: 1) { title } }"}
    form = await client.http.post("/graphql", data=said, headers=FORM)
    in_address = await client.http.post("/graphql", params=said, content=b"", headers=FORM)
    no_type = await client.http.post("/graphql", params=said, headers=guest(7))
    files = await client.http.post("/graphql", files={"operations": (None, json.dumps(said))}, headers=guest(7))
    text = await client.http.post(
        "/graphql", content=json.dumps(said), headers={"Content-Type": "text/plain", **guest(7)}
    )
    assert [each.status_code for each in (form, in_address, no_type, files, text)] == [415] * 5
    assert travel.asked == []


@pytest.mark.parametrize(
    "path", ["/graphql", "/graphiql", "/playground", "/console", "/altair", "/graphql/console", "/"]
)
async def test_no_page_to_try_queries_where_it_is_off(secretive: Client, path: str) -> None:
    for accept in ("text/html", "text/html,application/xhtml+xml,*/*;q=0.8"):
        response = await secretive.http.get(path, headers={"Accept": accept}, follow_redirects=True)
        assert response.status_code in {404, 405}
        assert "html" not in response.headers["Content-Type"]


async def test_traces_and_debugging(client: Client) -> None:
    asked = {
        "X-Apollo-Tracing": "1",
        "apollo-federation-include-trace": "ftv1",
        "X-Debug": "1",
        "Apollo-Query-Plan-Experimental": "1",
    }
    body = {"query": ASK, "extensions": {"tracing": True, "debug": True, "ftv1": True}}
    for path in ("/graphql", "/graphql?debug=1&tracing=1"):
        response = await client.http.post(path, json=body, headers={**asked, **guest(7)})
        assert response.json() == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize(
    "query",
    [
        "qwerty cop { abc }",
        "{",
        "",
        "{ homestay }",
        '{ homestay(id: "\\uD83D") { title } }',
        "query ($a: [[[[A]]]]) { __typename }",
    ],
)
async def test_errors_that_nobody_handles(client: Client, query: str) -> None:
    with capture_logs() as logs:
        response = await client.post({"query": query})
    told = response.text.lower()
    for word in ("traceback", "exception", "stacktrace", ".py", "graphqlerror", "strawberry", "site-packages"):
        assert word not in told
    assert {tuple(sorted(error["extensions"])) for error in response.json()["errors"]} == {("code", "requestId")}
    assert logs == []
