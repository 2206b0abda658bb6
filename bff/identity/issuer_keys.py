"""The public keys of whoever gives out tokens: fetched from its address, kept, and looked for anew when they change.

A key is found by its `kid`. Anybody can send a token with a `kid` of their own making, so an unknown one leads to a
fetch only where the last is a while ago; and while the issuer is down, the keys that are known go on opening doors.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final

import httpx
import jwt
import orjson
import structlog

log = structlog.get_logger(__name__)

# What an issuer's key may sign with. None of them takes a secret, so none of these keys can pass for one.
ALGORITHMS: Final = ("RS256", "ES256")
# Seconds for the whole of a fetch; whoever brings a token of a new key waits for it.
DEADLINE: Final = 2.0
# Seconds between two fetches at least, whatever is asked for. Issuers show a new key long before they sign with it.
COOL_DOWN: Final = 10.0
# Seconds after which keys are fetched anew, so that one that was withdrawn opens nothing for ever.
KEPT: Final = 300.0
# Bytes; a set of keys has a few KiB.
MAX_ANSWER: Final = 256 * 1024


class IssuerDown(Exception):
    """The issuer can't be asked, and nothing known here has this key."""


class IssuerKeys:
    """A JSON Web Key Set (RFC 7517) at an address.

    Args:
        url: the address.
        transport: how it is asked; None for the network.
        now: seconds of a clock that never goes back.
    """

    def __init__(
        self,
        url: str,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._transport = transport
        # Reading the certificates that we trust takes milliseconds, so it is done once and not at each fetch.
        self._tls = httpx.create_ssl_context()
        self._now = now
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._down = False
        self._fetching: asyncio.Task[None] | None = None
        self._fetch_from = self._stale_from = now()

    async def get(self, kid: str) -> jwt.PyJWK | None:
        """The key of this name, or None where the issuer has none. One that is known is given without waiting.

        Raises:
            IssuerDown: it is not known, and the issuer could not be asked.
        """
        key = self._keys.get(kid)
        if key is not None:
            if self._now() >= self._stale_from:
                self._begin()
            return key
        self._begin()
        if self._fetching is not None:
            # Others wait for it too: who gives up here takes nothing from them.
            await asyncio.shield(self._fetching)
        key = self._keys.get(kid)
        if key is None and self._down:
            raise IssuerDown
        return key

    def _begin(self) -> None:
        """Starts a fetch, unless one is under way or was a moment ago."""
        if self._fetching is None and self._now() >= self._fetch_from:
            self._fetch_from = self._now() + COOL_DOWN
            self._fetching = asyncio.create_task(self._fetch(), name="issuer's keys")
            self._fetching.add_done_callback(self._end)

    def _end(self, _: asyncio.Task[None]) -> None:
        self._fetching = None

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(DEADLINE):
                keys = _parse(await self._ask())
        except (httpx.HTTPError, jwt.PyJWTError, OSError, TypeError, ValueError) as error:
            self._down = True
            log.warning("the keys of tokens can't be fetched", known=len(self._keys), reason=repr(error))
            return
        if keys.keys() != self._keys.keys():
            log.info("keys of tokens", kids=sorted(keys))
        self._keys, self._down = keys, False
        self._stale_from = self._now() + KEPT

    async def _ask(self) -> bytes:
        async with (
            httpx.AsyncClient(transport=self._transport, verify=self._tls, timeout=DEADLINE) as http,
            http.stream("GET", self._url, headers={"accept-encoding": "identity"}) as answer,
        ):
            answer.raise_for_status()
            body = bytearray()
            async for piece in answer.aiter_raw():
                body += piece
                if len(body) > MAX_ANSWER:
                    raise ValueError(f"more than {MAX_ANSWER} bytes")
            return bytes(body)


def _parse(body: bytes) -> dict[str, jwt.PyJWK]:
    """The keys of a set that sign tokens, by name.

    Raises:
        TypeError, ValueError, jwt.PyJWTError: there are none, or it is no set.
    """
    said = orjson.loads(body)
    if not isinstance(said, dict):
        raise TypeError("not a set of keys")
    keys = {
        key.key_id: key
        for key in jwt.PyJWKSet.from_dict(said)
        # A key for encrypting, or a secret that somebody put into the set, proves nothing.
        if key.key_id and key.algorithm_name in ALGORITHMS and key.public_key_use in {None, "sig"}
    }
    if not keys:
        raise ValueError("no key that signs tokens")
    return keys
