"""The straight way of what nearly every request is: a POST of an operation, whose one answer is JSON.

It passes the same guards as any other request to /graphql, in the order of `bff.http.guards`, in one step instead of
nine. What is unusual of a request is seen in its head, before anything is done with it, and goes the long way.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, reset_contextvars

from bff.http import request_id, security_headers
from bff.http.admission import HELD, RECEIVE_WITHIN, Places, refuse_late, refuse_overload
from bff.http.endpoint import Endpoint
from bff.http.guards import COMPRESSED_FROM, COMPRESSION
from bff.http.last_resort import sorry

log = structlog.get_logger(__name__)

PATH: Final = "/graphql"
_VARY: Final = (b"vary", b"Accept-Encoding")


class Application(Starlette):
    """Starlette's application, with a straight way to the endpoint.

    Args:
        endpoint: answers operations.
        places: of requests that are worked on.
        routes: all ways, the endpoint's long one among them.
        middleware: of all routes.
        origins: of other sites whose pages may ask; what comes from a page goes the long way.
        production: whether browsers are to come by TLS alone.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        places: Places,
        *,
        routes: Sequence[BaseRoute],
        middleware: Sequence[Middleware],
        production: bool,
    ) -> None:
        super().__init__(routes=routes, middleware=middleware)
        self._endpoint = endpoint
        self._places = places
        self._headers = security_headers.written(production=production)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == PATH and scope["method"] == "POST":
            headers = dict(scope["headers"])
            if _is_usual(headers, len(scope["headers"])):
                await self._answer(scope, headers, receive, send)
                return
        await super().__call__(scope, receive, send)

    async def _answer(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send) -> None:
        chosen = request_id.chosen(headers.get(request_id.HEADER, b""))
        scope.setdefault("state", {})["request_id"] = chosen
        tokens = bind_contextvars(request_id=chosen)
        try:
            await self._work(scope, headers, receive, _Answer(send, chosen, self._headers))
        finally:
            reset_contextvars(**tokens)

    async def _work(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, answer: "_Answer") -> None:
        try:
            async with asyncio.timeout(RECEIVE_WITHIN):
                body = await _body(receive)
        except (TimeoutError, asyncio.CancelledError):  # the latter where the server ends, and waits no longer
            await refuse_late(scope, answer, RECEIVE_WITHIN)
            return
        if body is None:
            return
        places = self._places
        if places.free <= 0:
            await refuse_overload(scope, answer)
            return
        places.free -= 1
        try:
            response = await self._endpoint.straight(body, headers, scope["state"]["request_id"])
            if b"gzip" in headers.get(b"accept-encoding", b""):
                packed = GZipMiddleware(response, minimum_size=COMPRESSED_FROM, compresslevel=COMPRESSION)
                await packed(scope, receive, answer)
            else:
                await answer.send(response)
        except Exception:
            log.exception("request failed", path=scope["path"])
            if not answer.has_begun:
                await sorry(scope)(scope, receive, answer)
        finally:
            places.free += 1


class _Answer:
    """An answer on its way, which gets the headers that every answer has.

    Attributes:
        has_begun: whether its head was sent.
    """

    def __init__(self, send: Send, chosen: str, headers: Sequence[tuple[bytes, bytes]]) -> None:
        self._send = send
        self._chosen = chosen
        self._headers = headers
        self.has_begun = False

    async def __call__(self, message: Message) -> None:
        """Sends a message, as ASGI has it."""
        if message["type"] == "http.response.start":
            self.has_begun = True
            message["headers"] = [
                *message.get("headers", ()),
                *self._headers,
                (request_id.HEADER, self._chosen.encode()),
            ]
        await self._send(message)

    async def send(self, response: Response) -> None:
        """Sends an answer as it is."""
        body = response.body
        headers = response.raw_headers
        if len(body) >= COMPRESSED_FROM:
            headers.append(_VARY)
        await self({"type": "http.response.start", "status": response.status_code, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


def _is_usual(headers: dict[bytes, bytes], count: int) -> bool:
    """Whether a request's head has nothing that the straight way does not know of."""
    return len(headers) == count and b"origin" not in headers and b"event-stream" not in headers.get(b"accept", b"")


async def _body(receive: Receive) -> bytes | None:
    """A body, or more of it than anybody reads; None where the client left before it had sent all."""
    message = await receive()
    if message["type"] == "http.disconnect":
        return None
    body: bytes = message.get("body", b"")
    while message.get("more_body", False) and len(body) <= HELD:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
    return body
