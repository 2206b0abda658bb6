"""The room of the GraphiQL page, where a developer tries the guests' operations by hand.

The page is built from this folder by `build.sh` and served by the server itself, so that no request of it leaves the
machine. Where it has not been built, for want of npm, a small page of our own takes its place.
"""

import re
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

__all__ = ["BUILD", "Tab", "routes"]

_HERE: Final = Path(__file__).parent
BUILD: Final = _HERE / "build"

_MEDIA_TYPES: Final = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".ttf": "font/ttf",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}
"""Named here, for the machine's own table may say otherwise and a wrong type is refused under nosniff."""

_PLAIN_FILES: Final = ("plain.css", "plain.js")
_ASSET_NAME: Final = re.compile(r"[\w-]+(\.[\w-]+)+", re.ASCII)
_NONCE_MARK: Final = "{{nonce}}"

_POLICY: Final = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}


@dataclass(frozen=True, slots=True)
class Tab:
    """An example operation, opened as a tab of the page.

    Attributes:
        title: What the operation does, in a few words.
        query: The operation.
        variables: Its variables.
    """

    title: str
    query: str
    variables: dict[str, object] | None = None


def routes(
    *,
    endpoint: str,
    tabs: Callable[[], Sequence[Tab]],
    token: Callable[[], str] | None,
    build: Path = BUILD,
) -> list[BaseRoute]:
    """Make the routes of the page: /graphiql, /graphiql/session.json and the files under /graphiql/.

    Args:
        endpoint: Path of the GraphQL endpoint the page posts to.
        tabs: Makes the examples, anew at each visit, for they name nights to come.
        token: Makes a development token; None where tokens are not given away.
        build: Folder of the built page.

    Returns:
        Routes that answer for the whole of /graphiql, refusals included.
    """

    # A function that waits for nothing and reads files is not `async`, so that Starlette gives it a thread.
    def page(_: Request) -> Response:
        try:
            html = (build / "index.html").read_text(encoding="utf-8")
        except FileNotFoundError:
            html = (_HERE / "plain.html").read_text(encoding="utf-8")
            return HTMLResponse(html, headers=_headers(cache="no-store"))
        nonce = secrets.token_urlsafe(16)
        policy = _full_page_policy(nonce)
        return HTMLResponse(html.replace(_NONCE_MARK, nonce), headers=_headers(cache="no-store", policy=policy))

    def asset(request: Request) -> Response:
        name: str = request.path_params["name"]
        path = build / "assets" / name
        if not _ASSET_NAME.fullmatch(name) or path.suffix not in _MEDIA_TYPES or not path.is_file():
            return _refusal(HTTPStatus.NOT_FOUND)
        # Their names hold a checksum of what is in them: under one name they never change.
        headers = _headers(cache="public, max-age=31536000, immutable")
        media_type = _MEDIA_TYPES[path.suffix]
        packed = path.with_name(f"{name}.gz")
        if packed.is_file():
            headers["Vary"] = "Accept-Encoding"
            if "gzip" in request.headers.get("Accept-Encoding", ""):
                headers["Content-Encoding"] = "gzip"
                path = packed
        return FileResponse(path, headers=headers, media_type=media_type)

    async def session(_: Request) -> Response:
        content = {
            "endpoint": endpoint,
            "token": token() if token else None,
            "tabs": [asdict(tab) for tab in tabs()],
        }
        return JSONResponse(content, headers=_headers(cache="no-store"))

    return [
        Route("/graphiql", page),
        Route("/graphiql/", page),
        Route("/graphiql/session.json", session),
        *(Route(f"/graphiql/{name}", _plain_file(name)) for name in _PLAIN_FILES),
        Route("/graphiql/assets/{name}", asset),
        # What is left over is refused here and not by the application, whose refusals do not carry the policy.
        Route("/graphiql", _Refusal(HTTPStatus.METHOD_NOT_ALLOWED)),
        Route("/graphiql/{rest:path}", _Refusal(HTTPStatus.NOT_FOUND)),
    ]


@dataclass(frozen=True, slots=True)
class _Refusal:
    """An endpoint that refuses by whatever method it is asked; a function as endpoint answers to GET alone."""

    status: HTTPStatus

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await _refusal(self.status)(scope, receive, send)


def _refusal(status: HTTPStatus) -> Response:
    headers = _headers(cache="no-store") | ({"Allow": "GET, HEAD"} if status == HTTPStatus.METHOD_NOT_ALLOWED else {})
    return PlainTextResponse(f"{status.phrase}\n", status, headers)


def _plain_file(name: str) -> Callable[[Request], Awaitable[Response]]:
    path = _HERE / name

    async def endpoint(_: Request) -> Response:
        return FileResponse(path, headers=_headers(cache="no-cache"), media_type=_MEDIA_TYPES[path.suffix])

    return endpoint


def _full_page_policy(nonce: str) -> dict[str, str]:
    """Widen the policy by what GraphiQL cannot do without.

    The editor, Monaco, makes <style> elements as it goes: they carry the nonce (see src/nonce.js), and no others are
    accepted. It also writes the lines of text as markup in which a style attribute holds each line's place; there is
    no nonce for attributes, so 'unsafe-inline' stands, for attributes alone. Nothing a style could fetch lies outside
    of this server. Icons and the page's two typefaces are written into its stylesheet as data:. The workers that
    parse GraphQL and JSON are files of ours.
    """
    return _POLICY | {
        "style-src": f"'self' 'nonce-{nonce}'",
        "style-src-attr": "'unsafe-inline'",
        "font-src": "'self' data:",
        "worker-src": "'self'",
    }


def _headers(*, cache: str, policy: dict[str, str] = _POLICY) -> dict[str, str]:
    return {
        "Content-Security-Policy": "; ".join(f"{directive} {sources}" for directive, sources in policy.items()),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": cache,
    }
