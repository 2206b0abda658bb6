"""Values, tokens and bodies that programs have stumbled over."""

import base64
from typing import Any, Final

NASTY: Final[list[Any]] = [
    *(None, True, False, 0, -1, 1, 101, 2**31, -(2**31) - 1, 2**53, 2**63, 1e308, -0.0, 1.5),
    *(
        "",
        " ",
        "\0",
        "null",
        "1",
        "-1",
        "1e3",
        "\u0661",
        "☃",
        "\U0001f3e0",
        "a\u0300",
        "\u202e",
        "%s",
        "'; DROP TABLE t; --",
    ),
    *(
        "x" * 300,
        "x" * 20_000,
        "0000-00-00",
        "2026-02-30",
        "9999-12-31",
        "10000-01-01",
        "2026-06-01T00:00:00Z",
        "20260601",
    ),
    *("HSO", "=", "AAAA", base64.b64encode(b"HomestayOrder:").decode(), base64.b64encode(b"\xff\xfe:1").decode()),
    *([], [[]], [None], ["WAIT_PAY", 5], {}, {"a": 1}, {"": None}, {"__proto__": {}}, [1] * 500),
]

TOKENS_OF_DOCUMENTS: Final = [
    *(
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        ":",
        "!",
        "=",
        "|",
        "&",
        "$",
        "@",
        "...",
        "#",
        '"',
        '"""',
        "\\",
        ",",
        "\ufeff",
        "\0",
        "☃",
    ),
    *("query", "mutation", "subscription", "fragment F on Query", "on", "type Query", "extend schema", "null", "true"),
    *("$x", "@skip", "@include(if: true)", "@defer", "@stream", "...F", "__typename", "__schema", "__type", "x: x"),
    *("9" * 400, "-0", "1e999", "0x1", '"\\ud800"', '"\\u{110000}"', '"\\u{D800}"', '"""\\"""', "a" * 3000),
]

BODIES: Final[list[bytes]] = [
    *(
        b"",
        b"null",
        b'"x"',
        b"5",
        b"-",
        b"true",
        b"[]",
        b"{}",
        b"[{}]",
        b"{]",
        b"NaN",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b"\0",
    ),
    *(
        b"1" * 5000,
        b"[" * 30_000,
        b"[" * 500 + b"]" * 500,
        b'{"a":' * 10_000,
        b"x" * 65_537,
        b'{"query":"' + b"a" * 70_000,
    ),
    b'{"query": "{ __typename }", "query": 5}',
    *(b'{"query": %s}' % value for value in (b"null", b"5", b"[]", b"{}", b'""', b'" "', b'"\\ud800"', b'"\\u0000"')),
    *(
        b'{"query": "{__typename}", "variables": %s}' % value
        for value in (b"5", b"[]", b'"{}"', b"false", b'"\\ud800"')
    ),
    *(b'{"query": "{__typename}", "operationName": %s}' % value for value in (b"5", b"[]", b"{}", b"true", b'"x"')),
    *(b'{"query": "{__typename}", "extensions": %s}' % value for value in (b"5", b"[]", b'"x"', b"true")),
    b'{"query": "{__typename}", "extensions": {"persistedQuery": {"version": "x", "sha256Hash": []}}}',
    b'[{"query": "{__typename}"}, {"query": "{__typename}"}]',
    b"query=%7B__typename%7D",
    b'--x\r\nContent-Disposition: form-data; name="operations"\r\n\r\n{}\r\n--x--\r\n',
]

CONTENT_TYPES: Final = [
    *("application/json", "application/graphql", "text/plain", "application/x-www-form-urlencoded", "", ";", "/"),
    *(
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "application/json; charset=utf-7",
        'application/json; charset="',
    ),
    "application/json; charset=utf-8; charset=utf-16",
]
