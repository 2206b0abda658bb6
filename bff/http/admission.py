"""Who is let in to /graphql, and when: requests that are there as a whole, and no more at once than can be worked on.

Without it a client that sends a byte a second holds a place for as long as it likes, and under more load than it can
carry a server does all of it too late.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bff.http.reply import Reply, too_late, too_many

log = structlog.get_logger(__name__)

# Requests that are worked on. A core answers more than a thousand a second: the last of these waits a fifth of one.
AT_ONCE: Final = 256
# Seconds that a client may take to send a body. The largest that is read takes a second at 64 kB/s.
RECEIVE_WITHIN: Final = 10.0
# Bytes that are kept before a request is let in. The endpoint refuses more unread.
HELD: Final = 64 * 1024


class Places:
    """What is left of the requests that may be worked on at once.

    Attributes:
        free: how many more.
    """

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self.free = at_once

    @contextmanager
    def taken(self) -> Iterator[bool]:
        """Takes one until the end of the context, and says whether there was one."""
        if self.free <= 0:
            yield False
            return
        self.free -= 1
        try:
            yield True
        finally:
            self.free += 1


class Admission:
    """ASGI middleware; inside that which gives requests their ids.

    Args:
        app: what is behind it.
        at_once: requests that are worked on.
        receive_within: seconds that a client may take to send a body.
        places: where others take places, too; None where nobody does.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        at_once: int = AT_ONCE,
        receive_within: float = RECEIVE_WITHIN,
        places: Places | None = None,
    ) -> None:
        self.app = app
        self._places = Places(at_once) if places is None else places
        self._receive_within = receive_within

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._receive_within):
                request = await _Request.of(receive)
        except (TimeoutError, asyncio.CancelledError):  # the latter where the server ends, and waits no longer
            reply = too_late(scope["state"]["request_id"], self._receive_within)
            await reply.as_response()(scope, receive, send)
            return
        if request.is_gone:
            return
        if self._places.free <= 0:
            await refused_for_overload(scope["state"]["request_id"]).as_response()(scope, receive, send)
            return
        await self._work(scope, request, send)

    async def _work(self, scope: Scope, request: "_Request", send: Send) -> None:
        holds = True
        self._places.free -= 1

        async def watched(message: Message) -> None:
            nonlocal holds
            if holds and message["type"] == "http.response.start" and _is_stream(message):
                # What goes on until the client leaves is no work.
                holds = False
                self._places.free += 1
            await send(message)

        try:
            await self.app(scope, request.receive, watched)
        finally:
            if holds:
                self._places.free += 1


class _Request:
    """A body that was received, to be received again by whoever works on it."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._messages: list[Message] = []

    @classmethod
    async def of(cls, receive: Receive) -> "_Request":
        """Receives a body to its end, or more of it than anybody reads."""
        request = cls(receive)
        size = 0
        while size <= HELD:
            message = await receive()
            request._messages.append(message)
            size += len(message.get("body", b""))
            if not message.get("more_body", False):
                break
        request._messages.reverse()
        return request

    @property
    def is_gone(self) -> bool:
        """Whether the client left before it had sent all."""
        return bool(self._messages[0]["type"] == "http.disconnect")

    async def receive(self) -> Message:
        """The next message, as ASGI has it."""
        return self._messages.pop() if self._messages else await self._receive()


def _is_stream(start: Message) -> bool:
    return any(
        name.lower() == b"content-type" and value.startswith(b"text/event-stream")
        for name, value in start.get("headers", ())
    )


def refused_for_overload(request_id: str) -> Reply:
    """Tells a client to come again, and whoever reads the log that it was told so."""
    log.warning("request not let in: too many at once")
    return too_many(request_id)
