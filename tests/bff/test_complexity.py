"""Documents that ask for too much, or take long to look at: refused before anything else is done with them."""

import time
from collections.abc import Callable
from typing import Any, Final

import pytest
from graphql import GraphQLError, Lexer, Source, TokenKind, get_introspection_query, parse

from bff.execution.documents import Documents
from bff.limits import complexity
from bff.limits.complexity import LIMITS, MAX_TOKENS
from tests.bff import documents
from tests.bff.client import Client, any_database

# Seconds of this process's CPU, the best of a few tries, so that no garbage of earlier tests counts. Far above what a
# refusal takes (a few milliseconds); what these documents would take has no end.
SOON: Final = 0.5
TRIES: Final = 3
# Several operations and no name are refused for that, and as soon.
REFUSED: Final = {"OPERATION_TOO_COMPLEX", "GRAPHQL_VALIDATION_FAILED", "OPERATION_RESOLUTION_FAILURE"}


def doubled(levels: int) -> str:
    """A few hundred bytes that ask for 2^levels fields."""
    fragments = [f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(levels)]
    return "query { ...F0 } " + " ".join(fragments) + f" fragment F{levels} on Query {{ __typename }}"


HOSTILE: Final = {
    **{f"fragments doubled {levels} times": doubled(levels) for levels in (10, 20, 40, 60)},
    "a field under a hundred names": "{ " + " ".join(f"a{n}: __typename" for n in range(100)) + " }",
    "a hundred directives": "{ __typename " + "@include(if: true) " * 100 + "}",
    "fields within fields": "{ userHomestayOrderList { edges { node " + "{ a " * 50 + "}" * 50 + " } } }",
    "one field three hundred times": "{ userHomestayOrderDetail(sn: 1) { " + "sn " * 301 + "} }",
    "a hundred root fields": "{ " + "__typename " * 100 + "}",
    "a page of pages": "{ userHomestayOrderList(first: 100) { nodes { "
    + "history { at } " * 30
    + "} edges { node { sn } } } }",
    "a long document": "{ " + "__typename " * (MAX_TOKENS + 1) + "}",
    "many operations": " ".join(f"query Q{n} {{ ...F0 }}" for n in range(20)) + doubled(40)[15:],
    "introspection within itself": "{ __schema { types " + "{ fields { type " * 12 + "{ name }" + "} }" * 12 + " } }",
}


@any_database
@pytest.mark.parametrize("document", HOSTILE.values(), ids=HOSTILE)
async def test_a_hostile_document_is_refused_at_once(client: Client, document: str) -> None:
    await client.ask("{ __typename }")
    took = []
    for _ in range(TRIES):
        began = time.process_time()
        error = await client.error(document)
        took.append(time.process_time() - began)
    assert error["extensions"]["code"] in REFUSED
    if error["extensions"]["code"] == "OPERATION_TOO_COMPLEX" and "limit" in error["extensions"]:
        assert error["extensions"]["value"] > error["extensions"]["max"]
        assert error["extensions"]["limit"] in error["message"]
    assert min(took) < SOON
    # And the next one is served.
    assert (await client.ask("{ __typename }"))["data"]


LISTED: Final = "query ($filter: HomestayOrderFilter) { userHomestayOrderList(filter: $filter) { nodes { sn } } }"


def within(outer: Callable[[object], object], levels: int) -> object:
    """A value within others."""
    value: object = "1"
    for _ in range(levels):
        value = outer(value)
    return value


# What may be given with an operation, in the 64 KB that a body may have, and the code of what it is told, if it is.
GIVEN: Final[dict[str, tuple[str, dict[str, Any], str | None]]] = {
    "twelve thousand ids": (documents.NODES, {"ids": ["1"] * 12_000}, "OPERATION_TOO_COMPLEX"),
    "ids within lists": (documents.NODES, {"ids": within(lambda inner: [inner], 900)}, "BAD_USER_INPUT"),
    "sixty thousand letters": (documents.DETAIL, {"sn": "x" * 60_000}, None),
    "five thousand states": (LISTED, {"filter": {"tradeState": ["WAIT_PAY"] * 5000}}, None),
    "as many that are none": (LISTED, {"filter": {"tradeState": [f"S{n}" for n in range(5000)]}}, "BAD_USER_INPUT"),
    "filters within filters": (
        LISTED,
        {"filter": within(lambda inner: {"liveStartDate": inner}, 900)},
        "BAD_USER_INPUT",
    ),
    "five thousand fields of an input": (
        documents.PLACE,
        {"input": {f"f{n}": n for n in range(5000)}},
        "BAD_USER_INPUT",
    ),
    "five thousand variables that nobody wants": (LISTED, {f"v{n}": n for n in range(5000)}, None),
}


@any_database
@pytest.mark.parametrize(("query", "given", "code"), GIVEN.values(), ids=GIVEN)
async def test_hostile_variables_are_dealt_with_at_once(
    client: Client, query: str, given: dict[str, Any], code: str | None
) -> None:
    await client.ask("{ __typename }")
    took = []
    for _ in range(TRIES):
        began = time.process_time()
        answer = await client.ask(query, given)
        took.append(time.process_time() - began)
    assert {error["extensions"]["code"] for error in answer.get("errors", ())} == ({code} if code else set())
    assert min(took) < SOON
    assert (await client.ask("{ __typename }"))["data"]


@pytest.mark.parametrize(
    ("limit", "document"),
    [
        ("aliases", lambda count: "{ homestay(id: 1) { " + " ".join(f"a{n}: title" for n in range(count)) + " } }"),
        ("fields", lambda count: "{ homestay(id: 1) { " + "title " * (count - 1) + "} }"),
        ("root_fields", lambda count: "{ " + "__typename " * (count - 1) + "homestay(id: 1) { title } }"),
        ("directives", lambda count: "{ homestay(id: 1) { title " + "@skip(if: false) " * count + "} }"),
        ("depth", lambda count: "{ " + "a { " * (count - 1) + "a" + " }" * count),
    ],
)
def test_each_limit_is_where_it_is_said_to_be(limit: str, document: Callable[[int], str]) -> None:
    most = getattr(LIMITS, limit)
    assert getattr(complexity.check(parse(document(most)), {}), limit) == most
    name = limit.replace("_", " ")
    with pytest.raises(GraphQLError, match=f"{name} {most + 1}, at most {most}"):
        complexity.check(parse(document(most + 1)), {})


@pytest.mark.parametrize(
    "document",
    [documents.FULL_DETAIL, documents.PLACE, documents.LIST, documents.PAY, get_introspection_query()],
)
def test_what_the_contract_needs_is_within_the_limits(document: str) -> None:
    assert complexity.check(parse(document, max_tokens=MAX_TOKENS), {}).fields > 0


@pytest.mark.parametrize(
    "piece",
    [
        "name ", "12 ", "-1.5e+3 ", "... ", "! ", "{ } ", "$a ", "@b ", '"a string # no comment" ', '"\\" {" ', '"" ',
        '"""a block " of {{{ \\""" text""" ', "# a comment {{{ ' \n", "a,b,,c ", "\ufeff ", '"#" # "\n', '""" """ ',
    ],
)  # fmt: skip
def test_tokens_are_counted_as_the_parser_counts_them(piece: str) -> None:
    lexer = Lexer(Source(piece * 50))
    count = 0
    while lexer.advance().kind is not TokenKind.EOF:
        count += 1
    text = piece * 50 + "a " * (MAX_TOKENS - count) + " " * MAX_TOKENS
    complexity.check_length(text)
    with pytest.raises(GraphQLError, match=f"tokens {MAX_TOKENS + 1}, at most {MAX_TOKENS}"):
        complexity.check_length(text + " a")


def test_a_page_counts_as_long_as_it_is_asked_for() -> None:
    page = parse("query ($n: Int) { userHomestayOrderList(first: $n) { nodes { sn tradeState } } }")
    small, large = (complexity.check(page, {"n": n}).values for n in (1, 100))
    assert large > 50 * small
    default = complexity.check(parse("{ userHomestayOrderList { nodes { sn tradeState } } }"), {}).values
    assert small < default < large


@any_database
async def test_a_fragment_within_itself_is_left_to_the_validation(client: Client) -> None:
    error = await client.error("{ ...F } fragment F on Query { ...G } fragment G on Query { ...F }")
    assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("{ userHomestayOrderList(first: 7) { nodes { sn } } }", [{}, {"first": 100}]),
        (
            """query ($n: Int, $m: Int) {
              a: userHomestayOrderList(first: $n) { nodes { sn } }
              b: userHomestayOrderList(last: $m) { nodes { ...F } }
            } fragment F on HomestayOrder { sn title }""",
            [{}, {"n": 3}, {"m": 3}, {"n": 3, "m": 50}, {"n": True}, {"n": [1, 2, 3]}, {"n": -1}, {"n": 2**70}],
        ),
        (
            "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Homestay { title } } }",
            [{"ids": ["1"] * count} for count in range(40)] + [{"ids": 3}, {"ids": "3"}, {}],
        ),
    ],
)
def test_a_document_that_is_kept_costs_the_same(text: str, variables: list[dict[str, Any]]) -> None:
    kept = Documents(MAX_TOKENS).parse(text)
    for _ in range(2):
        for each in variables:
            assert complexity.check_kept(kept, each) == complexity.check(kept.node, each), each
    assert 1 <= len(kept.costs) <= 16


def test_a_document_that_is_kept_is_measured_once_for_each_size(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Documents(MAX_TOKENS).parse("query ($n: Int) { userHomestayOrderList(first: $n) { nodes { sn } } }")
    costs = [complexity.check_kept(kept, {"n": n, "other": n}) for n in (1, 100)]
    monkeypatch.setattr(complexity, "check", None)
    assert [complexity.check_kept(kept, {"n": n}) for n in (1, 100)] == costs
    assert costs[0] != costs[1]


def test_what_is_refused_is_refused_again() -> None:
    text = "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Homestay { title } } }"
    kept = Documents(MAX_TOKENS).parse(text)
    for ids in (["1"], ["1"] * 20_000, ["1"], ["1"] * 20_000):
        if len(ids) == 1:
            complexity.check_kept(kept, {"ids": ids})
        else:
            with pytest.raises(GraphQLError):
                complexity.check_kept(kept, {"ids": ids})
