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
        self._end: asyncio.TimerHandle | None = None
        self._stopping = False
        self._had_a_request = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Begins to wait for the first request."""
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Begins to wait for the head of the next request, where this is not part of one that is being answered."""
        if self._head is None and self._is_idle:
            self._await_head()
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """Has the head of a request."""
        self._stop_waiting()
        super().on_headers_complete()
        # None where the connection becomes a WebSocket, which is no concern of ours any more.
        self._had_a_request = self.cycle is not None
        if self._stopping and self._had_a_request:
            self.cycle.keep_alive = False

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits for nothing any more."""
        self._stop_waiting()
        if self._end is not None:
            self._end.cancel()
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
    def _is_idle(self) -> bool:
        return not self._had_a_request or self.cycle.response_complete

    def _end_if_idle(self) -> None:
        super().shutdown()

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
