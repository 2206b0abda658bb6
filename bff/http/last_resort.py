"""What nobody else caught: told to the client in the form of every error, and logged once with the request's id."""

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bff.errors import EdgeCode
from bff.http.reply import sorry
from bff.metrics import refused

log = structlog.get_logger(__name__)


class LastResort:
    """ASGI middleware: the outermost that knows the request's id."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except ClientDisconnect:
            # It went away before it had said what it wants: nobody is there to be answered, and nothing is wrong here.
            return
        except Exception:
            log.exception("request failed", path=scope["path"])
            if started:
                refused(EdgeCode.INTERNAL_SERVER_ERROR)
            else:
                await sorry(scope["state"]["request_id"]).as_response()(scope, receive, send)
            # Half an answer can't be mended. The server sees that it has no end, and closes the connection.
