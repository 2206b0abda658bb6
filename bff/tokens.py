"""Bearer tokens: who is asking. HS256 with the integer claim `jwtUserId`, as the existing system gives them out."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import jwt

CLAIM: Final = "jwtUserId"
# Seconds that two machines' clocks may differ.
LEEWAY: Final = 10
# gRPC's metadata and most proxies take 8 KiB of headers in all.
MAX_LENGTH: Final = 4096

_MAX_INT64: Final = 2**63 - 1
# The end of the calendar, in seconds.
_LAST: Final = datetime.max.replace(tzinfo=UTC).timestamp() // 1


class InvalidToken(Exception):
    """The token does not say who is asking; the message says why, without repeating it."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking.

    Attributes:
        user_id: the guest.
        expires_at: until when the token says so.
    """

    user_id: int
    expires_at: datetime


class Tokens:
    """Signs and reads tokens with one key."""

    def __init__(self, key: str) -> None:
        self._key = key

    def sign(self, user_id: int, ttl: timedelta) -> str:
        """Returns a token for a guest that is good for `ttl` from now."""
        now = datetime.now(UTC)
        return jwt.encode({CLAIM: user_id, "iat": now, "exp": now + ttl}, self._key, algorithm="HS256")

    async def caller(self, token: str) -> Caller:
        """The guest whom a token speaks for.

        Raises:
            InvalidToken: it is forged, expired, not yet valid, or names nobody.
        """
        if len(token) > MAX_LENGTH:
            raise InvalidToken("The token is too long.")
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=["HS256"],
                leeway=LEEWAY,
                options={"require": ["exp", "iat"], "enforce_minimum_key_length": True},
            )
        except jwt.ExpiredSignatureError:
            raise InvalidToken("The token has expired.") from None
        except jwt.PyJWTError:
            raise InvalidToken("The token is not valid.") from None
        user_id = claims.get(CLAIM)
        # bool is an int to Python, and user 0 would be everybody whose token names nobody.
        if type(user_id) is not int or not 1 <= user_id <= _MAX_INT64:
            raise InvalidToken("The token names no guest.")
        return Caller(user_id, datetime.fromtimestamp(min(claims["exp"], _LAST), UTC))


def bearer(authorization: str | None) -> str | None:
    """The token of an Authorization header, or None where it has none."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None
