"""uvicorn's HTTP/1.1, which leaves the usual request to the straight way: no scope, no messages, and one write.

Only what is there as a whole is answered so, on a connection with nothing else under way. All that takes time, or is
unusual, is uvicorn's: it reads the same head again, and what there is of a body.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from bff.http.heads import Head
from bff.http.protocol import PatientProtocol
from bff.http.straight import PATH, Application, Straight, is_usual
from domain import tracing

# Seconds that the body of a request may come after its head. Many clients send it by itself, but at once.
BODY_WITHIN: Final = 0.5

_HEAD_ENDS: Final = b"\r\n\r\n"
_CLOSE: Final = b"connection: close\r\n\r\n"


class StraightProtocol(PatientProtocol):
    """One connection."""

    def __init__(self, *args: Any, **named: Any) -> None:  # noqa: ANN401 -- uvicorn's own
        super().__init__(*args, **named)
        app = self.config.app
        self._straight = app.straight if isinstance(app, Application) else None
        # A request whose body is on its way.
        self._coming: _Request | None = None
        self._late: asyncio.TimerHandle | None = None
        # Whether the parser is within a message.
        self._is_within = False

    def data_received(self, data: bytes) -> None:
        """Takes a request whose head came before as that one, and has any other one parsed."""
        if self._is_within or self._straight is None:
            self._parse(data)
            return
        end = data.find(_HEAD_ENDS) + len(_HEAD_ENDS)
        head = self._straight.heads.get(data[:end])
        if head is not None and len(data) == end + head.body_size and self._is_free and not self.transport.is_closing():
            self._resting_since = None
            self._has_a_head()
            self._begin(_Request(self._straight, head.headers, keep_alive=head.keep_alive), data[end:])
            return
        before: object = self.cycle
        self._parse(data)
        request: object = self.cycle
        # It was all that came, and nothing of it is unusual.
        if isinstance(request, _Request) and request is not before and not self._is_within:
            head = Head(request.headers, request.keep_alive, int(request.headers.get(b"content-length", b"0")))
            if len(data) == end + head.body_size:
                self._straight.heads.add(data[:end], head)

    def _parse(self, data: bytes) -> None:
        """Begins to wait for a body that did not come with its head."""
        super().data_received(data)
        if self._coming is not None and self._late is None:
            self._late = self.loop.call_later(BODY_WITHIN, self._take_the_long_way)

    def on_message_begin(self) -> None:
        """Has the first of a request."""
        self._is_within = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Has the head of a request, and decides on its way."""
        straight, headers = self._straight, self._usual_headers()
        if straight is None or headers is None:
            super().on_headers_complete()
            return
        self._has_a_head()
        self._in_body = True
        self._coming = _Request(straight, headers, keep_alive=self.parser.should_keep_alive())

    def on_body(self, body: bytes) -> None:
        """Keeps a piece of a body, none of which is longer than what is read."""
        if self._coming is None:
            super().on_body(body)
        else:
            self._coming.body.append(body)

    def on_message_complete(self) -> None:
        """Has all of a request."""
        self._is_within = False
        request = self._coming
        if request is None:
            super().on_message_complete()
            return
        self._in_body = False
        self._forget_what_comes()
        self._begin(request, b"".join(request.body))

    def _begin(self, request: "_Request", body: bytes) -> None:
        # In uvicorn's place for what is under way: it asks whether that is done, and tells it when the client is gone.
        self.cycle = request  # type: ignore[assignment]
        if self._stopping:
            request.keep_alive = False
        task = self.loop.create_task(self._answer(request, body))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets a request that nobody will send to its end."""
        self._forget_what_comes()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Leaves a request that is on its way to who waits for it, and is waited for."""
        self._take_the_long_way()
        super().shutdown()

    async def _answer(self, request: "_Request", asked: bytes) -> None:
        line, headers, body = await request.straight.answer(request.headers, asked)
        if self.flow.write_paused and not request.disconnected:
            await self.flow.drain()
        if request.disconnected:
            return
        date = _written(self.server_state.default_headers)
        self.transport.write(b"".join((line, date, headers, b"\r\n" if request.keep_alive else _CLOSE, body)))
        request.response_complete = True
        if not request.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _usual_headers(self) -> dict[bytes, bytes] | None:
        if self.url != PATH or not self._is_free:
            return None
        parser, headers = self.parser, dict(self.headers)
        is_post = parser.get_method() == b"POST" and parser.get_http_version() == "1.1"
        return headers if is_post and is_usual(headers, len(self.headers)) else None

    @property
    def _is_free(self) -> bool:
        """Whether nothing is under way here, no trace is kept, and uvicorn has no reason to turn a request away."""
        return (
            (self.cycle is None or self.cycle.response_complete)
            and not self.flow.write_paused
            and not tracing.is_on()
            and not self._is_crowded
        )

    @property
    def _is_idle(self) -> bool:
        return self._coming is None and super()._is_idle

    def _take_the_long_way(self) -> None:
        """Gives what has come of a request to uvicorn."""
        request = self._coming
        if request is None:
            return
        self._forget_what_comes()
        super().on_headers_complete()
        for piece in request.body:
            super().on_body(piece)

    def _forget_what_comes(self) -> None:
        self._coming = None
        if self._late is not None:
            self._late.cancel()
            self._late = None


class _Gone:
    """In the place of the event that wakes who waits for a request's body: here, nobody does."""

    def set(self) -> None:
        pass


class _Request:
    """A request on the straight way, with what uvicorn asks of one that is under way.

    Attributes:
        straight: answers it.
        headers: by their names in small letters.
        body: its pieces.
        keep_alive: whether another one may follow.
        disconnected: whether the client is gone.
        response_complete: whether it has its answer.
    """

    __slots__ = ("body", "disconnected", "headers", "keep_alive", "response_complete", "straight")

    message_event: Final = _Gone()

    def __init__(self, straight: Straight, headers: Mapping[bytes, bytes], *, keep_alive: bool) -> None:
        self.straight = straight
        self.headers = headers
        self.body: list[bytes] = []
        self.keep_alive = keep_alive
        self.disconnected = False
        self.response_complete = False


def _written(headers: list[tuple[bytes, bytes]]) -> bytes:
    return b"".join([b"%s: %s\r\n" % header for header in headers])
