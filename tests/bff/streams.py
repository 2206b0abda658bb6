"""Clients of streams: graphql-transport-ws and server-sent events, spoken over a real socket."""

import json
import ssl
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from tests.bff.client import ANN, TOKENS, Json

FOLLOW: Final = "subscription ($sn: ID!) { homestayOrderChanged(sn: $sn) { sn tradeState closeReason } }"
NO_CERTIFICATES: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
PROTOCOL: Final = Subprotocol("graphql-transport-ws")


def token(user: int = ANN, ttl: timedelta = timedelta(hours=1)) -> str:
    return f"Bearer {TOKENS.sign(user, ttl)}"


class Socket:
    """A client's end of a WebSocket."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, **message: Any) -> None:
        await self.connection.send(json.dumps(message))

    async def receive(self) -> Json:
        found: Json = json.loads(await self.connection.recv())
        return found

    async def init(self, authorization: str | None = None) -> None:
        payload = {} if authorization is None else {"Authorization": authorization}
        await self.send(type="connection_init", payload=payload)
        assert (await self.receive())["type"] == "connection_ack"

    async def subscribe(self, query: str = FOLLOW, id: str = "1", **variables: Any) -> None:  # noqa: A002
        await self.send(type="subscribe", id=id, payload={"query": query, "variables": variables})

    async def data(self) -> Any:
        """The root field of the next event."""
        message = await self.receive()
        assert message["type"] == "next", message
        assert "errors" not in message["payload"]
        (found,) = message["payload"]["data"].values()
        return found

    async def error(self) -> Json:
        """The one error of an operation that was not executed."""
        message = await self.receive()
        assert message["type"] == "error", message
        (found,) = message["payload"]
        return dict(found)

    async def closed(self) -> tuple[int | None, str | None]:
        await self.connection.wait_closed()
        return self.connection.close_code, self.connection.close_reason


@asynccontextmanager
async def socket_to(
    port: int, *, origin: str | None = None, protocol: str = PROTOCOL, **headers: str
) -> AsyncIterator[Socket]:
    address = f"ws://127.0.0.1:{port}/graphql"
    async with connect(
        address,
        subprotocols=[Subprotocol(protocol)],
        origin=None if origin is None else Origin(origin),
        additional_headers=headers,
        proxy=None,
    ) as connection:
        yield Socket(connection)


@asynccontextmanager
async def following(port: int, sn: str, user: int = ANN) -> AsyncIterator[Socket]:
    """A socket on which a guest follows an order; the state now has been read."""
    async with socket_to(port) as socket:
        await socket.init(token(user))
        await socket.subscribe(sn=sn)
        assert (await socket.data())["sn"] == sn
        yield socket


@asynccontextmanager
async def events_of(
    port: int, query: str = FOLLOW, authorization: str | None = None, **variables: Any
) -> AsyncIterator[AsyncIterator[tuple[str, Any]]]:
    """The events of an operation, each with its name."""
    headers = {"Accept": "text/event-stream", "Authorization": token() if authorization is None else authorization}
    async with (
        # No certificates are read: that takes longer than all else here.
        httpx.AsyncClient(timeout=30, transport=httpx.AsyncHTTPTransport(verify=NO_CERTIFICATES)) as http,
        http.stream(
            "POST",
            f"http://127.0.0.1:{port}/graphql",
            json={"query": query, "variables": variables},
            headers=headers,
        ) as response,
    ):
        assert response.status_code == httpx.codes.OK
        assert response.headers["Content-Type"].startswith("text/event-stream")
        assert response.headers["X-Request-Id"]
        async with aclosing(_events(response)) as events:
            yield events


async def _events(response: httpx.Response) -> Any:
    name = ""
    async for line in response.aiter_lines():
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value) if value else None
