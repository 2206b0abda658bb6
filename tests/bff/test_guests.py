"""Who is asking: every field but the schema's own is for a guest with a good token, and shows that guest's orders."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

import jwt
import pytest
from graphql import (
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    build_schema,
    get_named_type,
    is_leaf_type,
)

from bff.graph import ids
from bff.graph.sdl import print_sdl
from tests.bff.client import KEY, TOKENS, Client, any_database, bearer
from tests.bff.issuer import ec_key, rsa_key, signed
from tests.fakes import FakePayments, FakeTravel

HOUR: Final = timedelta(hours=1)

SCHEMA: Final = build_schema(print_sdl())

# Arguments that reach somebody, so that a field which is not guarded shows.
VALUES: Final = {
    "homestay(id:)": f'"{ids.global_id(ids.HOMESTAY, 1)}"',
    "node(id:)": f'"{ids.global_id(ids.HOMESTAY, 1)}"',
    "ID": '"1"',
    "Int": "2",
    "Boolean": "true",
    "String": '"text"',
    "liveStartDate": '"2026-06-01"',
    "liveEndDate": '"2026-06-03"',
    "from": '"2026-06-01"',
    "to": '"2026-06-03"',
    "ids": f'["{ids.global_id(ids.HOMESTAY, 1)}"]',
}


def value(name: str, kind: GraphQLInputType) -> str:
    if name in VALUES:
        return VALUES[name]
    if isinstance(kind, GraphQLNonNull):
        return value(name, kind.of_type)
    if isinstance(kind, GraphQLList):
        return f"[{value(name, kind.of_type)}]"
    if isinstance(kind, GraphQLInputObjectType):
        members = (f"{each}: {value(each, field.type)}" for each, field in kind.fields.items() if is_asked(field.type))
        return f"{{{', '.join(members)}}}"
    return VALUES[kind.name]


def is_asked(kind: GraphQLInputType) -> bool:
    return isinstance(kind, GraphQLNonNull)


def selection(name: str, field: GraphQLField) -> str:
    """One field with what it must be given, and nothing selected below it but what any object has."""
    arguments = [
        f"{each}: {VALUES.get(f'{name}({each}:)') or value(each, argument.type)}"
        for each, argument in field.args.items()
        if is_asked(argument.type)
    ]
    given = f"({', '.join(arguments)})" if arguments else ""
    return f"{name}{given}{'' if is_leaf_type(get_named_type(field.type)) else ' { __typename }'}"


def fields(root: GraphQLObjectType | None, operation: str) -> dict[str, str]:
    if root is None:
        return {}
    return {name: f"{operation} {{ {selection(name, field)} }}" for name, field in root.fields.items()}


OPERATIONS: Final = fields(SCHEMA.query_type, "query") | fields(SCHEMA.mutation_type, "mutation")
STREAMS: Final = fields(SCHEMA.subscription_type, "subscription")


def token(key: str = KEY, algorithm: str = "HS256", **claims: Any) -> dict[str, str]:
    """A good token of guest 7, but for the claims named; those that are None it has not."""
    now = datetime.now(UTC)
    all_claims = {"jwtUserId": 7, "iat": now, "exp": now + HOUR, **claims}
    given = {name: claim for name, claim in all_claims.items() if claim is not None}
    return bearer(jwt.encode(given, key, algorithm=algorithm))


def ago(**delta: int) -> datetime:
    return datetime.now(UTC) - timedelta(**delta)


def tampered() -> dict[str, str]:
    """A guest's own token with another guest's number in it."""
    head, _, signature = TOKENS.sign(8, HOUR).split(".")
    _, claims, _ = TOKENS.sign(7, HOUR).split(".")
    return bearer(f"{head}.{claims}.{signature}")


Headers: TypeAlias = dict[str, str]

REFUSED: Final[dict[str, Callable[[], Headers]]] = {
    "none": dict,
    "empty": lambda: {"Authorization": ""},
    "scheme alone": lambda: {"Authorization": "Bearer"},
    "another scheme": lambda: {"Authorization": f"Basic {TOKENS.sign(7, HOUR)}"},
    "no scheme": lambda: {"Authorization": TOKENS.sign(7, HOUR)},
    "in another header": lambda: {"Token": TOKENS.sign(7, HOUR)},
    "rubbish": lambda: bearer("rubbish"),
    "expired": lambda: token(exp=ago(seconds=60)),
    "forged with another key": lambda: token(key="another key that is long enough for HS256"),
    "tampered with": tampered,
    "unsigned": lambda: token(key="", algorithm="none"),
    "signed by another algorithm": lambda: token(algorithm="HS512"),
    "signed with a key of one's own": lambda: bearer(signed(rsa_key("old"), "RS256", "old")),
    "signed with a key of one's own curve": lambda: bearer(signed(ec_key("curve"), "ES256", "curve")),
    "in a cookie": lambda: {"Cookie": f"token={TOKENS.sign(7, HOUR)}; Authorization=Bearer {TOKENS.sign(7, HOUR)}"},
    "twice": lambda: {"Authorization": f"Bearer {TOKENS.sign(7, HOUR)}, Bearer {TOKENS.sign(8, HOUR)}"},
    "without an end": lambda: token(exp=None),
    "without a beginning": lambda: token(iat=None),
    "of a moment ahead of our clock's leeway": lambda: token(iat=ago(seconds=-15)),
    "of tomorrow": lambda: token(iat=ago(days=-1)),
    "not yet valid": lambda: token(nbf=ago(days=-1)),
    "naming nobody": lambda: token(jwtUserId=None),
    "naming a text": lambda: token(jwtUserId="7"),
    "naming 0": lambda: token(jwtUserId=0),
    "naming -1": lambda: token(jwtUserId=-1),
    "naming true": lambda: token(jwtUserId=True),
    "naming 7.0": lambda: token(jwtUserId=7.0),
    "naming a list": lambda: token(jwtUserId=[7]),
    "naming more than a number of the database": lambda: token(jwtUserId=2**63),
    "too long": lambda: token(note="x" * 4096),
}


async def stream(client: Client, operation: str, headers: Headers) -> dict[str, Any]:
    """The one event of a stream that ends with it."""
    async with asyncio.timeout(10):
        response = await client.http.post(
            "/graphql", json={"query": operation}, headers={"Accept": "text/event-stream", **headers}
        )
    assert response.headers["Content-Type"].startswith("text/event-stream")
    (event,) = (line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: {"))
    told: dict[str, Any] = json.loads(event)
    return told


@any_database
@pytest.mark.parametrize("name", OPERATIONS)
async def test_a_guest_with_a_good_token_reaches_every_field(
    client: Client, statements: list[str], travel: FakeTravel, name: str
) -> None:
    answer = await client.ask(OPERATIONS[name])
    assert "errors" not in answer
    assert statements or travel.asked


@any_database
@pytest.mark.parametrize("who", REFUSED)
async def test_nobody_else_reaches_any_field(
    client: Client, statements: list[str], travel: FakeTravel, payments: FakePayments, who: str
) -> None:
    for operation in OPERATIONS.values():
        answer = await client.ask(operation, user=None, headers=REFUSED[who]())
        assert "data" not in answer
        (error,) = answer["errors"]
        assert error["extensions"]["code"] == "UNAUTHENTICATED"
    assert statements == []
    assert travel.asked == []
    assert payments.asked == []


@any_database
@pytest.mark.parametrize("who", REFUSED)
async def test_nobody_else_is_told_of_changes(client: Client, statements: list[str], who: str) -> None:
    assert STREAMS
    for operation in STREAMS.values():
        told = await stream(client, operation, REFUSED[who]())
        (error,) = told["errors"]
        assert error["extensions"]["code"] == "UNAUTHENTICATED"
        assert "data" not in told
    assert statements == []


@any_database
@pytest.mark.parametrize("name", STREAMS)
async def test_a_guest_with_a_good_token_is_told(client: Client, statements: list[str], name: str) -> None:
    told = await stream(client, STREAMS[name], token())
    assert "UNAUTHENTICATED" not in str(told)
    assert statements


GOOD: Final[dict[str, Callable[[], Headers]]] = {
    "given out two seconds ahead of our clock": lambda: token(iat=ago(seconds=-2)),
    "expired two seconds ago by our clock": lambda: token(exp=ago(seconds=2)),
    "with more claims than are needed": lambda: token(note="more", iss="somebody"),
    "scheme in small letters, and spaces": lambda: {"Authorization": f"bearer  {TOKENS.sign(7, HOUR)} "},
}


@any_database
@pytest.mark.parametrize("who", GOOD)
async def test_a_token_may_be_a_little_off(client: Client, who: str) -> None:
    answer = await client.ask("{ userHomestayOrderList { totalCount } }", user=None, headers=GOOD[who]())
    assert answer == {"data": {"userHomestayOrderList": {"totalCount": 0}}}
