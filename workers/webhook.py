"""Announces changes of orders to whoever tells guests: a webhook of the installation's own, e.g. its push service.

The form is that of Standard Webhooks: `webhook-id` is the same each time a letter is sent, so a receiver can tell a
repeat; `webhook-signature` shows that it comes from us.
"""

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self

import httpx
import orjson

from domain import tracing
from domain.errors import AnnouncementRefused
from domain.outbox import Letter
from domain.tracing import Kind

# Seconds. A receiver that needs longer does its work before it answers; it should note the message down and answer.
TIMEOUT: Final = 5.0
# Refused now, but not for good: too early, too many, or the request took too long to arrive.
_PASSING: Final = frozenset({408, 425, 429})


class Webhook:
    """Sends letters on `order.changed`.

    Args:
        url: where to.
        secret: the key of the signatures, as text or as `whsec_` and base 64.
    """

    def __init__(self, url: str, secret: str) -> None:
        self._url = url
        self._key = base64.b64decode(secret[6:]) if secret.startswith("whsec_") else secret.encode()
        self._http = httpx.AsyncClient(timeout=TIMEOUT, follow_redirects=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def announce(self, letter: Letter) -> None:
        """Sends a letter.

        Raises:
            AnnouncementRefused: the receiver will not take it, now or later.
            httpx.HTTPError: it could not be sent, or was not taken this time.
        """
        body = orjson.dumps({"type": letter.topic, "timestamp": letter.created_at, "data": letter.payload})
        name, now = f"msg_{letter.id}", str(int(datetime.now(UTC).timestamp()))
        headers = {
            "content-type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": now,
            "webhook-signature": f"v1,{self._sign(name, now, body)}",
        }
        # Its address may hold a key of the receiver's, so the span does not tell it.
        with tracing.span("POST webhook", Kind.CLIENT, {"http.request.method": "POST"}) as span:
            answer = await self._http.post(self._url, content=body, headers=headers | tracing.carrier())
            span.note({"http.response.status_code": answer.status_code})
        if answer.is_client_error and answer.status_code not in _PASSING:
            raise AnnouncementRefused(f"The receiver of announcements answers {answer.status_code}.")
        if not answer.is_success:
            # In words of our own: httpx's have the address, and that may hold a key of the receiver's.
            said = f"The receiver of announcements answers {answer.status_code}."
            raise httpx.HTTPStatusError(said, request=answer.request, response=answer)

    def _sign(self, name: str, timestamp: str, body: bytes) -> str:
        said = b".".join((name.encode(), timestamp.encode(), body))
        return base64.b64encode(hmac.digest(self._key, said, hashlib.sha256)).decode()
