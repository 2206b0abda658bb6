import asyncio
import hmac
import json
import math
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from bff.identity.tokens import LEEWAY, MAX_LENGTH, InvalidToken, Tokens, bearer
from tests.bff.client import KEY, TOKENS

MINUTE = timedelta(minutes=1)


def encoded(**claims: Any) -> str:
    now = datetime.now(UTC)
    return jwt.encode({"jwtUserId": 7, "iat": now, "exp": now + MINUTE, **claims}, KEY, algorithm="HS256")


async def user_id(token: str) -> int:
    return (await TOKENS.caller(token)).user_id


async def reason(token: str, tokens: Tokens = TOKENS) -> str:
    with pytest.raises(InvalidToken) as refused:
        await tokens.caller(token)
    assert len(token) < 3 or token not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("user", [1, 7, 2**63 - 1])
async def test_a_token_says_for_whom_it_was_signed(user: int) -> None:
    assert await user_id(TOKENS.sign(user, MINUTE)) == user


async def test_a_token_of_the_existing_system_is_read() -> None:
    now = int(datetime.now(UTC).timestamp())
    token = jwt.encode({"exp": now + 60, "iat": now, "jwtUserId": 42}, KEY, algorithm="HS256")
    assert await user_id(token) == 42


def test_a_token_has_what_the_existing_system_wants_of_it() -> None:
    claims = jwt.decode(TOKENS.sign(7, MINUTE), KEY, algorithms=["HS256"])
    assert claims["jwtUserId"] == 7
    assert claims["exp"] - claims["iat"] == 60


@pytest.mark.parametrize("ttl", [MINUTE, timedelta(days=365)], ids=str)
async def test_a_token_says_when_it_ends(ttl: timedelta) -> None:
    before = datetime.now(UTC)
    token = TOKENS.sign(7, ttl)
    ends = (await TOKENS.caller(token)).expires_at
    assert ends.tzinfo is UTC
    # A token counts whole seconds.
    assert before + ttl - timedelta(seconds=1) < ends <= datetime.now(UTC) + ttl


@pytest.mark.parametrize("end", [2**40, 2**70, 1e300])
async def test_a_token_may_end_after_all_time(end: float) -> None:
    assert (await TOKENS.caller(encoded(exp=end))).expires_at == datetime(9999, 12, 31, tzinfo=UTC)


@pytest.mark.parametrize("claim", ["exp", "iat"])
@pytest.mark.parametrize("time", [math.inf, math.nan, "soon", [], {}], ids=repr)
async def test_a_time_that_is_none_is_not_valid(claim: str, time: object) -> None:
    assert "not valid" in await reason(encoded(**{claim: time}))


def test_our_own_tokens_are_read_without_waiting() -> None:
    reading = TOKENS.caller(TOKENS.sign(7, MINUTE))
    with pytest.raises(StopIteration) as returned:
        reading.send(None)
    assert returned.value.value.user_id == 7


async def test_a_token_ends() -> None:
    assert "expired" in await reason(TOKENS.sign(7, -MINUTE))


async def test_clocks_may_differ_a_little() -> None:
    now = datetime.now(UTC)
    assert await user_id(encoded(iat=now + timedelta(seconds=2))) == 7
    assert await user_id(encoded(exp=now - timedelta(seconds=2))) == 7
    assert await reason(encoded(iat=now + MINUTE))
    assert await reason(encoded(exp=now - MINUTE))


@pytest.mark.parametrize("claim", [None, "7", "", 0, -1, True, False, 7.0, [7], {"id": 7}, 2**63, 2**70], ids=repr)
async def test_a_token_names_a_guest_by_a_positive_number_of_the_database(claim: object) -> None:
    assert "names no guest" in await reason(encoded(jwtUserId=claim))


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "é.é.é", "\0", "e30.e30.", "x" * MAX_LENGTH, "." * 4000])
async def test_rubbish_is_not_valid(token: str) -> None:
    assert "not valid" in await reason(token)


async def test_a_token_that_is_too_long_is_not_looked_into() -> None:
    token = encoded(note="x" * MAX_LENGTH)
    assert "too long" in await reason(token)
    assert "too long" in await reason("x" * (MAX_LENGTH + 1))


async def test_a_token_that_is_known_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens, token = Tokens(KEY), encoded()
    caller = await tokens.caller(token)
    monkeypatch.setattr(jwt, "decode", None)
    assert await tokens.caller(token) == caller
    with pytest.raises(TypeError):
        await tokens.caller(encoded(jwtUserId=8))


async def test_a_token_that_is_known_ends_all_the_same() -> None:
    end = math.ceil(datetime.now(UTC).timestamp()) + 1
    token = encoded(exp=end - LEEWAY)
    assert await user_id(token) == await user_id(token) == 7
    await asyncio.sleep(end - datetime.now(UTC).timestamp())
    assert await reason(token) == "The token has expired."


async def test_those_who_were_here_last_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bff.identity.tokens.MAX_KNOWN", 2)
    tokens, (first, second, third) = Tokens(KEY), [encoded(jwtUserId=number) for number in (1, 2, 3)]
    for token in (first, second, first, third):
        await tokens.caller(token)
    monkeypatch.setattr(jwt, "decode", None)
    assert [(await tokens.caller(token)).user_id for token in (first, third)] == [1, 3]
    with pytest.raises(TypeError):
        await tokens.caller(second)


async def test_a_bad_token_is_never_known() -> None:
    tokens = Tokens(KEY)
    token = encoded()
    await tokens.caller(token)
    for bad in (token[:-1], token + "A", token + " ", token[1:]):
        assert await reason(bad, tokens)
        assert await reason(bad, tokens)
    assert len(tokens._known._callers) == 1


async def test_a_token_of_another_key_is_not_valid() -> None:
    assert "not valid" in await reason(Tokens("another key, that is long enough for HS256").sign(7, MINUTE))


async def test_a_weak_key_reads_nothing() -> None:
    with pytest.warns(jwt.warnings.InsecureKeyLengthWarning):
        token = jwt.encode({"jwtUserId": 7, "exp": 2**40, "iat": 0}, "short", algorithm="HS256")
    assert "not valid" in await reason(token, Tokens("short"))


@pytest.mark.parametrize(
    ("header", "token"),
    [
        (None, None),
        ("", None),
        ("Bearer", None),
        ("Bearer ", None),
        ("Basic abc", None),
        ("abc", None),
        ("Bearerabc", None),
        ("Bearer abc", "abc"),
        ("bearer abc", "abc"),
        ("BEARER   abc ", "abc"),
    ],
)
def test_a_bearer_token_is_found_in_its_header(header: str | None, token: str | None) -> None:
    assert bearer(header) == token


_PEM = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n"
_JWK = '{"kty": "oct", "k": "bG9uZyBlbm91Z2ggZm9yIEhTMjU2LCBpZiBpdCB3ZXJlIGEga2V5"}'


@pytest.mark.parametrize("key", ["", _PEM, _JWK], ids=["none", "pem", "jwk"])
async def test_what_is_no_key_of_its_kind_reads_nothing(key: str) -> None:
    now = int(datetime.now(UTC).timestamp())
    parts = [json.dumps(each).encode() for each in ({"alg": "HS256"}, {"jwtUserId": 7, "iat": now, "exp": now + 60})]
    signed = b".".join(urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    signature = urlsafe_b64encode(hmac.digest(key.encode(), signed, "sha256")).rstrip(b"=")
    token = (signed + b"." + signature).decode()
    assert "not valid" in await reason(token, Tokens(key))


async def test_the_key_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens, token = Tokens(KEY), encoded()
    monkeypatch.setattr("jwt.algorithms.is_pem_format", None)
    assert (await tokens.caller(token)).user_id == 7
    with pytest.raises(TypeError):
        Tokens(KEY)
