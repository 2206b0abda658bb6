"""Bearer tokens: who is asking, and until when.

Those of the existing system are signed with a key that both sides know (HS256); those of a sign-in service of the
installation's choice with one that only it has (RS256 or ES256). Both name the guest by the integer claim `jwtUserId`.
"""

import hmac
import time
from base64 import urlsafe_b64encode
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final, Self

import jwt
from jwt.algorithms import HMACAlgorithm

from bff.identity.issuer_keys import ALGORITHMS, IssuerDown, IssuerKeys
from workers.settings import Settings

CLAIM: Final = "jwtUserId"
# Seconds that two machines' clocks may differ.
LEEWAY: Final = 10
# gRPC's metadata and most proxies take 8 KiB of headers in all.
MAX_LENGTH: Final = 4096

# Good tokens that are kept, some 400 bytes each, so 16 MB of a process; who was here longest ago goes first.
MAX_KNOWN: Final = 40_000
# Seconds for which one of an issuer's is kept, so that a key that it withdraws opens nothing for long.
KNOWN_FOR: Final = 60.0

_OWN: Final = "HS256"
_MAX_INT64: Final = 2**63 - 1
# 9999-12-31, seconds since 1970: a token that ends later, if ever, ends then.
_LAST: Final = 253_402_214_400


class InvalidToken(Exception):
    """The token does not say who is asking; the message says why, without repeating it."""


class UncheckedToken(InvalidToken):
    """Whether it does can't be found out now: it is signed with a key that is not known, and its issuer is down."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking.

    Attributes:
        user_id: the guest.
        expires_at: when the token ends. It is taken for `LEEWAY` seconds more, as clocks differ.
    """

    user_id: int
    expires_at: datetime


class _Known:
    """Tokens that were good a moment ago: to check a signature again costs more than all else that is done with it.

    They are kept by their SHA-256, so that none can be read out of the memory of a process. Bad ones are not kept:
    anybody can make as many as they like.
    """

    def __init__(self) -> None:
        self._callers: OrderedDict[bytes, tuple[Caller, float]] = OrderedDict()

    def get(self, name: bytes) -> Caller | None:
        """Whom a token speaks for; None where it has to be read."""
        caller, until = self._callers.get(name, (None, 0.0))
        if caller is None:
            return None
        if time.time() >= until:
            del self._callers[name]
            return None
        self._callers.move_to_end(name)
        return caller

    def add(self, name: bytes, caller: Caller, seconds: float | None) -> None:
        """Keeps a token for so many seconds (None for no limit of its own), and never longer than it is good."""
        end = caller.expires_at.timestamp() + LEEWAY
        self._callers[name] = caller, end if seconds is None else min(end, time.time() + seconds)
        if len(self._callers) > MAX_KNOWN:
            self._callers.popitem(last=False)


class _OneKey(HMACAlgorithm):
    """HS256 with one key, looked at once: PyJWT asks with each token whether it is not a key of another kind."""

    def __init__(self, key: str) -> None:
        super().__init__(self.SHA256)
        self._prepared = super().prepare_key(key)

    def prepare_key(self, key: str | bytes) -> bytes:  # noqa: ARG002 -- the library's signature
        return self._prepared

    def sign(self, msg: bytes, key: bytes) -> bytes:
        return hmac.digest(key, msg, "sha256")


def _prepared(key: str) -> jwt.PyJWK | None:
    """A key of HS256 that was looked at; None where it is none, as a PEM or an empty text."""
    try:
        algorithm = _OneKey(key)
    except jwt.InvalidKeyError:
        return None
    prepared = jwt.PyJWK({"kty": "oct", "k": urlsafe_b64encode(key.encode()).decode()}, _OWN)
    prepared.Algorithm = algorithm
    return prepared


class Tokens:
    """Signs tokens with one key, and reads those of this key and of an issuer's.

    Args:
        key: of HS256; empty where no token is signed that way.
        issuer_keys: of a sign-in service; None where there is none.
        issuer: what every token's `iss` must be; empty where it may be anything.
        audience: what every token's `aud` must be or hold; empty where it may be anything.
    """

    def __init__(
        self, key: str, issuer_keys: IssuerKeys | None = None, *, issuer: str = "", audience: str = ""
    ) -> None:
        self._key = key
        self._own = _prepared(key)
        self._issuer_keys = issuer_keys
        self._said: dict[str, Any] = {}
        if issuer:
            self._said["iss"] = issuer
        if audience:
            self._said["aud"] = audience
        self._required = ["exp", "iat", *self._said]
        self._known = _Known()

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The tokens of an installation."""
        keys = IssuerKeys(settings.jwt_jwks_url) if settings.jwt_jwks_url else None
        return cls(settings.key, keys, issuer=settings.jwt_issuer, audience=settings.jwt_audience)

    def sign(self, user_id: int, ttl: timedelta) -> str:
        """Returns a token for a guest that is good for `ttl` from now."""
        now = datetime.now(UTC)
        return jwt.encode({CLAIM: user_id, "iat": now, "exp": now + ttl, **self._said}, self._key, algorithm=_OWN)

    async def caller(self, token: str) -> Caller:
        """The guest whom a token speaks for. Waits for nothing, unless the issuer has to be asked for a key.

        Raises:
            InvalidToken: it is forged, expired, not yet valid, or names nobody.
            UncheckedToken: its issuer can't be asked for the key.
        """
        if len(token) > MAX_LENGTH:
            raise InvalidToken("The token is too long.")
        name = sha256(token.encode(errors="surrogatepass")).digest()
        caller = self._known.get(name)
        if caller is None:
            key = self._own if self._issuer_keys is None else await self._key_of(token, self._issuer_keys)
            caller = self._read(token, key)
            # The issuer may withdraw its key.
            self._known.add(name, caller, None if key is self._own else KNOWN_FOR)
        return caller

    async def _key_of(self, token: str, issuer_keys: IssuerKeys) -> jwt.PyJWK | None:
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            raise InvalidToken("The token is not valid.") from None
        # The header decides which key is tried, and never how: each key has one algorithm.
        if header.get("alg") not in ALGORITHMS or "kid" not in header:
            return self._own
        try:
            key = await issuer_keys.get(header["kid"])
        except IssuerDown:
            raise UncheckedToken("The token can't be checked right now; please try again.") from None
        if key is None:
            raise InvalidToken("The token is not valid.")
        return key

    def _read(self, token: str, key: jwt.PyJWK | None) -> Caller:
        if key is None:
            raise InvalidToken("The token is not valid.")
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                leeway=LEEWAY,
                issuer=self._said.get("iss"),
                audience=self._said.get("aud"),
                options={
                    "require": self._required,
                    "verify_aud": "aud" in self._said,
                    "enforce_minimum_key_length": True,
                },
            )
        except jwt.ExpiredSignatureError:
            raise InvalidToken("The token has expired.") from None
        except jwt.PyJWTError:
            raise InvalidToken("The token is not valid.") from None
        user_id = claims.get(CLAIM)
        # bool is an int to Python, and user 0 would be everybody whose token names nobody.
        if type(user_id) is not int or not 1 <= user_id <= _MAX_INT64:
            raise InvalidToken("The token names no guest.")
        return Caller(user_id, datetime.fromtimestamp(min(int(claims["exp"]), _LAST), UTC))


def bearer(authorization: str | None) -> str | None:
    """The token of an Authorization header, or None where it has none."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None
