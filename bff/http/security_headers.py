"""Headers with which every answer tells browsers what they must not do with it."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Answers are data. Shown as a page, they may load nothing, run nothing and be framed by nobody; a page of ours brings a
# policy of its own.
ALWAYS: Final = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # No page of another site may embed it. One that is let in by CORS reads it all the same.
    "Cross-Origin-Resource-Policy": "same-origin",
    # What a guest was shown is nobody else's, and old a moment later.
    "Cache-Control": "no-store",
}
# A year, in seconds. Not for the names below ours: whether they speak TLS is not ours to say.
PRODUCTION: Final = {"Strict-Transport-Security": "max-age=31536000"}


def written(*, production: bool) -> list[tuple[bytes, bytes]]:
    """The headers in the form in which they are sent."""
    headers = ALWAYS | (PRODUCTION if production else {})
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


class SecurityHeaders:
    """ASGI middleware: adds each header that the answer does not have already.

    Args:
        app: what answers.
        production: whether browsers are to come by TLS alone from now on.
    """

    def __init__(self, app: ASGIApp, *, production: bool) -> None:
        self.app = app
        self._headers = written(production=production)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message.get("headers", ())
                present = {name for name, _ in headers}
                message["headers"] = [*headers, *(header for header in self._headers if header[0] not in present)]
            await send(message)

        await self.app(scope, receive, send_with_headers)
