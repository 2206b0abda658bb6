"""uvicorn as one service of a group: the group owns the signals, uvicorn only serves."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from bff.http.listener import listen
from bff.http.request_body import MAX_BODY
from bff.http.straight_protocol import StraightProtocol

# Seconds for requests under way to finish; above the longest request, below what an orchestrator waits.
GRACE: Final = 10
# Seconds from the last new connection to the first that is ended, where others serve the address too: by then these
# have heard of it as well. Else a client that comes back would find one that is about to end.
TOGETHER: Final = 0.5
# Idle connections count too, so this only guards against a leak.
MAX_CONNECTIONS: Final = 1000


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpServer:
    """Serves an application on one address.

    Args:
        app: the application.
        host: address to listen on.
        port: port to listen on.
        shared: whether other processes of ours serve it, too.
    """

    name = "http"

    def __init__(self, app: ASGIApp, *, host: str, port: int, shared: bool = False) -> None:
        self._host = host
        self._port = port
        self._server = _Server(
            uvicorn.Config(
                app,
                http=StraightProtocol,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                limit_concurrency=MAX_CONNECTIONS,
                ws="websockets-sansio",
                ws_max_size=MAX_BODY,
                # Of a message of a few hundred bytes little is saved, and each connection would hold the memory for it.
                ws_per_message_deflate=False,
                # As late as one that is alone, though it begins later.
                timeout_graceful_shutdown=GRACE - (1 if shared else 0),
            )
        )
        self._shared = shared
        self._socket: socket.socket | None = None
        self._serving: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._port if self._socket is None else int(self._socket.getsockname()[1])

    async def start(self) -> None:
        """Binds the address and serves from now on.

        Raises:
            OSError: the address is taken.
        """
        self._socket = listen(self._host, self._port, shared=self._shared)
        self._serving = asyncio.create_task(self._server.serve([self._socket]), name="http")
        while not self._server.started and not self._serving.done():  # noqa: ASYNC110 -- uvicorn has a flag, no event
            await asyncio.sleep(0.01)
        if self._serving.done():
            self._serving.result()

    async def stop(self) -> None:
        """Takes no new request, and finishes those under way."""
        if self._serving is not None:
            if self._shared:
                for server in self._server.servers:
                    server.close()
                await asyncio.sleep(TOGETHER)
            self._server.should_exit = True
            await self._serving
            # Those of clients that were stuck.
            for connection in list(self._server.server_state.connections):
                connection.transport.abort()
        if self._socket is not None:
            self._socket.close()
