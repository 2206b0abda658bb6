"""The straight way of what nearly every request is: a POST of an operation, whose one answer is JSON.

It passes the same guards as any other request to /graphql, in the order of `bff.http.guards`, in one step instead of
nine. What is unusual of a request is seen in its head, before anything is done with it, and goes the long way.
"""

import asyncio
import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute
from structlog.contextvars import bind_contextvars
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from bff import watching
from bff.http import request_id, security_headers
from bff.http.admission import Places, refused_for_overload
from bff.http.endpoint import Endpoint
from bff.http.guards import COMPRESSED_FROM, COMPRESSION, told_to_pages
from bff.http.heads import Heads
from bff.http.reply import Reply, sorry
from bff.http.request_body import MAX_BODY

log = structlog.get_logger(__name__)

PATH: Final = b"/graphql"

# What is for the server itself.
_UNUSUAL: Final = frozenset({b"upgrade", b"expect", b"transfer-encoding"})
# Bytes from which on a body is compressed in another thread, as Starlette does it.
_COMPRESSED_ASIDE: Final = 128 * 1024
# zlib's way to say that gzip's head and end go around it.
_GZIP: Final = 16 + zlib.MAX_WBITS
_PACKED: Final = b"content-encoding: gzip\r\n"


class Application(Starlette):
    """Starlette's application, with a straight way to the endpoint.

    Args:
        routes: all ways, the endpoint's long one among them.
        middleware: of all routes.
        straight: the straight way, for a server that can take it.
    """

    def __init__(self, routes: Sequence[BaseRoute], middleware: Sequence[Middleware], straight: "Straight") -> None:
        super().__init__(routes=routes, middleware=middleware)
        self.straight = straight


class Straight:
    """The straight way.

    Attributes:
        heads: of requests that came before, on whichever connection.

    Args:
        endpoint: answers operations.
        places: of requests that are worked on.
        origins: of other sites whose pages may ask. An answer then depends on where its question comes from.
        production: whether browsers are to come by TLS alone.
    """

    def __init__(self, endpoint: Endpoint, places: Places, *, origins: Sequence[str], production: bool) -> None:
        self.heads = Heads()
        self._endpoint = endpoint
        self._places = places
        headers = [*security_headers.written(production=production), (request_id.HEADER, b"")]
        self._vary_small = b"vary: Origin\r\n" if origins else b""
        self._vary_large = b"vary: Accept-Encoding, Origin\r\n" if origins else b"vary: Accept-Encoding\r\n"
        self._told_to_pages = told_to_pages(origins)
        self._always = b"\r\n".join(b"%s: %s" % header for header in headers)

    async def answer(self, headers: Mapping[bytes, bytes], body: bytes) -> tuple[bytes, bytes, bytes]:
        """Answers a request with a usual head, in a task of its own.

        Returns:
            The status line, the headers without those of the connection, and the body.
        """
        chosen = request_id.chosen(headers.get(request_id.HEADER, b""))
        bind_contextvars(request_id=chosen)
        reply = await self._reply(headers, body, chosen)
        watching.count(reply.status)
        told, more = reply.body, self._told_to_pages(headers.get(b"origin"))
        if len(told) < COMPRESSED_FROM:
            more += self._vary_small
        elif b"gzip" in headers.get(b"accept-encoding", b""):
            more = self._vary_large + _PACKED + more
            told = await _packed(told)
        else:
            more = self._vary_large + more
        about = b"content-length: %d\r\n%s%s%s%s\r\n" % (
            len(told),
            _described(reply.content_type, tuple(reply.more)),
            more,
            self._always,
            chosen.encode(),
        )
        return STATUS_LINE[reply.status], about, told

    async def _reply(self, headers: Mapping[bytes, bytes], body: bytes, chosen: str) -> Reply:
        places = self._places
        if places.free <= 0:
            return refused_for_overload(chosen)
        places.free -= 1
        try:
            return await self._endpoint.straight(body, headers, chosen)
        except (Exception, asyncio.CancelledError):  # the latter where the server ends, and waits no longer
            log.exception("request failed", path=PATH.decode())
            return sorry(chosen)
        finally:
            places.free += 1


def is_usual(headers: Mapping[bytes, bytes], count: int) -> bool:
    """Whether the head of a POST to /graphql has nothing that the straight way does not know of.

    Args:
        headers: by their names in small letters.
        count: of all headers, those of one name too.
    """
    length = headers.get(b"content-length", b"0")
    return (
        len(headers) == count
        and _UNUSUAL.isdisjoint(headers)
        and b"event-stream" not in headers.get(b"accept", b"")
        and length.isdigit()
        and int(length) <= MAX_BODY
    )


@lru_cache(maxsize=256)
def _described(content_type: str, more: tuple[tuple[str, str], ...]) -> bytes:
    return b"".join(
        b"%s: %s\r\n" % (name.encode(), value.encode()) for name, value in (("content-type", content_type), *more)
    )


async def _packed(body: bytes) -> bytes:
    return _pack(body) if len(body) < _COMPRESSED_ASIDE else await asyncio.to_thread(_pack, body)


def _pack(body: bytes) -> bytes:
    packer = zlib.compressobj(COMPRESSION, zlib.DEFLATED, _GZIP)
    return packer.compress(body) + packer.flush()
