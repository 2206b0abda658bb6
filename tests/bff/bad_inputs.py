"""Thousands of requests that no sane client sends: the same ones each time, made from a seed.

Whole bodies, bytes of bodies, tokens of documents, values of variables, bearer tokens, headers and addresses are each
spoiled on their own, so that what is behind the first check is reached too.
"""

import base64
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from itertools import product
from typing import Any, Final, TypeAlias
from urllib.parse import quote, urlencode

import orjson

from bff.graph import ids
from tests.bff import documents
from tests.bff.client import ANN, TOKENS
from tests.bff.nasty import BODIES, CONTENT_TYPES, NASTY, TOKENS_OF_DOCUMENTS

SEED: Final = 20260520

Headers: TypeAlias = dict[bytes, bytes]

# Short ones: what they select is not what is spoiled, and thousands of them are read.
GOOD: Final[list[tuple[str, dict[str, Any]]]] = [
    (
        """mutation ($input: CreateHomestayOrderInput!) {
          createHomestayOrder(input: $input) { order { sn } replayed userErrors { code message field } }
        }""",
        {"input": documents.stay(needFood=True, remark="late", expectedTotalMinor=1, idempotencyKey="k")},
    ),
    (
        """mutation ($sn: ID!, $key: String) {
          cancelHomestayOrder(sn: $sn, idempotencyKey: $key) { userErrors { code message field } }
        }""",
        {"sn": "HSO20260520120000ABCDEFGH", "key": "k"},
    ),
    (
        """mutation Pay($sn: ID!, $key: String = "k") {
          payHomestayOrder(sn: $sn, idempotencyKey: $key) { payment { sn } ...E }
        }
        fragment E on PayHomestayOrderPayload { userErrors { ... on InputError { code } } }""",
        {"sn": "HSO20260520120000ABCDEFGH", "key": "k"},
    ),
    (
        "query ($sn: ID!) { userHomestayOrderDetail(sn: $sn) { sn homestay { title } payment { sn } } }",
        {"sn": "HSO20260520120000ABCDEFGH"},
    ),
    (documents.LIST, {"first": 5, "after": None, "last": None, "before": None, "filter": {"tradeState": ["WAIT_PAY"]}}),
    (
        """query ($homestayId: ID!, $from: Date!, $to: Date!, $people: Int!, $food: Boolean! = false) {
          homestayQuote(
            homestayId: $homestayId, liveStartDate: $from, liveEndDate: $to, livePeopleNum: $people, needFood: $food
          ) { nights orderTotalPrice { amount } }
        }""",
        {"homestayId": 1, "from": "2026-06-01", "to": "2026-06-03", "people": 2, "food": True},
    ),
    (documents.CALENDAR, {"homestayId": 1, "from": "2026-06-01", "to": "2026-06-03"}),
    (
        "query ($ids: [ID!]!, $more: Boolean = true) { nodes(ids: $ids) { __typename id @include(if: $more) } }",
        {"ids": [ids.global_id(ids.HOMESTAY, 1), ids.global_id(ids.ORDER, "HSO1")], "more": True},
    ),
]


@dataclass(frozen=True)
class BadInput:
    """A request, but for the server's name."""

    body: bytes
    headers: Headers = field(default_factory=dict)
    method: str = "POST"
    path: str = "/graphql"

    @property
    def key(self) -> tuple[object, ...]:
        """The same for two that are the same."""
        return (self.method, self.path, self.body, *self.headers.items())


@cache
def bearer() -> bytes:
    return TOKENS.sign(ANN, timedelta(hours=1)).encode()


def known() -> Headers:
    """Headers of a guest who is known."""
    return {
        b"Content-Type": b"application/json",
        b"Authorization": b"Bearer " + bearer(),
    }


def corpus() -> dict[str, list[BadInput]]:
    """All of them by kind, none twice."""
    drawn = random.Random(SEED)  # noqa: S311 -- the same each time is the point
    kinds = {
        "bodies": bodies(),
        "bytes of bodies": bytes_of_bodies(drawn, 350),
        "documents": documents_spoiled(drawn, 400),
        "variables": variables_spoiled(drawn, 22),
        "tokens": tokens_spoiled(drawn),
        "headers": headers_spoiled(),
        "addresses": addresses(drawn, 120),
    }
    return {kind: list({one.key: one for one in made}.values()) for kind, made in kinds.items()}


def bodies() -> Iterator[BadInput]:
    for body, content_type in product(BODIES, CONTENT_TYPES):
        yield BadInput(body, known() | {b"Content-Type": content_type.encode()})


def request(query: str, variables: object) -> bytes:
    return orjson.dumps({"query": query, "variables": variables})


def bytes_of_bodies(drawn: random.Random, count: int) -> Iterator[BadInput]:
    for number in range(count):
        body = bytearray(request(*GOOD[number % len(GOOD)]))
        for _ in range(drawn.randint(1, 4)):
            start = drawn.randrange(len(body))
            end = min(len(body), start + drawn.randint(1, 9))
            match drawn.randrange(5):
                case 0:
                    body[start] = drawn.randrange(256)
                case 1:
                    del body[start:end]
                case 2:
                    body[start:start] = body[start:end]
                case 3:
                    body[start:start] = drawn.randbytes(drawn.randint(1, 4))
                case _:
                    body[start:end] = drawn.choice((b"null", b"[", b"{", b'"', b"\\", b"1e999", b"\\u0000", b","))
        yield BadInput(bytes(body), known())


def documents_spoiled(drawn: random.Random, count: int) -> Iterator[BadInput]:
    for number in range(count):
        query, variables = GOOD[number % len(GOOD)]
        words = re.findall(r"\w+|\.{3}|\S", query)
        for _ in range(drawn.randint(1, 3)):
            place = drawn.randrange(len(words))
            match drawn.randrange(6):
                case 0:
                    del words[place]
                case 4 | 5:
                    named = [each for each, word in enumerate(words) if word.isalnum()]
                    words[drawn.choice(named)] = words[drawn.choice(named)]
                case 1:
                    words.insert(place, drawn.choice(TOKENS_OF_DOCUMENTS))
                case 2:
                    words[place] = drawn.choice(TOKENS_OF_DOCUMENTS)
                case _:
                    other = drawn.randrange(len(words))
                    words[place], words[other] = words[other], words[place]
        yield BadInput(request(" ".join(words), variables), known())


def places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths to everything within a value."""
    yield path
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, member in steps:
        yield from places(member, (*path, step))


def replaced(value: Any, path: tuple[Any, ...], by: object) -> Any:
    if not path:
        return by
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:], by)
    return copy


def variables_spoiled(drawn: random.Random, each: int) -> Iterator[BadInput]:
    for query, variables in GOOD:
        for path in places(variables):
            for nasty in drawn.sample(NASTY, each):
                yield BadInput(request(query, replaced(variables, path, nasty)), known())
            deep: Any = drawn.choice(NASTY)
            for _ in range(drawn.randint(50, 200)):
                deep = {"a": deep} if drawn.random() < 0.5 else [deep]
            yield BadInput(request(query, replaced(variables, path, deep)), known())


def part(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def tokens_spoiled(drawn: random.Random) -> Iterator[BadInput]:
    body = request("{ userHomestayOrderList { totalCount } }", None)
    good = bearer()
    head, claims, signature = good.split(b".")
    heads = [
        *(
            b"",
            b"null",
            b"[]",
            b"5",
            b'"x"',
            b"{",
            b"[" * 2500,
            b'{"a":' * 500,
            b"\xff\xfe",
            b'{"alg":"none"}',
            b'{"alg":null}',
        ),
        *(
            b'{"alg":["HS256"]}',
            b'{"alg":{}}',
            b'{"alg":"HS256","crit":["x"]}',
            b'{"alg":"HS256","b64":false,"crit":["b64"]}',
        ),
        *(
            b'{"alg":"RS256","kid":"x"}',
            b'{"alg":"HS256","kid":5}',
            b'{"alg":"HS256","zip":"DEF"}',
            b'{"alg":"HS%s"}' % (b"9" * 999),
        ),
    ]
    spoiled = [
        *(
            b"",
            b".",
            b"..",
            b"...",
            b"." * 4000,
            b"x" * 4097,
            b"x" * 9000,
            b"\xe9.\xe9.\xe9",
            b"=.=.=",
            b"a.b",
            good + b".x",
        ),
        *(part(raw) + b"." + claims + b"." + signature for raw in heads),
        *(head + b"." + part(raw) + b"." + signature for raw in heads),
        *(head + b"." + claims + b"." + part(raw) for raw in heads),
    ]
    for _ in range(60):
        changed = bytearray(good)
        changed[drawn.randrange(len(changed))] = drawn.choice(b"AZaz09-_.=~ ")
        spoiled.append(bytes(changed))
    for token in spoiled:
        yield BadInput(body, known() | {b"Authorization": (b"Bearer " + token).strip()})
    for scheme in (b"", b"Basic ", b"Bearer", b"Bearer\t", b"bearer,", b"Digest ", b"\xff "):
        yield BadInput(body, known() | {b"Authorization": scheme + good})


def headers_spoiled() -> Iterator[BadInput]:
    values = [
        b"",
        b",",
        b";",
        b"\xff",
        b"*",
        b"*/*;q=",
        b"q=1;q=x",
        b'"',
        b'"\\',
        b"x" * 300,
        b"," * 2000,
        b"\xc3\xa9",
        b"%00",
    ]
    names = (
        "Accept",
        "Idempotency-Key",
        "X-Request-Id",
        "Accept-Encoding",
        "Origin",
        "Cookie",
        "traceparent",
        "Accept-Language",
    )
    for name, value in product(names, values):
        yield BadInput(request(*GOOD[0]), known() | {name.encode(): value})


def addresses(drawn: random.Random, count: int) -> Iterator[BadInput]:
    preflight = known() | {b"GraphQL-Require-Preflight": b"1"}
    for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"):
        for headers in (known(), preflight):
            yield BadInput(request("{ __typename }", None), headers, method)
    for _ in range(count):
        query, variables = drawn.choice(GOOD[3:])
        said = {"query": query, "variables": orjson.dumps(variables).decode(), "operationName": "", "extensions": "{}"}
        name = drawn.choice(list(said))
        wrong = str(drawn.choice([*NASTY, *TOKENS_OF_DOCUMENTS]))[:3000]
        asked = drawn.choice(
            (urlencode(said | {name: wrong}), urlencode(said | {name + wrong[:9]: ""}), quote(wrong, safe="=&+;"))
        )
        yield BadInput(b"", preflight, "GET", f"/graphql?{asked}")
