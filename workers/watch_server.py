"""/livez, /readyz and /metrics of a process that answers no HTTP otherwise, from a thread of its own.

So they answer when the program's own loop hangs, and say so: `live` is what a restart mends, `ready` all that it needs.
"""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from domain.errors import Failure
from workers.metrics import Metrics, on_loop

log = structlog.get_logger(__name__)

# Returns where all is well; raises, or takes longer than `WITHIN`, where it is not.
Check = Callable[[], Awaitable[None]]
# Seconds; what takes longer is not well. Probes give up after some seconds, too.
WITHIN: Final = 2.0
# Of a machine's worker processes each takes the next port that is free.
PORTS: Final = 16
# Seconds in which it starts or stops.
_SOON: Final = 5.0


class NotWell(Exception):
    """A check failed; the message says why."""


class WatchServer:
    """Serves them.

    Args:
        host: address to listen on.
        port: port to listen on; the first that is free of this and the next `PORTS`.
        metrics: answers /metrics.
        live: by what each looks at, checks of what a restart would mend.
        ready: checks of what else this process needs.
    """

    name = "watch"

    def __init__(
        self, *, host: str, port: int, metrics: Metrics, live: Mapping[str, Check], ready: Mapping[str, Check]
    ) -> None:
        self._host = host
        self._wanted = port
        app = Starlette(
            routes=[
                Route("/livez", _answer("live", live)),
                Route("/readyz", _answer("ready", {**live, **ready})),
                Route("/metrics", metrics.answer, methods=["GET"]),
            ]
        )
        config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False, lifespan="off", ws="none")
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None
        self.port = 0

    async def start(self) -> None:
        """Serves from now on.

        Raises:
            OSError: no port is free.
        """
        listener = self._listen()
        self.port = listener.getsockname()[1]
        self._thread = threading.Thread(target=self._server.run, args=[[listener]], name="watch", daemon=True)
        self._thread.start()
        log.info("watched", host=self._host, port=self.port)

    async def stop(self) -> None:
        """Ends it."""
        if self._thread is not None:
            self._server.should_exit = True
            await asyncio.to_thread(self._thread.join, _SOON)

    def _listen(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        for port in range(self._wanted, self._wanted + PORTS):
            listener = socket.socket(family)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((self._host, port))
                listener.listen()
            except OSError as error:
                listener.close()
                reason = error.strerror
            else:
                return listener
        raise OSError(f"can't listen on {self._host}:{self._wanted} or the next {PORTS - 1} ports: {reason}")


def responsive(loop: asyncio.AbstractEventLoop) -> Check:
    """The check that a loop does what it is asked to."""

    async def check() -> None:
        await on_loop(loop, asyncio.sleep(0))

    return check


def _answer(word: str, checks: Mapping[str, Check]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(_: Request) -> Response:
        found = await asyncio.gather(*(_missing(check) for check in checks.values()))
        missing = {name: reason for name, reason in zip(checks, found, strict=True) if reason}
        return JSONResponse({word: not missing, "missing": [*missing], "reasons": missing}, 503 if missing else 200)

    return answer


async def _missing(check: Check) -> str:
    """Why a check fails; empty where all is well."""
    try:
        async with asyncio.timeout(WITHIN):
            await check()
    except TimeoutError:
        return f"no answer in {WITHIN:g} s"
    except NotWell as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 -- whatever it is, it is not well; its words may be an address with a password
        return error.reason if isinstance(error, Failure) else type(error).__name__
    return ""
