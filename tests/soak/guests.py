"""Guests at an even pace: they look around, order, pay or don't, follow what they ordered, and back-ends ask, too."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

import grpc
import httpx
from websockets.exceptions import WebSocketException

from domain import rpc
from domain.order.states import PaymentStatus
from proto import order_pb2, order_pb2_grpc
from tests.bff.streams import events_of, socket_to
from tests.chaos import client
from tests.chaos.ledger import Ledger, Outcome
from tests.chaos.lodgings import LODGINGS
from tests.chaos.provider import Provider
from tests.soak.site import Whole

_USERS: Final = 3000
# Orders that are remembered, to be looked at again.
_KNOWN: Final = 500
# Guests at once: so many are never needed at the pace that is asked for, unless something hangs.
_MOST: Final = 128
# Seconds; a token is good for an hour.
_GOOD_FOR: Final = 3000.0
# Seconds for which an order is followed.
_FOLLOWED: Final = (0.5, 4.0)

LIST: Final = "{ userHomestayOrderList(first: 10) { nodes { sn tradeState homestay { info } payment { status } } } }"
DETAIL: Final = """
    query ($sn: ID!) {
      userHomestayOrderDetail(sn: $sn) { sn tradeState homestay { title } payment { status } history { to } }
    }"""
QUOTE: Final = """
    query ($homestayId: ID!, $start: Date!, $end: Date!) {
      homestayQuote(
        homestayId: $homestayId, liveStartDate: $start, liveEndDate: $end, livePeopleNum: 1, needFood: true
      ) {
        nights available orderTotalPrice { amount }
      }
    }"""


class Guests:
    """Who comes.

    Args:
        site: the installation.
        random: what each does.

    Attributes:
        told: how often each thing ended how.
        begun: how many things were begun.
        late: how many were not, since too many were still under way.
    """

    def __init__(self, site: Whole, random: Random) -> None:
        self._site = site
        self._random = random
        self._known: deque[tuple[int, str]] = deque(maxlen=_KNOWN)
        self._under_way: set[asyncio.Task[None]] = set()
        self._tokens: dict[int, tuple[str, float]] = {}
        self.told: Counter[tuple[str, str]] = Counter()
        self.begun = self.late = 0
        self.ledger = Ledger()
        self._deeds: list[tuple[str, Callable[[int], Awaitable[str]], int]] = [
            ("list", self._list, 40),
            ("detail", self._detail, 15),
            ("quote", self._quote, 15),
            ("order", self._order, 12),
            ("follow by WebSocket", self._follow, 4),
            ("follow by events", self._listen, 4),
            ("order-rpc", self._ask_order_rpc, 10),
        ]

    async def come(self, seconds: float, pace: float | None = None, at_once: int = 64) -> float:
        """Lets guests come and returns how many things were done in a second.

        Args:
            seconds: for how long.
            pace: things to begin in a second; None for as many as there is time for.
            at_once: guests who come where there is no pace, each when the one before has done.
        """
        loop = asyncio.get_running_loop()
        started, before = loop.time(), sum(self.told.values())
        async with (
            client.device() as self._http,
            rpc.channel(self._site.payment_address) as payment,
            rpc.channel(f"127.0.0.1:{self._site.installation.order_rpc_port}") as orders,
        ):
            self._provider = Provider(payment, self.ledger)
            self._orders: Any = order_pb2_grpc.orderStub(orders)
            if pace is None:
                await asyncio.gather(*(self._repeat(started + seconds) for _ in range(at_once)))
            else:
                await self._evenly(started, seconds, pace)
            if self._under_way:
                await asyncio.wait(self._under_way)
        return (sum(self.told.values()) - before) / (loop.time() - started)

    async def _evenly(self, started: float, seconds: float, pace: float) -> None:
        loop = asyncio.get_running_loop()
        for number in range(int(seconds * pace)):
            await asyncio.sleep(max(0.0, started + number / pace - loop.time()))
            if len(self._under_way) >= _MOST:
                self.late += 1
                continue
            task = asyncio.create_task(self._do())
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _repeat(self, until: float) -> None:
        while asyncio.get_running_loop().time() < until:
            await self._do()

    async def _do(self) -> None:
        self.begun += 1
        names, deeds, weights = zip(*self._deeds, strict=True)
        (number,) = self._random.choices(range(len(names)), weights)
        try:
            outcome: str = await deeds[number](self._random.randrange(1, _USERS))
        except (OSError, EOFError, WebSocketException, httpx.HTTPError, grpc.RpcError, AssertionError) as error:
            outcome = type(error).__name__
        self.told[names[number], outcome] += 1

    async def _list(self, user: int) -> str:
        return (await self._ask(user, LIST, {})).outcome.value

    async def _detail(self, user: int) -> str:
        user, sn = self._random.choice(self._known) if self._known else (user, "HSO20260520120000abcdefgh")
        return (await self._ask(user, DETAIL, {"sn": sn})).outcome.value

    async def _quote(self, user: int) -> str:
        start, end = self._stay()
        wanted = {"homestayId": str(self._random.choice(LODGINGS).id), "start": start, "end": end}
        return (await self._ask(user, QUOTE, wanted)).outcome.value

    async def _order(self, user: int) -> str:
        start, end = self._stay()
        wanted = {
            "homestayId": str(self._random.choice(LODGINGS).id),
            "liveStartDate": start,
            "liveEndDate": end,
            "livePeopleNum": 1,
            "needFood": self._random.random() < 0.5,
        }
        placed = await self._ask(user, client.PLACE, {"input": wanted})
        if placed.outcome is not Outcome.ACKNOWLEDGED or placed.payload is None:
            return placed.outcome.value
        sn: str = placed.payload["order"]["sn"]
        self._known.append((user, sn))
        chance = self._random.random()
        if chance < 0.3:
            await self._pay(user, sn)
        elif chance < 0.5:
            await self._ask(user, client.CANCEL, {"sn": sn})
        return str(placed.outcome.value)

    async def _pay(self, user: int, sn: str) -> None:
        opened = await self._ask(user, client.PAY, {"sn": sn})
        if opened.outcome is Outcome.ACKNOWLEDGED and opened.payload is not None:
            await self._provider.tell(opened.payload["payment"]["sn"], PaymentStatus.SUCCESS)

    async def _follow(self, user: int) -> str:
        if not self._known:
            return "nothing to follow"
        user, sn = self._known[-1]
        async with socket_to(self._site.installation.port) as socket:
            await socket.init(f"Bearer {self._token(user)}")
            await socket.subscribe(sn=sn)
            await self._a_while(socket.receive)
        return "followed"

    async def _listen(self, user: int) -> str:
        if not self._known:
            return "nothing to follow"
        user, sn = self._known[-1]
        authorization = f"Bearer {self._token(user)}"
        async with events_of(self._site.installation.port, authorization=authorization, sn=sn) as events:
            await self._a_while(lambda: anext(events))
        return "followed"

    async def _a_while(self, hear: Callable[[], Awaitable[object]]) -> None:
        with suppress(TimeoutError, StopAsyncIteration):
            async with asyncio.timeout(self._random.uniform(*_FOLLOWED)):
                while True:
                    await hear()

    async def _ask_order_rpc(self, user: int) -> str:  # noqa: ARG002 -- back-ends see all guests' orders
        if not self._known:
            return "nothing to ask for"
        _, sn = self._random.choice(self._known)
        await self._orders.homestayOrderDetail(order_pb2.HomestayOrderDetailReq(sn=sn), timeout=3)
        return "answered"

    def _token(self, user: int) -> str:
        """A guest's token, used for as long as it is good; edges know those that they have seen."""
        token, until = self._tokens.get(user, ("", 0.0))
        if until < time.monotonic():
            token, until = self._site.token(user), time.monotonic() + _GOOD_FOR
            self._tokens[user] = token, until
        return token

    def _stay(self) -> tuple[str, str]:
        start = datetime.now(UTC).date() + timedelta(days=self._random.randint(2, 600))
        return str(start), str(start + timedelta(days=self._random.randint(1, 3)))

    async def _ask(self, user: int, query: str, variables: dict[str, Any]) -> client.Answer:
        token = self._token(user)
        return await client.ask(self._http, self._site.graphql_url, query, variables, token=token, ledger=self.ledger)
