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


def too_late(request_id: str, seconds: float) -> Reply:
    """For a client that took too long to send its request."""
    reason = f"The request was not received within {seconds:g} s."
    body = _error(reason, {"code": EdgeCode.BAD_REQUEST, "requestId": request_id})
    # What comes of it later is no new request.
    return Reply(HTTPStatus.REQUEST_TIMEOUT, _JSON, body, [("connection", "close")])


def too_many(request_id: str) -> Reply:
    """For a client that is to come again."""
    extensions = {"code": EdgeCode.OVERLOADED, "requestId": request_id, "retryAfter": RETRY_AFTER}
    return Reply(
        HTTPStatus.SERVICE_UNAVAILABLE, _JSON, _error(TOO_MANY, extensions), [("retry-after", str(RETRY_AFTER))]
    )


def sorry(request_id: str) -> Reply:
    """Where there is no answer."""
    body = _error(MASK, {"code": EdgeCode.INTERNAL_SERVER_ERROR, "requestId": request_id})
    return Reply(HTTPStatus.INTERNAL_SERVER_ERROR, "application/json", body)


def _error(message: str, extensions: dict[str, object]) -> bytes:
    metrics.refused(str(extensions["code"]))
    return orjson.dumps({"errors": [{"message": message, "extensions": extensions}]})


_JSON: Final = "application/json; charset=utf-8"
