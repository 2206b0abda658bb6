"""uvicorn's HTTP/1.1 with another patience: less with slow clients, and more with busy ones at the end.

It waits for ever for the head of a request, for what a client still sends when it has its answer, and for a client that
does not read. And when it stops, it cuts connections on which the next request may be on its way already.
"""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Seconds that a client may take to send the head of a request.
HEAD_WITHIN: Final = 10.0
# Seconds that it may take to read what is left of an answer when the connection is to be closed.
READ_WITHIN: Final = 30.0
# Seconds that a connection without a request stays open when the server stops: a client that has one more sends it by
# then, is answered, and told that it was the last.
LINGER: Final = 1.0

_TOO_LATE: Final = (
    b"HTTP/1.1 408 Request Timeout\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 17\r\n"
    b"connection: close\r\n\r\nRequest Timeout\r\n"
)


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
        # Since when nothing was received, on the loop's clock; None from the first byte of a request to its answer.
        self._resting_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Begins to wait for the first request."""
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Begins to wait for the head of the next request, where this is not part of one that is being answered."""
        was_idle = self._is_idle
        self._resting_since = None
        self._got_a_head = False
        super().data_received(data)
        # A head that came as a whole is nothing to wait for.
        if was_idle and not self._got_a_head and self._head is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        """Has the head of a request."""
        self._has_a_head()
        super().on_headers_complete()
        # There is none where the connection becomes a WebSocket, which is no concern of ours any more.
        if self._stopping and self._had_a_request:
            self.cycle.keep_alive = False

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
        self._got_a_head = True
        self._stop_waiting()

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
            self.transport.write(_TOO_LATE)
        # Else it has an answer, and what it goes on sending may be no request at all.
        self.transport.close()
