"""HTTP/1.1 as it is served, without a socket: what a client sends goes to the server's protocol byte by byte."""

import asyncio
from typing import Any, Final, cast

import h11
import httpx
from starlette.types import ASGIApp

from bff.http.server import HttpServer
from bff.http.straight_protocol import StraightProtocol

# Turns of the loop that a server gets to read what was sent, before more is.
TURNS: Final = 6


class Pipe(asyncio.Transport):
    """The server's end of a connection.

    Attributes:
        sent: what the server sent.
        news: that it did, or did anything else.
        is_read: whether the server reads.
    """

    def __init__(self) -> None:
        super().__init__({"sockname": ("127.0.0.1", 80), "peername": ("127.0.0.1", 50_000)})
        self.sent = bytearray()
        self.news = asyncio.Event()
        self.is_read = True
        self._closed = False

    def write(self, data: Any) -> None:
        if not self._closed:
            self.sent += data
            self.news.set()

    def close(self) -> None:
        self._closed = True
        self.news.set()

    abort = close

    def is_closing(self) -> bool:
        return self._closed

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True
        self.news.set()


class Server:
    """A server that listens nowhere.

    Args:
        app: what it serves.

    Attributes:
        state: what its connections share.
    """

    def __init__(self, app: ASGIApp) -> None:
        uvicorn = HttpServer(app, host="127.0.0.1", port=0)._server
        uvicorn.config.load()
        self._config = uvicorn.config
        self.state = uvicorn.server_state

    def connect(self) -> tuple[StraightProtocol, Pipe]:
        """A new connection, both sides of it."""
        pipe = Pipe()
        protocol = StraightProtocol(config=self._config, server_state=self.state, app_state={})
        protocol.connection_made(pipe)
        return protocol, pipe


class Wire(httpx.AsyncBaseTransport):
    """httpx's way to such a server; a connection for each request.

    Args:
        app: what is served.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._server = Server(app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends a request, and receives its answer."""
        protocol, pipe = self._server.connect()
        # As it is, also where a client that minds the rules would not send it.
        lines = [b"%s %s HTTP/1.1" % (request.method.encode(), request.url.raw_path)]
        lines += [b"%s: %s" % header for header in request.headers.raw]
        is_chunked = "chunked" in request.headers.get("transfer-encoding", "")
        try:
            protocol.data_received(b"\r\n".join([*lines, b"", b""]))
            async for piece in cast("httpx.AsyncByteStream", request.stream):
                protocol.data_received(b"%x\r\n%s\r\n" % (len(piece), piece) if is_chunked else piece)
                await _turns(pipe)
                if pipe.sent or pipe.is_closing():
                    break
            else:
                if is_chunked:
                    protocol.data_received(b"0\r\n\r\n")
            return await _answer(request, pipe)
        finally:
            protocol.connection_lost(None)


async def _turns(pipe: Pipe) -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)
    while not (pipe.is_read or pipe.sent or pipe.is_closing()):
        pipe.news.clear()
        await pipe.news.wait()


async def _answer(request: httpx.Request, pipe: Pipe) -> httpx.Response:
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=request.method, target="/", headers=[("host", "test")]))
    client.send(h11.EndOfMessage())
    head: h11.Response | None = None
    body = b""
    while True:
        event = client.next_event()
        if isinstance(event, h11.Response):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            return httpx.Response(head.status_code, headers=head.headers.raw_items(), stream=httpx.ByteStream(body))
        elif event is h11.NEED_DATA:
            while not pipe.sent:
                assert not pipe.is_closing(), "closed without an answer"
                pipe.news.clear()
                await pipe.news.wait()
            client.receive_data(bytes(pipe.sent))
            pipe.sent.clear()
