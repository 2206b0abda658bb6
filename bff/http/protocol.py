"""uvicorn's HTTP/1.1 with another patience: less with slow clients and long heads, and more with busy ones at the end.

It waits for ever for the head of a request, however long that is, for what a client still sends when it has its answer,
and for a client that does not read. And when it stops, it cuts connections on which the next request may be on its way
already. What it says itself is text; here it has the form of every other answer.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import structlog
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from bff.http import request_id, security_headers
from bff.http.reply import Reply, too_late, too_long, too_many, unreadable

log = structlog.get_logger(__name__)

# Seconds that a client may take to send the head of a request.
HEAD_WITHIN: Final = 10.0
# Seconds that it may take to read what is left of an answer when the connection is to be closed.
READ_WITHIN: Final = 30.0
# Seconds that a connection without a request stays open when the server stops: a client that has one more sends it by
# then, is answered, and told that it was the last.
LINGER: Final = 1.0

# Bytes of the head of a request: many times a token and what a proxy adds.
MAX_HEAD: Final = 64 * 1024

# Bytes that are read of one that is longer, for the client's sake.
MAX_REST: Final = 4 * 1024 * 1024
# Bytes of a header beside its name and value.
_AROUND: Final = 4
_CLOSE: Final = (b"connection", b"close")
_HEADERS: Final = b"".join(b"%s: %s\r\n" % header for header in security_headers.written(production=False))


class _TooLong(Exception):
    """The head of a request is; it ends the parser's work."""


class _Rest(asyncio.Protocol):
    """Reads what a client goes on sending that has been refused, for as long as it takes it to read the answer.

    Args:
        transport: of the connection.
        loop: that it is on.
        lost: is told when it has ended.
    """

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, lost: Callable[[Exception | None], None]
    ) -> None:
        self._transport = transport
        self._lost = lost
        self._left = MAX_REST
        self._end = loop.call_later(LINGER, transport.abort)

    def data_received(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end.cancel()
        self._lost(exc)


class PatientProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, **named: Any) -> None:  # noqa: ANN401 -- uvicorn's own
        super().__init__(*args, **named)
        self._head: asyncio.TimerHandle | None = None
        self._rest: asyncio.TimerHandle | None = None
        self._end: asyncio.TimerHandle | None = None
        self._stopping = False
        # Whether the head of a request came to its end in what was received last.
        self._got_a_head = False
        # Bytes that were received last, and of a head those that were before them.
        self._piece = self._head_before = 0
        self._is_too_long = False
        # Whether what comes next is of a body.
        self._in_body = False
        # Since when nothing was received, on the loop's clock; None from the first byte of a request to its answer.
        self._resting_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Begins to wait for the first request."""
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Begins to wait for the head of the next request, where this is not part of one that is being answered."""
        was_idle, was_in_body = self._is_idle, self._in_body
        self._resting_since = None
        self._got_a_head = False
        self._piece = len(data)
        super().data_received(data)
        # A head that came as a whole is nothing to wait for.
        if not self._got_a_head:
            self._go_on(was_idle=was_idle, was_in_body=was_in_body)

    def on_headers_complete(self) -> None:
        """Has the head of a request."""
        self._has_a_head()
        self._in_body = True
        if self._is_crowded:
            self._turn_away()
        else:
            super().on_headers_complete()
        # There is none where the connection becomes a WebSocket, which is no concern of ours any more.
        if self._stopping and self._had_a_request:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """Has all of a request."""
        self._in_body = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Goes on with the next request, or waits for one: by one timer for all of them, which looks how long it is."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
            return
        self._resting_since = self.loop.time()
        if self._rest is None:
            self._rest = self.loop.call_later(self.timeout_keep_alive, self._look_how_long)

    def handle_websocket_upgrade(self) -> None:
        """Leaves the connection to WebSockets, where there is room for one more."""
        if self._is_crowded:
            self._refuse(too_many)
        else:
            super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 -- uvicorn's words
        """Refuses what is no HTTP, or has a head that is too long."""
        self._refuse(_too_long if self._is_too_long else unreadable)

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits for nothing any more."""
        self._stop_waiting()
        for timer in (self._rest, self._end):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Ends the connection with the request that is under way, or the one that may be on its way."""
        self._stopping = True
        if self._is_idle:
            self._end = self.loop.call_later(LINGER, self._end_if_idle)
        else:
            super().shutdown()

    def timeout_keep_alive_handler(self) -> None:
        """Closes a connection that nobody uses, and gives up one whose client does not read."""
        super().timeout_keep_alive_handler()
        if self._end is None:
            self._end = self.loop.call_later(READ_WITHIN, self.transport.abort)

    @property
    def _is_crowded(self) -> bool:
        """Whether uvicorn would turn a request away."""
        most = self.limit_concurrency
        return most is not None and (len(self.connections) >= most or len(self.tasks) >= most)

    @property
    def _had_a_request(self) -> bool:
        cycle: object = self.cycle
        return cycle is not None

    @property
    def _is_idle(self) -> bool:
        return not self._had_a_request or self.cycle.response_complete

    def _end_if_idle(self) -> None:
        super().shutdown()

    def _look_how_long(self) -> None:
        self._rest = None
        if self._resting_since is None:
            return
        left = self._resting_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._rest = self.loop.call_later(left, self._look_how_long)
        else:
            self.timeout_keep_alive_handler()

    def _has_a_head(self) -> None:
        if self._head_before + self._piece > MAX_HEAD and self._size_of_head() > MAX_HEAD:
            self._is_too_long = True
            raise _TooLong
        self._head_before = 0
        self._got_a_head = True
        self._stop_waiting()

    def _size_of_head(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + _AROUND for name, value in self.headers)

    def _go_on(self, *, was_idle: bool, was_in_body: bool) -> None:
        """Waits for the rest of a head, while it may have one; or for that of a body."""
        if not was_in_body and not self.transport.is_closing():
            self._head_before += self._piece
            if self._head_before > MAX_HEAD:
                self._refuse(_too_long)
                return
        if was_idle and self._head is None:
            self._await_head()

    def _turn_away(self) -> None:
        """Begins a request as uvicorn does, but for the one who answers it."""
        app, most = self.app, self.limit_concurrency
        self.app, self.limit_concurrency = _no_room, None
        try:
            super().on_headers_complete()
        finally:
            self.app, self.limit_concurrency = app, most

    def _refuse(self, reply: Callable[[str], Reply]) -> None:
        """Ends the connection with an answer, unless the answer to an earlier request is still to come."""
        if not self._is_idle or self.transport.is_closing():
            self.transport.close()
            return
        self._stop_waiting()
        self.transport.write(_written(reply))
        if reply is _too_long:
            # Were it closed with something unread, the kernel would tell the client that, and not the answer.
            self.transport.write_eof()
            self.transport.set_protocol(_Rest(self.transport, self.loop, self.connection_lost))
        else:
            self.transport.close()

    def _await_head(self) -> None:
        self._head = self.loop.call_later(HEAD_WITHIN, self._give_up)

    def _stop_waiting(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _give_up(self) -> None:
        self._head = None
        if self.transport.is_closing():
            return
        if not self._had_a_request:
            self.transport.write(_written(partial(too_late, seconds=HEAD_WITHIN, counted=self._head_before > 0)))
        # Else it has an answer, and what it goes on sending may be no request at all.
        self.transport.close()


async def _no_room(scope: Scope, receive: Receive, send: Send) -> None:
    """In the place of the application, where there are too many connections."""
    log.warning("request not let in: too many connections")
    chosen = request_id.of(scope)
    response = too_many(chosen).as_response()
    response.raw_headers += [*security_headers.written(production=False), (request_id.HEADER, chosen.encode()), _CLOSE]
    await response(scope, receive, send)


def _too_long(chosen: str) -> Reply:
    return too_long(chosen, MAX_HEAD)


def _written(reply: Callable[[str], Reply]) -> bytes:
    """An answer to what is no request, and so has no id of its client's."""
    chosen = request_id.chosen(b"")
    status, content_type, body, more = reply(chosen)
    headers = {"content-type": content_type, "content-length": str(len(body)), **dict(more), "connection": "close"}
    told = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
    return b"".join((STATUS_LINE[status], told, _HEADERS, request_id.HEADER, b": ", chosen.encode(), b"\r\n\r\n", body))
