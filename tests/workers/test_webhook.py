"""Announcements to whoever tells guests: signed, repeatable, and given up only when they are refused for good."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest

from domain.errors import AnnouncementRefused
from domain.outbox import Letter
from tests.conftest import NOW
from tests.servers import free_port
from workers.webhook import Webhook

LETTER = Letter(
    id=5,
    topic="order.changed",
    subject="HSO1",
    payload={"sn": "HSO1", "tradeState": "CANCELLED"},
    created_at=NOW,
    due_at=NOW + timedelta(seconds=30),
    attempts=1,
)


class Receiver:
    """Somebody's push service."""

    def __init__(self) -> None:
        self.status = 204
        self.heard: list[tuple[dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.heard.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(receiver.status)
                self.send_header("location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/changes"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = Thread(target=receiver.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield receiver
    receiver.server.shutdown()
    thread.join()
    receiver.server.server_close()


@pytest.mark.parametrize(
    ("secret", "key"),
    [("shared", b"shared"), (f"whsec_{base64.b64encode(b'bytes').decode()}", b"bytes")],
)
async def test_a_letter_is_sent_and_signed(receiver: Receiver, secret: str, key: bytes) -> None:
    async with Webhook(receiver.url, secret) as webhook:
        for _ in range(2):
            await webhook.announce(LETTER)
    for headers, body in receiver.heard:
        assert json.loads(body) == {
            "type": "order.changed",
            "timestamp": "2026-05-20T04:00:00+00:00",
            "data": {"sn": "HSO1", "tradeState": "CANCELLED"},
        }
        said = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.digest(key, said, hashlib.sha256)).decode()
        assert headers["webhook-signature"] == f"v1,{expected}"
    # A receiver that has seen this id has seen the letter.
    assert {headers["webhook-id"] for headers, _ in receiver.heard} == {"msg_5"}


@pytest.mark.parametrize("status", [400, 401, 404, 410, 422])
async def test_what_is_refused_for_good_is_not_tried_again(receiver: Receiver, status: int) -> None:
    receiver.status = status
    async with Webhook(receiver.url, "shared") as webhook:
        with pytest.raises(AnnouncementRefused, match=str(status)):
            await webhook.announce(LETTER)


@pytest.mark.parametrize("status", [302, 408, 425, 429, 500, 503])
async def test_what_may_pass_is_tried_again(receiver: Receiver, status: int) -> None:
    receiver.status = status
    async with Webhook(receiver.url, "shared") as webhook:
        with pytest.raises(httpx.HTTPError):
            await webhook.announce(LETTER)
    assert len(receiver.heard) == 1


async def test_nobody_there_is_tried_again() -> None:
    async with Webhook(f"http://127.0.0.1:{free_port()}/changes", "shared") as webhook:
        with pytest.raises(httpx.HTTPError):
            await webhook.announce(LETTER)
