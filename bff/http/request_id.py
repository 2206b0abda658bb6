"""Every answer carries X-Request-Id, and every log line of a request the same id."""

import random
import re
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER: Final = b"x-request-id"
# What a proxy or client may send as its own id: nothing that could break a log line or a header.
_ACCEPTED: Final = re.compile(rb"[A-Za-z0-9._-]{1,128}")
# Messages that begin an answer: of a request, and of a WebSocket that is let in or turned away.
_BEGINS: Final = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})


class RequestId:
    """ASGI middleware: takes over the client's id where it is a sane one, else makes one."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        request_id = of(scope)
        header = (HEADER, request_id.encode())
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] in _BEGINS:
                # Who accepts a WebSocket may have given none.
                message["headers"] = [*message.get("headers", ()), header]
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self.app(scope, receive, send_with_id)


def of(scope: Scope) -> str:
    """The id of a request to ASGI."""
    return chosen(next((value for name, value in scope["headers"] if name == HEADER), b""))


def chosen(given: bytes) -> str:
    """A request's id: the client's where it is a sane one, else a new one."""
    if given and _ACCEPTED.fullmatch(given):
        return given.decode()
    return f"{random.getrandbits(128):032x}"
