"""What every request passes on its way in, and every answer on its way out."""

from collections.abc import Callable, Sequence
from typing import Final

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware

from bff.http.admission import Admission, Places
from bff.http.endpoint import PREFLIGHT
from bff.http.last_resort import LastResort
from bff.http.request_id import RequestId
from bff.http.security_headers import SecurityHeaders
from bff.watching import WatchedRequests

# What a page of an allowed origin may send; what Apollo Client, Relay and urql send is among it.
REQUEST_HEADERS: Final = (
    "Authorization",
    "Content-Type",
    *PREFLIGHT,
    "Idempotency-Key",
    "X-Request-Id",
    "traceparent",
)
# What it may read of the answer, beside the body.
RESPONSE_HEADERS: Final = ("X-Request-Id", "Retry-After")
# Seconds for which a browser need not ask again; the longest that Chromium keeps to.
ASKED_FOR: Final = 7200

# Bytes; a smaller answer fits into one packet as it is.
COMPRESSED_FROM: Final = 1400
# Of 1 to 9. A list of 48 kB takes 0.16 ms and becomes 5.1 kB; at 9 it takes 0.83 ms and becomes 4.6 kB.
COMPRESSION: Final = 2


def around_all(*, origins: Sequence[str], production: bool) -> list[Middleware]:
    """The middleware of every address, outermost first.

    Args:
        origins: whose pages may ask from a browser; none of them, and the browser keeps all answers to itself.
        production: whether browsers are to come by TLS alone.
    """
    return [
        Middleware(WatchedRequests),
        Middleware(RequestId),
        Middleware(SecurityHeaders, production=production),
        *([_cors(origins)] if origins else []),
        Middleware(LastResort),
    ]


def around_graphql(places: Places | None = None) -> list[Middleware]:
    """The middleware of the endpoint alone; outermost, who is let in. The files of the explorer are stored compressed.

    Args:
        places: of requests that are worked on.

    Event streams pass as they are, for a packer would hold events back. That an answer's length tells of what is in it
    is no danger here: no page of another site can make a browser ask with the guest's token, which is no cookie.
    """
    return [
        Middleware(Admission, places=places),
        Middleware(GZipMiddleware, minimum_size=COMPRESSED_FROM, compresslevel=COMPRESSION),
    ]


def _cors(origins: Sequence[str]) -> Middleware:
    return Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=("GET", "POST"),
        allow_headers=REQUEST_HEADERS,
        expose_headers=RESPONSE_HEADERS,
        # Tokens are sent by hand. With cookies, `*` would be an open door.
        allow_credentials=False,
        max_age=ASKED_FOR,
    )


def told_to_pages(origins: Sequence[str]) -> Callable[[bytes | None], bytes]:
    """Returns what gives the headers that `_cors` adds for a request's Origin, but for `Vary`."""
    if not origins:
        return lambda _: b""
    exposed = b"access-control-expose-headers: %s\r\n" % ", ".join(RESPONSE_HEADERS).encode()
    allowed = b"access-control-allow-origin: %s\r\n"
    if "*" in origins:
        everybody = allowed % b"*" + exposed
        return lambda origin: b"" if origin is None else everybody
    told = {origin.encode(): exposed + allowed % origin.encode() for origin in origins}
    return lambda origin: b"" if origin is None else told.get(origin, exposed)
