"""A sign-in service: has keys, shows their public halves, and signs tokens."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, TypeAlias

import httpx
import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

URL: Final = "https://sign-in.example.org/keys"

Key: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@cache
def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:  # noqa: ARG001 -- another name, another key
    return rsa.generate_private_key(65537, bits)


@cache
def ec_key(name: str) -> ec.EllipticCurvePrivateKey:  # noqa: ARG001
    return ec.generate_private_key(ec.SECP256R1())


def pem(key: Key) -> bytes:
    """The public half, as everybody can have it."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def shown(kid: str, key: Key, **members: Any) -> dict[str, Any]:
    """A key's public half, as a set shows it."""
    public = key.public_key()
    found = (
        RSAAlgorithm.to_jwk(public, as_dict=True)
        if isinstance(public, rsa.RSAPublicKey)
        else ECAlgorithm.to_jwk(public, as_dict=True)
    )
    return {**found, "kid": kid, **members}


def signed(key: Any, algorithm: str, kid: str | None, **claims: Any) -> str:
    """A good token of guest 7, but for what the test says; claims that are None it has not."""
    now = int(datetime.now(UTC).timestamp())
    said = {"jwtUserId": 7, "iat": now, "exp": now + 60, **claims}
    given = orjson.dumps({name: claim for name, claim in said.items() if claim is not None})
    # Not by jwt.encode, which would not write down what is wrong.
    return jwt.api_jws.encode(given, key, algorithm=algorithm, headers=None if kid is None else {"kid": kid})


class Issuer:
    """Answers for its address, as the test wants it; remembers how often it was asked.

    Attributes:
        keys: what it shows.
        asked: how often it was asked.
        answer: what it answers instead of its keys.
        silent: while it is set, it answers only when this is.
    """

    def __init__(self, **keys: Key) -> None:
        self.keys = [shown(kid, key) for kid, key in keys.items()]
        self.asked = 0
        self.answer: Callable[[], httpx.Response] | None = None
        self.silent: asyncio.Event | None = None
        self.transport = httpx.MockTransport(self._handle)

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        assert str(request.url) == URL
        self.asked += 1
        if self.silent is not None:
            await self.silent.wait()
        answer = self.answer() if self.answer else httpx.Response(200, content=orjson.dumps({"keys": self.keys}))
        return httpx.Response(answer.status_code, headers=answer.headers, content=_in_pieces(answer.content))


async def _in_pieces(body: bytes) -> AsyncIterator[bytes]:
    """As the network brings it."""
    for start in range(0, len(body), 16_384):
        yield body[start : start + 16_384]
