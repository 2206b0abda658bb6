"""An operators' page over an installation of a test's making, and a browser that is good at reading tables."""

import html
import re
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import dramatiq
import httpx
import sqlalchemy as sa
from dramatiq.brokers.redis import RedisBroker
from dramatiq.brokers.stub import StubBroker
from grpc import aio
from starlette.applications import Starlette
from starlette.types import ASGIApp

from bff import ops
from bff.app import create_app
from domain import outbox
from domain.clock import Clock
from domain.database import Database
from domain.order import letters
from domain.order.room import OrderRoom
from domain.order.states import CloseReason, TradeState
from domain.outbox import Outbox
from tests.bff.edges import edge_of
from tests.conftest import NOW
from tests.order.rows import EVENTS, ORDERS, REFUNDS, create_row
from workers.broker import CLOSING_QUEUE
from workers.queue_depths import QUEUES

TOKEN: Final = "a token of more than sixteen characters"
GRACE: Final = timedelta(seconds=10)
# What a page must not take for a script of its own.
DIED_OF: Final = "<script>alert(1)</script>"


def queues_here() -> StubBroker:
    """Queues inside this process."""
    broker = StubBroker(middleware=[])
    for queue in QUEUES:
        broker.declare_queue(queue)
    return broker


def app_of(
    room: OrderRoom,
    *,
    broker: dramatiq.Broker | None = None,
    upstreams: Mapping[str, aio.Channel] | None = None,
    pause: float = 0,
    works: bool = False,
    secure: bool = False,
) -> Starlette:
    """The edge with the page."""
    routes = ops.routes(
        ops.Sight(room.database, room.clock, broker or queues_here(), upstreams or {}),
        ops.Door(TOKEN, pause=pause),
        secure=secure,
        grace=GRACE,
        works=works,
    )
    return create_app(edge=edge_of(room), database=room.database, ops_routes=routes)


class Operator:
    """Somebody in front of the page."""

    def __init__(self, app: ASGIApp) -> None:
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")

    async def sign_in(self, token: str = TOKEN) -> httpx.Response:
        return await self.http.post("/ops/session", data={"token": token})

    async def see(self) -> str:
        answer = await self.http.get("/ops")
        assert answer.status_code == 200
        return answer.text

    async def key(self) -> str:
        found = re.search(r'name="key" value="([0-9a-f]{64})"', await self.see())
        assert found
        return found[1]

    async def send(self, path: str, **fields: str) -> httpx.Response:
        """Sends a form of the page."""
        return await self.http.post(path, data={"key": await self.key(), **fields})


def section(page: str, name: str) -> str:
    found = re.search(rf'<section aria-labelledby="{name}">(.*?)</section>', page, re.DOTALL)
    assert found, name
    return found[1]


def words(markup: str) -> str:
    text = html.unescape(re.sub(r"<[^>]*>", " ", markup)).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return " ".join(text.split())


def rows(page: str, name: str) -> list[list[str]]:
    """The cells of a section's tables, without their heads."""
    return [
        [words(cell) for cell in re.findall(r"<t[hd][ >].*?</t[hd]>", row, re.DOTALL)]
        for row in re.findall(r"<tr>(.*?)</tr>", section(page, name), re.DOTALL)
        if 'scope="col"' not in row
    ]


def tiles(page: str) -> dict[str, list[str]]:
    """The numbers at the top: each with its value and its note."""
    return {
        words(name).removesuffix(" ✗ look"): [words(value), words(note)]
        for name, value, note in re.findall(
            r'<span class="name">(.*?)</span>\s*<strong>(.*?)</strong>\s*<span class="faint">(.*?)</span>',
            page,
            re.DOTALL,
        )
    }


async def fill(database: Database, clock: Clock) -> None:
    """An installation with a little of everything.

    Orders close in 30 s, 90 s (two) and 10.5 min; one is 42 s overdue. Three closed unpaid, 0.4, 12 and 40 s late; one
    was given up by its guest, and one closed two hours ago. Two refunds are due. Two letters wait, two are dead.
    """
    seconds = (30, 90, 90, 630, -42)
    soon = [create_row(close_at=NOW + timedelta(seconds=each)) for each in seconds]
    ended = [
        (timedelta(minutes=-5), 0.4, CloseReason.UNPAID_TIMEOUT),
        (timedelta(minutes=-6), 12.0, CloseReason.UNPAID_TIMEOUT),
        (timedelta(minutes=-7), 40.0, CloseReason.UNPAID_TIMEOUT),
        (timedelta(minutes=-8), -600.0, CloseReason.GUEST),
        (timedelta(hours=-2), 1.0, CloseReason.UNPAID_TIMEOUT),
    ]
    closed = [create_row(close_at=NOW + due, trade_state=TradeState.CANCELLED) for due, _, _ in ended]
    events = [
        {
            "order_sn": row["sn"],
            "at": row["close_at"] + timedelta(seconds=lag),
            "from_state": TradeState.WAIT_PAY,
            "to_state": TradeState.CANCELLED,
            "reason": reason,
        }
        for row, (_, lag, reason) in reversed([*zip(closed, ended, strict=True)])
    ]
    refunds = [
        {
            "payment_sn": f"PMT{number}",
            "order_sn": f"HSO{number}",
            "total": 59_800 + number,
            "requested_at": at,
            "refunded_at": back,
        }
        for number, (at, back) in enumerate(
            [(NOW - timedelta(minutes=3), None), (NOW - timedelta(hours=5), None), (NOW - timedelta(days=1), NOW)]
        )
    ]

    async def work(connection: Any) -> None:
        await connection.execute(sa.insert(ORDERS), [*soon, *closed])
        await connection.execute(sa.insert(EVENTS), events)
        await connection.execute(sa.insert(REFUNDS), refunds)
        dead = {"PMT1": {"paymentSn": "PMT1"}, "PMT2": {"paymentSn": "PMT2"}}
        await outbox.add(connection, letters.REFUND, dead, clock.sql_now(ago=timedelta(minutes=9)))

    await database.write(work)
    post = Outbox(database, clock)
    for letter in await post.take([letters.REFUND], 2):
        await post.bury(letter, error=f"the payment service refuses {letter.subject}")
    waiting = {"HSO8": {"sn": "HSO8"}, "HSO9": {"sn": "HSO9"}}
    await database.write(
        lambda connection: outbox.add(connection, letters.CHANGED, waiting, clock.sql_now(ago=timedelta(minutes=2)))
    )


def message(sn: str, *, sent: float = 0, queue: str = CLOSING_QUEUE) -> dramatiq.Message[None]:
    """A message that was sent some seconds ago."""
    return dramatiq.Message(
        queue_name=queue,
        actor_name="order.close_unpaid",
        args=(sn,),
        kwargs={},
        options={},
        message_timestamp=int((time.time() - sent) * 1000),
    )


def bury(broker: RedisBroker, *dead: dramatiq.Message[None]) -> list[str]:
    """Has messages dead, as both brokers keep them."""
    for each in dead:
        live = f"{broker.namespace}:{each.queue_name}"
        broker.client.hset(f"{live}.XQ.msgs", each.message_id, each.copy(options={"error": DIED_OF}).encode())
        broker.client.zadd(f"{live}.XQ", {each.message_id: time.time() * 1000})
    return [each.message_id for each in dead]
