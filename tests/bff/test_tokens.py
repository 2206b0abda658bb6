import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from bff.tokens import MAX_LENGTH, InvalidToken, Tokens, bearer
from tests.bff.client import KEY, TOKENS

MINUTE = timedelta(minutes=1)


def encoded(**claims: Any) -> str:
    now = datetime.now(UTC)
    return jwt.encode({"jwtUserId": 7, "iat": now, "exp": now + MINUTE, **claims}, KEY, algorithm="HS256")


def user_of(token: str) -> int:
    return asyncio.run(TOKENS.caller(token)).user_id


def reason(token: str, tokens: Tokens = TOKENS) -> str:
    with pytest.raises(InvalidToken) as refused:
        asyncio.run(tokens.caller(token))
    assert len(token) < 3 or token not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("user", [1, 7, 2**63 - 1])
def test_a_token_says_for_whom_it_was_signed(user: int) -> None:
    assert user_of(TOKENS.sign(user, MINUTE)) == user


def test_a_token_of_the_existing_system_is_read() -> None:
    now = int(datetime.now(UTC).timestamp())
    token = jwt.encode({"exp": now + 60, "iat": now, "jwtUserId": 42}, KEY, algorithm="HS256")
    assert user_of(token) == 42


def test_a_token_has_what_the_existing_system_wants_of_it() -> None:
    claims = jwt.decode(TOKENS.sign(7, MINUTE), KEY, algorithms=["HS256"])
    assert claims["jwtUserId"] == 7
    assert claims["exp"] - claims["iat"] == 60


def test_a_token_ends() -> None:
    assert "expired" in reason(TOKENS.sign(7, -MINUTE))


def test_it_says_until_when() -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    assert asyncio.run(TOKENS.caller(encoded(exp=now + MINUTE))).expires_at == now + MINUTE
    # No calendar goes that far.
    assert asyncio.run(TOKENS.caller(encoded(exp=2**60))).expires_at.year == 9999


def test_clocks_may_differ_a_little() -> None:
    now = datetime.now(UTC)
    assert user_of(encoded(iat=now + timedelta(seconds=2))) == 7
    assert user_of(encoded(exp=now - timedelta(seconds=2))) == 7
    assert reason(encoded(iat=now + MINUTE))
    assert reason(encoded(exp=now - MINUTE))


@pytest.mark.parametrize("claim", [None, "7", "", 0, -1, True, False, 7.0, [7], {"id": 7}, 2**63, 2**70], ids=repr)
def test_a_token_names_a_guest_by_a_positive_number_of_the_database(claim: object) -> None:
    assert "names no guest" in reason(encoded(jwtUserId=claim))


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "é.é.é", "\0", "e30.e30.", "x" * MAX_LENGTH, "." * 4000])
def test_rubbish_is_not_valid(token: str) -> None:
    assert "not valid" in reason(token)


def test_a_token_that_is_too_long_is_not_looked_into() -> None:
    token = encoded(note="x" * MAX_LENGTH)
    assert "too long" in reason(token)
    assert "too long" in reason("x" * (MAX_LENGTH + 1))


def test_a_token_of_another_key_is_not_valid() -> None:
    assert "not valid" in reason(Tokens("another key, that is long enough for HS256").sign(7, MINUTE))


def test_a_weak_key_reads_nothing() -> None:
    with pytest.warns(jwt.warnings.InsecureKeyLengthWarning):
        token = jwt.encode({"jwtUserId": 7, "exp": 2**40, "iat": 0}, "short", algorithm="HS256")
    assert "not valid" in reason(token, Tokens("short"))


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
