"""Tokens of a sign-in service: its keys are found by name, change, and stay known while it is down."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import httpx
import jwt
import orjson
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from structlog.testing import capture_logs

from bff.http.server import HttpServer
from bff.identity import issuer_keys
from bff.identity.issuer_keys import COOL_DOWN, DEADLINE, KEPT, MAX_ANSWER, IssuerKeys
from bff.identity.tokens import KNOWN_FOR, InvalidToken, Tokens, UncheckedToken
from tests.bff.client import KEY
from tests.bff.issuer import URL, Issuer, ec_key, pem, rsa_key, shown, signed

OLD: Final = rsa_key("old")
NEW: Final = rsa_key("new")
CURVE: Final = ec_key("curve")
MINUTE: Final = timedelta(minutes=1)


@dataclass
class Clock:
    time: float = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def now() -> Clock:
    return Clock()


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(old=OLD, curve=CURVE)


@pytest.fixture
def keys(issuer: Issuer, now: Clock) -> IssuerKeys:
    return IssuerKeys(URL, transport=issuer.transport, now=now)


@pytest.fixture
def tokens(keys: IssuerKeys, monkeypatch: pytest.MonkeyPatch) -> Tokens:
    """Each token is read each time: it is its key that is asked about here."""
    assert KNOWN_FOR == 60
    monkeypatch.setattr("bff.identity.tokens.KNOWN_FOR", 0.0)
    return Tokens(KEY, keys)


async def guest(tokens: Tokens, token: str) -> int:
    return (await tokens.caller(token)).user_id


async def refused(tokens: Tokens, token: str) -> str:
    with pytest.raises(InvalidToken) as told:
        await tokens.caller(token)
    assert token not in str(told.value)
    assert not isinstance(told.value, UncheckedToken)
    return str(told.value)


async def settled(keys: IssuerKeys) -> None:
    """Waits for a fetch that nobody waits for."""
    if keys._fetching is not None:
        await asyncio.wait([keys._fetching])
    assert keys._fetching is None


async def test_a_token_of_the_issuer_is_read(tokens: Tokens, issuer: Issuer) -> None:
    assert await guest(tokens, signed(OLD, "RS256", "old")) == 7
    assert await guest(tokens, signed(CURVE, "ES256", "curve", jwtUserId=9, sub="somebody", iss="x", aud="y")) == 9
    assert issuer.asked == 1


async def test_our_own_tokens_are_read_beside_them_and_the_issuer_is_not_asked(tokens: Tokens, issuer: Issuer) -> None:
    reading = tokens.caller(tokens.sign(7, MINUTE))
    with pytest.raises(StopIteration):
        reading.send(None)
    assert issuer.asked == 0


async def test_where_only_the_issuer_signs_our_own_key_opens_nothing(keys: IssuerKeys) -> None:
    tokens = Tokens("", keys)
    assert await guest(tokens, signed(OLD, "RS256", "old")) == 7
    for token in (signed(KEY, "HS256", None), signed(KEY, "HS256", "old"), by_hand(b"", alg="HS256")):
        assert "not valid" in await refused(tokens, token)


def unsigned(kid: str) -> str:
    return signed(None, "none", kid)


def by_hand(secret: bytes, **header: Any) -> str:
    """A token signed with a secret that PyJWT would refuse to sign with."""
    algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    head, claims, _ = signed("x" * 32, "HS256", None).split(".")
    head = jwt.utils.base64url_encode(jwt.utils.force_bytes(httpx.Response(200, json=header).text)).decode()
    signature = algorithm.sign(f"{head}.{claims}".encode(), secret)
    return f"{head}.{claims}.{jwt.utils.base64url_encode(signature).decode()}"


CONFUSED: Final[dict[str, Callable[[], str]]] = {
    "signed with the public key as a secret": lambda: by_hand(pem(OLD), alg="HS256", kid="old"),
    "the same, without a name": lambda: by_hand(pem(OLD), alg="HS256"),
    "the same, without its last line's end": lambda: by_hand(pem(OLD).rstrip(), alg="HS256", kid="old"),
    "with our secret, as if by the issuer": lambda: by_hand(KEY.encode(), alg="RS256", kid="old"),
    "the public key, as if by the issuer": lambda: by_hand(pem(OLD), alg="RS256", kid="old"),
    "unsigned": lambda: unsigned("old"),
    "unsigned, with a large letter": lambda: by_hand(b"", alg="None", kid="old"),
    "of another hash": lambda: signed(OLD, "RS512", "old"),
    "of another padding": lambda: signed(OLD, "PS256", "old"),
    "of a curve, under an RSA key's name": lambda: signed(CURVE, "ES256", "old"),
    "of RSA, under a curve's name": lambda: signed(OLD, "RS256", "curve"),
    "of another key of the same name": lambda: signed(NEW, "RS256", "old"),
    "of the right key under no name": lambda: signed(OLD, "RS256", None),
    "of the right key under another name": lambda: signed(OLD, "RS256", "other"),
    "named by a number": lambda: by_hand(KEY.encode(), alg="RS256", kid=7),
    "named by nothing": lambda: signed(OLD, "RS256", ""),
    "of a list of algorithms": lambda: by_hand(KEY.encode(), alg=["RS256"], kid="old"),
    "of no algorithm": lambda: by_hand(KEY.encode(), kid="old"),
    "bringing its own key": lambda: by_hand(KEY.encode(), alg="RS256", kid="old", jwk=shown("old", NEW)),
    "rubbish": lambda: "rubbish",
    "three dots": lambda: "...",
}


@pytest.mark.parametrize("how", CONFUSED)
async def test_no_key_passes_for_one_of_another_kind(tokens: Tokens, how: str) -> None:
    assert "not valid" in await refused(tokens, CONFUSED[how]())


async def test_a_token_made_by_hand_is_read_where_it_is_right(tokens: Tokens) -> None:
    assert await guest(tokens, by_hand(KEY.encode(), alg="HS256", kid="old")) == 7


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("use", "enc"),
        ("alg", "RS512"),
        ("alg", "RSA-OAEP"),
        ("alg", "HS256"),
        ("kid", ""),
        ("kid", None),
        ("n", "AQAB"),
    ],
)
async def test_a_key_that_signs_no_tokens_opens_nothing(
    tokens: Tokens, keys: IssuerKeys, issuer: Issuer, member: str, value: object
) -> None:
    issuer.keys.insert(0, {**shown("new", NEW), member: value})
    issuer.keys.insert(0, {"kty": "nonsense"})
    issuer.keys.insert(0, {"kty": "oct", "kid": "new", "k": "a" * 64})
    assert "not valid" in await refused(tokens, signed(NEW, "RS256", "new"))
    assert "not valid" in await refused(tokens, signed(NEW, "RS256", str(value)))
    assert "not valid" in await refused(tokens, by_hand(b"a" * 48, alg="HS256", kid="new"))
    assert await keys.get("new") is None or member == "n"
    assert await guest(tokens, signed(OLD, "RS256", "old")) == 7


async def test_a_weak_key_opens_nothing(tokens: Tokens, issuer: Issuer) -> None:
    weak = rsa_key("weak", 1024)
    issuer.keys.append(shown("weak", weak))
    with pytest.warns(jwt.warnings.InsecureKeyLengthWarning):
        token = signed(weak, "RS256", "weak")
    assert "not valid" in await refused(tokens, token)


async def test_clocks_may_differ_a_little(tokens: Tokens) -> None:
    whole = await tokens.caller(signed(OLD, "RS256", "old"))
    now = int(whole.expires_at.timestamp()) - 60
    assert await guest(tokens, signed(OLD, "RS256", "old", iat=now + 5)) == 7
    assert await guest(tokens, signed(OLD, "RS256", "old", exp=now - 5)) == 7
    assert "not valid" in await refused(tokens, signed(OLD, "RS256", "old", iat=now + 60))
    assert "expired" in await refused(tokens, signed(OLD, "RS256", "old", exp=now - 60))


async def test_of_whom_and_for_whom_a_token_is_counts_where_it_is_set(keys: IssuerKeys) -> None:
    tokens = Tokens(KEY, keys, issuer="https://sign-in.example.org", audience="homestay")
    right = {"iss": "https://sign-in.example.org", "aud": "homestay"}
    for claims in (right, right | {"aud": ["other", "homestay"]}):
        assert await guest(tokens, signed(OLD, "RS256", "old", **claims)) == 7
        assert await guest(tokens, signed(KEY, "HS256", None, **claims)) == 7
    assert await guest(tokens, tokens.sign(7, MINUTE)) == 7
    wrong: list[dict[str, Any]] = [
        {"iss": None},
        {"iss": "https://sign-in.example.org/"},
        {"iss": ["https://sign-in.example.org"]},
        {"iss": ""},
        {"aud": None},
        {"aud": "homestay2"},
        {"aud": ["other"]},
        {"aud": []},
        {"aud": {"homestay": 1}},
    ]
    for claims in wrong:
        assert "not valid" in await refused(tokens, signed(OLD, "RS256", "old", **right | claims)), claims
        assert "not valid" in await refused(tokens, signed(KEY, "HS256", None, **right | claims)), claims


async def test_a_new_key_is_found_when_the_first_token_of_it_comes(tokens: Tokens, issuer: Issuer, now: Clock) -> None:
    await guest(tokens, signed(OLD, "RS256", "old"))
    issuer.keys.append(shown("new", NEW))
    now.time += COOL_DOWN
    assert await guest(tokens, signed(NEW, "RS256", "new")) == 7
    assert await guest(tokens, signed(OLD, "RS256", "old")) == 7
    assert issuer.asked == 2


async def test_names_that_nobody_knows_do_not_hammer_the_issuer(tokens: Tokens, issuer: Issuer, now: Clock) -> None:
    for second in range(60):
        now.time = 1000.0 + second
        for number in range(20):
            assert "not valid" in await refused(tokens, signed(NEW, "RS256", f"forged{second}.{number}"))
        assert await guest(tokens, signed(OLD, "RS256", "old")) == 7
    assert issuer.asked == 60 / COOL_DOWN


async def test_a_key_that_was_withdrawn_opens_nothing_for_long(
    tokens: Tokens, keys: IssuerKeys, issuer: Issuer, now: Clock
) -> None:
    await guest(tokens, signed(OLD, "RS256", "old"))
    issuer.keys = [shown("new", NEW)]
    now.time += KEPT - 1
    assert await guest(tokens, signed(OLD, "RS256", "old")) == 7
    assert issuer.asked == 1
    now.time += 1
    assert await guest(tokens, signed(OLD, "RS256", "old")) == 7
    await settled(keys)
    assert issuer.asked == 2
    assert "not valid" in await refused(tokens, signed(OLD, "RS256", "old"))
    assert await guest(tokens, signed(NEW, "RS256", "new")) == 7


async def test_a_token_of_the_issuer_is_known_for_a_while_and_then_its_key_is_asked_for(
    tokens: Tokens, keys: IssuerKeys, issuer: Issuer, now: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bff.identity.tokens.KNOWN_FOR", 0.3)
    token = signed(OLD, "RS256", "old")
    assert await guest(tokens, token) == 7
    issuer.keys = [shown("new", NEW)]
    now.time += KEPT
    await guest(tokens, signed(OLD, "RS256", "old", jwtUserId=8))
    await settled(keys)
    # Its key is gone, and it was good a moment ago.
    assert await guest(tokens, token) == 7
    await asyncio.sleep(0.3)
    assert "not valid" in await refused(tokens, token)


def broken() -> httpx.Response:
    raise httpx.ConnectError("refused")


NONSENSE: Final[dict[str, Callable[[], httpx.Response]]] = {
    "refuses": broken,
    "fails": lambda: httpx.Response(503),
    "is not there": lambda: httpx.Response(404, json={"keys": [shown("new", NEW)]}),
    "points elsewhere": lambda: httpx.Response(302, headers={"location": "https://elsewhere.example/keys"}),
    "shows a page": lambda: httpx.Response(200, text="<html>"),
    "shows a list": lambda: httpx.Response(200, json=[shown("new", NEW)]),
    "shows a number of keys": lambda: httpx.Response(200, json={"keys": 7}),
    "shows no keys": lambda: httpx.Response(200, json={"keys": []}),
    "shows only what is no key": lambda: httpx.Response(
        200, json={"keys": [1, {"kty": {}}, {"kty": "RSA", "alg": []}]}
    ),
    "shows only keys of others": lambda: httpx.Response(200, json={"keys": [shown("new", NEW, use="enc")]}),
    "does not end": lambda: httpx.Response(
        200, content=orjson.dumps({"keys": [shown("new", NEW)]}).ljust(MAX_ANSWER + 1)
    ),
}


@pytest.mark.parametrize("how", NONSENSE)
async def test_known_keys_go_on_while_the_issuer_is_down(
    tokens: Tokens, keys: IssuerKeys, issuer: Issuer, now: Clock, how: str
) -> None:
    await guest(tokens, signed(OLD, "RS256", "old"))
    issuer.answer = NONSENSE[how]
    with capture_logs() as logs:
        for _ in range(5):
            now.time += KEPT
            assert await guest(tokens, signed(OLD, "RS256", "old")) == 7
            await settled(keys)
    assert issuer.asked == 6
    assert [line["log_level"] for line in logs] == ["warning"] * 5
    # Whether this one is good, nobody can say now.
    with pytest.raises(UncheckedToken):
        await tokens.caller(signed(NEW, "RS256", "new"))
    issuer.keys.append(shown("new", NEW))
    issuer.answer = None
    now.time += COOL_DOWN
    assert await guest(tokens, signed(NEW, "RS256", "new")) == 7


async def test_an_issuer_that_is_down_from_the_start_is_asked_again(tokens: Tokens, issuer: Issuer, now: Clock) -> None:
    issuer.answer = broken
    for _ in range(20):
        with pytest.raises(UncheckedToken):
            await tokens.caller(signed(OLD, "RS256", "old"))
    assert issuer.asked == 1
    assert await guest(tokens, tokens.sign(7, MINUTE)) == 7
    issuer.answer = None
    now.time += COOL_DOWN
    assert await guest(tokens, signed(OLD, "RS256", "old")) == 7


async def test_the_issuer_is_asked_once_for_all_who_wait(tokens: Tokens, issuer: Issuer) -> None:
    issuer.silent = asyncio.Event()
    token = signed(OLD, "RS256", "old")
    waiting = [asyncio.create_task(guest(tokens, token)) for _ in range(50)]
    await asyncio.sleep(0.01)
    waiting[0].cancel()
    await asyncio.sleep(0)
    issuer.silent.set()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert found[1:] == [7] * 49
    assert issuer.asked == 1


async def test_nobody_waits_for_an_issuer_that_is_silent(
    tokens: Tokens, keys: IssuerKeys, issuer: Issuer, now: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert DEADLINE == 2
    monkeypatch.setattr(issuer_keys, "DEADLINE", 0.05)
    await guest(tokens, signed(OLD, "RS256", "old"))
    issuer.silent = asyncio.Event()
    now.time += KEPT
    known = tokens.caller(signed(OLD, "RS256", "old"))
    with pytest.raises(StopIteration):
        known.send(None)
    assert keys._fetching is not None
    with pytest.raises(UncheckedToken):
        await tokens.caller(signed(NEW, "RS256", "new"))
    assert issuer.asked == 2


async def test_an_issuer_is_asked_over_the_network() -> None:
    issuer = Issuer(old=OLD)

    async def answer(_: Request) -> Response:
        issuer.asked += 1
        return JSONResponse({"keys": issuer.keys})

    server = HttpServer(Starlette(routes=[Route("/keys", answer)]), host="127.0.0.1", port=0)
    await server.start()
    tokens = Tokens("", IssuerKeys(f"http://127.0.0.1:{server.port}/keys"))
    try:
        assert [await guest(tokens, signed(OLD, "RS256", "old")) for _ in range(3)] == [7, 7, 7]
    finally:
        await server.stop()
    assert issuer.asked == 1
    assert await guest(tokens, signed(OLD, "RS256", "old")) == 7
