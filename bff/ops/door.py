"""Who may see the operators' page: whoever knew the installation's token not long ago.

The token is said once, in a form. What the browser keeps is no token but a signature that ends by itself, in a cookie
that no script reads and no other site's page can make the browser send. Basic authentication would be shorter, but a
browser that knows a password sends it along with whatever any page has it post here, for ever, with no way to sign out.
Nothing is stored: every process that knows the token knows its sessions.
"""

import asyncio
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from typing import Final

# Seconds until the token has to be said again: a working day.
SESSION: Final = 8 * 3600
# Seconds that a wrong token costs. They are paid one after the other, whoever guesses.
PAUSE: Final = 1.0
# Who may wait for a turn to say a token.
MOST_WAITING: Final = 8


class Crowded(Exception):
    """Too many say tokens at once."""


class Door:
    """Reads tokens, and signs what stands for them afterwards.

    Args:
        token: the installation's.
        pause: seconds that a wrong one costs.
        now: seconds since 1970; processes that share a token had better agree.
    """

    def __init__(self, token: str, *, pause: float = PAUSE, now: Callable[[], float] = time.time) -> None:
        self._token = token.encode()
        self._pause = pause
        self._now = now
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def admits(self, said: str) -> bool:
        """Whether this is the token. Guesses are answered one at a time, and slowly.

        Raises:
            Crowded: too many are being answered.
        """
        if self._waiting >= MOST_WAITING:
            raise Crowded
        self._waiting += 1
        try:
            async with self._turn:
                # Of equal length, so that how long the comparison takes tells nothing of the token's.
                if hmac.compare_digest(_digest(said.encode()), _digest(self._token)):
                    return True
                await asyncio.sleep(self._pause)
                return False
        finally:
            self._waiting -= 1

    def open_session(self) -> str:
        """A session that begins now, to be kept by the browser."""
        session = f"{int(self._now()) + SESSION}.{secrets.token_urlsafe(12)}"
        return f"{session}.{self._sign('session', session)}"

    def knows(self, cookie: str) -> bool:
        """Whether this is a session of ours that has not ended."""
        session, _, signature = cookie.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._sign("session", session).encode()):
            return False
        return int(session.partition(".")[0]) > self._now()

    def form_key(self, cookie: str) -> str:
        """What the forms of a session's pages carry, and no page of anybody else can know."""
        return self._sign("form", cookie)

    def wrote(self, cookie: str, key: str) -> bool:
        """Whether a form came from a page of this session."""
        return hmac.compare_digest(key.encode(), self.form_key(cookie).encode())

    def _sign(self, purpose: str, text: str) -> str:
        return hmac.new(self._token, f"{purpose}:{text}".encode(), hashlib.sha256).hexdigest()


def _digest(said: bytes) -> bytes:
    return hashlib.sha256(said).digest()
