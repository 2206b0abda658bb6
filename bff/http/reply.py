"""An answer that is there as a whole, before it is known in which form it is sent."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final, NamedTuple

import orjson
from starlette.responses import Response

from bff import metrics
from bff.errors import MASK, EdgeCode

# Seconds until who was not let in should come again.
RETRY_AFTER: Final = 1
TOO_MANY: Final = "There is more to do than can be done right now. Nothing was executed; please try again."


class Reply(NamedTuple):
    """An answer.

    Attributes:
        status: of HTTP.
        content_type: of the body.
        body: what is said.
        more: headers of this answer alone, in small letters.
    """

    status: int
    content_type: str
    body: bytes
    more: Sequence[tuple[str, str]] = ()

    def as_response(self) -> Response:
        """The same for ASGI."""
        response = Response(self.body, self.status, media_type=self.content_type)
        for name, value in self.more:
            response.headers[name] = value
        return response


def too_late(request_id: str, seconds: float, *, counted: bool = True) -> Reply:
    """For a client that took too long to send its request.

    Args:
        request_id: the request's id.
        seconds: that it had.
        counted: whether it began to send one.
    """
    reason = f"The request was not received within {seconds:g} s."
    # What comes of it later is no new request.
    return _last(HTTPStatus.REQUEST_TIMEOUT, request_id, reason, EdgeCode.BAD_REQUEST, counted=counted)


def too_long(request_id: str, most: int) -> Reply:
    """For a client whose request has a head that is longer than so many bytes."""
    reason = f"The head of the request is larger than {most} bytes."
    return _last(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, request_id, reason, EdgeCode.BAD_REQUEST)


def unreadable(request_id: str) -> Reply:
    """For a client that sends what is no HTTP/1.1."""
    return _last(HTTPStatus.BAD_REQUEST, request_id, "The request is no HTTP/1.1.", EdgeCode.BAD_REQUEST)


def too_many(request_id: str) -> Reply:
    """For a client that is to come again."""
    body = _error(request_id, TOO_MANY, EdgeCode.OVERLOADED, retryAfter=RETRY_AFTER)
    return Reply(HTTPStatus.SERVICE_UNAVAILABLE, _JSON, body, [("retry-after", str(RETRY_AFTER))])


def sorry(request_id: str) -> Reply:
    """Where there is no answer."""
    body = _error(request_id, MASK, EdgeCode.INTERNAL_SERVER_ERROR)
    return Reply(HTTPStatus.INTERNAL_SERVER_ERROR, "application/json", body)


def _last(status: int, request_id: str, reason: str, code: EdgeCode, *, counted: bool = True) -> Reply:
    return Reply(status, _JSON, _error(request_id, reason, code, counted=counted), [("connection", "close")])


def _error(request_id: str, message: str, code: EdgeCode, *, counted: bool = True, **more: object) -> bytes:
    if counted:
        metrics.refused(code)
    extensions = {"code": code, "requestId": request_id, **more}
    return orjson.dumps({"errors": [{"message": message, "extensions": extensions}]})


_JSON: Final = "application/json; charset=utf-8"
