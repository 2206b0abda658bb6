"""Requests as bytes, usual, random and hostile."""

import json
from random import Random
from typing import Final

from graphql import get_introspection_query

from tests.bff.client import guest

_GOOD: Final = guest(7)["Authorization"]
_SHORT: Final = b'{"query": "{ __typename }"}'
_LONG: Final = json.dumps({"query": "{ __schema { types { name fields { name description } } } }"}).encode()
_VERY_LONG: Final = json.dumps({"query": get_introspection_query()}).encode()

_TARGETS: Final = [
    "/graphql",
    "/graphql?query={__typename}",
    "/graphql/",
    "/%67raphql",
    "/graphql#x",
    "/livez",
    "/nowhere",
]
_METHODS: Final = ["GET", "HEAD", "PUT", "OPTIONS", "post"]
_BODIES: Final = [
    _SHORT,
    b'{"query": "query A { __typename } query B { __typename }", "operationName": "B"}',
    b'{"query": "{ userHomestayOrderList { totalCount } }"}',
    b'{"query": "{ homestay(id: 1) { title } }", "variables": {"unused": 1}}',
    b'{"query": "subscription { homestayOrderChanged(sn: \\"x\\") { sn } }"}',
    b'{"query": "mutation { cancelHomestayOrder(input: {sn: \\"x\\"}) { userErrors { code } } }"}',
    b'{"query": "{ nothing }"}',
    b'{"query": "{"}',
    b'{"query": null}',
    b'{"query": 5}',
    b'{"query": "{ __typename }", "extensions": {"persistedQuery": {"version": 1, "sha256Hash": "'
    + b"0" * 64
    + b'"}}}',
    b'{"query": "{ __typename }", "extensions": {"cost": true}}',
    b"",
    b"[]",
    b"no json",
    b"\xff\xfe",
    _LONG,
    _VERY_LONG,
    _SHORT.ljust(64 * 1024),
    _SHORT.ljust(64 * 1024 + 1),
    _SHORT.ljust(70_000),
]
_VALUES: Final[dict[str, list[str]]] = {
    "Authorization": [
        _GOOD,
        f"bearer  {_GOOD.split()[1]} ",
        "Bearer",
        "Bearer x.y.z",
        "Basic eDp5",
        "",
        "Bearer \xe9\xff",
    ],
    "Content-Type": [
        "application/json",
        "application/json; charset=utf-8",
        "APPLICATION/JSON",
        "application/json; charset=latin-1",
        "text/plain",
        "",
        "\xe9",
    ],
    "Accept": [
        "*/*",
        "application/json",
        "application/graphql-response+json",
        "application/graphql-response+json, application/json;q=0.9",
        "text/event-stream",
        "application/json, text/event-stream",
        "application/json;q=x",
        "\xe9",
    ],
    "Accept-Encoding": ["gzip", "gzip, deflate, br", "br", "GZIP", "identity", "gzip;q=0", ""],
    "X-Request-Id": ["mine-1", "a" * 128, "a" * 129, "not sane", "", "\xe9"],
    "Idempotency-Key": ["one", '"two"', "", "\xe9"],
    "Origin": ["https://shop.example", "https://other.example", "null"],
    "Connection": ["close", "keep-alive", "Close, x", "upgrade"],
    "Upgrade": ["h2c"],
    "Expect": ["100-continue", "200-ok"],
    "Cookie": ["a=b"],
    "X-Forwarded-For": ["10.0.0.1"],
    "X-Forwarded-Proto": ["https"],
    "traceparent": ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
    "GraphQL-Require-Preflight": ["1"],
}
# How much there is of one kind among them: most have a token and say that they are JSON.
_OFTEN: Final = {"Authorization": 0.8, "Content-Type": 0.9, "Accept": 0.6, "Accept-Encoding": 0.5}
_FIRST: Final = {"Authorization": 0.6, "Content-Type": 0.8}


def request(chance: Random) -> bytes:
    """One request, most often one that has something usual in it, and to its end."""
    body = chance.choice(_BODIES if chance.random() < 0.6 else _BODIES[:4])
    method = "POST" if chance.random() < 0.9 else chance.choice(_METHODS)
    target = "/graphql" if chance.random() < 0.9 else chance.choice(_TARGETS)
    version = "1.1" if chance.random() < 0.95 else "1.0"
    lines = [f"{method} {target} HTTP/{version}"]
    lines += [f"{_spelled(chance, name)}: {value}" for name, value in _headers(chance)]
    if chance.random() < 0.9:
        lines.append(f"{_spelled(chance, 'Content-Length')}: {len(body)}")
        sent = body
    else:
        lines.append("Transfer-Encoding: chunked")
        cut = chance.randint(0, len(body))
        pieces = [piece for piece in (body[:cut], body[cut:]) if piece]
        sent = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + sent


def split(chance: Random, sent: bytes) -> list[bytes]:
    """The same in pieces, as a network may deliver it: often in one, and often head and body by themselves."""
    kind = chance.random()
    if kind < 0.4:
        return [sent]
    if kind < 0.6:
        head, _, rest = sent.partition(b"\r\n\r\n")
        return [head + b"\r\n\r\n", rest]
    cuts = sorted(chance.randint(0, len(sent)) for _ in range(chance.randint(1, 5)))
    return [sent[start:end] for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True)]


def _headers(chance: Random) -> list[tuple[str, str]]:
    found = [("Host", "test")]
    for name, values in _VALUES.items():
        if chance.random() < _OFTEN.get(name, 0.06):
            value = values[0] if chance.random() < _FIRST.get(name, 0.3) else chance.choice(values)
            found.append((name, value))
            if chance.random() < 0.02:
                found.append((name, chance.choice(values)))
    chance.shuffle(found)
    return found


def _spelled(chance: Random, name: str) -> str:
    return chance.choice([name, name, name.lower(), name.upper()])
