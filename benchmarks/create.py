"""What placing an order costs beside a plain insert of its row: CPU time of this process, and how long callers wait.

A MariaDB that flushes at each commit and a Redis that keeps its log run as processes of their own on 127.0.0.1. One
contender places orders as the product does (nights, key, limit of unpaid orders, history, and the message that closes
it, sent to Redis by the sender); the other inserts the order's row and commits, with the same driver and engine. Both
make their homestays and prices of nothing: no other service is asked. They take turns, A B B A, in one run.

    python -m benchmarks.create [--orders 2000] [--rounds 3] [--at-once 32] [--quick]
"""

import argparse
import asyncio
import gc
import logging
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa
import structlog
import uvloop

from bff.cli.progress import shown
from domain.columns import table_of
from domain.database import Database
from domain.engine import create_engine
from domain.errors import UpstreamUnavailable
from domain.money import Fen
from domain.order.models import HomestayOrder
from domain.order.ports import Found, Homestay, Payment
from domain.order.pricing import Rules, Stay
from domain.order.room import assemble
from domain.order.states import SaleUnit, TradeState
from tests.servers import MariaDB, Redis
from workers import actors, migration
from workers.clock import SystemClock
from workers.sender import Sender
from workers.sorted_set_broker import SortedSetBroker, connect

ORDERS: Final = table_of(HomestayOrder)
ZONE: Final = ZoneInfo("Asia/Shanghai")
WINDOW: Final = timedelta(minutes=20)
NIGHTS: Final = 2
HOMESTAY: Final = Homestay(
    id=1,
    title="Courtyard House",
    sub_title="Two steps from the Drum Tower",
    banner=("https://example.com/cover.jpg",),
    info="A quiet yard.",
    people_num=4,
    business_id=11,
    user_id=12,
    on_shelf=True,
    sale_unit=SaleUnit.ROOM,
    food_info="Breakfast and dinner.",
    food_price=Fen(3000),
    price=Fen(29_900),
    market_price=Fen(39_900),
)

Placing = Callable[[int], Awaitable[object]]


class AnyHomestay:
    """A travel service that knows every homestay and takes no time."""

    async def homestay(self, homestay_id: int) -> Homestay:
        """The same one under every number."""
        return replace(HOMESTAY, id=homestay_id)

    async def several(self, homestay_ids: Sequence[int]) -> dict[int, Found]:
        """The same one under each."""
        return {each: await self.homestay(each) for each in homestay_ids}


class NoPayments:
    """A payment service that nobody asks: placing an order needs none."""

    async def of_order(self, order_sn: str) -> Payment | None:
        """Never called."""
        raise UpstreamUnavailable("payment", order_sn)

    open = of_orders = refund = of_order


@dataclass
class Measured:
    """What the rounds of one contender came to."""

    name: str
    place: Placing
    cpu: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    async def round(self, orders: int, at_once: int, numbers: "count[int]") -> None:
        """Places so many orders, so many at once."""
        left = iter(range(orders))

        async def client() -> None:
            for _ in left:
                before = time.perf_counter()
                await self.place(next(numbers))
                self.waits.append(time.perf_counter() - before)

        gc.collect()
        wall, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(client() for _ in range(at_once)))
        self.cpu.append((time.process_time() - cpu) / orders * 1e6)
        self.rate.append(orders / (time.perf_counter() - wall))

    def row(self) -> str:
        """A row of the table."""
        part = statistics.quantiles(self.waits, n=100)
        return (
            f"| {self.name} | {statistics.median(self.cpu):.0f} | {statistics.median(self.rate):.0f} "
            f"| {part[49] * 1e3:.1f} | {part[98] * 1e3:.1f} |"
        )


def plain_row(number: int, at: datetime) -> dict[str, Any]:
    """The same columns with values of the same size as the product writes."""
    start = at.date() + timedelta(days=30)
    return {
        "sn": f"HSO{at:%Y%m%d%H%M%S}P{number:07d}",
        "user_id": number,
        "homestay_id": number,
        "homestay_business_id": HOMESTAY.business_id,
        "homestay_user_id": HOMESTAY.user_id,
        "title": HOMESTAY.title,
        "sub_title": HOMESTAY.sub_title,
        "cover": HOMESTAY.banner[0],
        "info": HOMESTAY.info,
        "people_num": HOMESTAY.people_num,
        "row_type": HOMESTAY.sale_unit,
        "need_food": True,
        "food_info": HOMESTAY.food_info,
        "food_price": HOMESTAY.food_price,
        "homestay_price": HOMESTAY.price,
        "market_homestay_price": HOMESTAY.market_price,
        "live_start_date": start,
        "live_end_date": start + timedelta(days=NIGHTS),
        "live_people_num": 2,
        "trade_state": TradeState.WAIT_PAY,
        "trade_code": "8CHARS00",
        "remark": "",
        "homestay_total_price": 59_800,
        "food_total_price": 12_000,
        "order_total_price": 71_800,
        "create_time": at,
        "update_time": at,
        "close_at": at + WINDOW,
    }


@asynccontextmanager
async def contenders(mariadb: MariaDB, redis: Redis) -> AsyncIterator[tuple[Measured, Measured]]:
    """The plain insert and the product, on one database."""
    database = Database(create_engine(mariadb.url))
    await migration.upgrade(database)
    sender = Sender(SortedSetBroker(client=connect(redis.url), middleware=[]))
    await sender.start()
    rules = Rules(zone=ZONE, pay_window=WINDOW, max_unpaid=5)
    room = assemble(
        database,
        SystemClock(),
        rules,
        travel=AnyHomestay(),
        payments=NoPayments(),  # type: ignore[arg-type] # placing asks none
        timer=sender,
    )

    async def insert(number: int) -> None:
        row = plain_row(number, datetime.now(UTC))
        await database.write(lambda connection: connection.execute(sa.insert(ORDERS).values(**row)))

    async def create(number: int) -> None:
        start = datetime.now(ZONE).date() + timedelta(days=30)
        stay = Stay(number, start, start + timedelta(days=NIGHTS), guests=2, food=True)
        await room.orders.create(number, stay, expected_total=71_800, key=f"key of {number}")

    try:
        yield Measured("plain insert of the row", insert), Measured("order as the product places it", create)
    finally:
        await sender.stop()
        await database.close()
    if sender.dropped:
        raise SystemExit(f"{sender.dropped} messages were dropped: the figures leave out their cost")


async def measure(orders: int, rounds: int, at_once: int) -> None:
    """The run, and its table."""
    with ExitStack() as stack:
        tell = stack.enter_context(shown(steady=False))
        tell("starting MariaDB and Redis", 0, None)
        mariadb = stack.enter_context(MariaDB(flush_log_at_trx_commit=1).start())
        redis = stack.enter_context(Redis().start())
        async with contenders(mariadb, redis) as (plain, ours):
            numbers = count(1)
            for each in (plain, ours):  # statements compiled, connections open
                await each.round(at_once * 4, at_once, numbers)
                for figures in (each.cpu, each.rate, each.waits):
                    figures.clear()
            turns = [plain, ours, ours, plain] * rounds
            for turn, each in enumerate(turns):
                tell(each.name, turn, len(turns))  # between the turns: drawing costs CPU, too
                await each.round(orders, at_once, numbers)
    ratio = statistics.median(ours.cpu) / statistics.median(plain.cpu)
    print(  # noqa: T201
        f"| {at_once} at once | CPU µs | per second | p50 ms | p99 ms |\n|---|---|---|---|---|\n"
        f"{plain.row()}\n{ours.row()}\n\nAn order costs {ratio:.1f} times the CPU of its row."
    )


def main() -> None:
    """Reads the command line, measures, and prints a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.create", description=__doc__)
    parser.add_argument("--orders", type=int, default=2000, help="in each turn")
    parser.add_argument("--rounds", type=int, default=3, help="of four turns each")
    parser.add_argument("--at-once", type=int, default=32)
    parser.add_argument("--quick", action="store_true", help="one round of 200 orders a turn")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    actors.broker.close()
    orders, rounds = (200, 1) if arguments.quick else (arguments.orders, arguments.rounds)
    uvloop.run(measure(orders, rounds, arguments.at_once))


if __name__ == "__main__":
    main()
